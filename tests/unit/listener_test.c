/*
 * listener_test.c - how many sockets a listener has for so many threads.
 */
#include "proxyd/listener.h"

#include "tests/unit/test.h"

static void
sockets(void **unused)
{
	static const struct {
		size_t have, threads, want;
	} rows[] = {
		{ 1, 4, 4 }, { 4, 4, 4 },		 /* one for each */
		{ 4, 1, 4 }, { 4, 2, 4 }, { 16, 2, 16 }, /* none leaves the group */
		{ 4, 3, 6 }, { 16, 5, 20 }, { 7, 2, 8 }, /* nobody has twice as many as another */
		{ 13, 3, 13 }, { 256, 3, 256 },		 /* near enough */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(listener_sockets(rows[i].have, rows[i].threads), rows[i].want);
}

/* Whatever numbers of threads follow each other: bounded, and near enough to even. */
static void
any_order(void **unused)
{
	size_t have = 0, most = 0;
	unsigned dice = 1;

	(void)unused;
	for (int i = 0; i < 100000; i++) {
		size_t n, before = have;

		dice = dice * 1103515245 + 12345;
		n = dice / 65536 % 256 + 1;
		most = n > most ? n : most;
		have = listener_sockets(have, n);
		assert_true(have >= before && have >= n && have <= 4 * most);
		assert_true(have % n == 0 || have / n >= 4);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets),
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
