/*
 * announce_plan.h - when the segment is told where our addresses are: a burst at
 * once and what follows it, in rounds of one frame an address.  Pure: moments and
 * numbers; announcer.c sends.
 *
 *   at once           'repeat' rounds
 *   2.5 intervals on  one: a router that did not hear us answers our first adverts,
 *                     tells the segment that the addresses are its own, and gives
 *                     way to our third (deaf.h)
 *   until lent_us     one each 'lent_every_us', sooner at first: as long as a master
 *                     that hangs may be lent the addresses, its kernel answers who
 *                     asks for them; whoever learned them from it is told better
 *   after delay_us    'repeat' rounds (garp_master_delay)
 *   each refresh_us   'refresh_repeat' rounds, for as long as we hold them
 *
 * After an advert of lower priority the words of its own (garp_lower_prio_*) count,
 * and nobody's lease is waited for: the other one is awake.
 */
#ifndef VRRPD_ANNOUNCE_PLAN_H
#define VRRPD_ANNOUNCE_PLAN_H

#include "common/mono.h"

#include <stdbool.h>

struct announce_words { /* 0 us: not at all */
	int64_t delay_us, refresh_us, lower_delay_us;
	unsigned repeat, refresh_repeat, lower_repeat;
};

struct announce_plan {
	/* by announce_plan_configure */
	struct announce_words words;
	int64_t again_us, lent_us, lent_every_us;
	/* by the others; MONO_NEVER: not due */
	mono_t again_at, lent_at, lent_until, second_at, refresh_at;
	int64_t lent_gap_us; /* to the next but one */
	unsigned second_repeat;
};

void announce_plan_init(struct announce_plan *);

/*
 * 'lease_s': for how long a peer's kernel is lent the addresses, by our own lease (0:
 * they are permanent); 'interval_us' and 'down_adverts': how long it has been silent when
 * we take over.  What is under way goes on.
 */
void announce_plan_configure(struct announce_plan *, const struct announce_words *, int32_t lease_s,
    int64_t interval_us, unsigned down_adverts);

/* We are master, or in a contest with one of lower priority: rounds to send now. */
unsigned announce_plan_begin(struct announce_plan *, bool contest, mono_t now);

/* Rounds to send now: 0 before announce_plan_next.  What was missed is not made up for. */
unsigned announce_plan_due(struct announce_plan *, mono_t now);
mono_t announce_plan_next(const struct announce_plan *);

void announce_plan_stop(struct announce_plan *);

#endif
