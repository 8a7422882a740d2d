/*
 * geo.c - addresses to values (lexicon.h).  Networks lie in one another, ranges
 * may overlap as they like: both become a sorted list of ranges that do not, so
 * that a client costs one binary search.
 */
#include "common/conf/lexicon.h"
#include "common/conf/source.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

void
geo_address(const struct addr *a, uint8_t ret[static 16])
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	memcpy(ret, mapped, 16);
	if (a->family == AF_INET)
		memcpy(ret + 12, a->bytes, 4);
	else
		memcpy(ret, a->bytes, 16);
}

void
geo_add(struct geo *g, const uint8_t *low, const uint8_t *high, size_t rank, size_t value)
{
	struct geo_range *r;

	g->ranges = conf_grow(g->ranges, g->n_ranges, sizeof(*g->ranges));
	r = &g->ranges[g->n_ranges++];
	*r = (struct geo_range){ .value = value, .rank = rank };
	memcpy(r->low, low, 16);
	memcpy(r->high, high, 16);
}

/* ---- a heap of the ranges that are open, the one that holds on top ---- */

struct heap {
	const struct geo_range **list;
	size_t n;
};

static bool
is_above(const struct geo_range *a, const struct geo_range *b)
{
	return a->rank > b->rank;
}

static void
heap_swap(struct heap *h, size_t a, size_t b)
{
	const struct geo_range *r = h->list[a];

	h->list[a] = h->list[b];
	h->list[b] = r;
}

static void
heap_push(struct heap *h, const struct geo_range *r)
{
	size_t at = h->n++;

	h->list[at] = r;
	for (; at > 0 && is_above(h->list[at], h->list[(at - 1) / 2]); at = (at - 1) / 2)
		heap_swap(h, at, (at - 1) / 2);
}

static void
heap_pop(struct heap *h)
{
	size_t at = 0, child;

	h->list[0] = h->list[--h->n];
	while ((child = 2 * at + 1) < h->n) {
		if (child + 1 < h->n && is_above(h->list[child + 1], h->list[child]))
			child++;
		if (!is_above(h->list[child], h->list[at]))
			return;
		heap_swap(h, at, child);
		at = child;
	}
}

/* ---- from the lowest address to the highest ---- */

static int
compare_lows(const void *a, const void *b)
{
	const struct geo_range *x = a, *y = b;
	int rc = memcmp(x->low, y->low, 16);

	return rc != 0 ? rc : (x->rank > y->rank) - (x->rank < y->rank);
}

/* The address behind; false: there is none. */
static bool
successor(const uint8_t a[static 16], uint8_t ret[static 16])
{
	memcpy(ret, a, 16);
	for (int i = 15; i >= 0; i--)
		if (++ret[i] != 0)
			return true;
	return false;
}

static void
predecessor(const uint8_t a[static 16], uint8_t ret[static 16])
{
	memcpy(ret, a, 16);
	for (int i = 15; i >= 0; i--)
		if (ret[i]-- != 0)
			return;
}

void
geo_settle(struct geo *g)
{
	struct geo out = { .ranges = NULL };
	struct heap open = { .list = xcalloc(g->n_ranges + 1, sizeof(*open.list)) };
	uint8_t at[16], end[16];
	size_t next = 0;
	bool more = true;

	if (g->n_ranges > 0)
		qsort(g->ranges, g->n_ranges, sizeof(*g->ranges), compare_lows);
	while (more && (next < g->n_ranges || open.n > 0)) {
		const struct geo_range *top;

		if (open.n == 0)
			memcpy(at, g->ranges[next].low, 16);
		while (next < g->n_ranges && memcmp(g->ranges[next].low, at, 16) <= 0)
			heap_push(&open, &g->ranges[next++]);
		while (open.n > 0 && memcmp(open.list[0]->high, at, 16) < 0)
			heap_pop(&open);
		if (open.n == 0)
			continue;
		top = open.list[0];
		memcpy(end, top->high, 16);
		if (next < g->n_ranges && memcmp(g->ranges[next].low, end, 16) <= 0)
			predecessor(g->ranges[next].low, end);
		geo_add(&out, at, end, 0, top->value);
		more = successor(end, at);
	}
	free(open.list);
	free(g->ranges);
	g->ranges = out.ranges;
	g->n_ranges = out.n_ranges;
}

const char *
geo_find(const struct geo *g, const struct addr *a)
{
	size_t low = 0, high = g->n_ranges, value = g->fallback;
	uint8_t bytes[16];

	geo_address(a, bytes);
	while (low < high && a->family != AF_UNSPEC) {
		size_t middle = low + (high - low) / 2;
		const struct geo_range *r = &g->ranges[middle];

		if (memcmp(bytes, r->low, 16) < 0) {
			high = middle;
		} else if (memcmp(bytes, r->high, 16) > 0) {
			low = middle + 1;
		} else {
			value = r->value != SIZE_MAX ? r->value : value;
			break;
		}
	}
	return value != SIZE_MAX ? g->values[value] : "";
}
