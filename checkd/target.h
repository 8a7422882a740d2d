/*
 * target.h - one check's life: when it runs, what came of it, who is told.
 * The only place where a verdict is stored, logged and counted.
 */
#ifndef CHECKD_TARGET_H
#define CHECKD_TARGET_H

#include "checkd/admin.h"
#include "checkd/flap.h"
#include "checkd/probe.h"
#include "common/loop.h"

#include <sys/queue.h>

/* What is known of a check; read by control.c and written down by record.c. */
struct target_status {
	struct verdict verdict; /* of its runs */
	struct admin admin;	/* and what an operator says instead */
	enum check_state state; /* what consumers are told, from both */
	mono_t checked;		/* end of the last run; MONO_NEVER: none yet */
	mono_t valid_until;	/* of the verdict, without a further run */
	mono_t changed;		/* when 'state' became what it is */
	char changed_at[LOOP_STAMP_STRLEN];
	int64_t duration_us;
	bool has_value; /* of a file, unless it is down for want of one */
	int32_t value;
	char detail[PROBE_DETAIL_MAX];
	struct flap flap; /* changes of 'state', unknown not counted */
	uint64_t runs, failed_runs;
};

struct target;

struct target_events {
	/* What the bus says of it is not true any more; now, in this turn of the loop.  'matters':
	 * not only the time of its last run, but its state, or what an operator says. */
	void (*on_change)(void *aux, struct target *, bool matters);
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

/* An operator's word about an earlier target or process of this name; nobody is told. */
void target_keep_admin(struct target *, const struct admin *);

/*
 * An operator's word, logged with 'who' it was; ADMIN_AUTO takes it back.  It
 * is above the verdict at once, and in on_change.
 */
void target_set_admin(struct target *, const struct admin *, const char *who);

/* Why it is in its state, in words: the last run's evidence, or the operator's word. */
void target_explain(const struct target *, struct text *out);

/*
 * Somebody waits for a verdict of a run that begins after he asked, or for the
 * operator's word; embedded in its owner, who may not touch it until the answer.
 */
struct target_waiter {
	TAILQ_ENTRY(target_waiter) entry;
	bool begun; /* the run that will answer is on */
	/* Once, after on_change; the waiter is the owner's again.  NULL: the check is gone. */
	void (*on_verdict)(struct target_waiter *, const struct target *);
};

/* Runs it as soon as that may be.  0; -EBUSY: too many wait already; -EALREADY: an operator has
 * spoken, so that no run would change anything. */
int target_ask(struct target *, struct target_waiter *);
void target_forget(struct target *, struct target_waiter *);

const struct check_conf *target_conf(const struct target *);
const struct target_status *target_status(const struct target *);

#endif
