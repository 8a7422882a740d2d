/*
 * pick.c - see pick.h; and what the algorithms have in common.
 */
#include "proxyd/balance.h"

void
pick_tried_add(struct pick_tried *t, const struct pool_server *s)
{
	t->slots[s->slot / 64] |= UINT64_C(1) << s->slot % 64;
}

bool
pick_tried_has(const struct pick_tried *t, const struct pool_server *s)
{
	return (t->slots[s->slot / 64] >> s->slot % 64 & 1) != 0;
}

bool
balance_eligible(
    const struct pool *pool, const struct pool_server *s, const struct pick_ask *ask, bool backup)
{
	unsigned limit = s->params.max_conns;

	return s->params.backup == backup && pool_usable(pool, s) &&
	       !pick_tried_has(ask->tried, s) && (limit == 0 || pool_sessions(s) < limit);
}

int
balance_compare_load(
    const struct pool_server *a, const struct pool_server *b, const struct pick_ask *ask)
{
	uint64_t x = (uint64_t)pool_sessions(a) * pool_weight_now(b, ask->now);
	uint64_t y = (uint64_t)pool_sessions(b) * pool_weight_now(a, ask->now);

	return (x > y) - (x < y);
}

struct pool_server *
pick_server(struct pool *pool, const struct pick_ask *ask)
{
	const struct balancer *b = pool->balance != NULL ? pool->balance : &balance_round_robin;
	struct pool_server *s = b->choose(pool, ask, false);

	return s != NULL ? s : b->choose(pool, ask, true);
}
