/*
 * verdict.h - one check's verdict from the results of its runs: rise, fall, the
 * first result, and why.  Pure: no clock, no probe; the owner passes results in
 * (target.c) and publishes what comes out.
 *
 * "reverse" is not here: a verdict says what was seen, its consumers what that
 * means to them.
 */
#ifndef CHECKD_VERDICT_H
#define CHECKD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum check_state { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN };
const char *check_state_str(enum check_state); /* "unknown", "up", "down" */

/* Why a run ended as it did: a closed set, its strings are the bus's lastReason. */
enum check_reason {
	REASON_NONE, /* it has not run yet */
	REASON_OK,
	REASON_TIMEOUT,	      /* no answer in time */
	REASON_REFUSED,	      /* connection refused */
	REASON_UNREACHABLE,   /* no route, no such address */
	REASON_EXIT,	      /* a script's exit status other than 0 */
	REASON_SIGNAL,	      /* a script ended by a signal */
	REASON_EXEC,	      /* a script that could not be run at all */
	REASON_NOT_LISTENING, /* nobody listens on the port */
	REASON_NO_PROCESS,    /* fewer processes than the quorum */
	REASON_RESOLVE,	      /* the name in its target has no address */
	REASON_TLS,	      /* no TLS, or a certificate that is not good */
	REASON_STATUS,	      /* an HTTP status that is not one of the good ones */
	REASON_PROTOCOL,      /* connected, but the answer was not the expected one */
	REASON_FILE,	      /* no file, or no number in it */
	REASON_VALUE,	      /* the number in the file is not 0 */
	REASON_SYSTEM,	      /* we could not look: no descriptors, no netlink ... */
	REASON_MAX
};
const char *check_reason_str(enum check_reason);
/* By that string; REASON_NONE for any other. */
enum check_reason check_reason_parse(const char *);

struct verdict_params {
	unsigned rise, fall; /* at least 1 */
	bool init_fail;
};

struct verdict { /* a value */
	enum check_state state;
	/* Of the latest runs in a row; one of them is 0.  They stop counting at UINT32_MAX. */
	uint32_t successes, failures;
	enum check_reason reason; /* of the last run */
};

/* Before the first run: unknown; with init_fail down until 'rise' successes. */
struct verdict verdict_init(const struct verdict_params *);

/*
 * The verdict after a run that ended with 'reason' (REASON_OK is the one
 * success).  The first result decides alone, as in keepalived; after that
 * 'rise' successes in a row make it up, 'fall' failures in a row down.
 */
struct verdict verdict_step(
    const struct verdict_params *, struct verdict, enum check_reason reason);

#endif
