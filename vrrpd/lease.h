/*
 * lease.h - for how long the kernel is lent an address, and when it is told again
 * (design.md section 5).  Whole seconds, because the kernel counts them.
 */
#ifndef VRRPD_LEASE_H
#define VRRPD_LEASE_H

#include "common/mono.h"

#include <stdbool.h>
#include <stdint.h>

#define LEASE_INTERVALS	   3
#define LEASE_RENEW_MIN_US (333 * INT64_C(1000)) /* an address not more often */

/* ceil(3 x interval), at least 1; or ceil(written_us), < 0: not written.  0: permanent. */
int32_t lease_seconds(int64_t written_us, int64_t interval_us);

/*
 * When an address is due for renewal, looked at with each tick of its instance.
 *
 * It is as old as three quarters of an interval, so that each tick finds it due, but
 * 333 ms at least.
 *
 * A lease that is twice as long as the rule's or more is written to spare the kernel
 * renewals: for one of IPv6 it looks at every address with a lifetime and at every
 * multicast group of the link, some 25 us where there are a thousand.  So after two thirds
 * of it, unless less than the rule's would be left: a stall of the machine that the others
 * bear does not lose the address, a longer one loses the role anyway.  That we were
 * master until just now is proved by the adverts (beats.h).  And at common moments of
 * the clock, as the first of a batch costs as much as the next ten: what it looks at
 * was in no cache.
 */
struct lease_pace {
	int64_t renew_us;  /* so old, and it is due */
	int64_t moment_us; /* earlier if a multiple of this has passed since; 0: none */
};

struct lease_pace lease_pace(int32_t lease_s, int64_t interval_us);

/*
 * Whether to renew an address that was given 'given_s' at 'renewed' and is to have
 * 'wanted_s'.  Not when it may have ended: a request would make the address anew, and
 * whether it is still ours is not for the lease to say.
 */
bool lease_is_due(
    int32_t given_s, int32_t wanted_s, const struct lease_pace *, mono_t renewed, mono_t now);
bool lease_may_have_ended(int32_t given_s, int64_t age_us);

#endif
