/*
 * run.h - one script from its start to its end: identity, environment, process
 * group, time limit, output.  Started by serve.c only.
 */
#ifndef COMMON_RUNNER_RUN_H
#define COMMON_RUNNER_RUN_H

#include "common/runner/cred.h"
#include "common/runner/protocol.h"

#include <uv.h>

#define RUN_GRACE_US INT64_C(2000000) /* between TERM and KILL */

struct run;

struct run_order {	   /* borrowed during run_start */
	char *const *argv; /* argv[0] is the path */
	char *const *env;  /* the whole environment */
	const struct cred *cred;
	int64_t timeout_us;
	bool only_roots; /* nobody else can replace argv[0] (secure.h) */
	/*
	 * A check leaves nothing behind in its process group; a notify script may
	 * (people start daemons from them).  On a timeout the group ends either way.
	 */
	bool end_group;
	/* Once: it ended, or its time is over.  The strings are valid inside only. */
	void (*on_answer)(void *aux, const struct runner_answer *);
	/* Once, after on_answer: nothing is left of it, the struct run is gone. */
	void (*on_gone)(void *aux);
	void *aux;
};

/* 0; -errno when there is no process for it, with the reason: then there are no callbacks. */
int run_start(uv_loop_t *, const struct run_order *, struct run **ret, struct text *why);

/* Nobody waits for it any more: end its group now, as at a timeout. */
void run_end(struct run *);

#endif
