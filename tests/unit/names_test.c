/* names_test.c - found by name among many, and not found among none. */
#include "common/conf/names.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

#define N 5000

struct thing {
	char *name;
	int value;
};

static void
many(void **unused)
{
	struct thing *things = NULL;
	struct names names = { 0 };
	char name[16];

	(void)unused;
	assert_null(names_find(&names, things, sizeof(*things), "t0"));
	for (int i = 0; i < N; i++) {
		things = realloc(things, ((size_t)i + 1) * sizeof(*things)); /* it moves */
		assert_non_null(things);
		things[i].name = malloc(sizeof(name));
		assert_non_null(things[i].name);
		snprintf(things[i].name, sizeof(name), "t%d", i);
		things[i].value = i;
		names_add(&names, things, sizeof(*things), (size_t)i);
	}
	for (int i = 0; i < N; i++) {
		struct thing *found;

		snprintf(name, sizeof(name), "t%d", i);
		found = names_find(&names, things, sizeof(*things), name);
		assert_non_null(found);
		assert_int_equal(found->value, i);
	}
	assert_null(names_find(&names, things, sizeof(*things), "t"));
	assert_null(names_find(&names, things, sizeof(*things), "t5000"));
	for (int i = 0; i < N; i++)
		free(things[i].name);
	free(things);
	names_done(&names);
	assert_null(names_find(&names, NULL, sizeof(*things), "t0"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
