/*
 * fsm.c - the election's clock and its door; see fsm.h.  The roles are in fsm_role.c
 * (arriving in one, INIT, FAULT), fsm_backup.c and fsm_master.c.  Everything
 * that makes up BACKUP's deadline is in the state, so that fsm_rearm() can make
 * it again whenever one part of it changes.
 */
#include "vrrpd/fsm_role.h"

#include "common/util.h"

/* ---- timers (RFC 3768 6.1, RFC 9568 6.1) ---- */

int64_t
vrrp_skew_us(const struct vrrp_params *p, uint8_t priority, int64_t interval_us)
{
	int64_t share = 256 - priority;

	return p->version == 2 ? share * USEC_PER_SEC / 256 : share * interval_us / 256;
}

int64_t
vrrp_down_us(const struct vrrp_params *p, uint8_t priority, int64_t interval_us)
{
	return p->down_adverts * interval_us + vrrp_skew_us(p, priority, interval_us);
}

int64_t
vrrp_handover_interval(const struct vrrp_params *p)
{
	return p->version == 2 ? p->interval_us : MAX(p->interval_us, USEC_PER_SEC);
}

int64_t
vrrp_bear_us(const struct vrrp_params *p, bool handover)
{
	return p->down_adverts * (handover ? vrrp_handover_interval(p) : p->interval_us);
}

int64_t
fsm_skew(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return vrrp_skew_us(p, s->priority, s->interval_us);
}

/*
 * The moments of 'together' are multiples of an eighth of the interval on the clock,
 * so that routers need not know of each other.  A wake-up costs as much as twenty
 * adverts; an eighth of a thousand still is no burst worth mentioning.
 */
#define MOMENTS	 8   /* in an interval */
#define EARLY	 100 /* at most this part of an interval, which is nobody's master-down interval */
#define SHORT_US (100 * USEC_PER_MSEC) /* below, wake-ups are as close together as they can be */

mono_t
fsm_next_advert(const struct vrrp_params *p, mono_t from)
{
	mono_t at = mono_add(from, p->interval_us);

	if (!p->together || p->interval_us < SHORT_US)
		return at;
	return mono_add(at, -MIN(at.us % (p->interval_us / MOMENTS), p->interval_us / EARLY));
}

static int64_t
wait_us(const struct vrrp_params *p, const struct vrrp_state *s)
{
	switch (s->wait) {
	case VRRP_WAIT_DOWN:
		break;
	case VRRP_WAIT_SKEW:
		return fsm_skew(p, s);
	case VRRP_WAIT_LISTEN:
		return s->interval_us + fsm_skew(p, s);
	}
	return vrrp_down_us(p, s->priority, s->interval_us);
}

/* May the running takeover end before the ordinary wait does? */
static bool
is_fast(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return p->fast_preempt && !mono_is_never(s->preempt_at) && (s->fresh || !p->fresh_verdicts);
}

/* When the ordinary rules let us take over. */
mono_t
fsm_takeover_at(const struct vrrp_params *p, const struct vrrp_state *s)
{
	mono_t at = mono_add(s->wait_from, wait_us(p, s));

	return is_fast(p, s) ? mono_min(at, s->preempt_at) : at;
}

/*
 * BACKUP's deadline from its parts; never in the past, so that how late the
 * timer comes is told from the deadline alone.
 */
void
fsm_rearm(const struct vrrp_params *p, struct vrrp_state *s, mono_t now)
{
	const struct vrrp_release *r = &s->release;
	mono_t at = s->wants ? MONO_NEVER : fsm_takeover_at(p, s);

	if (s->deaf.on && !s->alone)
		at = mono_min(at, s->deaf.fire_at);
	if (r->on && r->force)
		at = r->until;
	else if (r->on && !r->heard)
		at = s->wants ? MONO_NEVER : r->give_up_at;
	if (s->alone && !(r->on && r->force))
		at = mono_max(at, s->alone_until);
	if (r->on && !r->force && r->heard)
		at = mono_min(at, r->until);
	s->deadline = mono_max(at, now);
}

void
fsm_wait_anew(struct vrrp_state *s, enum vrrp_wait wait, mono_t now)
{
	s->wait = wait;
	s->wait_from = now;
	s->preempt_at = MONO_NEVER;
	s->fresh = s->wants = s->alone = false;
	deaf_calm(&s->deaf);
}

/* ---- the door ---- */

struct vrrp_outcome
vrrp_step(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	/* Our own advert, looped back by a switch or a socket, says nothing. */
	if (ev->kind == VRRP_EV_ADVERT && addr_equal(&ev->advert.source, &p->primary))
		return fsm_stay(s);

	switch (s.role) {
	case VRRP_INIT:
		return fsm_on_init(p, s, ev, now);
	case VRRP_FAULT:
		return fsm_on_fault(p, s, ev, now);
	case VRRP_BACKUP:
		return fsm_on_backup(p, s, ev, now);
	case VRRP_MASTER:
		return fsm_on_master(p, s, ev, now);
	}
	return fsm_stay(s);
}

struct vrrp_state
vrrp_adjust(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	bool learned = p->version == 3 && s.heard.source.family != AF_UNSPEC;

	switch (s.role) {
	case VRRP_BACKUP:
		if (!learned)
			s.interval_us = p->interval_us;
		s.wants &= p->grouped;
		if (!p->yield_when_deaf)
			s.deaf = (struct vrrp_deaf){ 0 };
		fsm_rearm(p, &s, now);
		break;
	case VRRP_MASTER:
		s.interval_us = p->interval_us;
		s.deadline = mono_min(s.deadline, mono_add(now, p->interval_us));
		break;
	case VRRP_INIT:
	case VRRP_FAULT:
		break;
	}
	return s;
}
