/*
 * pipes.h - the process's pipes for splice(2): few, of 1 MiB, lent to a session
 * while bytes are in one and not a moment longer.
 *
 * An unprivileged user has 64 MiB of pipe pages (fs.pipe-user-pages-soft);
 * beyond that new pipes have two slots.  So there are at most PIPES_MAX in the
 * process; who gets none copies.  Each thread keeps a few that are empty; what
 * it has too many of, and what it lacks, goes through one list under a mutex,
 * once in a transfer of up to 1 MiB at the most.
 */
#ifndef PROXYD_PIPES_H
#define PROXYD_PIPES_H

#include "common/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define PIPES_MAX  48
#define PIPES_KEEP 4 /* empty ones that a thread keeps to itself; never more than its share */

struct pipe {
	int out, in; /* read bytes from 'out', write them to 'in' */
	SLIST_ENTRY(pipe) entry;
};

SLIST_HEAD(pipe_list, pipe);

struct pipes { /* of one thread; zeroed and pipes_init()ed */
	struct pipe_list empty;
	unsigned n_empty;
};

void pipes_init(struct pipes *);
void pipes_done(struct pipes *);

/* An empty pipe, or NULL: copy.  Not tried for a while after one could not be made. */
struct pipe *pipes_take(struct pipes *, mono_t now);

/* Give it back empty. */
void pipes_give(struct pipes *, struct pipe *);

/* Close one with bytes in it that go nowhere. */
void pipes_discard(struct pipe *);

#endif
