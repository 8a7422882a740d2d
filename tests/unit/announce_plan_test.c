/*
 * announce_plan_test.c - the rounds after a takeover, moment by moment.
 */
#include "tests/unit/test.h"

#include "common/util.h"
#include "vrrpd/announce_plan.h"

#define MS(n) ((n)*USEC_PER_MSEC)
#define AT(n) ((mono_t){ MS(n) })
#define FROM  100000
#define UNTIL 12000 /* of each row */

struct told {
	int64_t ms; /* since the takeover */
	unsigned rounds;
};

struct row {
	const char *name;
	struct announce_words words;
	int32_t lease_s;
	int64_t interval_us;
	unsigned down_adverts;
	struct told told[24];
};

static const struct announce_words usual = { .delay_us = MS(5000),
	.repeat = 5,
	.refresh_us = MS(60000),
	.refresh_repeat = 1,
	.lower_delay_us = MS(5000),
	.lower_repeat = 5 };

static void
after_a_takeover(void **unused)
{
	static const struct row rows[] = {
		/* Leased for 1 s when last heard 30 ms ago; looked at 1.5 s later at the latest. */
		{ "10 ms", usual, 1, MS(10), 3,
		    { { 0, 5 }, { 25, 1 }, { 50, 1 }, { 100, 1 }, { 200, 1 }, { 400, 1 },
			{ 800, 1 }, { 1300, 1 }, { 1800, 1 }, { 2300, 1 }, { 5000, 5 } } },
		{ "1 s", usual, 3, MS(1000), 3,
		    { { 0, 5 }, { 500, 1 }, { 1000, 1 }, { 1500, 1 }, { 2500, 1 }, { 5000, 5 } } },
		/* The lease is over before we can be master. */
		{ "down_timer_adverts 10", usual, 3, MS(1000), 10,
		    { { 0, 5 }, { 500, 1 }, { 1000, 1 }, { 1500, 1 }, { 2500, 1 }, { 5000, 5 } } },
		{ "vip_lease off", usual, 0, MS(100), 3, { { 0, 5 }, { 250, 1 }, { 5000, 5 } } },
		/* An hour's: less and less often, down to each sixteenth of it. */
		{ "vip_lease 3600", usual, 3600, MS(1000), 3,
		    { { 0, 5 }, { 2500, 1 }, { 5000, 5 }, { 10000, 1 } } },
		{ "vip_lease 10", usual, 10, MS(1000), 3,
		    { { 0, 5 }, { 531, 1 }, { 1062, 1 }, { 1593, 1 }, { 2125, 1 }, { 2500, 1 },
			{ 2656, 1 }, { 3187, 1 }, { 3718, 1 }, { 4250, 1 }, { 4781, 1 },
			{ 5000, 5 }, { 5312, 1 }, { 5843, 1 }, { 6375, 1 }, { 6906, 1 },
			{ 7437, 1 }, { 7968, 1 }, { 8500, 1 } } },
		{ "garp_master_delay 0", { .repeat = 2 }, 1, MS(10), 3, { { 0, 2 } } },
		{ "refreshed", { .repeat = 1, .refresh_us = MS(4000), .refresh_repeat = 3 }, 1,
		    MS(10), 3, { { 0, 1 }, { 4000, 3 }, { 8000, 3 }, { 12000, 3 } } },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const struct told *want = r->told;
		struct announce_plan p;
		unsigned rounds;
		mono_t now = AT(FROM);

		announce_plan_init(&p);
		assert_true(mono_is_never(announce_plan_next(&p)));
		announce_plan_configure(&p, &r->words, r->lease_s, r->interval_us, r->down_adverts);
		rounds = announce_plan_begin(&p, false, now);
		for (; !mono_before(AT(FROM + UNTIL), now); want++) {
			if (want->rounds != rounds ||
			    AT(FROM + want->ms).us / 1000 != now.us / 1000)
				fail_msg("%s: %u rounds after %lld us, not %u after %lld ms",
				    r->name, rounds, (long long)(now.us - MS(FROM)), want->rounds,
				    (long long)want->ms);
			now = announce_plan_next(&p);
			assert_int_equal(announce_plan_due(&p, (mono_t){ now.us - 1 }), 0);
			rounds = mono_is_never(now) ? 0 : announce_plan_due(&p, now);
		}
		if (want->rounds != 0)
			fail_msg("%s: nothing after %lld ms", r->name, (long long)want->ms);
	}
}

/* The other one is awake: no lease of its is waited for, but one that was is still. */
static void
in_a_contest(void **unused)
{
	struct announce_words words = usual;
	struct announce_plan p;

	(void)unused;
	words.lower_delay_us = MS(7000);
	words.lower_repeat = 2;
	announce_plan_init(&p);
	announce_plan_configure(&p, &words, 1, MS(10), 3);
	assert_int_equal(announce_plan_begin(&p, true, AT(0)), 2);
	assert_int_equal(announce_plan_due(&p, AT(30)), 1);
	assert_int_equal(announce_plan_next(&p).us, MS(7000));
	assert_int_equal(announce_plan_due(&p, AT(7000)), 2);
	assert_int_equal(announce_plan_next(&p).us, MS(60000));

	announce_plan_begin(&p, false, AT(0));
	announce_plan_begin(&p, true, AT(10));
	assert_int_equal(announce_plan_due(&p, AT(40)), 1);
	assert_int_equal(announce_plan_next(&p).us, MS(50));
}

static void
late_and_stopped(void **unused)
{
	struct announce_plan p;

	(void)unused;
	announce_plan_init(&p);
	announce_plan_configure(&p, &usual, 1, MS(10), 3);
	announce_plan_begin(&p, false, AT(0));
	/* A stall: all of it at once is no more than its largest. */
	assert_int_equal(announce_plan_due(&p, AT(61000)), 5);
	assert_int_equal(announce_plan_next(&p).us, MS(121000));
	announce_plan_begin(&p, false, AT(200000));
	announce_plan_stop(&p);
	assert_true(mono_is_never(announce_plan_next(&p)));
	assert_int_equal(announce_plan_due(&p, AT(300000)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_takeover),
		cmocka_unit_test(in_a_contest),
		cmocka_unit_test(late_and_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
