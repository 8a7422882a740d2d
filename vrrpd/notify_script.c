/*
 * notify_script.c - see notify_script.h.
 */
#include "vrrpd/notify_script.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

#define ENV_MAX	 7
#define ARGS_MAX 5

struct notify_job {
	TAILQ_ENTRY(notify_job) entry;
	size_t script;
	char digest[17];
	char *what;			     /* "notify_master", for the log */
	char *args[ARGS_MAX], *env[ENV_MAX]; /* NULL-terminated */
};

static const char *const KIND_NAME[NOTIFY_MAX] = {
	[NOTIFY_MASTER] = "notify_master",
	[NOTIFY_BACKUP] = "notify_backup",
	[NOTIFY_FAULT] = "notify_fault",
	[NOTIFY_STOP] = "notify_stop",
	[NOTIFY_ANY] = "notify",
	[NOTIFY_DELETED] = "notify_deleted",
	[NOTIFY_RX_LOWER] = "notify_master_rx_lower_pri",
};

struct notifier *
notifier_new(struct runner_client *runner, const char *name)
{
	struct notifier *n = xcalloc(1, sizeof(*n));

	n->runner = runner;
	n->name = xstrdup(name);
	TAILQ_INIT(&n->queue);
	return n;
}

static void
job_free(struct notifier *n, struct notify_job *job)
{
	TAILQ_REMOVE(&n->queue, job, entry);
	n->n--;
	free(job->what);
	for (size_t i = 0; i < ARGS_MAX; i++)
		free(job->args[i]);
	for (size_t i = 0; i < ENV_MAX; i++)
		free(job->env[i]);
	free(job);
}

static void
free_if_over(struct notifier *n)
{
	if (!n->released || !TAILQ_EMPTY(&n->queue))
		return;
	free(n->name);
	free(n);
}

void
notifier_release(struct notifier *n)
{
	n->released = true;
	n->on_idle = NULL;
	free_if_over(n);
}

bool
notifier_is_idle(const struct notifier *n)
{
	return TAILQ_EMPTY(&n->queue);
}

bool
notifier_wanted(const size_t *notify)
{
	for (size_t kind = 0; kind < NOTIFY_MAX; kind++)
		if (notify[kind] != SIZE_MAX)
			return true;
	return false;
}

static void run_first(struct notifier *);

static void
report(const struct notifier *n, const struct notify_job *job, const struct runner_result *result)
{
	switch (result->outcome) {
	case RUNNER_EXITED:
		event_emit(result->code == 0 ? LOG_INFO : LOG_WARNING, n->name,
		    (const char *const[]){ "script", result->code == 0 ? "done" : "failed", NULL },
		    "%s: exit %d%s%s", job->what, result->code,
		    result->last_line[0] != '\0' ? ": " : "", result->last_line);
		break;
	case RUNNER_SIGNALED:
		event_emit(LOG_WARNING, n->name, (const char *const[]){ "script", "failed", NULL },
		    "%s: ended by signal %d", job->what, result->code);
		break;
	case RUNNER_TIMEOUT:
	case RUNNER_NOT_RUN:
		event_emit(LOG_WARNING, n->name, (const char *const[]){ "script", "failed", NULL },
		    "%s: %s", job->what, result->reason);
		break;
	}
}

static void
on_result(void *aux, const struct runner_result *result)
{
	struct notifier *n = aux;
	struct notify_job *job = TAILQ_FIRST(&n->queue);

	n->running = 0;
	report(n, job, result);
	job_free(n, job);
	run_first(n);
	if (TAILQ_EMPTY(&n->queue) && n->on_idle != NULL)
		n->on_idle(n->aux);
	free_if_over(n);
}

static void
run_first(struct notifier *n)
{
	struct notify_job *job = TAILQ_FIRST(&n->queue);

	if (job == NULL || n->running != 0)
		return;
	n->running = runner_run(n->runner, &(struct runner_request){
					       .digest = job->digest,
					       .script = job->script,
					       .args = (const char *const *)job->args,
					       .env = (const char *const *)job->env,
					       .timeout_us = NOTIFY_TIMEOUT_US,
					       .on_result = on_result,
					       .aux = n,
					   });
}

/* A newer change is worth more than an older one that nobody has run yet. */
static void
make_room(struct notifier *n)
{
	struct notify_job *oldest = TAILQ_FIRST(&n->queue);

	if (n->n < NOTIFY_QUEUE_MAX)
		return;
	if (n->running != 0)
		oldest = TAILQ_NEXT(oldest, entry);
	event_emit(LOG_WARNING, n->name, (const char *const[]){ "script", "dropped", NULL },
	    "%s is not run: %u changes wait already", oldest->what, NOTIFY_QUEUE_MAX);
	job_free(n, oldest);
}

static void
add_job(struct notifier *n, const size_t *notify, const char *digest, enum notify_kind kind,
    const struct notify_change *change)
{
	struct notify_job *job;

	if (notify[kind] == SIZE_MAX)
		return;
	make_room(n);
	job = xcalloc(1, sizeof(*job));
	job->script = notify[kind];
	strncpy(job->digest, digest, sizeof(job->digest) - 1);
	job->what = xstrdup(KIND_NAME[kind]);
	if (kind == NOTIFY_ANY) {
		job->args[0] = xstrdup(change->type);
		job->args[1] = xstrdup(n->name);
		job->args[2] = xstrdup(change->new_state);
		job->args[3] = xasprintf("%u", change->priority);
	}
	job->env[0] = xasprintf("TRIVET_INSTANCE=%s", n->name);
	job->env[1] = xasprintf("TRIVET_OLD_STATE=%s", change->old_state);
	job->env[2] = xasprintf("TRIVET_NEW_STATE=%s", change->new_state);
	job->env[3] = xasprintf("TRIVET_PRIORITY=%u", change->priority);
	job->env[4] = xasprintf("TRIVET_REASON=%s", change->reason);
	job->env[5] = xasprintf("TRIVET_VIPS=%s", change->vips);
	TAILQ_INSERT_TAIL(&n->queue, job, entry);
	n->n++;
}

void
notifier_tell(struct notifier *n, const size_t *notify, const char *digest,
    const struct notify_change *change)
{
	if (n->runner == NULL)
		return;
	if (change->kind != NOTIFY_ANY)
		add_job(n, notify, digest, change->kind, change);
	add_job(n, notify, digest, NOTIFY_ANY, change);
	run_first(n);
}
