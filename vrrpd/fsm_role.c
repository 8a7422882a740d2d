/*
 * fsm_role.c - arriving in a role: the only places that write it; and the two roles
 * that do not take part, INIT and FAULT.  See fsm_role.h.
 */
#include "vrrpd/fsm_role.h"

#include "common/util.h"

struct vrrp_outcome
fsm_enter_master(const struct vrrp_params *p, struct vrrp_state s, mono_t now, enum vrrp_why why)
{
	struct vrrp_outcome out;

	s.role = VRRP_MASTER;
	s.holding = s.late = s.fresh = s.wants = s.alone = false;
	s.heard = (struct vrrp_heard){ 0 };
	s.release = (struct vrrp_release){ 0 };
	deaf_return(&s.deaf, now);
	s.interval_us = p->interval_us;
	s.preempt_at = s.lower_at = MONO_NEVER;
	s.answers = 0;
	s.deadline = fsm_next_advert(p, now);
	out = fsm_act(s, VRRP_SEND_ADVERT | VRRP_ADD_VIPS | VRRP_ANNOUNCE);
	out.reason = (struct vrrp_reason){ .why = why, .ours = s.priority };
	return out;
}

/* 'heard' and the interval learned are the caller's to set before. */
struct vrrp_outcome
fsm_enter_backup(const struct vrrp_params *p, struct vrrp_state s, enum vrrp_wait wait, mono_t now,
    struct vrrp_reason reason)
{
	struct vrrp_outcome out;

	s.role = VRRP_BACKUP;
	s.late = false;
	s.lower_at = MONO_NEVER;
	fsm_wait_anew(&s, wait, now);
	fsm_rearm(p, &s, now);
	out = fsm_stay(s);
	out.reason = reason;
	return out;
}

struct vrrp_outcome
fsm_enter_fault(struct vrrp_state s, const struct vrrp_event *ev, unsigned actions)
{
	struct vrrp_outcome out;

	s.role = VRRP_FAULT;
	s.holding = s.wants = s.alone = false;
	s.heard = (struct vrrp_heard){ 0 };
	deaf_calm(&s.deaf);
	if (!s.release.force) /* others take over because of the fault, too */
		s.release = (struct vrrp_release){ 0 };
	s.deadline = s.preempt_at = s.lower_at = MONO_NEVER;
	out = fsm_act(s, actions);
	out.reason = (struct vrrp_reason){ .why = VRRP_WHY_FAULT, .cause = ev->cause };
	return out;
}

struct vrrp_outcome
fsm_enter_init(unsigned actions)
{
	struct vrrp_outcome out = fsm_act((struct vrrp_state){ .role = VRRP_INIT }, actions);

	out.next.deadline = out.next.preempt_at = out.next.lower_at = MONO_NEVER;
	out.reason.why = VRRP_WHY_STOP;
	return out;
}

/* It is time to take over; a sync group's members do so together (group.h). */
struct vrrp_outcome
fsm_take_over(
    const struct vrrp_params *p, struct vrrp_state s, mono_t now, const struct vrrp_reason *reason)
{
	struct vrrp_outcome out;

	if (p->grouped) {
		s.wants = true;
		s.deadline = MONO_NEVER;
		return fsm_stay(s);
	}
	out = fsm_enter_master(p, s, now, reason->why);
	out.reason = *reason;
	return out;
}

/* Taking part: the Startup event of 6.4.1. */
struct vrrp_outcome
fsm_take_part(const struct vrrp_params *p, struct vrrp_state s, mono_t now, enum vrrp_why why)
{
	bool owner = s.priority == VRRP_PRIORITY_OWNER && !s.pending && !s.no_witness &&
		     !s.release.on;
	struct vrrp_outcome out;

	s.interval_us = p->interval_us;
	s.heard = (struct vrrp_heard){ 0 };
	if (owner && !p->grouped)
		return fsm_enter_master(p, s, now, VRRP_WHY_OWNER);
	out = fsm_enter_backup(p, s, VRRP_WAIT_DOWN, now, (struct vrrp_reason){ .why = why });
	if (owner) {
		out.next.wants = true;
		out.next.deadline = MONO_NEVER;
	}
	return out;
}

/* A priority of 0 would be a resignation on the wire: a caller's slip must not become one. */
void
fsm_take_priority(struct vrrp_state *s, const struct vrrp_event *ev)
{
	s->priority = MAX(ev->priority, 1);
	s->lowered = ev->lowered;
	s->pending = ev->pending;
	s->no_witness = ev->no_witness;
	s->alone &= ev->no_witness;
}

/* Being deaf is over, and with the operator's word his release. */
struct vrrp_state
fsm_unbarred(struct vrrp_state s, bool by_operator)
{
	s.deaf = (struct vrrp_deaf){ 0 };
	if (by_operator)
		s.release = (struct vrrp_release){ 0 };
	return s;
}

/* ---- INIT and FAULT ---- */

struct vrrp_outcome
fsm_on_init(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	switch (ev->kind) {
	case VRRP_EV_START:
		fsm_take_priority(&s, ev);
		return fsm_take_part(p, s, now, VRRP_WHY_START);
	case VRRP_EV_RESUME_MASTER:
		fsm_take_priority(&s, ev);
		return fsm_enter_master(p, s, now, VRRP_WHY_RESUMED);
	case VRRP_EV_RESUME_LISTEN:
		fsm_take_priority(&s, ev);
		s.holding = true;
		s.interval_us = p->interval_us;
		return fsm_enter_backup(
		    p, s, VRRP_WAIT_LISTEN, now, (struct vrrp_reason){ .why = VRRP_WHY_LISTEN });
	case VRRP_EV_FAULT:
		return fsm_enter_fault(s, ev, 0);
	default:
		s.deadline = MONO_NEVER;
		return fsm_stay(s);
	}
}

struct vrrp_outcome
fsm_on_fault(
    const struct vrrp_params *p, struct vrrp_state s, const struct vrrp_event *ev, mono_t now)
{
	switch (ev->kind) {
	case VRRP_EV_START:
	case VRRP_EV_PRIORITY:
		fsm_take_priority(&s, ev);
		return fsm_stay(s);
	case VRRP_EV_FAULT:
		return fsm_enter_fault(s, ev, 0); /* the cause is another one now */
	case VRRP_EV_FAULT_CLEARED:
		if (s.priority == 0)
			return fsm_enter_init(0); /* not started yet */
		return fsm_take_part(p, s, now, VRRP_WHY_FAULT_CLEARED);
	case VRRP_EV_RELEASE:
		s.release = (struct vrrp_release){ .on = ev->force,
			.force = ev->force,
			.until = ev->hold_us > 0 ? mono_add(now, ev->hold_us) : MONO_NEVER };
		return fsm_stay(s);
	case VRRP_EV_RESUME:
	case VRRP_EV_PATH_CHANGED:
		return fsm_stay(fsm_unbarred(s, ev->kind == VRRP_EV_RESUME));
	case VRRP_EV_STOP:
		return fsm_enter_init(0);
	default:
		return fsm_stay(s);
	}
}
