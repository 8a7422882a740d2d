/*
 * rng_test.c - the same seed gives the same numbers for ever: a seed in a bug
 * report must mean the same run next year.
 */
#include "common/rng.h"
#include "tests/unit/test.h"

static void
the_same_for_ever(void **unused)
{
	/* The published numbers of SplitMix64 for this seed. */
	static const uint64_t want[] = { UINT64_C(6457827717110365317),
		UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
		UINT64_C(4593380528125082431), UINT64_C(16408922859458223821) };
	struct rng r;

	(void)unused;
	rng_seed(&r, 1234567);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(rng_next(&r) == want[i]);
}

static void
within_bounds(void **unused)
{
	unsigned seen[7] = { 0 }, hits = 0;
	struct rng r;

	(void)unused;
	rng_seed(&r, 0);
	for (int i = 0; i < 7000; i++) {
		int64_t n = rng_between(&r, -3, 3);

		assert_true(n >= -3 && n <= 3);
		seen[n + 3]++;
		hits += rng_chance(&r, 250);
	}
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		assert_in_range(seen[i], 800, 1200);
	assert_in_range(hits, 1550, 1950);
	assert_int_equal(rng_below(&r, 0), 0);
	assert_int_equal(rng_between(&r, 5, 4), 5);
	assert_false(rng_chance(&r, 0));
	assert_true(rng_chance(&r, 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_for_ever),
		cmocka_unit_test(within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
