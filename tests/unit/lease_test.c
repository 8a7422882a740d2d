/*
 * lease_test.c - how long a lease is, and when it is renewed.
 */
#include "tests/unit/test.h"

#include "common/mono.h"
#include "vrrpd/lease.h"

#define MS(n)  ((n)*USEC_PER_MSEC)
#define RULE   (-1)
#define MONTHS INT64_C(10000000)

static void
how_long(void **unused)
{
	static const struct {
		int64_t written_us, interval_us;
		int32_t seconds;
	} rows[] = {
		{ RULE, MS(1000), 3 },
		{ RULE, MS(1010), 4 },
		{ RULE, MS(100), 1 },
		{ RULE, MS(10), 1 },
		{ RULE, MS(255000), 765 },
		{ 0, MS(1000), 0 },
		{ MS(10000), MS(1000), 10 },
		{ MS(1500), MS(1000), 2 },
		{ 1, MS(1000), 1 },
		{ INT64_MAX, MS(1000), INT32_MAX },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (lease_seconds(rows[i].written_us, rows[i].interval_us) != rows[i].seconds)
			fail_msg("row %zu: %d", i,
			    lease_seconds(rows[i].written_us, rows[i].interval_us));
}

static void
how_often(void **unused)
{
	static const struct {
		int32_t lease_s;
		int64_t interval_us, renew_us, moment_us;
	} rows[] = {
		{ 3, MS(1000), MS(750), 0 },
		{ 1, MS(100), MS(333), 0 }, /* the rule's, although ten intervals */
		{ 1, MS(300), MS(333), 0 },
		{ 1, MS(400), MS(333), 0 }, /* less than an interval: each tick */
		{ 1, MS(10), MS(333), 0 }, { 5, MS(1000), MS(750), 0 },
		{ 2, MS(100), MS(975), MS(1000) },
		{ 6, MS(1000), MS(2750), MS(3000) },	/* the third tick: three seconds are left */
		{ 10, MS(1000), MS(6750), MS(7000) },	/* the seventh: three again */
		{ 60, MS(1000), MS(39750), MS(40000) }, /* two thirds */
		{ 60, MS(10000), MS(27500), MS(30000) },
		{ 59, MS(7000), MS(33250), MS(35000) }, /* 24 left; with a sixth tick, 17 */
		{ 1, MS(3000), MS(333), 0 }, /* shorter than its interval: as often as may be */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct lease_pace pace = lease_pace(rows[i].lease_s, rows[i].interval_us);

		if (pace.renew_us != rows[i].renew_us || pace.moment_us != rows[i].moment_us)
			fail_msg("row %zu: %lld, %lld", i, (long long)pace.renew_us,
			    (long long)pace.moment_us);
	}
}

static void
when(void **unused)
{
	static const struct lease_pace each = { MS(750), 0 }, some = { MS(6750), MS(7000) };
	static const struct {
		const char *what;
		const struct lease_pace *pace;
		int32_t given_s, wanted_s;
		int64_t renewed_us, age_us;
		bool due, ended;
	} rows[] = {
		{ "renewed just now", &each, 3, 3, 0, MS(749), false, false },
		{ "with the next tick", &each, 3, 3, 0, MS(750), true, false },
		{ "nearly over", &each, 3, 3, 0, MS(2999), true, false },
		{ "may be over", &each, 3, 3, 0, MS(3000), false, true },
		{ "another length: at once", &each, 4, 3, 0, 0, true, false },
		{ "another length, but over", &each, 4, 3, 0, MS(4000), false, true },
		{ "permanent stays", &each, 0, 0, 0, MS(MONTHS), false, false },
		{ "to be permanent: not by renewal", &each, 3, 0, 0, MS(1000), false, false },
		{ "adopted as permanent, to be leased", &each, 0, 3, 0, MS(MONTHS), true, false },
		{ "long: not with each tick", &some, 10, 10, MS(7100), MS(6000), false, false },
		{ "but so old", &some, 10, 10, MS(7100), MS(6750), true, false },
		{ "or with the others", &some, 10, 10, MS(10000), MS(4000), true, false },
		{ "too early for them", &some, 10, 10, MS(11000), MS(3000), false, false },
		{ "and at their moment it may be over", &some, 10, 10, MS(4500), MS(10000), false,
		    true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mono_t renewed = { rows[i].renewed_us };

		if (lease_is_due(rows[i].given_s, rows[i].wanted_s, rows[i].pace, renewed,
			mono_add(renewed, rows[i].age_us)) != rows[i].due ||
		    lease_may_have_ended(rows[i].given_s, rows[i].age_us) != rows[i].ended)
			fail_msg("row \"%s\"", rows[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_long),
		cmocka_unit_test(how_often),
		cmocka_unit_test(when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
