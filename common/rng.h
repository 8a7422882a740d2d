/*
 * rng.h - random numbers from a seed: the same seed, the same numbers, on every
 * machine.  For simulations and for spreading things out, never for secrets.
 */
#ifndef COMMON_RNG_H
#define COMMON_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/* Any seed is as good as any other, 0 included. */
void rng_seed(struct rng *, uint64_t seed);

uint64_t rng_next(struct rng *);

/* 0 .. n-1; 0 when n is 0. */
uint64_t rng_below(struct rng *, uint64_t n);

/* Both ends included; 'from' when to < from. */
int64_t rng_between(struct rng *, int64_t from, int64_t to);

/* True in so many of a thousand. */
bool rng_chance(struct rng *, unsigned per_mille);

#endif
