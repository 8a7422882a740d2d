/*
 * balance.h - the algorithms that choose among the servers of a pool, one file
 * each behind one small table.
 *
 * Pure.  Called with the pool's lock held (pool.h).  Who may be given at all
 * (health, max_conns, not tried before) is the same for all of them.
 */
#ifndef PROXYD_BALANCE_H
#define PROXYD_BALANCE_H

#include "proxyd/pick.h"

struct balancer {
	const char *name; /* org.trivet.proxy Upstream.balance */

	/* One of the primaries, or of the backups; NULL: none is eligible. */
	struct pool_server *(*choose)(struct pool *, const struct pick_ask *, bool backup);

	/* The servers, their order or their weights have changed.  May be NULL. */
	void (*prepare)(struct pool *);
};

extern const struct balancer balance_round_robin, balance_least_conn, balance_hash, balance_ketama,
    balance_random, balance_random_two;

bool balance_eligible(
    const struct pool *, const struct pool_server *, const struct pick_ask *, bool backup);

/*
 * Is 'a' less loaded than 'b', each against its weight?  Weights are compared
 * as they are now, slow_start included.
 */
int balance_compare_load(
    const struct pool_server *a, const struct pool_server *b, const struct pick_ask *);

#endif
