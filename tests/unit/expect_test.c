#include "tests/unit/test.h"

#include "checkd/expect.h"

#include <string.h>

static const struct {
	const char *what, *want, *got;
	enum expect_state state;
	const char *shown;
} rows[] = {
	{ "at once", "220", "220 mail ESMTP\r\n", EXPECT_FOUND, NULL },
	{ "in the middle", "PONG", "+PONG\r\n", EXPECT_FOUND, NULL },
	{ "after a false start", "aab", "aaab", EXPECT_FOUND, NULL },
	{ "not yet", "PONG", "+PON", EXPECT_MORE, "+PON" },
	{ "something else", "PONG", "-ERR\r\nx", EXPECT_MORE, "-ERR  x" },
	{ "nothing", "x", "", EXPECT_MORE, "" },
};

/* In one piece, and byte by byte. */
static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct expect whole, pieces;
		enum expect_state a, b = EXPECT_MORE;

		expect_init(&whole, rows[i].want, strlen(rows[i].want));
		expect_init(&pieces, rows[i].want, strlen(rows[i].want));
		a = expect_feed(&whole, rows[i].got, strlen(rows[i].got));
		for (const char *p = rows[i].got; *p != '\0' && b == EXPECT_MORE; p++)
			b = expect_feed(&pieces, p, 1);
		if (a != rows[i].state || b != rows[i].state)
			fail_msg("%s: %d %d", rows[i].what, a, b);
		if (rows[i].shown != NULL)
			assert_string_equal(whole.shown, rows[i].shown);
	}
}

static const struct {
	const char *what, *want, *got;
	bool ignore_case;
	enum expect_state state;
} expressions[] = {
	{ "anchored", "^220 .*ESMTP", "220 mail ESMTP\r\n", false, EXPECT_FOUND },
	{ "elsewhere", "^ESMTP", "220 mail ESMTP\r\n", false, EXPECT_MORE },
	{ "the case counts", "esmtp", "220 mail ESMTP\r\n", false, EXPECT_MORE },
	{ "or not", "esmtp", "220 mail ESMTP\r\n", true, EXPECT_FOUND },
	{ "not one", "a(", "a(", false, EXPECT_NEVER },
};

static void
every_expression(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		struct expect e;
		enum expect_state state = EXPECT_MORE;

		expect_init_regex(&e, expressions[i].want, expressions[i].ignore_case);
		for (const char *p = expressions[i].got; *p != '\0' && state == EXPECT_MORE; p++)
			state = expect_feed(&e, p, 1);
		if (state != expressions[i].state)
			fail_msg("%s: %d", expressions[i].what, state);
	}
}

/* An expression sees the first EXPECT_WINDOW bytes, then it is over. */
static void
an_expression_in_vain(void **unused)
{
	static const char zeroes[EXPECT_WINDOW - 1];
	struct expect e;

	(void)unused;
	expect_init_regex(&e, "x", false);
	assert_int_equal(expect_feed(&e, zeroes, sizeof(zeroes)), EXPECT_MORE);
	assert_int_equal(expect_feed(&e, "yx", 2), EXPECT_NEVER);
}

/* Zero bytes are bytes, and a match may lie over any two pieces of a long answer. */
static void
over_every_seam(void **unused)
{
	static char stream[3 * EXPECT_WINDOW];

	(void)unused;
	memset(stream, 0, sizeof(stream));
	memcpy(stream + sizeof(stream) - 4, "a\0bc", 4);
	for (size_t cut = EXPECT_WINDOW - 8; cut < EXPECT_WINDOW + 8; cut++) {
		struct expect e;
		enum expect_state state = EXPECT_MORE;

		expect_init(&e, "a\0bc", 4);
		for (size_t at = 0; at < sizeof(stream) && state == EXPECT_MORE; at += cut)
			state = expect_feed(&e, stream + at, MIN(cut, sizeof(stream) - at));
		assert_int_equal(state, EXPECT_FOUND);
	}
}

static void
it_gives_up(void **unused)
{
	static char junk[1000];
	enum expect_state state = EXPECT_MORE;
	struct expect e;
	int n = 0;

	(void)unused;
	memset(junk, 'j', sizeof(junk));
	expect_init(&e, "never", 5);
	for (; state == EXPECT_MORE && n < 1000; n++)
		state = expect_feed(&e, junk, sizeof(junk));
	assert_int_equal(state, EXPECT_NEVER);
	assert_int_equal(n, 66); /* past 64 KiB */
	assert_int_equal(strlen(e.shown), EXPECT_SHOWN_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(every_expression),
		cmocka_unit_test(an_expression_in_vain),
		cmocka_unit_test(over_every_seam),
		cmocka_unit_test(it_gives_up),
	};

	return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
