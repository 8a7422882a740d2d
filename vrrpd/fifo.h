/*
 * fifo.h - notify_fifo: each change of state as a line in a FIFO, in keepalived's
 * words:
 *
 *	INSTANCE "VI_1" MASTER 150
 *	GROUP "G1" BACKUP 0
 *
 * A FIFO named more than once is one.  It is opened for reading too, so that it
 * takes lines (64 KiB of them) before anybody reads.  One that is full, or not
 * there yet, is owed the last line of each object (owed.h), which is written as
 * soon as it can be; what was never written is counted.
 */
#ifndef VRRPD_FIFO_H
#define VRRPD_FIFO_H

#include "common/conf/conf.h"
#include "common/runner/client.h"

#include <uv.h>

struct fifo_set;

struct fifo_set *fifo_set_new(uv_loop_t *);

/*
 * Those that the configuration names.  The runner (NULL when it names none)
 * makes what is missing and runs what reads it.  Those that it no longer names
 * take lines until fifo_set_prune: what is removed is said there, too.
 */
void fifo_set_apply(struct fifo_set *, const struct conf *, struct runner_client *);
void fifo_set_prune(struct fifo_set *);

struct fifo_news {
	const char *type;  /* "INSTANCE", "GROUP" */
	const char *name;  /* of it */
	const char *state; /* "MASTER", "STOP", "MASTER_PRIORITY" ... */
	unsigned priority;
	bool is_state; /* takes the place of its state before; else of the same word before */
};

/* Into the FIFOs for everything, and its own (may name none). */
void fifo_tell(struct fifo_set *, const struct fifo_conf *own, const struct fifo_news *);

/* At the end: what is owed and cannot be written now is lost, which is said. */
void fifo_set_finish(struct fifo_set *);

/* For metrics: each FIFO, lines written and lost. */
void fifo_each(const struct fifo_set *,
    void (*found)(void *aux, const char *path, uint64_t written, uint64_t lost), void *aux);

#endif
