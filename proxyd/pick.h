/*
 * pick.h - which server the next connection goes to: one of the primaries by
 * the pool's algorithm (balance.h), of the backups when no primary can be had.
 *
 * Pure.  Called with the pool's lock held (pool.h).
 */
#ifndef PROXYD_PICK_H
#define PROXYD_PICK_H

#include "proxyd/pool.h"

/*
 * The servers one session has been through, by slot.  Pools of more than 256
 * servers share slots: a session then passes over a few servers it could have
 * tried, and never tries one twice.
 */
struct pick_tried {
	uint64_t slots[4];
};

void pick_tried_add(struct pick_tried *, const struct pool_server *);
bool pick_tried_has(const struct pick_tried *, const struct pool_server *);

/* Who asks. */
struct pick_ask {
	struct pick_tried *tried;
	const void *key; /* for the hashes; size 0: it has none */
	size_t key_size;
	mono_t now; /* for slow_start */
};

/*
 * The next server for a session that has been through 'tried', or NULL: none
 * is usable, below its max_conns and untried.  Advances what takes turns; the
 * caller adds the server to 'tried' and begins its session.
 */
struct pool_server *pick_server(struct pool *, const struct pick_ask *);

#endif
