/*
 * verdicts.h - what checkd says, as this process last heard it: one verdict for
 * each check, kept over checkd's restarts (ipc/view.h).  Whether an old one
 * still counts is decided by priority.h.
 */
#ifndef VRRPD_VERDICTS_H
#define VRRPD_VERDICTS_H

#include "common/mono.h"
#include "vrrpd/priority.h"

#include <jansson.h>
#include <uv.h>

struct verdict {
	enum prio_verdict verdict; /* the last real one; "unknown" does not replace it */
	bool away;		   /* checkd knows no such check, or has no verdict yet */
	mono_t valid_until;
	mono_t checked;	 /* when the run that gave it ended */
	int64_t took_us; /* that run */
	mono_t since;	 /* of its last change */
	char *evidence;	 /* "exit 1 \"no nginx\""; NULL: none */
	bool has_value;	 /* of a file: the number in it, unless an operator says otherwise */
	int value;
	bool held;   /* by an operator's word: no run would change it */
	bool wavers; /* up, but its last run failed: on its way down, maybe */
};

struct verdicts;

/*
 * 'on_heard': some came, changed or went, or checkd itself did ('news'); or
 * checks ran again and say what they said before.  Once for each message.
 */
struct verdicts *verdicts_new(
    uv_loop_t *, const char *run_dir, void (*on_heard)(void *aux, bool news), void *aux);
void verdicts_free(struct verdicts *); /* accepts NULL */

/* NULL: never heard of.  Valid until on_heard. */
const struct verdict *verdicts_find(const struct verdicts *, const char *check);

/*
 * Have checkd run it now (CheckNow): what comes of it is heard as ever.  A
 * check that is not known, or cannot be asked for, is let be.
 */
void verdicts_ask(struct verdicts *, const char *check);

/* checkd is silent or gone. */
bool verdicts_away(const struct verdicts *);

/* PeerLink, for GetStatus; new reference. */
json_t *verdicts_describe(const struct verdicts *);

#endif
