/*
 * rate.c - see rate.h.
 */
#include "proxyd/rate.h"

#define MILLION UINT64_C(1000000)

void
rate_init(struct rate *r, uint64_t bytes_s, mono_t now)
{
	*r = (struct rate){
		.bytes_s = bytes_s, .credit = bytes_s * MILLION, .at = now, .held = MONO_NEVER
	};
}

static void
fill(struct rate *r, mono_t now)
{
	int64_t us = mono_until(r->at, now);
	uint64_t full = r->bytes_s * MILLION;

	if (us <= 0)
		return;
	r->at = now;
	r->credit += r->bytes_s * (us < USEC_PER_SEC ? (uint64_t)us : MILLION);
	if (r->credit > full)
		r->credit = full;
}

/* What is worth waking for, and what is worth going on with. */
static uint64_t
share(const struct rate *r, unsigned parts)
{
	uint64_t n = r->bytes_s / parts;

	return n > 0 ? n * MILLION : MILLION;
}

uint32_t
rate_allows(struct rate *r, uint32_t wanted, mono_t now)
{
	uint64_t whole;

	if (r->bytes_s == 0)
		return wanted;
	fill(r, now);
	if (r->credit < share(r, mono_is_never(r->held) ? 20 : 10)) {
		uint64_t missing = share(r, 10) - r->credit;

		r->held = mono_add(
		    mono_max(now, r->at), (int64_t)((missing + r->bytes_s - 1) / r->bytes_s));
		return 0;
	}
	r->held = MONO_NEVER;
	whole = r->credit / MILLION;
	return whole < wanted ? (uint32_t)whole : wanted;
}

void
rate_spend(struct rate *r, uint32_t n)
{
	uint64_t cost = (uint64_t)n * MILLION, owed;

	if (r->bytes_s == 0)
		return;
	owed = cost > r->credit ? cost - r->credit : 0;
	r->credit -= cost - owed;
	r->at = mono_add(
	    r->at, (int64_t)((owed + r->bytes_s - 1) / r->bytes_s)); /* none until then */
}
