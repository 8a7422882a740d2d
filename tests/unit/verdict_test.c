#include "tests/unit/test.h"

#include "checkd/verdict.h"

#include <string.h>

/*
 * Results as a string, '+' good and '-' bad, and the state after each of them:
 * '?' unknown, 'U' up, 'D' down; the first is the state before any.
 */
static const struct {
	const char *what;
	struct verdict_params params;
	const char *results, *states;
} rows[] = {
	{ "the first result decides, whatever rise says", { 3, 3, false }, "+", "?U" },
	{ "the first result decides, whatever fall says", { 3, 3, false }, "-", "?D" },
	{ "one each way", { 1, 1, false }, "+-+-", "?UDUD" },
	{ "fall 3: a single failure is forgotten", { 1, 3, false }, "+-+--+---", "?UUUUUUUUD" },
	{ "rise 2: a single success is forgotten", { 2, 1, false }, "-+-+-++", "?DDDDDDU" },
	{ "fall 10 rise 2, as for an API server", { 2, 10, false }, "+----------++",
	    "?UUUUUUUUUUDDU" },
	{ "init_fail: down until rise", { 2, 2, true }, "++", "DDU" },
	{ "init_fail, rise 1", { 1, 1, true }, "+", "DU" },
	{ "init_fail: starts again after a failure", { 2, 1, true }, "+-++", "DDDDU" },
	{ "init_fail: a failure changes nothing", { 1, 3, true }, "-+", "DDU" },
};

static char
letter(enum check_state state)
{
	return state == CHECK_UP ? 'U' : state == CHECK_DOWN ? 'D' : '?';
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct verdict v = verdict_init(&rows[i].params);
		char states[64] = { letter(v.state) };

		for (size_t k = 0; rows[i].results[k] != '\0'; k++) {
			bool good = rows[i].results[k] == '+';

			v = verdict_step(&rows[i].params, v, good ? REASON_OK : REASON_EXIT);
			states[k + 1] = letter(v.state);
			assert_int_equal(v.reason, good ? REASON_OK : REASON_EXIT);
			assert_true(v.successes == 0 || v.failures == 0);
		}
		if (strcmp(states, rows[i].states) != 0)
			fail_msg("%s: %s, not %s", rows[i].what, states, rows[i].states);
	}
}

static void
counters_stop(void **unused)
{
	const struct verdict_params params = { 1, 1, false };
	struct verdict v = { .state = CHECK_UP, .successes = UINT32_MAX };

	(void)unused;
	v = verdict_step(&params, v, REASON_OK);
	assert_true(v.successes == UINT32_MAX);
	v = (struct verdict){ .state = CHECK_DOWN, .failures = UINT32_MAX };
	v = verdict_step(&params, v, REASON_TIMEOUT);
	assert_true(v.failures == UINT32_MAX);
}

static void
every_reason_has_a_name(void **unused)
{
	(void)unused;
	for (int i = 0; i < REASON_MAX; i++) {
		const char *name = check_reason_str((enum check_reason)i);

		assert_non_null(name);
		assert_int_equal(check_reason_parse(name), i);
	}
	assert_int_equal(check_reason_parse("of a newer version"), REASON_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(counters_stop),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
