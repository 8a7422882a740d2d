/*
 * balance_random.c - a server by lot, its chance in proportion to its weight;
 * or of two drawn so the one with fewer sessions for its weight, which spreads
 * nearly as well as least_conn and needs no knowledge of the others' choices.
 */
#include "proxyd/balance.h"

/* By lot among the eligible, but not 'other'. */
static struct pool_server *
draw(struct pool *pool, const struct pick_ask *ask, bool backup, const struct pool_server *other)
{
	struct pool_server *last = NULL;
	uint64_t total = 0, at;

	for (size_t i = 0; i < pool->n; i++)
		if (pool->servers[i] != other &&
		    balance_eligible(pool, pool->servers[i], ask, backup))
			total += pool_weight_now(pool->servers[i], ask->now);
	at = rng_below(&pool->rng, total);
	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];
		uint64_t weight;

		if (s == other || !balance_eligible(pool, s, ask, backup))
			continue;
		weight = pool_weight_now(s, ask->now);
		if (at < weight)
			return s;
		at -= weight;
		last = s; /* sessions of other threads may end between the two walks */
	}
	return last;
}

static struct pool_server *
choose(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	return draw(pool, ask, backup, NULL);
}

static struct pool_server *
choose_of_two(struct pool *pool, const struct pick_ask *ask, bool backup)
{
	struct pool_server *a = draw(pool, ask, backup, NULL), *b;

	if (a == NULL)
		return NULL;
	b = draw(pool, ask, backup, a);
	return b != NULL && balance_compare_load(b, a, ask) < 0 ? b : a;
}

const struct balancer balance_random = { "random", choose, NULL };
const struct balancer balance_random_two = { "randomTwo", choose_of_two, NULL };
