/*
 * lease.c - see lease.h.
 */
#include "vrrpd/lease.h"

#include "common/mono.h"
#include "common/util.h"

int32_t
lease_seconds(int64_t written_us, int64_t interval_us)
{
	int64_t us = written_us >= 0 ? written_us : LEASE_INTERVALS * interval_us;
	int64_t s = us / USEC_PER_SEC + (us % USEC_PER_SEC > 0);

	if (written_us == 0)
		return 0;
	return (int32_t)MIN(MAX(s, 1), INT32_MAX);
}

int64_t
lease_renew_us(int32_t lease_s, int64_t interval_us)
{
	int64_t lease_us = lease_s * USEC_PER_SEC;
	int32_t rule_s = lease_seconds(-1, interval_us);

	/* A quarter less: for the tick at which exactly the rule's is left, early or not. */
	if (lease_s >= 2 * rule_s)
		return MIN(lease_us / 3 * 2, lease_us - rule_s * USEC_PER_SEC - interval_us / 4);
	return MAX(MIN(3 * interval_us, lease_us) / 4, LEASE_RENEW_MIN_US);
}

bool
lease_may_have_ended(int32_t given_s, int64_t age_us)
{
	return given_s != 0 && age_us >= given_s * USEC_PER_SEC;
}

bool
lease_is_due(int32_t given_s, int32_t wanted_s, int64_t renew_us, int64_t age_us)
{
	if (wanted_s == 0 || lease_may_have_ended(given_s, age_us))
		return false;
	return given_s != wanted_s || age_us >= renew_us;
}
