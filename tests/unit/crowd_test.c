/*
 * crowd_test.c - how many sessions a thread may begin.
 */
#include "proxyd/crowd.h"

#include "tests/unit/test.h"

static const struct {
	const char *what;
	unsigned n_threads;
	uint32_t connections;
	uint32_t sessions[4], flows[4];
	bool has_room;
} rows[] = {
	{ "no limit", 4, 0, { 1000000, 7, 7, 7 }, { 0 }, true },
	{ "two connections are one session", 1, 1024, { 511 }, { 0 }, true },
	{ "and these are all", 1, 1024, { 512 }, { 0 }, false },
	{ "an odd one is none", 1, 5, { 2 }, { 0 }, false },
	{ "never none at all", 1, 1, { 0 }, { 0 }, true },
	{ "one thread has what others leave", 4, 100, { 199, 0, 0, 0 }, { 0 }, true },
	{ "the last place is anybody's", 4, 100, { 0, 199, 1, 0 }, { 0 }, false },
	{ "datagrams' sessions count", 4, 100, { 50, 50, 0, 0 }, { 0, 0, 50, 50 }, false },
	{ "more than may be, by a race or a restart", 4, 100, { 53, 50, 50, 50 }, { 0 }, false },
	{ "no overflow", 4, 100000000, { UINT32_MAX, UINT32_MAX, 0, 0 }, { 0 }, false },
	{ "no overflow of the limit", 4, UINT32_MAX, { 1 }, { 0 }, true },
};

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct crowd c;

		crowd_init(&c, rows[i].n_threads);
		crowd_limit(&c, rows[i].connections, rows[i].n_threads);
		for (unsigned k = 0; k < rows[i].n_threads; k++) {
			c.counts[k].sessions = rows[i].sessions[k];
			c.counts[k].flows = rows[i].flows[k];
		}
		if (crowd_has_room(&c) != rows[i].has_room)
			fail_msg("row \"%s\"", rows[i].what);
		crowd_done(&c);
	}
}

static void
who_found_no_room(void **unused)
{
	struct crowd c;

	(void)unused;
	crowd_init(&c, 2);
	assert_int_equal(crowd_full(&c), 0);
	crowd_found_full(&c.counts[0], false);
	assert_false(crowd_waits(&c));
	crowd_found_full(&c.counts[1], true);
	assert_true(crowd_waits(&c));
	assert_int_equal(crowd_full(&c), 2);
	c.counts[1].is_full = false;
	assert_false(crowd_waits(&c));
	crowd_done(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(who_found_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
