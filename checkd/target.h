/*
 * target.h - one check's life: when it runs, what came of it, who is told.
 * The only place where a verdict is stored, logged and counted.
 */
#ifndef CHECKD_TARGET_H
#define CHECKD_TARGET_H

#include "checkd/probe.h"
#include "common/loop.h"

#include <sys/queue.h>

/* What is known of a check; read by control.c and written down by record.c. */
struct target_status {
	struct verdict verdict;
	mono_t checked;	    /* end of the last run; MONO_NEVER: none yet */
	mono_t valid_until; /* of the verdict, without a further run */
	mono_t changed;	    /* when the state became what it is */
	char changed_at[LOOP_STAMP_STRLEN];
	int64_t duration_us;
	char detail[PROBE_DETAIL_MAX];
	uint64_t runs, failed_runs; /* since this process started */
};

struct target;

struct target_events {
	/* What the bus says of it is not true any more; now, in this turn of the loop. */
	void (*on_change)(void *aux, struct target *);
	void *aux;
};

/* Check 'index' of 'n' that start together; 'conf' is borrowed until target_rebind. */
struct target *target_new(struct probe_env *, const struct check_conf *conf, size_t index, size_t n,
    const struct target_events *);
void target_free(struct target *); /* accepts NULL */

/* The same question in a new configuration: state and counters are kept. */
void target_rebind(struct target *, const struct check_conf *conf);

/* What an earlier process knew, before the first run. */
void target_restore(struct target *, const struct target_status *);

/*
 * Somebody waits for a verdict of a run that begins after he asked; embedded
 * in its owner, who may not touch it between target_ask and the answer.
 */
struct target_waiter {
	TAILQ_ENTRY(target_waiter) entry;
	bool begun; /* the run that will answer is on */
	/* Once, after on_change; the waiter is the owner's again.  NULL: the check is gone. */
	void (*on_verdict)(struct target_waiter *, const struct target *);
};

/* Runs it as soon as that may be.  0, or -EBUSY: too many wait already. */
int target_ask(struct target *, struct target_waiter *);
void target_forget(struct target *, struct target_waiter *);

const struct check_conf *target_conf(const struct target *);
const struct target_status *target_status(const struct target *);

#endif
