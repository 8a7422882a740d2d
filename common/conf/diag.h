/*
 * diag.h - what the configuration language has to say about a file.
 * One list for a whole run: all errors of a file, not the first only.
 */
#ifndef COMMON_CONF_DIAG_H
#define COMMON_CONF_DIAG_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

struct conf_source; /* the files read, kept so that a line can be shown (conf.h) */

/* Where something was written.  line 0: nowhere (a default, or the whole file). */
struct conf_pos {
	uint16_t file;	       /* index into the list of files read */
	uint16_t length;       /* of the word, for the caret; 0: one column */
	uint32_t line, column; /* from 1 */
};

enum conf_severity {
	CONF_NOTICE,  /* recognised, has no effect here, and why */
	CONF_WARNING, /* works, probably not what was meant */
	CONF_ERROR,   /* the daemons refuse the file */
};

/* Which daemon's business it is; a mask, so that a daemon may start on errors in another's part. */
enum conf_part {
	CONF_GLOBAL = 1 << 0, /* lexing, includes, global_defs: everybody's */
	CONF_CHECK = 1 << 1,
	CONF_VRRP = 1 << 2,
	CONF_STREAM = 1 << 3,
	CONF_ALL = CONF_GLOBAL | CONF_CHECK | CONF_VRRP | CONF_STREAM,
};

struct conf_diag {
	enum conf_severity severity;
	enum conf_part part;
	char *file; /* the path as it was opened; "" when about no file */
	struct conf_pos pos;
	char *message; /* never holds a secret */
	char *excerpt; /* the source line, secrets blanked; NULL when there is none */
};

struct conf_diags {
	struct conf_diag *items;
	size_t n;
	size_t n_dropped; /* past CONF_DIAGS_MAX */
};

#define CONF_DIAGS_MAX 200 /* a file that is not ours at all must not fill a terminal */

const char *conf_severity_str(enum conf_severity); /* "error", "warning", "notice" */

size_t conf_diags_count(const struct conf_diags *, enum conf_severity, unsigned parts);

/*
 * As a compiler prints it, with the source line and a caret:
 *   trivet.conf:14:5: error: unknown directive 'prioriy' in ...; did you mean 'priority'?
 *       prioriy 100
 *       ^~~~~~~
 */
void conf_diag_print(const struct conf_diag *, struct text *out);
void conf_diags_done(struct conf_diags *);

#endif
