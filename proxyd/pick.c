/*
 * pick.c - see pick.h.
 */
#include "proxyd/pick.h"

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

static bool
eligible(const struct pool *pool, const struct pool_server *s, const struct pick_tried *tried)
{
	unsigned limit = s->params.max_conns;

	return pool_usable(pool, s) && !pick_tried_has(tried, s) &&
	       (limit == 0 || pool_sessions(s) < limit);
}

/*
 * Each eligible server gains its weight, the richest wins and pays what all
 * gained: weights 5, 1, 1 give a a b a c a a, never five in a row.
 */
static struct pool_server *
round_robin(struct pool *pool, const struct pick_tried *tried, bool backup)
{
	struct pool_server *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];

		if (s->params.backup != backup || !eligible(pool, s, tried))
			continue;
		s->current += s->params.weight;
		total += s->params.weight;
		if (best == NULL || s->current > best->current)
			best = s;
	}
	if (best != NULL)
		best->current -= total;
	return best;
}

struct pool_server *
pick_server(struct pool *pool, const struct pick_tried *tried)
{
	struct pool_server *s = round_robin(pool, tried, false);

	return s != NULL ? s : round_robin(pool, tried, true);
}
