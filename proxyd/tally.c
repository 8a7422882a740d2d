/*
 * tally.c - see tally.h.
 */
#include "proxyd/tally.h"

#include <stdlib.h>
#include <string.h>

struct tally *
tally_new(size_t n_threads)
{
	size_t size = n_threads * sizeof(struct tally); /* a multiple of the alignment */
	struct tally *t = aligned_alloc(_Alignof(struct tally), size);

	if (t == NULL)
		abort();
	memset(t, 0, size);
	return t;
}

void
tally_sum(const struct tally *tallies, size_t n_threads, struct tally *sum)
{
	const size_t n = sizeof(*sum) / sizeof(uint64_t); /* it is all counters and padding */
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < n_threads; i++) {
		const uint64_t *from = (const uint64_t *)&tallies[i];

		for (size_t k = 0; k < n; k++)
			to[k] += __atomic_load_n(&from[k], __ATOMIC_ACQUIRE);
	}
}

uint64_t
tally_ended(const struct tally *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < FLOW_REASON_MAX; i++)
		n += t->reasons[i];
	return n;
}
