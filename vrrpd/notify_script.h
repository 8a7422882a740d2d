/*
 * notify_script.h - telling people's scripts about changes of role: one after
 * another for each instance, by way of the runner (common/runner/client.h).
 *
 * argv is keepalived's: notify_master and its like as written, notify with
 * INSTANCE NAME STATE PRIORITY appended.  The environment has TRIVET_INSTANCE,
 * TRIVET_OLD_STATE, TRIVET_NEW_STATE, TRIVET_PRIORITY, TRIVET_REASON,
 * TRIVET_VIPS.
 */
#ifndef VRRPD_NOTIFY_SCRIPT_H
#define VRRPD_NOTIFY_SCRIPT_H

#include "common/conf/conf.h"
#include "common/runner/client.h"

#include <sys/queue.h>

#define NOTIFY_QUEUE_MAX  64 /* changes waiting behind a script that hangs; the oldest go */
#define NOTIFY_TIMEOUT_US (30 * USEC_PER_SEC)

struct notify_job;

struct notifier {
	struct runner_client *runner; /* borrowed; NULL: there are no scripts */
	char *name;		      /* the instance's */
	uint64_t running;	      /* the runner's id; 0: none */
	size_t n;
	TAILQ_HEAD(, notify_job) queue; /* the first one is the one running */
	void (*on_idle)(void *aux);	/* the last one has ended; may be NULL */
	void *aux;
	bool released; /* its owner is gone: freed with its last script */
};

struct notify_change {
	const char *type;      /* "INSTANCE", "GROUP" */
	enum notify_kind kind; /* NOTIFY_MASTER ..: which script besides notify; NOTIFY_ANY: none */
	const char *old_state; /* "BACKUP" */
	const char *new_state; /* "MASTER", "STOP" */
	unsigned priority;
	const char *reason;
	const char *vips; /* separated by spaces */
};

struct notifier *notifier_new(struct runner_client *, const char *name);
/* The owner goes; what waits is run all the same. */
void notifier_release(struct notifier *);

/* notify[NOTIFY_MAX]: which scripts, by the configuration with that digest. */
void notifier_tell(
    struct notifier *, const size_t *notify, const char *digest, const struct notify_change *);
bool notifier_is_idle(const struct notifier *);

/* Only counts what a script is; for a configuration without any the runner need not exist. */
bool notifier_wanted(const size_t *notify);

#endif
