/*
 * adopt.h - may a starting vrrpd go on where the last one stopped?  The
 * decision, instance by instance (design.md section 5), from what the last
 * process wrote down (record.h) and what the kernel still holds.  Pure.
 */
#ifndef VRRPD_ADOPT_H
#define VRRPD_ADOPT_H

#include "common/mono.h"
#include "vrrpd/event.h"
#include "vrrpd/record.h"

/* What the kernel holds of one instance's VIPs, tagged as ours. */
struct adopt_kernel {
	unsigned n_vips;    /* configured */
	unsigned n_present; /* of these, there */
	unsigned n_leased;  /* of these, with a finite lifetime */
	mono_t youngest;    /* the latest IFA_CACHEINFO.tstamp, on CLOCK_BOOTTIME; if n_present */
	mono_t lease_end;   /* when the first of them ends; MONO_NEVER: permanent */
};

struct adopt_clock {
	mono_t boottime;
	mono_t monotonic; /* CLOCK_MONOTONIC: stands still in a suspend */
};

enum adopt_verdict {
	ADOPT_NONE,   /* VRRP_EV_START, and remove what is left over */
	ADOPT_LISTEN, /* VRRP_EV_RESUME_LISTEN: keep the addresses, unrenewed */
	ADOPT_RESUME, /* VRRP_EV_RESUME_MASTER with the recorded terms */
};
const char *adopt_verdict_str(enum adopt_verdict);

/* Why; ADOPT_OK with RESUME and LISTEN. */
enum adopt_why {
	ADOPT_OK,
	ADOPT_NO_RECORD,  /* nothing was written down for this identity */
	ADOPT_NOT_MASTER, /* the last process was not master */
	ADOPT_NO_ADDRESS, /* the kernel has already removed the VIPs */
	ADOPT_SUSPENDED,  /* the clocks disagree: the host slept */
	ADOPT_REBOOTED,	  /* the record is of another boot */
	ADOPT_TOO_OLD,	  /* nothing proves mastership any more */
	ADOPT_TOO_OFTEN,  /* a crash loop: 3 adoptions after crashes within 10 leases */
	ADOPT_GROUP,	  /* another member of the sync group could not be adopted */
};
const char *adopt_why_str(enum adopt_why);

#define ADOPT_LIMIT	   3  /* adoptions ... */
#define ADOPT_LIMIT_LEASES 10 /* ... within so many leases */

struct adopt_outcome {
	enum adopt_verdict verdict;
	enum adopt_why why;
	int64_t age_us; /* of the youngest proof of mastership; RESUME and LISTEN */
};

/*
 * The host was suspended (or the clocks set) since the record was written; not
 * a suspend that its writer lived through.  For that, a running vrrpd asks this
 * of its own record now and then, and writes it again when it is so.
 */
bool adopt_slept(const struct record *, const struct adopt_clock *now);

/*
 * 'rec' is the file, 'in' its entry for this instance (record_find), or NULL.
 * 'bear_us' is for how long backups hear no advert and wait in any case
 * (vrrp_bear_us): as for a stall of a running process, younger proof than that is as
 * good as an advert sent in time.  'lease_us' (0: permanent) is the configuration's,
 * 'boot_id' the kernel's.
 */
struct adopt_outcome adopt_decide(const struct record *rec, const struct record_instance *in,
    const struct adopt_kernel *, const struct adopt_clock *now, const char *boot_id,
    int64_t bear_us, int64_t lease_us);

/*
 * A sync group is adopted whole or not at all: what the members' own outcomes
 * come to, in place.  One that must listen makes all listen.
 */
void adopt_together(struct adopt_outcome *, size_t n);

#endif
