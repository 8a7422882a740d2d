/*
 * daemon.h - the life of a trivet daemon, the same for all three: options,
 * configuration with last-good, run directory, privileges, signals, readiness,
 * watchdog, reload as a transaction, and the question "restart or stop?".
 *
 * A daemon is a struct daemon_class and a call of daemon_main().  What it says
 * on the bus about itself is ipc/service.c, built on this.
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include "common/conf/conf.h"
#include "common/loop.h"
#include "common/text.h"

#include <sys/queue.h>
#include <sys/types.h>

/* Exit codes people script (design.md section 8). */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

#define DAEMON_GROUP	 "_trivet"
#define DAEMON_CONF_PATH "/etc/trivet/trivet.conf"
#define DAEMON_RUN_DIR	 "/run/trivet"
#define DAEMON_STATE_DIR "/var/lib/trivet"

struct daemon;

enum daemon_stop {
	DAEMON_STOP,	/* give up what is ours */
	DAEMON_RESTART, /* a successor comes at once: leave it standing */
};

/* The lines that say what a reload changes; 'add' copies. */
struct daemon_changes {
	char **lines;
	size_t n;
};
void daemon_changes_add(struct daemon_changes *, const char *line);
void daemon_changes_done(struct daemon_changes *);

struct daemon_class {
	const char *name;   /* "vrrpd": argv[0], socket, directories */
	const char *user;   /* "_trivet-vrrpd": who we are once dropped */
	unsigned parts;	    /* enum conf_part: errors in these are fatal at start */
	uint64_t keep_caps; /* bit mask of CAP_*: kept after the drop */
	/* More of them that a configuration needs; NULL: none ever. */
	uint64_t (*more_caps)(const struct conf *);
	bool locks_memory; /* nothing of it may wait to be read back from disk */
	bool wants_runner; /* started by hand as root: fork a runner before the drop */

	/* Once, with the loop made, the configuration loaded and privileges dropped.  0, or
	 * -errno after logging why.  Call daemon_ready() when the service is up (also from here).
	 */
	int (*start)(struct daemon *);

	/*
	 * Go over from d->conf to 'next'; with dry_run only say whether that is
	 * possible.  All or nothing: -errno and a line in 'why' leave everything
	 * as it was ("needs restart: ...").  d->conf still is the old one inside.
	 */
	int (*reload)(struct daemon *, const struct conf *next, bool dry_run, struct text *why);

	/* SIGUSR1: open the log files anew.  NULL: there are none. */
	void (*reopen)(struct daemon *);

	/* Begin to end; call daemon_exit() when done.  Called once. */
	void (*stop)(struct daemon *, enum daemon_stop);
};

struct daemon_options {
	const char *conf_path, *run_dir, *state_dir, *node_id;
	bool check_only, verbose;
};

struct daemon_degraded { /* why health is not ok, by key */
	TAILQ_ENTRY(daemon_degraded) entry;
	char *key, *reason;
};

struct daemon {
	const struct daemon_class *class;
	struct daemon_options options;
	uv_loop_t *loop;
	void *aux;		 /* the daemon's own root object */
	const struct conf *conf; /* in force; its parts may be pointed into until replaced */
	uint64_t generation;	 /* 1 at start, +1 at each reload that was applied */
	char loaded_at[LOOP_STAMP_STRLEN], started_at[LOOP_STAMP_STRLEN];
	mono_t started;
	char epoch[17];	    /* random per process, hexadecimal */
	char *reload_error; /* of the last reload, or why last-good runs; NULL: none */
	bool stopping;
	TAILQ_HEAD(, daemon_degraded) degraded;
};

/* Everything from argv to the exit code. */
int daemon_main(const struct daemon_class *, int argc, char **argv);

void daemon_ready(struct daemon *);
void daemon_exit(struct daemon *, int code);

/* STATUS= for the service manager: one line for people. */
void daemon_status(struct daemon *, const char *line);

/* Health is "degraded" while any key has a reason; NULL takes it away. */
void daemon_set_degraded(struct daemon *, const char *key, const char *reason);

/* RUN_DIR/NAME/FILE, to be freed. */
char *daemon_run_path(const struct daemon *, const char *file);
/* STATE_DIR/NAME/FILE, to be freed. */
char *daemon_state_path(const struct daemon *, const char *file);

struct daemon_reload {
	bool dry_run;
	const char *digest; /* refuse unless the file read has it; NULL: any */
};
struct daemon_reload_result {
	struct daemon_changes changes;
	struct conf_diags diags;
	char digest[17];
	char *why; /* refused for this reason; NULL: by the diagnostics */
};

/* 0; -EBUSY (a reload is running), -EINVAL (diags, why), -ESTALE (another digest). */
int daemon_reload(struct daemon *, const struct daemon_reload *, struct daemon_reload_result *ret);
void daemon_reload_result_done(struct daemon_reload_result *);

/*
 * Write 'text' to 'path' so that a reader sees the old or the new whole: a
 * temporary file (O_NOFOLLOW, mode), renamed over it.  0 or -errno.
 */
int daemon_write_file(const char *path, const char *text, size_t size, mode_t mode);

/*
 * The same in parts: begin returns a descriptor or -errno; end puts the file in
 * its place, or removes what was written when 'err' is an error: 0 or -errno.
 */
int daemon_file_begin(const char *path, mode_t mode);
int daemon_file_add(int fd, const char *text, size_t size); /* 0 or -errno */
int daemon_file_end(const char *path, int fd, int err);

/*
 * Read what daemon_write_file wrote: O_NOFOLLOW, a regular file, owned by us or
 * root, not writable by others, at most max_bytes.  0 or -errno (-EPERM: owner
 * or mode).  *ret_text is NUL-terminated, to be freed.
 */
int daemon_read_file(const char *path, size_t max_bytes, char **ret_text, size_t *ret_size);

#endif
