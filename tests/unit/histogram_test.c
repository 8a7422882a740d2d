#include "tests/unit/test.h"

#include "checkd/histogram.h"

#include <stdlib.h>

/* A time and the first bound that is not below it; -1: none. */
static const struct {
	int64_t us;
	int bucket;
} rows[] = { { -5, 0 }, { 0, 0 }, { 100, 0 }, { 101, 1 }, { 1000, 2 }, { 1001, 3 },
	{ 30000000, 11 }, { 30000001, -1 } };

static void
every_time(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct histogram h = { 0 };

		histogram_note(&h, rows[i].us);
		assert_int_equal(h.count, 1);
		for (int k = 0; k < HISTOGRAM_BUCKETS; k++)
			assert_int_equal(histogram_below(&h, (size_t)k),
			    rows[i].bucket >= 0 && k >= rows[i].bucket);
	}
}

/* The text of a bound is the bound. */
static void
bounds_rise(void **unused)
{
	double before = 0;

	(void)unused;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double bound = strtod(histogram_bound(i), NULL);
		struct histogram h = { 0 };

		assert_true(bound > before);
		histogram_note(&h, (int64_t)(bound * 1e6 + 0.5));
		assert_int_equal(h.counts[i], 1);
		before = bound;
	}
}

static void
sums(void **unused)
{
	struct histogram h = { 0 };

	(void)unused;
	histogram_note(&h, 50);
	histogram_note(&h, 2000);
	histogram_note(&h, 40000000);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.sum_us, 40002050);
	assert_int_equal(histogram_below(&h, HISTOGRAM_BUCKETS - 1), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_time),
		cmocka_unit_test(bounds_rise),
		cmocka_unit_test(sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
