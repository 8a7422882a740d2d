/*
 * owed_test.c - what a full FIFO is owed: the last line of each, in order, and a
 * count of the rest.
 */
#include "tests/unit/test.h"
#include "vrrpd/owed.h"

#include <stdio.h>
#include <string.h>

/* All that is owed, joined, in the order of writing. */
static void
assert_owed(struct owed *o, const char *lines)
{
	char all[256] = "";

	for (const char *line; (line = owed_next(o)) != NULL; owed_paid(o))
		strncat(all, line, sizeof(all) - strlen(all) - 1);
	assert_string_equal(all, lines);
	assert_int_equal(o->n, 0);
}

static void
nothing(void **unused)
{
	struct owed o;

	(void)unused;
	owed_init(&o);
	assert_null(owed_next(&o));
	owed_paid(&o);
	assert_owed(&o, "");
	assert_int_equal(o.lost, 0);
	owed_done(&o);
}

static void
the_last_of_each(void **unused)
{
	struct owed o;

	(void)unused;
	owed_init(&o);
	owed_add(&o, "A", "A BACKUP\n");
	owed_add(&o, "B", "B BACKUP\n");
	owed_add(&o, "A", "A MASTER\n");
	owed_add(&o, "C", "C FAULT\n");
	owed_add(&o, "A", "A BACKUP\n");
	assert_int_equal(o.n, 3);
	assert_int_equal(o.lost, 2);
	assert_owed(&o, "B BACKUP\nC FAULT\nA BACKUP\n");
	owed_add(&o, "A", "A MASTER\n");
	assert_int_equal(o.lost, 2);
	assert_owed(&o, "A MASTER\n");
	owed_done(&o);
}

static void
bounded(void **unused)
{
	struct owed o;
	char key[16];

	(void)unused;
	owed_init(&o);
	for (int i = 0; i < OWED_MAX + 3; i++) {
		snprintf(key, sizeof(key), "%d", i);
		owed_add(&o, key, key);
	}
	assert_int_equal(o.n, OWED_MAX);
	assert_int_equal(o.lost, 3);
	assert_string_equal(owed_next(&o), "3");
	owed_done(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(the_last_of_each),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
