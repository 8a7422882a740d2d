/*
 * adopt.c - go on, listen, or start anew; see adopt.h.
 */
#include "vrrpd/adopt.h"

#include "common/util.h"

#include <string.h>

/* What may lie between two readings; slewing moves both clocks alike. */
#define CLOCKS_AGREE_US (100 * USEC_PER_MSEC)

const char *
adopt_verdict_str(enum adopt_verdict verdict)
{
	static const char *const names[] = {
		[ADOPT_NONE] = "none",
		[ADOPT_LISTEN] = "listen",
		[ADOPT_RESUME] = "resume",
	};

	return (size_t)verdict < ARRAY_LEN(names) ? names[verdict] : "?";
}

const char *
adopt_why_str(enum adopt_why why)
{
	static const char *const names[] = {
		[ADOPT_OK] = "ok",
		[ADOPT_NO_RECORD] = "nothing recorded",
		[ADOPT_NOT_MASTER] = "was not master",
		[ADOPT_NO_ADDRESS] = "the addresses are gone",
		[ADOPT_SUSPENDED] = "the host was suspended",
		[ADOPT_REBOOTED] = "the host was rebooted",
		[ADOPT_TOO_OLD] = "no recent proof of mastership",
		[ADOPT_TOO_OFTEN] = "too many adoptions in a row",
		[ADOPT_GROUP] = "another member of its sync group was not",
	};

	return (size_t)why < ARRAY_LEN(names) ? names[why] : "?";
}

static struct adopt_outcome
none(enum adopt_why why)
{
	return (struct adopt_outcome){ .verdict = ADOPT_NONE, .why = why };
}

/* A suspend adds to CLOCK_BOOTTIME and not to CLOCK_MONOTONIC. */
bool
adopt_slept(const struct record *rec, const struct adopt_clock *now)
{
	int64_t boottime = mono_until(rec->stamp, now->boottime);
	int64_t monotonic = mono_until(rec->monotonic, now->monotonic);

	return boottime - monotonic > CLOCKS_AGREE_US || monotonic - boottime > CLOCKS_AGREE_US;
}

static bool
too_often(const struct record *rec, mono_t now, int64_t span_us)
{
	size_t n = 0;

	for (size_t i = 0; i < rec->n_adoptions; i++)
		if (mono_until(rec->adoptions[i], now) < span_us)
			n++;
	return n >= ADOPT_LIMIT;
}

/*
 * The last proof that we were master: the youngest renewal the kernel saw, or
 * the last advert written down.  Neither can lie in the future.
 */
static mono_t
last_proof(const struct record_instance *in, const struct adopt_kernel *kernel, mono_t now)
{
	mono_t proof = { 0 };

	if (!mono_is_never(in->advert_at))
		proof = in->advert_at;
	if (kernel->n_leased > 0 && !mono_is_never(kernel->youngest))
		proof = mono_max(proof, kernel->youngest);
	return mono_min(proof, now);
}

/*
 * Permanent addresses (vip_lease off) prove nothing, but removing them before
 * listening helps nobody: whoever took over meanwhile is heard within an
 * interval, and if nobody did they need not go at all.
 */
static bool
are_permanent(const struct adopt_kernel *kernel, int64_t lease_us)
{
	return lease_us == 0 && kernel->n_present > 0 && kernel->n_leased == 0;
}

struct adopt_outcome
adopt_decide(const struct record *rec, const struct record_instance *in,
    const struct adopt_kernel *kernel, const struct adopt_clock *now, const char *boot_id,
    int64_t bear_us, int64_t lease_us)
{
	struct adopt_outcome out = { .why = ADOPT_OK };
	int64_t span_us = lease_us > 0 ? lease_us : bear_us;

	if (rec == NULL || in == NULL)
		return none(ADOPT_NO_RECORD);
	if (strcmp(rec->boot_id, boot_id) != 0)
		return none(ADOPT_REBOOTED);
	if (in->role != VRRP_MASTER)
		return none(ADOPT_NOT_MASTER);
	if (adopt_slept(rec, now))
		return none(ADOPT_SUSPENDED);
	if (kernel->n_vips > 0 && kernel->n_present == 0)
		return none(ADOPT_NO_ADDRESS);
	if (!rec->handover && too_often(rec, now->boottime, ADOPT_LIMIT_LEASES * span_us))
		return none(ADOPT_TOO_OFTEN);

	out.age_us = mono_until(last_proof(in, kernel, now->boottime), now->boottime);
	if (out.age_us < bear_us)
		out.verdict = ADOPT_RESUME;
	else if (kernel->n_leased > 0 && mono_before(now->boottime, kernel->lease_end))
		out.verdict = ADOPT_LISTEN;
	else if (are_permanent(kernel, lease_us))
		out.verdict = ADOPT_LISTEN;
	else
		return none(ADOPT_TOO_OLD);
	return out;
}

void
adopt_together(struct adopt_outcome *outs, size_t n)
{
	enum adopt_verdict least = ADOPT_RESUME;

	for (size_t i = 0; i < n; i++)
		least = MIN(least, outs[i].verdict);
	for (size_t i = 0; i < n; i++) {
		if (least == ADOPT_NONE && outs[i].verdict != ADOPT_NONE)
			outs[i] = none(ADOPT_GROUP);
		outs[i].verdict = least;
	}
}
