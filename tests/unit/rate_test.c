/*
 * rate_test.c - how much a session may take, and when.
 */
#include "tests/unit/test.h"

#include "proxyd/rate.h"

static mono_t
at(int64_t us)
{
	return (mono_t){ 1000000 + us };
}

/* Takes whatever it may for so many seconds, asked again when told; counts how often. */
static uint64_t
take_all(struct rate *r, uint32_t each, int64_t seconds, unsigned *ret_waits)
{
	int64_t us = 0;
	uint64_t total = 0;

	*ret_waits = 0;
	while (us < seconds * USEC_PER_SEC) {
		uint32_t n = rate_allows(r, each, at(us));

		if (n == 0) {
			assert_true(mono_before(at(us), r->held));
			us = r->held.us - 1000000;
			(*ret_waits)++;
			continue;
		}
		assert_true(n <= each);
		rate_spend(r, n);
		total += n;
	}
	return total;
}

static void
average(void **unused)
{
	static const struct {
		uint64_t rate;
		uint32_t each;
	} rows[] = { { 1, 65536 }, { 3, 1 }, { 10, 65536 }, { 1000, 100 }, { 1000, 65536 },
		{ 123457, 65536 }, { 10000000, 65536 }, { UINT64_C(5000000000), 1048576 },
		{ RATE_MAX, 1U << 30 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rate r;
		unsigned waits;
		uint64_t total,
		    expected = rows[i].rate * 11; /* one second's worth is there at once */

		rate_init(&r, rows[i].rate, at(0));
		total = take_all(&r, rows[i].each, 10, &waits);
		if (total > expected || total < expected - expected / 50 - 2)
			fail_msg("rate %llu: %llu in ten seconds", (unsigned long long)rows[i].rate,
			    (unsigned long long)total);
		if (waits > 201)
			fail_msg("rate %llu: %u waits", (unsigned long long)rows[i].rate, waits);
	}
}

static void
steps(void **unused)
{
	struct rate r;

	(void)unused;
	rate_init(&r, 1000, at(0));
	assert_int_equal(rate_allows(&r, 64000, at(0)), 1000);
	rate_spend(&r, 1000);
	assert_int_equal(rate_allows(&r, 64000, at(0)), 0);
	assert_int_equal(r.held.us, at(100000).us);
	assert_int_equal(rate_allows(&r, 64000, at(99999)), 0); /* woken early: not an error */
	assert_int_equal(r.held.us, at(100000).us);
	assert_int_equal(rate_allows(&r, 64000, at(100000)), 100);
	assert_true(mono_is_never(r.held));
	rate_spend(&r, 40);
	assert_int_equal(rate_allows(&r, 64000, at(100000)), 60); /* enough to go on with */
	rate_spend(&r, 20);
	assert_int_equal(rate_allows(&r, 64000, at(100000)), 0);
	/* a day without a byte is worth a second */
	assert_int_equal(rate_allows(&r, 64000, at(INT64_C(86400000000))), 1000);
	assert_int_equal(rate_allows(&r, 64000, at(0)), 1000); /* time does not run back */
}

/* Datagrams pass whole while there is anything; what was too much is waited for. */
static void
more_than_allowed(void **unused)
{
	struct rate r;

	(void)unused;
	rate_init(&r, 1000, at(0));
	assert_int_equal(rate_allows(&r, 1, at(0)), 1);
	rate_spend(&r, 3000);
	assert_int_equal(rate_allows(&r, 1, at(0)), 0);
	assert_int_equal(r.held.us, at(2100000).us); /* two seconds' worth, and a tenth to go on */
	assert_int_equal(rate_allows(&r, 1, at(2000000)), 0);
	assert_int_equal(r.held.us, at(2100000).us);
	assert_int_equal(rate_allows(&r, 64000, at(2100000)), 100);
	rate_spend(&r, 65535);
	assert_int_equal(rate_allows(&r, 1, at(2100000)), 0);
	rate_init(&r, 1, at(0));
	rate_spend(&r, UINT32_MAX); /* no overflow */
	assert_int_equal(rate_allows(&r, 1, at(0)), 0);
	assert_int_equal(r.held.us, at(INT64_C(4294967295) * 1000000).us);
}

static void
no_limit(void **unused)
{
	struct rate r;

	(void)unused;
	rate_init(&r, 0, at(0));
	assert_int_equal(rate_allows(&r, 65536, at(0)), 65536);
	rate_spend(&r, 65536);
	assert_int_equal(rate_allows(&r, 65536, at(0)), 65536);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(average),
		cmocka_unit_test(steps),
		cmocka_unit_test(more_than_allowed),
		cmocka_unit_test(no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
