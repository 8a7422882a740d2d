/*
 * balance_round_robin.c - smooth weighted round robin.
 *
 * Each eligible server gains its weight, the richest wins and pays what all
 * gained: weights 5, 1, 1 give a a b a c a a, never five in a row.
 */
#include "proxyd/balance.h"

static struct pool_server *
choose(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	struct pool_server *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];
		int64_t weight;

		if (!balance_eligible(pool, s, ask, backup))
			continue;
		weight = pool_weight_now(s, ask->now);
		s->current += weight;
		total += weight;
		if (best == NULL || s->current > best->current)
			best = s;
	}
	if (best != NULL)
		best->current -= total;
	return best;
}

const struct balancer balance_round_robin = { "roundRobin", choose, NULL };
