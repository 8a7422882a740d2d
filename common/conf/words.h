/*
 * words.h - what a server block says in variables: lines of its logs, what it
 * sets, returns, passes to.  Immutable once read; shared by reference, since
 * sessions outlive the configuration they began with.
 */
#ifndef COMMON_CONF_WORDS_H
#define COMMON_CONF_WORDS_H

#include "common/conf/lexicon.h"

/* How a value is written into a line. */
enum log_escape {
	ESCAPE_NONE,	/* as it is; what is not found is empty */
	ESCAPE_DEFAULT, /* \xHH for '"', '\' and what is not printable; not found: "-" */
	ESCAPE_JSON,	/* as in a string of JSON; not found: empty */
};

struct log_format_conf {
	char *name;
	struct stream_template line;
	enum log_escape escape;
};

/* Where lines go. */
struct log_target {
	char *path;	  /* a file; NULL: see below */
	bool to_stderr;	  /* with the daemon's own */
	char *syslog;	  /* "10.0.0.1:514", "unix:/dev/log" */
	uint8_t facility; /* LOG_LOCAL7 >> 3 */
	uint8_t severity; /* of access lines: LOG_INFO */
	char *tag;	  /* "trivet" */
	bool no_hostname;
};

struct access_log_conf {
	struct log_target target;
	struct stream_template line;
	enum log_escape escape;
	struct stream_template condition; /* if=; n 0: always.  "" and "0": no line */
	bool at_start;			  /* a line when the session begins, not when it ends */
	size_t buffer_size;		  /* 0: each line at once */
	int64_t flush_us;
	struct conf_pos pos;
};

struct error_log_conf {
	struct log_target target;
	int level; /* syslog's */
	struct conf_pos pos;
};

struct server_words {
	unsigned refs; /* atomic */
	struct lexicon *lexicon;
	struct assignment *sets;
	size_t n_sets;
	struct access_log_conf *access;
	size_t n_access;
	struct error_log_conf *errors;
	size_t n_errors;
	struct stream_template answer; /* return; 'returns': it may be empty */
	bool returns;
	struct stream_template pass; /* proxy_pass with variables; n 0: none */
};

struct server_words *server_words_new(struct lexicon *); /* takes a reference */
struct server_words *server_words_ref(struct server_words *);
void server_words_unref(struct server_words *); /* accepts NULL */

void target_copy(const struct log_target *, struct log_target *ret);
void target_done(struct log_target *);
bool target_equal(const struct log_target *, const struct log_target *);
void access_log_conf_done(struct access_log_conf *);

#endif
