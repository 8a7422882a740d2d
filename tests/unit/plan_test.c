#include "tests/unit/test.h"

#include "checkd/plan.h"

#define S(x)  ((mono_t){ (int64_t)(x)*USEC_PER_SEC })
#define MS(x) ((mono_t){ (int64_t)(x)*USEC_PER_MSEC })

static const int64_t intervals[] = { 50 * USEC_PER_MSEC, USEC_PER_SEC, 2 * USEC_PER_SEC,
	60 * USEC_PER_SEC };

/* All run almost at once, and a second time neither too soon nor too late. */
static void
first_two_runs(void **unused)
{
	(void)unused;
	for (size_t k = 0; k < ARRAY_LEN(intervals); k++)
		for (size_t n = 1; n <= 100; n += 33)
			for (size_t i = 0; i < n; i++) {
				struct plan p = plan_begin(intervals[k], i, n, S(1000));
				mono_t first = p.due, second;

				assert_true(mono_until(S(1000), first) >= 0);
				assert_true(mono_until(S(1000), first) < PLAN_FIRST_SPREAD_US);
				p = plan_began(p);
				assert_true(mono_is_never(p.due));
				second = plan_ended(p, mono_add(first, 1000)).due;
				/* Measured from the common start; the first spread is small. */
				assert_true(mono_until(S(1000), second) >= intervals[k] / 2);
				assert_true(mono_until(S(1000), second) <
					    intervals[k] * 3 / 2 + intervals[k]);
			}
}

/* Thousands do not begin in one moment: each takes a descriptor while it runs. */
static void
thousands(void **unused)
{
	enum { N = 20000 };
	mono_t before = S(1000);

	(void)unused;
	for (size_t i = 0; i < N; i++) {
		struct plan p = plan_begin(10 * USEC_PER_SEC, i, N, S(1000));

		assert_true(mono_until(before, p.due) >= 0);
		assert_true(mono_until(before, p.due) <= PLAN_FIRST_APART_US + 1); /* rounded */
		before = p.due;
	}
	assert_true(mono_until(S(1000), before) <= N * PLAN_FIRST_APART_US);
	/* Nobody waits longer than its interval for that. */
	assert_true(mono_until(S(1000), plan_begin(50 * USEC_PER_MSEC, N - 1, N, S(1000)).due) <=
		    50 * USEC_PER_MSEC);
}

/* From the second run on they are evenly apart over the interval. */
static void
they_spread(void **unused)
{
	enum { N = 10 };
	bool seen[N] = { false };

	(void)unused;
	for (size_t i = 0; i < N; i++) {
		struct plan p = plan_begin(USEC_PER_SEC, i, N, S(0));
		int64_t phase;

		p = plan_ended(plan_began(p), mono_add(p.due, 1000));
		phase = p.due.us % USEC_PER_SEC;
		assert_int_equal(phase % (USEC_PER_SEC / N), 0);
		assert_false(seen[phase / (USEC_PER_SEC / N)]);
		seen[phase / (USEC_PER_SEC / N)] = true;
	}
}

/* Thousands share a few points, whenever they were made, and each has its interval. */
static void
many_go_together(void **unused)
{
	enum { N = 1000, POINTS = PLAN_TOGETHER_PART };
	unsigned on[POINTS] = { 0 };

	(void)unused;
	for (size_t i = 0; i < N; i++) {
		struct plan p = plan_begin(USEC_PER_SEC, i, N, (mono_t){ 123456 + (int64_t)i * 3 });
		int64_t phase;

		p = plan_ended(plan_began(p), mono_add(p.due, 1000));
		phase = p.due.us % USEC_PER_SEC;
		assert_int_equal(phase % PLAN_TOGETHER_MAX_US, 0);
		on[phase / PLAN_TOGETHER_MAX_US]++;
		assert_int_equal(
		    mono_until(p.due, plan_ended(plan_began(p), p.due).due), USEC_PER_SEC);
	}
	for (size_t i = 0; i < POINTS; i++)
		assert_in_range(on[i], N / POINTS - 4, N / POINTS + 4);
}

static const struct {
	const char *what;
	int64_t ended_ms, due_ms; /* of a run that was due at 2000, interval 1000 */
} rows[] = {
	{ "a quick run", 2001, 3000 },
	{ "late by a timer's tick", 2017, 3000 },
	{ "as long as the interval", 3000, 4000 },
	{ "longer: the missed point is left out", 3500, 4000 },
	{ "much longer", 7999, 8000 },
};

static void
no_drift(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan p = { .interval_us = USEC_PER_SEC, .grid = S(1), .due = S(2) };

		p = plan_ended(plan_began(p), MS(rows[i].ended_ms));
		if (p.due.us != MS(rows[i].due_ms).us)
			fail_msg("%s: due at %ld us", rows[i].what, (long)p.due.us);
	}
}

static void
a_thousand_runs_do_not_drift(void **unused)
{
	struct plan p = { .interval_us = USEC_PER_SEC, .grid = S(1), .due = S(1) };

	(void)unused;
	for (int i = 0; i < 1000; i++)
		p = plan_ended(plan_began(p), mono_add(p.due, 3000 + i % 7 * 100));
	assert_int_equal(p.due.us, S(1001).us);
}

static void
another_interval(void **unused)
{
	struct plan p = { .interval_us = 60 * USEC_PER_SEC, .grid = S(100), .due = S(100) };

	(void)unused;
	/* Shorter: not only after what the old one would have waited. */
	p = plan_change(p, USEC_PER_SEC, S(50));
	assert_true(mono_until(S(50), p.due) > 0);
	assert_true(mono_until(S(50), p.due) <= USEC_PER_SEC);
	/* The same: nothing moves. */
	assert_int_equal(plan_change(p, USEC_PER_SEC, S(50)).due.us, p.due.us);
	/* While a run is on, it stays on. */
	p = plan_change(plan_began(p), 2 * USEC_PER_SEC, S(51));
	assert_true(mono_is_never(p.due));
	p = plan_ended(p, S(52));
	assert_true(mono_until(S(52), p.due) > 0);
	assert_true(mono_until(S(52), p.due) <= 2 * USEC_PER_SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_two_runs),
		cmocka_unit_test(thousands),
		cmocka_unit_test(they_spread),
		cmocka_unit_test(many_go_together),
		cmocka_unit_test(no_drift),
		cmocka_unit_test(a_thousand_runs_do_not_drift),
		cmocka_unit_test(another_interval),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
