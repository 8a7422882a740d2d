/*
 * priority.h - the sum that decides an election, term by term, with the
 * evidence for each: what `trivet why` prints is what was added.  Pure.
 *
 * keepalived's arithmetic (weights, reverse, clamp to 1..254, an owner at 255
 * untouched), fail-closed: a verdict that never came, or whose time and hold
 * have run out under `on_lost fail`, counts as down.  So does a file without a
 * number, where keepalived takes 0.
 */
#ifndef VRRPD_PRIORITY_H
#define VRRPD_PRIORITY_H

#include "common/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prio_kind {
	PRIO_BASE,
	PRIO_SCRIPT,
	PRIO_INTERFACE,
	PRIO_PROCESS,
	PRIO_FILE,
	PRIO_UPSTREAM,
	PRIO_PROXY,
	PRIO_OPERATOR,
	PRIO_WITNESS, /* adds nothing: whether we may become master */
	PRIO_KIND_MAX,
};
const char *prio_kind_str(enum prio_kind); /* "base", "script": as on the bus */

enum prio_verdict { PRIO_UNKNOWN, PRIO_UP, PRIO_DOWN };
const char *prio_verdict_str(enum prio_verdict);

/* Where a term stands just now. */
enum prio_standing {
	PRIO_FIRM,    /* the verdict is in force */
	PRIO_PENDING, /* never had one; waiting at most hold_us */
	PRIO_HELD,    /* its producer is away; the last verdict stands (degraded) */
	PRIO_LOST,    /* ... for too long: counted as down, on_lost fail */
	PRIO_NEVER,   /* never had one, and the wait is over: counted as down */
};
const char *prio_standing_str(enum prio_standing);

/* One tracker.  The caller owns the array and its texts; prio_sum only reads. */
struct prio_term {
	enum prio_kind kind;
	const char *name;
	int weight; /* 0: FAULT while down (reverse: while up) */
	bool reverse;
	int value; /* PRIO_OPERATOR: the adjustment itself; PRIO_FILE: the number in it, while up */

	enum prio_verdict verdict; /* the last one; UNKNOWN: there never was one */
	mono_t asked_at;	   /* since when a first verdict is waited for */
	bool away;		   /* its producer is silent or gone */
	mono_t valid_until;	   /* of the verdict; MONO_NEVER: it is our own observation */
				   /* PRIO_OPERATOR: from then on it adds nothing */
	int64_t hold_us;	   /* how much longer it stands while the producer is away */
	bool on_lost_fail;	   /* ... and then counts as down; else it stands, shown as held */

	mono_t since;	      /* of the verdict's last change; 0: unknown */
	const char *evidence; /* "exit 1 \"no nginx\""; or NULL */
};

/* One line of the arithmetic. */
struct prio_line {
	int contribution;
	bool fault;
	enum prio_standing standing;
	enum prio_verdict counted; /* the verdict as it was counted */
};

struct prio_sum {
	int total;	   /* before the clamp */
	uint8_t effective; /* 1..254, or 255 for an owner */
	uint8_t lowered;   /* how much more it would be if every tracker were well */
	bool fault;	   /* at least one term holds the instance in FAULT */
	size_t fault_term; /* the first such; SIZE_MAX: none */
	bool pending;	   /* at least one first verdict is waited for */
	bool no_witness;   /* a witness does not pass */
	bool degraded;	   /* at least one term is HELD, LOST or NEVER */
	mono_t again_at;   /* when the sum changes by time alone; MONO_NEVER */
};

/*
 * The sum at 'now'.  'lines' (n of them, or NULL) gets the arithmetic.  For an
 * owner (base 255) weights have no effect, weight 0 has.
 */
struct prio_sum prio_sum(
    uint8_t base, const struct prio_term *terms, size_t n, mono_t now, struct prio_line *lines);

/*
 * The first term whose contribution or fault differs between two evaluations
 * of the same terms: the cause of a change.  SIZE_MAX: none.
 */
size_t prio_changed(const struct prio_line *before, const struct prio_line *after, size_t n);

#define PRIO_CAUSE_STRLEN 256

/*
 * The term in the words of the log: "check chk_nginx failed: exit 1 \"...\"",
 * "check chk_nginx passed", "interface eth1 is down", "check chk: checkd never
 * answered".  In buf; returns buf.
 */
const char *prio_cause(
    const struct prio_term *, const struct prio_line *, char buf[static PRIO_CAUSE_STRLEN]);

#endif
