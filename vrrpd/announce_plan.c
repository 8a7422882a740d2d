/*
 * announce_plan.c - see announce_plan.h.
 */
#include "vrrpd/announce_plan.h"

#include "common/util.h"

#define LENT_EVERY_US	(500 * USEC_PER_MSEC)
#define LENT_ROUNDS_MAX 16
/* The kernel looks at most this late whether a lease is over (design.md section 5). */
#define SWEEP_US	(1500 * USEC_PER_MSEC)

void
announce_plan_init(struct announce_plan *p)
{
	*p = (struct announce_plan){ 0 };
	announce_plan_stop(p);
}

void
announce_plan_configure(struct announce_plan *p, const struct announce_words *words,
    int32_t lease_s, int64_t interval_us, unsigned down_adverts)
{
	int64_t silent_us = interval_us * down_adverts;

	p->words = *words;
	p->again_us = MIN(interval_us * 5 / 2, words->delay_us);
	p->lent_us = 0;
	if (lease_s > 0 && words->delay_us > 0)
		p->lent_us = MAX(lease_s * USEC_PER_SEC - silent_us, 0) + SWEEP_US;
	p->lent_every_us = MAX(p->lent_us / LENT_ROUNDS_MAX, LENT_EVERY_US);
}

static mono_t
after(mono_t now, int64_t us)
{
	return us > 0 ? mono_add(now, us) : MONO_NEVER;
}

unsigned
announce_plan_begin(struct announce_plan *p, bool contest, mono_t now)
{
	const struct announce_words *w = &p->words;

	p->second_repeat = contest ? w->lower_repeat : w->repeat;
	p->again_at = after(now, p->again_us);
	p->second_at = after(now, contest ? w->lower_delay_us : w->delay_us);
	p->refresh_at = after(now, w->refresh_us);
	if (!contest) {
		p->lent_until = after(now, p->lent_us);
		p->lent_gap_us = MIN(2 * p->again_us, p->lent_every_us);
		p->lent_at = p->lent_us > 0 ? mono_add(now, p->lent_gap_us) : MONO_NEVER;
	}
	return p->second_repeat;
}

unsigned
announce_plan_due(struct announce_plan *p, mono_t now)
{
	unsigned rounds = 0;

	if (!mono_before(now, p->again_at)) {
		rounds = 1;
		p->again_at = MONO_NEVER;
	}
	if (!mono_before(now, p->lent_at)) {
		rounds = 1;
		p->lent_at = mono_add(now, p->lent_gap_us);
		p->lent_gap_us = MIN(2 * p->lent_gap_us, p->lent_every_us);
		if (mono_before(p->lent_until, p->lent_at))
			p->lent_at = MONO_NEVER;
	}
	if (!mono_before(now, p->second_at)) {
		rounds = MAX(rounds, p->second_repeat);
		p->second_at = MONO_NEVER;
	}
	if (!mono_before(now, p->refresh_at)) {
		rounds = MAX(rounds, p->words.refresh_repeat);
		p->refresh_at = after(now, p->words.refresh_us);
	}
	return rounds;
}

mono_t
announce_plan_next(const struct announce_plan *p)
{
	return mono_min(mono_min(p->again_at, p->lent_at), mono_min(p->second_at, p->refresh_at));
}

void
announce_plan_stop(struct announce_plan *p)
{
	p->again_at = p->lent_at = p->lent_until = p->second_at = p->refresh_at = MONO_NEVER;
}
