/*
 * fsm_master.c - MASTER: its adverts in turn, whom it answers and to whom it yields (RFC
 * 3768 6.4.3, RFC 9568 6.4.3).  See fsm_role.h.
 */
#include "vrrpd/fsm_role.h"

#include "common/util.h"

/* More than routers that are likely to claim at once, few enough to bear. */
#define ANSWERS_MAX 8

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
	out = fsm_enter_backup(p, s, VRRP_WAIT_LISTEN, now, why);
	if (ev->kind != VRRP_EV_TIMER) {
		out = fsm_on_backup(p, out.next, ev, now);
		out.reason = why;
	}
	return out;
}

/* An advert of our own in the course of things: the timer starts again. */
static struct vrrp_outcome
speak(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	s.deadline = fsm_next_advert(p, now);
	s.answers = 0;
	deaf_told(&s.deaf, now);
	return fsm_act(s, VRRP_SEND_ADVERT | VRRP_RENEW_LEASE);
}

/* Intervals are counted from the deadline, not from the waking, so they do not drift. */
static struct vrrp_outcome
master_on_timer(const struct vrrp_params *p, struct vrrp_state s, mono_t now)
{
	unsigned actions = VRRP_SEND_ADVERT | VRRP_RENEW_LEASE;

	if (mono_before(now, s.deadline))
		return fsm_stay(s); /* woken early: not an error */
	s.deadline = fsm_next_advert(p, s.deadline);
	if (!mono_before(now, s.deadline))
		s.deadline = fsm_next_advert(p, now);
	s.answers = 0;
	deaf_told(&s.deaf, now);
	/* The other one has fallen silent: what it told the segment is to be corrected. */
	if (!mono_is_never(s.lower_at) &&
	    mono_until(s.lower_at, now) > p->interval_us + p->interval_us / 2) {
		s.lower_at = MONO_NEVER;
		actions |= VRRP_ANNOUNCE;
	}
	return fsm_act(s, actions);
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
	fsm_note_heard(&s.heard, a, now);
	out = fsm_enter_backup(p, s, VRRP_WAIT_DOWN, now, fsm_about_peer(why, a, &s));
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
	if ((p->version == 3 || p->answer_lower) && !p->never_answer && s.answers < ANSWERS_MAX) {
		s.answers++;
		deaf_told(&s.deaf, now);
		actions |= VRRP_SEND_ADVERT;
	}
	out = fsm_act(s, actions);
	out.reason = fsm_about_peer(VRRP_WHY_LOWER_ADVERT, a, &s);
	return out;
}

static struct vrrp_outcome
master_on_advert(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_advert *a, mono_t now)
{
	bool higher = a->priority > s.priority;
	bool tie = a->priority == s.priority && addr_cmp(&a->source, &p->primary) > 0;
	struct vrrp_outcome out;
	unsigned actions = VRRP_DEL_VIPS;

	if (p->owner_is_sure && s.priority == VRRP_PRIORITY_OWNER)
		return fsm_stay(s);
	if (a->priority == VRRP_PRIORITY_LEAVE) { /* a peer lets go: still us */
		out = speak(p, s, now);
		out.reason = fsm_about_peer(VRRP_WHY_LEAVE_HEARD, a, &s);
		return out;
	}
	if (!higher && !tie)
		return answer_lower(p, s, a, now);
	if (p->answer_higher)
		actions |= VRRP_SEND_ADVERT;
	return yield_to(p, s, a, higher ? VRRP_WHY_HIGHER : VRRP_WHY_TIE, actions, now);
}

/* The peers learn of a new priority at once, not with the next advert in turn. */
static struct vrrp_outcome
master_on_priority(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	uint8_t was = s.priority;
	struct vrrp_outcome out;

	fsm_take_priority(&s, ev);
	if (was == s.priority)
		return fsm_stay(s);
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
	struct vrrp_outcome out = fsm_enter_backup(
	    p, s, VRRP_WAIT_DOWN, now, (struct vrrp_reason){ .why = why, .cause = ev->cause });

	out.actions |= VRRP_DEL_VIPS | VRRP_SEND_RESIGN;
	return out;
}

struct vrrp_outcome
fsm_on_master(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	struct vrrp_outcome out;

	switch (ev->kind) {
	case VRRP_EV_STOP:
		return fsm_enter_init(VRRP_DEL_VIPS | VRRP_SEND_RESIGN);
	case VRRP_EV_FAULT:
		return fsm_enter_fault(s, ev, VRRP_DEL_VIPS | VRRP_SEND_RESIGN);
	case VRRP_EV_HANDOVER:
		return fsm_act(s, VRRP_SEND_HANDOVER | VRRP_RENEW_LEASE);
	case VRRP_EV_RELEASE:
		s.release = fsm_released(p, &s, ev, now);
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
		out = fsm_act(s, VRRP_ADD_VIPS | VRRP_ANNOUNCE);
		out.reason = (struct vrrp_reason){ .why = VRRP_WHY_VIP_LOST };
		return out;
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return fsm_stay(fsm_unbarred(s, false));
	case VRRP_EV_GROUP_BACKUP:
		return let_go(p, s, ev, VRRP_WHY_GROUP, now);
	default:
		return fsm_stay(s);
	}
}
