/*
 * balance_least_conn.c - the server with the fewest sessions for its weight;
 * those that are equal in that take turns by their weights.
 */
#include "proxyd/balance.h"

static struct pool_server *
least_loaded(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	struct pool_server *best = NULL;

	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];

		if (balance_eligible(pool, s, ask, backup) &&
		    (best == NULL || balance_compare_load(s, best, ask) < 0))
			best = s;
	}
	return best;
}

static struct pool_server *
choose(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	struct pool_server *least = least_loaded(pool, ask, backup), *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < pool->n && least != NULL; i++) {
		struct pool_server *s = pool->servers[i];
		int64_t weight;

		if (!balance_eligible(pool, s, ask, backup) ||
		    balance_compare_load(s, least, ask) != 0)
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

const struct balancer balance_least_conn = { "leastConn", choose, NULL };
