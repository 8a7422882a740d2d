/*
 * whatif_test.c - who is master after each single failure, and how soon.
 */
#include "tests/unit/test.h"

#include "ctl/whatif.h"

#include <string.h>
#include <sys/socket.h>

#define NOBODY SIZE_MAX
#define MS(x)  (INT64_C(1000) * (x))

static struct check_conf chk = { .name = "chk", .interval_us = MS(2000), .fall = 2 };

static struct vrrp_conf
instance(uint8_t priority, struct track_conf *track)
{
	return (struct vrrp_conf){ .name = "VI_1",
		.vrid = 51,
		.priority = priority,
		.version = 2,
		.family = AF_INET,
		.advert_us = MS(1000),
		.down_timer_adverts = 3,
		.fast_preempt = true, /* the defaults of the language */
		.yield_when_deaf = true,
		.tracks = track,
		.n_tracks = 1 };
}

/* Skew times in v2: (256 - 90) / 256 s = 648.4 ms; (256 - 100) / 256 s = 609.4 ms. */
/* clang-format off */
static const struct {
	const char *what;
	int weight;			/* on both */
	uint8_t version, priority;	/* of the second; 0: there is none */
	int64_t advert_us;
	bool nopreempt, strict;		/* on the second */
	const char *row;
	size_t before, after;
	int64_t move_ms;
} rows[] = {
{ "a check that moves it", -20, 2, 90, MS(1000), false, false, "chk fails on n1", 0, 1, 648 },
{ "on the backup: nothing", -20, 2, 90, MS(1000), false, false, "chk fails on n2", 0, 0, 0 },
{ "the master is lost", -20, 2, 90, MS(1000), false, false, "n1 is lost", 0, 1, 3648 },
{ "the backup is lost", -20, 2, 90, MS(1000), false, false, "n2 is lost", 0, 0, 0 },
{ "a weight too small", -5, 2, 90, MS(1000), false, false, "chk fails on n1", 0, 0, 0 },
{ "a weight that ties", -10, 2, 90, MS(1000), false, false, "chk fails on n1", 0, 0, 0 },
{ "no weight: FAULT, priority 0", 0, 2, 90, MS(1000), false, false, "chk fails on n1", 0, 1, 648 },
{ "to the letter of the RFC: a down interval", -20, 2, 90, MS(1000), false, true, "chk fails on n1", 0, 1, 3648 },
{ "nopreempt against a degraded master", -20, 2, 90, MS(1000), true, false, "chk fails on n1", 0, 1, 648 },
{ "nopreempt to the letter", -20, 2, 90, MS(1000), true, true, "chk fails on n1", 0, 0, 0 },
{ "version 3 at 100 ms", -20, 3, 90, MS(100), false, false, "n1 is lost", 0, 1, 364 },
{ "the second is the better one", -20, 2, 110, MS(1000), false, false, "n2 is lost", 1, 0, 3609 },
{ "alone", -20, 2, 0, MS(1000), false, false, "n1 is lost", 0, NOBODY, 0 },
{ "alone, without weight", 0, 2, 0, MS(1000), false, false, "chk fails on n1", 0, NOBODY, 0 },
};
/* clang-format on */

static const struct whatif_row *
find(const struct whatif_rows *all, const char *what)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->items[i].what, what) == 0)
			return &all->items[i];
	return NULL;
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct track_conf track = { .check = &chk, .weight = rows[i].weight };
		struct vrrp_conf a = instance(100, &track), b = instance(rows[i].priority, &track);
		const struct whatif_side sides[] = { { "n1", &a, NULL }, { "n2", &b, NULL } };
		struct whatif_rows all;
		const struct whatif_row *row;

		a.version = b.version = rows[i].version;
		a.advert_us = b.advert_us = rows[i].advert_us;
		b.nopreempt = rows[i].nopreempt;
		b.strict = rows[i].strict;
		whatif_run(sides, rows[i].priority > 0 ? 2 : 1, &all);
		row = find(&all, rows[i].row);
		if (row == NULL)
			fail_msg("row \"%s\": no %s", rows[i].what, rows[i].row);
		if (row->before != rows[i].before || row->after != rows[i].after ||
		    row->move_us / 1000 != rows[i].move_ms)
			fail_msg("row \"%s\": from %zu to %zu in %lld us", rows[i].what,
			    row->before, row->after, (long long)row->move_us);
		assert_int_equal(row->notice_us, strstr(row->what, "fails") != NULL ? MS(4000) : 0);
		whatif_rows_done(&all);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
