/*
 * job.h - requests that are allowed, on their way from asked to answered: one
 * run of a script at a time.  After a timeout the answer is given at once while
 * the script may need its two seconds of grace; the next run waits for that.
 */
#ifndef COMMON_RUNNER_JOB_H
#define COMMON_RUNNER_JOB_H

#include "common/conf/conf.h"
#include "common/runner/protocol.h"

#include <uv.h>

struct jobs;

struct jobs_events {
	/* Once for each job, unless its asker was disowned; may come from within jobs_take. */
	void (*on_answer)(void *aux, void *asker, const struct runner_answer *);
	/* After jobs_stop: nothing is left.  Never from within a call. */
	void (*on_idle)(void *aux);
	void *aux;
};

struct jobs *jobs_new(uv_loop_t *, const struct jobs_events *);

/* Run it, or answer why not.  'ask' and 'script' are borrowed. */
void jobs_take(
    struct jobs *, void *asker, const struct runner_ask *ask, const struct conf_script *script);

/* The asker is gone: its checks are nobody's now and end, notify scripts finish their work. */
void jobs_disown(struct jobs *, const void *asker);

/* Checks end now, notify scripts within seconds. */
void jobs_stop(struct jobs *);

#endif
