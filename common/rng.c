/*
 * rng.c - a counter with a mixer behind it (the construction known as
 * SplitMix64): one word of state, no bad seeds.
 */
#include "common/rng.h"

void
rng_seed(struct rng *r, uint64_t seed)
{
	r->state = seed;
}

uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t
rng_below(struct rng *r, uint64_t n)
{
	/* The bias of the remainder, n in 2^64, is nothing at the sizes used here. */
	return n == 0 ? 0 : rng_next(r) % n;
}

int64_t
rng_between(struct rng *r, int64_t from, int64_t to)
{
	return to < from ? from : from + (int64_t)rng_below(r, (uint64_t)(to - from) + 1);
}

bool
rng_chance(struct rng *r, unsigned per_mille)
{
	return rng_below(r, 1000) < per_mille;
}
