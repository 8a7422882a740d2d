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
		int64_t interval_us, renew_us;
	} rows[] = {
		{ 3, MS(1000), MS(750) },
		{ 1, MS(100), MS(333) }, /* the rule's, although ten intervals */
		{ 2, MS(100), MS(975) }, { 1, MS(300), MS(333) },
		{ 1, MS(400), MS(333) }, /* less than an interval: each tick */
		{ 1, MS(10), MS(333) }, { 5, MS(1000), MS(750) },
		{ 6, MS(1000), MS(2750) },   /* by the third tick three seconds are left */
		{ 10, MS(1000), 6666666 },   /* the seventh: three again */
		{ 60, MS(1000), MS(40000) }, /* two thirds */
		{ 60, MS(10000), MS(27500) },
		{ 1, MS(3000), MS(333) }, /* shorter than its interval: as often as may be */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (lease_renew_us(rows[i].lease_s, rows[i].interval_us) != rows[i].renew_us)
			fail_msg("row %zu: %lld", i,
			    (long long)lease_renew_us(rows[i].lease_s, rows[i].interval_us));
}

static void
when(void **unused)
{
	static const struct {
		const char *what;
		int32_t given_s, wanted_s;
		int64_t age_us;
		bool due, ended;
	} rows[] = {
		{ "renewed just now", 3, 3, MS(749), false, false },
		{ "with the next tick", 3, 3, MS(750), true, false },
		{ "nearly over", 3, 3, MS(2999), true, false },
		{ "may be over", 3, 3, MS(3000), false, true },
		{ "another length: at once", 4, 3, 0, true, false },
		{ "another length, but over", 4, 3, MS(4000), false, true },
		{ "permanent stays", 0, 0, MS(MONTHS), false, false },
		{ "to be permanent: not by renewal", 3, 0, MS(1000), false, false },
		{ "adopted as permanent, to be leased", 0, 3, MS(MONTHS), true, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (lease_is_due(rows[i].given_s, rows[i].wanted_s, MS(750), rows[i].age_us) !=
			rows[i].due ||
		    lease_may_have_ended(rows[i].given_s, rows[i].age_us) != rows[i].ended)
			fail_msg("row \"%s\"", rows[i].what);
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
