/*
 * lease.c - see lease.h.
 */
#include "vrrpd/lease.h"

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

/* Whole intervals, less a quarter: the tick that is meant may come a little early. */
static struct lease_pace
long_pace(int64_t lease_us, int64_t rule_us, int64_t interval_us)
{
	int64_t two_thirds = (2 * lease_us / 3 + interval_us - 1) / interval_us;
	int64_t enough_left = (lease_us - rule_us) / interval_us;
	int64_t moment_us = MAX(MIN(two_thirds, enough_left), 1) * interval_us;

	return (struct lease_pace){ moment_us - interval_us / 4, moment_us };
}

struct lease_pace
lease_pace(int32_t lease_s, int64_t interval_us)
{
	int64_t lease_us = lease_s * USEC_PER_SEC;
	int32_t rule_s = lease_seconds(-1, interval_us);
	struct lease_pace pace = { 0 };

	if (lease_s >= 2 * rule_s)
		return long_pace(lease_us, rule_s * USEC_PER_SEC, interval_us);
	pace.renew_us = MAX(MIN(3 * interval_us, lease_us) / 4, LEASE_RENEW_MIN_US);
	return pace;
}

bool
lease_may_have_ended(int32_t given_s, int64_t age_us)
{
	return given_s != 0 && age_us >= given_s * USEC_PER_SEC;
}

/* Not one that was renewed a moment ago, on the other side of the line. */
static bool
has_passed_moment(const struct lease_pace *pace, mono_t renewed, mono_t now)
{
	return pace->moment_us != 0 && mono_until(renewed, now) >= pace->renew_us / 2 &&
	       renewed.us / pace->moment_us != now.us / pace->moment_us;
}

bool
lease_is_due(
    int32_t given_s, int32_t wanted_s, const struct lease_pace *pace, mono_t renewed, mono_t now)
{
	int64_t age_us = mono_until(renewed, now);

	if (wanted_s == 0 || lease_may_have_ended(given_s, age_us))
		return false;
	return given_s != wanted_s || age_us >= pace->renew_us ||
	       has_passed_moment(pace, renewed, now);
}
