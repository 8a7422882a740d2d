#include "tests/unit/test.h"

#include "common/regex.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *what, *pattern;
	unsigned flags;
	const char *text;
	enum regex_found found;
} rows[] = {
	{ "found", "o+k", 0, "not ook", REGEX_YES },
	{ "not found", "^o+k", 0, "not ook", REGEX_NO },
	{ "of either case", "OK", REGEX_CASELESS, "ok", REGEX_YES },
	{ "of one case", "OK", 0, "ok", REGEX_NO },
	{ "at lines", "^b$", REGEX_LINES, "a\nb\nc", REGEX_YES },
	{ "at both ends only", "^b$", 0, "a\nb\nc", REGEX_NO },
	{ "no bytes are too odd", "\\xff", 0, "\xfe\xff", REGEX_YES },
	{ "a back-reference", "(a+)b\\1$", 0, "xaabaa", REGEX_YES },
	{ "every way to split", "^(a+)+$", 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
	    REGEX_GIVEN_UP },
	{ "without end", "(?R)?x", 0, "aaaa", REGEX_NO },
};

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (regex_search_once(rows[i].pattern, rows[i].flags, rows[i].text,
			strlen(rows[i].text)) != rows[i].found)
			fail_msg("row \"%s\"", rows[i].what);
}

static const struct {
	const char *pattern, *why;
} faults[] = {
	{ "(", "missing closing parenthesis at character 2" },
	{ "a{70000}", "number too big in {} quantifier at character 8" },
	{ "((a{100}){100}){100}", "regular expression is too large at character 21" },
	{ "a\\C", "using \\C is disabled by the application at character 4" },
};

static void
every_fault(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		char *why = regex_fault(faults[i].pattern, 0);

		assert_non_null(why);
		assert_string_equal(why, faults[i].why);
		free(why);
		assert_int_equal(regex_search_once(faults[i].pattern, 0, "a", 1), REGEX_GIVEN_UP);
	}
	assert_null(regex_fault("(a{30}){30}", 0));
}

/* The limit is on all of a search, however many places a match may begin at. */
static void
long_text(void **unused)
{
	char *text = malloc(65536);

	(void)unused;
	assert_non_null(text);
	memset(text, 'a', 65536);
	assert_int_equal(regex_search_once("a*+[yz]", 0, text, 65536), REGEX_GIVEN_UP);
	assert_int_equal(regex_search_once("ab", 0, text, 65536), REGEX_NO);
	free(text);
}

static void
groups(void **unused)
{
	struct regex_range r[4];
	char *why = NULL;
	struct regex *re = regex_new("(a)(x)?(b+)", 0, &why);

	(void)unused;
	assert_non_null(re);
	assert_int_equal(regex_search(re, "-abb", 4, r, ARRAY_LEN(r)), REGEX_YES);
	assert_int_equal(r[0].start, 1);
	assert_int_equal(r[0].end, 4);
	assert_int_equal(r[2].end, 0); /* took no part */
	assert_int_equal(r[3].start, 2);
	assert_int_equal(r[3].end, 4);
	assert_int_equal(regex_search(re, "-abb", 4, r, 1), REGEX_YES);
	assert_int_equal(r[0].end, 4);
	regex_free(re);
	regex_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(every_fault),
		cmocka_unit_test(long_text),
		cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
