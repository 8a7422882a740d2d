/*
 * fsm.c - the election; see fsm.h.  One function per role and kind of event; everything that
 * makes up BACKUP's deadline is in the state, so that rearm() can make it
 * again whenever one part of it changes.
 */
#include "vrrpd/fsm.h"

#include "common/util.h"

/* More than routers that are likely to claim at once, few enough to bear. */
#define ANSWERS_MAX 8

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

static int64_t
skew(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return vrrp_skew_us(p, s->priority, s->interval_us);
}

static int64_t
wait_us(const struct vrrp_params *p, const struct vrrp_state *s)
{
	switch (s->wait) {
	case VRRP_WAIT_DOWN:
		break;
	case VRRP_WAIT_SKEW:
		return skew(p, s);
	case VRRP_WAIT_LISTEN:
		return s->interval_us + skew(p, s);
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
static mono_t
takeover_at(const struct vrrp_params *p, const struct vrrp_state *s)
{
	mono_t at = mono_add(s->wait_from, wait_us(p, s));

	return is_fast(p, s) ? mono_min(at, s->preempt_at) : at;
}

/*
 * BACKUP's deadline from its parts; never in the past, so that how late the
 * timer comes is told from the deadline alone.
 */
static void
rearm(const struct vrrp_params *p, struct vrrp_state *s, mono_t now)
{
	const struct vrrp_release *r = &s->release;
	mono_t at = s->wants ? MONO_NEVER : takeover_at(p, s);

	if (s->deaf.on)
		at = mono_min(at, s->deaf.fire_at);
	if (r->on && r->force)
		at = r->until;
	else if (r->on && !r->heard)
		at = s->wants ? MONO_NEVER : r->give_up_at;
	else if (r->on)
		at = mono_min(at, r->until);
	s->deadline = mono_max(at, now);
}

static void
wait_anew(struct vrrp_state *s, enum vrrp_wait wait, mono_t now)
{
	s->wait = wait;
	s->wait_from = now;
	s->preempt_at = MONO_NEVER;
	s->fresh = s->wants = false;
	deaf_calm(&s->deaf);
}

/* ---- answers ---- */

static struct vrrp_outcome
act(struct vrrp_state s, unsigned actions)
{
	return (struct vrrp_outcome){ .next = s, .actions = actions };
}

static struct vrrp_outcome
stay(struct vrrp_state s)
{
	return act(s, 0);
}

static struct vrrp_reason
about_peer(enum vrrp_why why, const struct vrrp_advert *a, const struct vrrp_state *s)
{
	return (struct vrrp_reason){
		.why = why, .peer = a->source, .priority = a->priority, .ours = s->priority
	};
}

/* ---- arriving in a role: the only places that write it ---- */

static struct vrrp_outcome
enter_master(const struct vrrp_params *p, struct vrrp_state s, mono_t now, enum vrrp_why why)
{
	struct vrrp_outcome out;

	s.role = VRRP_MASTER;
	s.holding = s.late = s.fresh = s.wants = false;
	s.heard = (struct vrrp_heard){ 0 };
	s.release = (struct vrrp_release){ 0 };
	deaf_return(&s.deaf, now);
	s.interval_us = p->interval_us;
	s.preempt_at = s.lower_at = MONO_NEVER;
	s.answers = 0;
	s.deadline = mono_add(now, p->interval_us);
	out = act(s, VRRP_SEND_ADVERT | VRRP_ADD_VIPS | VRRP_ANNOUNCE);
	out.reason = (struct vrrp_reason){ .why = why, .ours = s.priority };
	return out;
}

/* 'heard' and the interval learned are the caller's to set before. */
static struct vrrp_outcome
enter_backup(const struct vrrp_params *p, struct vrrp_state s, enum vrrp_wait wait, mono_t now,
    struct vrrp_reason reason)
{
	struct vrrp_outcome out;

	s.role = VRRP_BACKUP;
	s.late = false;
	s.lower_at = MONO_NEVER;
	wait_anew(&s, wait, now);
	rearm(p, &s, now);
	out = stay(s);
	out.reason = reason;
	return out;
}

static struct vrrp_outcome
enter_fault(struct vrrp_state s, const struct vrrp_event *ev, unsigned actions)
{
	struct vrrp_outcome out;

	s.role = VRRP_FAULT;
	s.holding = s.wants = false;
	s.heard = (struct vrrp_heard){ 0 };
	deaf_calm(&s.deaf);
	if (!s.release.force) /* others take over because of the fault, too */
		s.release = (struct vrrp_release){ 0 };
	s.deadline = s.preempt_at = s.lower_at = MONO_NEVER;
	out = act(s, actions);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_FAULT, .cause = ev->cause };
	return out;
}

static struct vrrp_outcome
enter_init(unsigned actions)
{
	struct vrrp_outcome out = act((struct vrrp_state){ .role = VRRP_INIT }, actions);

	out.next.deadline = out.next.preempt_at = out.next.lower_at = MONO_NEVER;
	out.reason.why = VRRP_WHY_STOP;
	return out;
}

/* It is time to take over; a sync group's members do so together (group.h). */
static struct vrrp_outcome
take_over(
    const struct vrrp_params *p, struct vrrp_state s, mono_t now, const struct vrrp_reason *reason)
{
	struct vrrp_outcome out;

	if (p->grouped) {
		s.wants = true;
		s.deadline = MONO_NEVER;
		return stay(s);
	}
	out = enter_master(p, s, now, reason->why);
	out.reason = *reason;
	return out;
}

/* Taking part: the Startup event of 6.4.1. */
static struct vrrp_outcome
take_part(const struct vrrp_params *p, struct vrrp_state s, mono_t now, enum vrrp_why why)
{
	bool owner = s.priority == VRRP_PRIORITY_OWNER && !s.pending && !s.release.on;
	struct vrrp_outcome out;

	s.interval_us = p->interval_us;
	s.heard = (struct vrrp_heard){ 0 };
	if (owner && !p->grouped)
		return enter_master(p, s, now, VRRP_WHY_OWNER);
	out = enter_backup(p, s, VRRP_WAIT_DOWN, now, (struct vrrp_reason){ .why = why });
	if (owner) {
		out.next.wants = true;
		out.next.deadline = MONO_NEVER;
	}
	return out;
}

/* A priority of 0 would be a resignation on the wire: a caller's slip must not become one. */
static void
take_priority(struct vrrp_state *s, const struct vrrp_event *ev)
{
	s->priority = MAX(ev->priority, 1);
	s->pending = ev->pending;
}

/* Being deaf is over, and with the operator's word his release. */
static struct vrrp_state
unbarred(struct vrrp_state s, bool by_operator)
{
	s.deaf = (struct vrrp_deaf){ 0 };
	if (by_operator)
		s.release = (struct vrrp_release){ 0 };
	return s;
}

/* ---- INIT and FAULT ---- */

static struct vrrp_outcome
on_init(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	switch (ev->kind) {
	case VRRP_EV_START:
		take_priority(&s, ev);
		return take_part(p, s, now, VRRP_WHY_START);
	case VRRP_EV_RESUME_MASTER:
		take_priority(&s, ev);
		return enter_master(p, s, now, VRRP_WHY_RESUMED);
	case VRRP_EV_RESUME_LISTEN:
		take_priority(&s, ev);
		s.holding = true;
		s.interval_us = p->interval_us;
		return enter_backup(
		    p, s, VRRP_WAIT_LISTEN, now, (struct vrrp_reason){ .why = VRRP_WHY_LISTEN });
	case VRRP_EV_FAULT:
		return enter_fault(s, ev, 0);
	default:
		s.deadline = MONO_NEVER;
		return stay(s);
	}
}

static struct vrrp_outcome
on_fault(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	switch (ev->kind) {
	case VRRP_EV_START:
	case VRRP_EV_PRIORITY:
		take_priority(&s, ev);
		return stay(s);
	case VRRP_EV_FAULT:
		return enter_fault(s, ev, 0); /* the cause is another one now */
	case VRRP_EV_FAULT_CLEARED:
		if (s.priority == 0)
			return enter_init(0); /* not started yet */
		return take_part(p, s, now, VRRP_WHY_FAULT_CLEARED);
	case VRRP_EV_RELEASE:
		s.release = (struct vrrp_release){ .on = ev->force,
			.force = ev->force,
			.until = ev->hold_us > 0 ? mono_add(now, ev->hold_us) : MONO_NEVER };
		return stay(s);
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return stay(unbarred(s, ev->kind == VRRP_EV_RESUME));
	case VRRP_EV_STOP:
		return enter_init(0);
	default:
		return stay(s);
	}
}

/* ---- BACKUP ---- */

static void
note_heard(struct vrrp_heard *h, const struct vrrp_advert *a, mono_t now)
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

/*
 * Does the master we hear lose against us?  Preempt_Mode (6.1), an owner in any
 * case; nopreempt leaves a healthy master of lower priority alone.
 */
static bool
loses(const struct vrrp_params *p, const struct vrrp_state *s)
{
	return s->priority > s->heard.priority &&
	       (p->preempt || s->priority == VRRP_PRIORITY_OWNER || is_degraded(p, s));
}

/* ... and is it one to take over from, now? */
static bool
may_take(const struct vrrp_params *p, const struct vrrp_state *s)
{
	if (s->deaf.on || (s->release.on && s->release.force))
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
		deaf_hear(&deaf, &a->source, s.interval_us, loses(p, &s) && !s.pending, now);
	s.holding = s.late = false;
	wait_anew(&s, VRRP_WAIT_DOWN, now);
	s.deaf = deaf;
	rearm(p, &s, now);
	return act(s, actions);
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
		int64_t after = MAX(p->preempt_delay_us, p->fast_preempt ? skew(p, &s) : 0);

		s.preempt_at = mono_add(now, after);
		if (p->fast_preempt && p->fresh_verdicts)
			actions |= VRRP_ASK_VERDICTS;
	}
	if (p->preempt_delay_us > 0 && mono_before(now, s.preempt_at)) {
		s.wait = VRRP_WAIT_DOWN;
		s.wait_from = now;
		s.wants = false;
	}
	rearm(p, &s, now);
	return act(s, actions);
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
	note_heard(&claimed.heard, a, now);
	return !may_take(p, s) && may_take(p, &claimed);
}

static struct vrrp_outcome
backup_on_advert(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	struct vrrp_outcome out;

	if (speaks_beside(p, &s, a, now))
		return stay(s);
	note_heard(&s.heard, a, now);
	if (a->priority != VRRP_PRIORITY_LEAVE) {
		s.release.heard = s.release.on;
		return may_take(p, &s) ? challenge(p, s, now) : follow(p, s, a, now);
	}

	wait_anew(&s, VRRP_WAIT_SKEW, now);
	rearm(p, &s, now);
	out = stay(s);
	out.reason = about_peer(VRRP_WHY_LEAVE_HEARD, a, &s);
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

	if (s->release.on && !s->release.heard)
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
	rearm(p, &s, now);
	out = act(s, VRRP_SEND_ADVERT);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_PROBE, .peer = s.heard.source };
	return out;
}

/* The operator's word, or its time is over: the ordinary rules, as if it had never been. */
static struct vrrp_outcome
unbar(const struct vrrp_params *p, struct vrrp_state s, bool by_operator, mono_t now)
{
	bool barred = s.deaf.on || (by_operator && s.release.on);
	struct vrrp_outcome out;

	s = unbarred(s, by_operator);
	rearm(p, &s, now);
	out = stay(s);
	if (barred)
		out.reason.why = VRRP_WHY_UNBARRED;
	return out;
}

static struct vrrp_outcome
backup_on_timer(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	struct vrrp_outcome out = stay(s);
	struct vrrp_reason reason;

	if (mono_before(now, s.deadline))
		return out; /* woken early: not an error */
	if (s.release.on && !mono_before(now, s.release.until)) {
		s.release = (struct vrrp_release){ 0 };
		rearm(p, &s, now);
		out = stay(s);
		out.reason.why = VRRP_WHY_UNBARRED;
		if (mono_before(now, s.deadline))
			return out;
	}
	if (s.deaf.on && !mono_before(now, s.deaf.fire_at) && mono_before(now, takeover_at(p, &s)))
		return probe(p, s, now);
	if (s.pending) {
		s.deadline = MONO_NEVER; /* due as soon as VRRP_EV_PRIORITY ends that */
		return stay(s);
	}
	/*
	 * Woken late: the adverts that came meanwhile may still be in the socket.
	 * One skew time more to read them, once.
	 */
	if (!s.late && mono_until(s.deadline, now) > skew(p, &s)) {
		s.late = true;
		s.wait = VRRP_WAIT_SKEW;
		s.wait_from = now;
		if (!mono_is_never(s.preempt_at))
			s.preempt_at = mono_add(now, skew(p, &s));
		s.release.give_up_at = mono_add(now, skew(p, &s));
		rearm(p, &s, now);
		return stay(s);
	}
	reason = takeover_reason(p, &s, now);
	return take_over(p, s, now, &reason);
}

/* The sum changed: the running wait is measured anew, and a claim may have lost its ground. */
static struct vrrp_outcome
backup_on_priority(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	uint8_t was = s.priority;
	struct vrrp_outcome out;

	take_priority(&s, ev);
	if (!mono_is_never(s.preempt_at) && !may_take(p, &s))
		wait_anew(&s, VRRP_WAIT_DOWN, s.heard.at);
	s.wants &= !s.pending;
	rearm(p, &s, now);
	out = stay(s);
	if (was != s.priority)
		out.reason = (struct vrrp_reason){ .why = VRRP_WHY_PRIORITY,
			.was = was,
			.priority = s.priority,
			.ours = s.priority,
			.cause = ev->cause };
	return out;
}

static struct vrrp_release
released(const struct vrrp_params *p, const struct vrrp_state *s, const struct vrrp_event *ev,
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

	s.release = released(p, &s, ev, now);
	s.release.heard = s.heard.source.family != AF_UNSPEC && s.heard.priority > 0;
	s.holding = s.late = false;
	wait_anew(&s, VRRP_WAIT_DOWN, s.release.heard ? s.heard.at : now);
	rearm(p, &s, now);
	out = act(s, actions);
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
		return stay(s);
	out = enter_master(p, s, now, reason.why);
	out.reason = reason;
	return out;
}

static struct vrrp_outcome
on_backup(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
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
		rearm(p, &s, now);
		return stay(s);
	case VRRP_EV_FAULT:
		return enter_fault(s, ev, s.holding ? VRRP_DEL_VIPS : 0);
	case VRRP_EV_RELEASE:
		return backup_on_release(p, s, ev, now);
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return unbar(p, s, ev->kind == VRRP_EV_RESUME, now);
	case VRRP_EV_GROUP_MASTER:
		return backup_on_group(p, s, now);
	case VRRP_EV_STOP:
		return enter_init(s.holding ? VRRP_DEL_VIPS : 0);
	default:
		return stay(s);
	}
}

/* ---- MASTER ---- */

/*
 * So late that others may have counted us out.  Half an interval at least, so
 * that down_adverts 1 does not make every tick a late one.
 */
static bool
is_late(const struct vrrp_params *p, const struct vrrp_state *s, mono_t now)
{
	int64_t slack = (int64_t)(p->down_adverts - 1) * p->interval_us;

	return p->listen_late && mono_until(s->deadline, now) > MAX(slack, p->interval_us / 2);
}

/*
 * Waking after a stall: whoever took over meanwhile is to be heard before we
 * say anything.  Addresses are neither removed nor renewed: their lease ends
 * by itself if nothing here decides before.
 */
static struct vrrp_outcome
listen_after_stall(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	struct vrrp_reason why = { .why = VRRP_WHY_LATE, .us = mono_until(s.deadline, now) };
	struct vrrp_outcome out;

	s.holding = true;
	out = enter_backup(p, s, VRRP_WAIT_LISTEN, now, why);
	if (ev->kind != VRRP_EV_TIMER) {
		out = on_backup(p, out.next, ev, now);
		out.reason = why;
	}
	return out;
}

/* An advert of our own in the course of things: the timer starts again. */
static struct vrrp_outcome
speak(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	s.deadline = mono_add(now, p->interval_us);
	s.answers = 0;
	deaf_told(&s.deaf, now);
	return act(s, VRRP_SEND_ADVERT | VRRP_RENEW_LEASE);
}

/* Intervals are counted from the deadline, not from the waking, so they do not drift. */
static struct vrrp_outcome
master_on_timer(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	unsigned actions = VRRP_SEND_ADVERT | VRRP_RENEW_LEASE;

	if (mono_before(now, s.deadline))
		return stay(s); /* woken early: not an error */
	s.deadline = mono_add(s.deadline, p->interval_us);
	if (!mono_before(now, s.deadline))
		s.deadline = mono_add(now, p->interval_us);
	s.answers = 0;
	deaf_told(&s.deaf, now);
	/* The other one has fallen silent: what it told the segment is to be corrected. */
	if (!mono_is_never(s.lower_at) &&
	    mono_until(s.lower_at, now) > p->interval_us + p->interval_us / 2) {
		s.lower_at = MONO_NEVER;
		actions |= VRRP_ANNOUNCE;
	}
	return act(s, actions);
}

/* Another one is master from here on. */
static struct vrrp_outcome
yield_to(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a,
    enum vrrp_why why, unsigned actions, mono_t now)
{
	struct vrrp_outcome out;

	if (p->version == 3)
		s.interval_us = a->interval_us;
	s.heard = (struct vrrp_heard){ 0 };
	note_heard(&s.heard, a, now);
	out = enter_backup(p, s, VRRP_WAIT_DOWN, now, about_peer(why, a, &s));
	out.actions |= actions;
	return out;
}

/*
 * 6.4.3.  v3 answers a losing advert at once and does not touch the timer; only
 * so many times an interval, so that two routers that disagree about who loses
 * (addresses rewritten on the way) do not answer each other without end.
 */
static struct vrrp_outcome
answer_lower(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	bool may_yield = p->yield_when_deaf && !a->other_addrs && s.priority != VRRP_PRIORITY_OWNER;
	struct vrrp_outcome out;
	unsigned actions = 0;

	if (may_yield && deaf_contest(&s.deaf, a, a->priority == s.priority, now)) {
		deaf_give_way(&s.deaf, p->preempt_delay_us, now);
		return yield_to(p, s, a, VRRP_WHY_DEAF, VRRP_DEL_VIPS | VRRP_SEND_RESIGN, now);
	}

	if (mono_is_never(s.lower_at))
		actions |= VRRP_ANNOUNCE;
	s.lower_at = now;
	if ((p->version == 3 || p->answer_lower) && s.answers < ANSWERS_MAX) {
		s.answers++;
		deaf_told(&s.deaf, now);
		actions |= VRRP_SEND_ADVERT;
	}
	out = act(s, actions);
	out.reason = about_peer(VRRP_WHY_LOWER_ADVERT, a, &s);
	return out;
}

static struct vrrp_outcome
master_on_advert(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	bool higher = a->priority > s.priority;
	bool tie = a->priority == s.priority && addr_cmp(&a->source, &p->primary) > 0;
	struct vrrp_outcome out;

	if (a->priority == VRRP_PRIORITY_LEAVE) { /* a peer lets go: still us */
		out = speak(p, s, now);
		out.reason = about_peer(VRRP_WHY_LEAVE_HEARD, a, &s);
		return out;
	}
	if (!higher && !tie)
		return answer_lower(p, s, a, now);
	return yield_to(p, s, a, higher ? VRRP_WHY_HIGHER : VRRP_WHY_TIE, VRRP_DEL_VIPS, now);
}

/* The peers learn of a new priority at once, not with the next advert in turn. */
static struct vrrp_outcome
master_on_priority(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	uint8_t was = s.priority;
	struct vrrp_outcome out;

	take_priority(&s, ev);
	if (was == s.priority)
		return stay(s);
	out = speak(p, s, now);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_PRIORITY,
		.was = was,
		.priority = s.priority,
		.ours = s.priority,
		.cause = ev->cause };
	return out;
}

/* The operator's word, or another member's: addresses and right are let go. */
static struct vrrp_outcome
let_go(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev,
    enum vrrp_why why, mono_t now)
{
	struct vrrp_outcome out = enter_backup(
	    p, s, VRRP_WAIT_DOWN, now, (struct vrrp_reason){ .why = why, .cause = ev->cause });

	out.actions |= VRRP_DEL_VIPS | VRRP_SEND_RESIGN;
	return out;
}

static struct vrrp_outcome
on_master(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	struct vrrp_outcome out;

	switch (ev->kind) {
	case VRRP_EV_STOP:
		return enter_init(VRRP_DEL_VIPS | VRRP_SEND_RESIGN);
	case VRRP_EV_FAULT:
		return enter_fault(s, ev, VRRP_DEL_VIPS | VRRP_SEND_RESIGN);
	case VRRP_EV_HANDOVER:
		return act(s, VRRP_SEND_HANDOVER | VRRP_RENEW_LEASE);
	case VRRP_EV_RELEASE:
		s.release = released(p, &s, ev, now);
		return let_go(p, s, ev, VRRP_WHY_RELEASED, now);
	default:
		break;
	}
	if (is_late(p, &s, now))
		return listen_after_stall(p, s, ev, now);

	switch (ev->kind) {
	case VRRP_EV_TIMER:
		return master_on_timer(p, s, now);
	case VRRP_EV_ADVERT:
		return master_on_advert(p, s, &ev->advert, now);
	case VRRP_EV_PRIORITY:
		return master_on_priority(p, s, ev, now);
	case VRRP_EV_VIP_LOST:
		out = act(s, VRRP_ADD_VIPS | VRRP_ANNOUNCE);
		out.reason = (struct vrrp_reason){ .why = VRRP_WHY_VIP_LOST };
		return out;
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return stay(unbarred(s, false));
	case VRRP_EV_GROUP_BACKUP:
		return let_go(p, s, ev, VRRP_WHY_GROUP, now);
	default:
		return stay(s);
	}
}

/* ---- the door ---- */

struct vrrp_outcome
vrrp_step(const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	/* Our own advert, looped back by a switch or a socket, says nothing. */
	if (ev->kind == VRRP_EV_ADVERT && addr_equal(&ev->advert.source, &p->primary))
		return stay(s);

	switch (s.role) {
	case VRRP_INIT:
		return on_init(p, s, ev, now);
	case VRRP_FAULT:
		return on_fault(p, s, ev, now);
	case VRRP_BACKUP:
		return on_backup(p, s, ev, now);
	case VRRP_MASTER:
		return on_master(p, s, ev, now);
	}
	return stay(s);
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
		rearm(p, &s, now);
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
