/*
 * fsm_backup.c - BACKUP: whom it follows, whom it takes over from, and when (RFC 3768
 * 6.4.2, RFC 9568 6.4.2).  See fsm_role.h.
 */
#include "vrrpd/fsm_role.h"

#include "common/util.h"

void
fsm_note_heard(struct vrrp_heard *h, const struct vrrp_advert *a, mono_t now)
{
	bool same = h->priority != VRRP_PRIORITY_LEAVE && addr_equal(&h->source, &a->source);

	h->best = same ? MAX(h->best, a->priority) : a->priority;
	h->source = a->source;
	h->priority = a->priority;
	h->at = now;
}

/* The named departure: nopreempt does not protect a master that has lowered itself. */
static bool
is_degraded(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return p->take_degraded && s->heard.priority < s->heard.best;
}

/* The named departure: the master has lowered itself, and we are no better off. */
static bool
is_as_low(const struct vrrp_params *p, const struct vrrp_state *s)
{
	int fell = s->heard.best - s->heard.priority;

	return p->fast_preempt && fell > 0 && s->lowered >= fell;
}

/*
 * Does the master we hear lose against us?  Preempt_Mode (6.1), an owner in any
 * case; nopreempt leaves a healthy master of lower priority alone.
 */
static bool
loses(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return s->priority > s->heard.priority && !is_as_low(p, s) &&
	       (p->preempt || s->priority == VRRP_PRIORITY_OWNER || is_degraded(p, s));
}

bool
vrrp_leaves_master(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return s->role == VRRP_BACKUP && s->priority > s->heard.priority && is_as_low(p, s);
}

/* ... and is it one to take over from, now? */
static bool
may_take(const struct vrrp_params *p, const struct vrrp_state *s)
{
	if (s->deaf.on || s->no_witness || (s->release.on && s->release.force))
		return false;
	return loses(p, s) && (!s->release.on || is_degraded(p, s));
}

/* 6.4.2, an advert that we go by: wait a whole interval from now. */
static struct vrrp_outcome
follow(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	unsigned actions = s.holding ? VRRP_DEL_VIPS : 0;
	struct vrrp_deaf deaf;

	if (p->version == 3)
		s.interval_us = a->interval_us;
	if (a->priority > s.priority)
		s.deaf.on = false; /* backup of this one in any case */
	deaf = s.deaf;
	if (deaf.on)
		deaf_hear(&deaf, &a->source, s.interval_us,
		    loses(p, &s) && !s.pending && !s.no_witness, now);
	s.holding = s.late = false;
	fsm_wait_anew(&s, VRRP_WAIT_DOWN, now);
	s.deaf = deaf;
	fsm_rearm(p, &s, now);
	return fsm_act(s, actions);
}

/*
 * An advert of a master to take over from.  The RFC discards it, so that our
 * timer runs out; fast_preempt counts one skew time from the first one;
 * preempt_delay lets it count as a good one until the delay is over.  If we
 * still hold addresses of before, somebody else has them now.
 */
static struct vrrp_outcome
challenge(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	unsigned actions = s.holding ? VRRP_DEL_VIPS : 0;

	s.holding = false;
	if (mono_is_never(s.preempt_at)) {
		int64_t after = MAX(p->preempt_delay_us, p->fast_preempt ? fsm_skew(p, &s) : 0);

		s.preempt_at = mono_add(now, after);
		if (p->fast_preempt && p->fresh_verdicts)
			actions |= VRRP_ASK_VERDICTS;
	}
	if (p->preempt_delay_us > 0 && mono_before(now, s.preempt_at)) {
		s.wait = VRRP_WAIT_DOWN;
		s.wait_from = now;
		s.wants = s.late = false;
	}
	fsm_rearm(p, &s, now);
	return fsm_act(s, actions);
}

/*
 * Somebody lets go beside a master that goes on: there is nothing to take over.
 * Or claims, not hearing the master that we follow: a fast preemption of ours
 * would come before the master's answer.
 */
static bool
speaks_beside(const struct vrrp_params *p, const struct vrrp_state *s, const struct vrrp_advert *a,
    mono_t now)
{
	const struct vrrp_heard *h = &s->heard;
	struct vrrp_state claimed = *s;

	if ((!p->fast_preempt && !p->yield_when_deaf) || a->priority >= h->priority ||
	    addr_equal(&h->source, &a->source) ||
	    mono_until(h->at, now) > s->interval_us + s->interval_us / 2)
		return false;
	if (a->priority == VRRP_PRIORITY_LEAVE)
		return true;
	fsm_note_heard(&claimed.heard, a, now);
	return !may_take(p, s) && may_take(p, &claimed);
}

static struct vrrp_outcome
backup_on_advert(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	struct vrrp_outcome out;

	if (speaks_beside(p, &s, a, now))
		return fsm_stay(s);
	fsm_note_heard(&s.heard, a, now);
	if (a->priority != VRRP_PRIORITY_LEAVE) {
		s.release.heard = s.release.on;
		return may_take(p, &s) ? challenge(p, s, now) : follow(p, s, a, now);
	}

	fsm_wait_anew(&s, VRRP_WAIT_SKEW, now);
	fsm_rearm(p, &s, now);
	out = fsm_stay(s);
	out.reason = fsm_about_peer(VRRP_WHY_LEAVE_HEARD, a, &s);
	return out;
}

/* Why a backup whose time is up becomes master. */
static struct vrrp_reason
takeover_reason(const struct vrrp_params *p, const struct vrrp_state *s, mono_t now)
{
	const struct vrrp_heard *h = &s->heard;
	bool heard = h->source.family != AF_UNSPEC;
	struct vrrp_reason r = { .why = VRRP_WHY_NO_ADVERT,
		.peer = h->source,
		.priority = h->priority,
		.ours = s->priority,
		.was = h->best,
		.us = mono_until(heard ? h->at : s->wait_from, now) };

	if (s->alone)
		r.why = VRRP_WHY_ALONE;
	else if (s->release.on && !s->release.heard)
		r.why = VRRP_WHY_NOBODY, r.us = mono_until(s->wait_from, now);
	else if (s->deaf.probing)
		r.why = VRRP_WHY_HEARD;
	else if (s->priority == VRRP_PRIORITY_OWNER && !heard)
		r.why = VRRP_WHY_OWNER;
	else if (heard && h->priority == VRRP_PRIORITY_LEAVE)
		r.why = VRRP_WHY_RESIGNED;
	else if (!mono_is_never(s->preempt_at) && r.us < p->down_adverts * s->interval_us)
		r.why = p->preempt || s->priority == VRRP_PRIORITY_OWNER ? VRRP_WHY_PREEMPT
									 : VRRP_WHY_DEGRADED;
	return r;
}

/*
 * Deaf: an advert, but no addresses.  Whoever hears it falls silent; one
 * interval and a skew time after its last advert we know.
 */
static struct vrrp_outcome
probe(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	struct vrrp_outcome out;

	s.wait = VRRP_WAIT_LISTEN;
	s.wait_from = s.heard.at;
	deaf_calm(&s.deaf);
	s.deaf.probing = true;
	fsm_rearm(p, &s, now);
	out = fsm_act(s, VRRP_SEND_ADVERT);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_PROBE, .peer = s.heard.source };
	return out;
}

/* The operator's word, or its time is over: the ordinary rules, as if it had never been. */
static struct vrrp_outcome
unbar(const struct vrrp_params *p, struct vrrp_state s, bool by_operator, mono_t now)
{
	bool barred = s.deaf.on || (by_operator && s.release.on);
	struct vrrp_outcome out;

	s = fsm_unbarred(s, by_operator);
	fsm_rearm(p, &s, now);
	out = fsm_stay(s);
	if (barred)
		out.reason.why = VRRP_WHY_UNBARRED;
	return out;
}

/* No witness: whoever hears nobody may be the one that is cut off. */
static struct vrrp_outcome
stand_by(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	struct vrrp_reason reason = takeover_reason(p, &s, now);
	unsigned actions = s.holding ? VRRP_DEL_VIPS : 0;
	bool news = !s.alone;
	struct vrrp_outcome out;

	if (news)
		s.alone_until = p->or_alone_us > 0 ? mono_add(now, p->or_alone_us) : MONO_NEVER;
	s.alone = true;
	s.holding = false;
	fsm_rearm(p, &s, now);
	out = fsm_act(s, actions);
	if (news) {
		reason.why = VRRP_WHY_NO_WITNESS;
		out.reason = reason;
	}
	return out;
}

static struct vrrp_outcome
backup_on_timer(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	struct vrrp_outcome out = fsm_stay(s);
	struct vrrp_reason reason;

	if (mono_before(now, s.deadline))
		return out; /* woken early: not an error */
	if (s.release.on && !mono_before(now, s.release.until)) {
		s.release = (struct vrrp_release){ 0 };
		fsm_rearm(p, &s, now);
		out = fsm_stay(s);
		out.reason.why = VRRP_WHY_UNBARRED;
		if (mono_before(now, s.deadline))
			return out;
	}
	if (s.deaf.on && !mono_before(now, s.deaf.fire_at) &&
	    mono_before(now, fsm_takeover_at(p, &s)))
		return probe(p, s, now);
	if (s.pending) {
		s.deadline = MONO_NEVER; /* due as soon as VRRP_EV_PRIORITY ends that */
		return fsm_stay(s);
	}
	/*
	 * Woken late: the adverts that came meanwhile may still be in the socket.
	 * One skew time more to read them, once.
	 */
	if (!s.late && mono_until(s.deadline, now) > fsm_skew(p, &s)) {
		s.late = true;
		s.wait = VRRP_WAIT_SKEW;
		s.wait_from = now;
		if (!mono_is_never(s.preempt_at))
			s.preempt_at = mono_max(s.preempt_at, mono_add(now, fsm_skew(p, &s)));
		s.release.give_up_at = mono_add(now, fsm_skew(p, &s));
		fsm_rearm(p, &s, now);
		return fsm_stay(s);
	}
	if (s.no_witness && (!s.alone || mono_before(now, s.alone_until)))
		return stand_by(p, s, now);
	reason = takeover_reason(p, &s, now);
	return fsm_take_over(p, s, now, &reason);
}

/* The sum changed: the running wait is measured anew, and a claim may have lost its ground. */
static struct vrrp_outcome
backup_on_priority(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	uint8_t was = s.priority;
	struct vrrp_outcome out;

	fsm_take_priority(&s, ev);
	if (!mono_is_never(s.preempt_at) && !may_take(p, &s))
		fsm_wait_anew(&s, VRRP_WAIT_DOWN, s.heard.at);
	s.wants &= !s.pending && !s.no_witness;
	fsm_rearm(p, &s, now);
	out = fsm_stay(s);
	if (was != s.priority)
		out.reason = (struct vrrp_reason){ .why = VRRP_WHY_PRIORITY,
			.was = was,
			.priority = s.priority,
			.ours = s.priority,
			.cause = ev->cause };
	return out;
}

struct vrrp_release
fsm_released(const struct vrrp_params *p, const struct vrrp_state *s, const struct vrrp_event *ev,
    mono_t now)
{
	return (struct vrrp_release){ .on = true,
		.force = ev->force,
		.until = ev->hold_us > 0 ? mono_add(now, ev->hold_us) : MONO_NEVER,
		.give_up_at = mono_add(now, 2 * vrrp_down_us(p, s->priority, p->interval_us)) };
}

/* Not master, and not to become it: what runs towards it begins anew. */
static struct vrrp_outcome
backup_on_release(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	unsigned actions = s.holding ? VRRP_DEL_VIPS : 0;
	struct vrrp_outcome out;

	s.release = fsm_released(p, &s, ev, now);
	s.release.heard = s.heard.source.family != AF_UNSPEC && s.heard.priority > 0;
	s.holding = s.late = false;
	fsm_wait_anew(&s, VRRP_WAIT_DOWN, s.release.heard ? s.heard.at : now);
	fsm_rearm(p, &s, now);
	out = fsm_act(s, actions);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_RELEASED, .cause = ev->cause };
	return out;
}

/* All members want to take over: the reason is that of the one time it was ours alone to do so. */
static struct vrrp_outcome
backup_on_group(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	struct vrrp_reason reason = takeover_reason(p, &s, now);
	struct vrrp_outcome out;

	if (!s.wants)
		return fsm_stay(s);
	out = fsm_enter_master(p, s, now, reason.why);
	out.reason = reason;
	return out;
}

struct vrrp_outcome
fsm_on_backup(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	switch (ev->kind) {
	case VRRP_EV_TIMER:
		return backup_on_timer(p, s, now);
	case VRRP_EV_ADVERT:
		return backup_on_advert(p, s, &ev->advert, now);
	case VRRP_EV_PRIORITY:
		return backup_on_priority(p, s, ev, now);
	case VRRP_EV_VERDICTS:
		s.fresh = !mono_is_never(s.preempt_at);
		fsm_rearm(p, &s, now);
		return fsm_stay(s);
	case VRRP_EV_FAULT:
		return fsm_enter_fault(s, ev, s.holding ? VRRP_DEL_VIPS : 0);
	case VRRP_EV_RELEASE:
		return backup_on_release(p, s, ev, now);
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return unbar(p, s, ev->kind == VRRP_EV_RESUME, now);
	case VRRP_EV_GROUP_MASTER:
		return backup_on_group(p, s, now);
	case VRRP_EV_STOP:
		return fsm_enter_init(s.holding ? VRRP_DEL_VIPS : 0);
	default:
		return fsm_stay(s);
	}
}
