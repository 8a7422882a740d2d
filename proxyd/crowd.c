/*
 * crowd.c - see crowd.h.
 */
#include "proxyd/crowd.h"

#include "common/util.h"

#include <stdlib.h>
#include <string.h>

void
crowd_init(struct crowd *c, unsigned n_threads)
{
	size_t size = n_threads * sizeof(*c->counts); /* a multiple of the alignment */

	*c = (struct crowd){ .n_threads = n_threads,
		.counts = aligned_alloc(_Alignof(struct crowd_count), size) };
	if (c->counts == NULL)
		abort();
	memset(c->counts, 0, size);
}

void
crowd_done(struct crowd *c)
{
	free(c->counts);
	c->counts = NULL;
}

void
crowd_limit(struct crowd *c, uint32_t connections, unsigned n)
{
	uint64_t max = (uint64_t)connections * n / 2;

	if (connections > 0)
		max = MIN(MAX(max, 1), UINT32_MAX);
	__atomic_store_n(&c->connections, connections, __ATOMIC_RELAXED);
	__atomic_store_n(&c->max, (uint32_t)max, __ATOMIC_RELAXED);
}

bool
crowd_has_room(const struct crowd *c)
{
	uint32_t max = __atomic_load_n(&c->max, __ATOMIC_RELAXED);
	uint64_t n = 0;

	if (max == 0)
		return true;
	for (unsigned i = 0; i < c->n_threads; i++)
		n += (uint64_t)__atomic_load_n(&c->counts[i].sessions, __ATOMIC_RELAXED) +
		     __atomic_load_n(&c->counts[i].flows, __ATOMIC_RELAXED);
	return n < max;
}

void
crowd_found_full(struct crowd_count *c, bool waits)
{
	__atomic_store_n(&c->full, c->full + 1, __ATOMIC_RELAXED);
	if (waits)
		__atomic_store_n(&c->is_full, true, __ATOMIC_RELAXED);
}

uint64_t
crowd_full(const struct crowd *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->n_threads; i++)
		n += __atomic_load_n(&c->counts[i].full, __ATOMIC_RELAXED);
	return n;
}

bool
crowd_waits(const struct crowd *c)
{
	for (unsigned i = 0; i < c->n_threads; i++)
		if (__atomic_load_n(&c->counts[i].is_full, __ATOMIC_RELAXED))
			return true;
	return false;
}
