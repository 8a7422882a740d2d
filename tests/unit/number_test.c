/* number_test.c - what is a number in a tracked file, and what is none. */
#include "checkd/number.h"
#include "tests/unit/test.h"

#include <string.h>

static const struct {
	const char *text;
	const char *wrong; /* NULL: a number */
	int32_t value;
} rows[] = {
	{ "0", NULL, 0 },
	{ "5\n", NULL, 5 },
	{ " -20 \r\n\n", NULL, -20 },
	{ "+7", NULL, 7 },
	{ "007", NULL, 7 },
	{ "2147483647", NULL, INT32_MAX },
	{ "-2147483648", NULL, INT32_MIN },
	{ "2147483648", "holds a number beyond 32 bits", 0 },
	{ "-2147483649", "holds a number beyond 32 bits", 0 },
	{ "99999999999999999999999999999999999999999", "holds a number beyond 32 bits", 0 },
	{ "", "is empty", 0 },
	{ " \t\n", "is empty", 0 },
	{ "-", "does not hold a number", 0 },
	{ "+-1", "does not hold a number", 0 },
	{ "1 2", "does not hold a number", 0 },
	{ "1x", "does not hold a number", 0 },
	{ "0x10", "does not hold a number", 0 },
	{ "1.5", "does not hold a number", 0 },
	{ "up", "does not hold a number", 0 },
};

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int32_t value = 0;
		const char *wrong = number_parse(rows[i].text, strlen(rows[i].text), &value);

		if ((wrong == NULL) != (rows[i].wrong == NULL) || value != rows[i].value ||
		    (wrong != NULL && strcmp(wrong, rows[i].wrong) != 0))
			fail_msg(
			    "\"%s\": %s, %d", rows[i].text, wrong != NULL ? wrong : "good", value);
	}
}

static void
long_ones(void **unused)
{
	char blanks[NUMBER_BYTES_MAX + 1], junk[NUMBER_BYTES_MAX + 1];
	int32_t value = 3;

	(void)unused;
	memset(blanks, ' ', sizeof(blanks));
	assert_ptr_equal(number_parse(blanks, sizeof(blanks), &value), number_empty);
	memset(junk, '0', sizeof(junk));
	assert_string_equal(number_parse(junk, sizeof(junk), &value), "holds more than a number");
	assert_null(number_parse(junk, sizeof(junk) - 1, &value));
	assert_int_equal(value, 0);
	assert_string_equal(number_parse("1\0002", 3, &value), "does not hold a number");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
