/*
 * admin.h - what an operator says of a check, above its own verdict.  Pure; the
 * target is its owner (target.c).
 */
#ifndef CHECKD_ADMIN_H
#define CHECKD_ADMIN_H

#include "checkd/verdict.h"
#include "common/mono.h"

enum admin_mode {
	ADMIN_AUTO,	   /* nothing: the verdict is what the runs say */
	ADMIN_FORCED_UP,   /* it runs on, but counts as up */
	ADMIN_FORCED_DOWN, /* it runs on, but counts as down */
	ADMIN_PAUSED,	   /* it does not run; the verdict stays as it is */
};
const char *admin_mode_str(enum admin_mode); /* "auto", "forcedUp", ...: the bus's words */
/* By that string: 0 or -EINVAL. */
int admin_mode_parse(const char *, enum admin_mode *ret);

#define ADMIN_COMMENT_MAX 128		/* bytes, with the NUL: a line for people */
#define ADMIN_HOLD_MAX_MS 31536000000LL /* a year: longer is for ever */

struct admin { /* a value; zeroed means nothing was said */
	enum admin_mode mode;
	mono_t until; /* MONO_NEVER: until he says otherwise; of no meaning in ADMIN_AUTO */
	char comment[ADMIN_COMMENT_MAX];
};

/* What consumers are told, 'own' being the verdict of the runs. */
enum check_state admin_state(const struct admin *, enum check_state own);

/* When his word ends by itself; MONO_NEVER: it does not. */
mono_t admin_end(const struct admin *);

#endif
