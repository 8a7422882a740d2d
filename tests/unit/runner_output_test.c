#include "tests/unit/test.h"

#include "common/runner/output.h"

#include <string.h>

static const struct {
	const char *what, *printed, *head, *last;
} rows[] = {
	{ "nothing", "", "", "" },
	{ "one line", "Port 7443 Is Not Used,End.\n", "Port 7443 Is Not Used,End.",
	    "Port 7443 Is Not Used,End." },
	{ "no newline at the end", "a\nb", "a\nb", "b" },
	{ "blank lines say nothing", "why\n\n   \n", "why", "why" },
	{ "control characters", "a\tb\x1b[31mred\r\n", "a b [31mred", "a b [31mred" },
	{ "UTF-8 stays", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "other bytes do not", "\xff\xfe \xc3( \xed\xa0\x80 \xf4\x90\x80\x80\n", "?? ?( ??? ????",
	    "?? ?( ??? ????" },
	{ "overlong", "\xc0\xaf \xe0\x80\xaf\n", "?? ???", "?? ???" },
	{ "cut in a character", "a\xe2\x82", "a??", "a??" },
};

/* In one piece, and byte by byte. */
static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct output whole = { 0 }, pieces = { 0 };
		char a[OUTPUT_STR_MAX], b[OUTPUT_STR_MAX];

		output_add(&whole, rows[i].printed, strlen(rows[i].printed));
		for (const char *p = rows[i].printed; *p != '\0'; p++)
			output_add(&pieces, p, 1);
		if (strcmp(output_head(&whole, a), rows[i].head) != 0 ||
		    strcmp(output_head(&pieces, b), rows[i].head) != 0)
			fail_msg("%s: head \"%s\" \"%s\"", rows[i].what, a, b);
		if (strcmp(output_last_line(&whole, a), rows[i].last) != 0 ||
		    strcmp(output_last_line(&pieces, b), rows[i].last) != 0)
			fail_msg("%s: last \"%s\" \"%s\"", rows[i].what, a, b);
	}
}

static void
it_is_bounded(void **unused)
{
	struct output o = { 0 };
	char buf[OUTPUT_STR_MAX];

	(void)unused;
	for (int i = 0; i < 100000; i++)
		output_add(&o, "spam ", 5);
	assert_int_equal(strlen(output_head(&o, buf)), RUNNER_OUTPUT_MAX);
	assert_int_equal(strlen(output_last_line(&o, buf)), RUNNER_OUTPUT_MAX);
	output_add(&o, "\nthe end\n", 9);
	assert_string_equal(output_last_line(&o, buf), "the end");
	assert_int_equal(strncmp(output_head(&o, buf), "spam spam", 9), 0);
}

/* A character that the bound cuts in two does not leave half of itself. */
static void
cut_by_the_bound(void **unused)
{
	struct output o = { 0 };
	char buf[OUTPUT_STR_MAX], line[RUNNER_OUTPUT_MAX + 2];

	(void)unused;
	memset(line, 'x', sizeof(line));
	memcpy(line + RUNNER_OUTPUT_MAX - 1, "\xc3\xbc", 2);
	output_add(&o, line, sizeof(line));
	assert_int_equal(output_head(&o, buf)[RUNNER_OUTPUT_MAX - 1], '?');
	assert_int_equal(strlen(output_last_line(&o, buf)), RUNNER_OUTPUT_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(cut_by_the_bound),
	};

	return cmocka_run_group_tests_name("runner output", tests, NULL, NULL);
}
