/*
 * wheel_test.c - deadlines: never early, never forgotten, hardly late.
 */
#include "tests/unit/test.h"

#include "proxyd/wheel.h"

#define MS(n) ((mono_t){ (n)*USEC_PER_MSEC })

static void
one_deadline_each(void **unused)
{
	static const int64_t after_ms[] = { 0, 1, 50, 99, 100, 101, 5000, 51100, 51200, 51300,
		60000, 600000, 86400000 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(after_ms); i++) {
		struct wheel w;
		struct wheel_timer t = { 0 };
		mono_t start = MS(1234567), due = mono_add(start, after_ms[i] * USEC_PER_MSEC);
		int64_t late;

		wheel_init(&w, start);
		assert_true(mono_is_never(wheel_next(&w)));
		wheel_set(&w, &t, due);
		for (;;) {
			mono_t now = wheel_next(&w);

			assert_false(mono_is_never(now));
			if (wheel_pop(&w, now) == NULL)
				continue;
			late = mono_until(due, now);
			break;
		}
		if (late < 0 || late > WHEEL_TICK_US)
			fail_msg(
			    "after %lld ms: %lld us late", (long long)after_ms[i], (long long)late);
		assert_true(mono_is_never(wheel_next(&w)));
	}
}

static void
set_again_and_taken_off(void **unused)
{
	struct wheel w;
	struct wheel_timer a = { 0 }, b = { 0 };

	(void)unused;
	wheel_init(&w, MS(0));
	wheel_set(&w, &a, MS(1000));
	wheel_set(&w, &b, MS(1000));
	wheel_set(&w, &a, MS(3000));
	assert_null(wheel_pop(&w, MS(900)));
	assert_ptr_equal(wheel_pop(&w, MS(2000)), &b);
	assert_null(wheel_pop(&w, MS(2000)));
	wheel_set(&w, &a, MONO_NEVER);
	assert_null(wheel_pop(&w, MS(10000)));
	assert_true(mono_is_never(wheel_next(&w)));
}

static void
a_suspend_of_a_day_loses_nobody(void **unused)
{
	struct wheel w;
	struct wheel_timer t[100] = { 0 };
	size_t n = 0;

	(void)unused;
	wheel_init(&w, MS(0));
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		wheel_set(&w, &t[i], MS((int64_t)(i * 7001)));
	while (wheel_pop(&w, MS(86400000)) != NULL)
		n++;
	assert_int_equal(n, ARRAY_LEN(t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_deadline_each),
		cmocka_unit_test(set_again_and_taken_off),
		cmocka_unit_test(a_suspend_of_a_day_loses_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
