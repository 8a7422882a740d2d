/*
 * worker_priv.h - a data thread in three parts: worker.c (its life), worker_command.c
 * (what it is told), worker_pass.c (what it does).  Nobody else includes it.
 */
#ifndef PROXYD_WORKER_PRIV_H
#define PROXYD_WORKER_PRIV_H

#include "proxyd/worker.h"

/*
 * With TAG_COMMAND, which is 0 for a command: only time has passed; the epoll set of all
 * that is not bulk has something.
 */
enum { WORKER_ALARM = 1, WORKER_OTHERS = 2 };

/* ---- worker_command.c; all on the thread ---- */

/* All commands that wait. */
void worker_obey(struct worker *);

/* NULL: it is gone. */
struct binding *worker_binding(struct worker *, uint32_t id);

void worker_abort_all(struct worker *, enum flow_reason);

/* ---- worker_pass.c ---- */

void worker_pass(struct worker *);

#endif
