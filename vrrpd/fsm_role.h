/*
 * fsm_role.h - what the parts of the election core say to each other: fsm.c (timers, the
 * door), fsm_role.c (arriving in a role; INIT, FAULT), fsm_backup.c, fsm_master.c.
 * Nobody else includes it; fsm.h is the contract.
 */
#ifndef VRRPD_FSM_ROLE_H
#define VRRPD_FSM_ROLE_H

#include "vrrpd/fsm.h"

/* ---- the clock ---- */

/* One skew time, at our priority and the interval we wait by. */
int64_t fsm_skew(const struct vrrp_params *, const struct vrrp_state *);

/* MASTER: when the advert after the one due at 'from' is. */
mono_t fsm_next_advert(const struct vrrp_params *, mono_t from);

/* BACKUP: when the ordinary rules let us take over. */
mono_t fsm_takeover_at(const struct vrrp_params *, const struct vrrp_state *);

/*
 * BACKUP's deadline from its parts; never in the past, so that how late the
 * timer comes is told from the deadline alone.
 */
void fsm_rearm(const struct vrrp_params *, struct vrrp_state *, mono_t now);

/* The wait begins now, and what ran towards a takeover is forgotten.  fsm_rearm() is next. */
void fsm_wait_anew(struct vrrp_state *, enum vrrp_wait, mono_t now);

/* ---- answers ---- */

static inline struct vrrp_outcome
fsm_act(struct vrrp_state s, unsigned actions)
{
	return (struct vrrp_outcome){ .next = s, .actions = actions };
}

static inline struct vrrp_outcome
fsm_stay(struct vrrp_state s)
{
	return fsm_act(s, 0);
}

static inline struct vrrp_reason
fsm_about_peer(enum vrrp_why why, const struct vrrp_advert *a, const struct vrrp_state *s)
{
	return (struct vrrp_reason){
		.why = why, .peer = a->source, .priority = a->priority, .ours = s->priority
	};
}

/* ---- arriving in a role: the only functions that write it ---- */

struct vrrp_outcome fsm_enter_master(
    const struct vrrp_params *, struct vrrp_state, mono_t now, enum vrrp_why);
/* 'heard' and the interval learned are the caller's to set before. */
struct vrrp_outcome fsm_enter_backup(
    const struct vrrp_params *, struct vrrp_state, enum vrrp_wait, mono_t now, struct vrrp_reason);
struct vrrp_outcome fsm_enter_fault(struct vrrp_state, const struct vrrp_event *, unsigned actions);
struct vrrp_outcome fsm_enter_init(unsigned actions);

/* It is time to take over; a sync group's members do so together (group.h). */
struct vrrp_outcome fsm_take_over(
    const struct vrrp_params *, struct vrrp_state, mono_t now, const struct vrrp_reason *);
/* Taking part: the Startup event of 6.4.1. */
struct vrrp_outcome fsm_take_part(
    const struct vrrp_params *, struct vrrp_state, mono_t now, enum vrrp_why);

/* ---- parts of the state that more than one role writes ---- */

/* A priority of 0 would be a resignation on the wire: a caller's slip must not become one. */
void fsm_take_priority(struct vrrp_state *, const struct vrrp_event *);
/* Being deaf is over, and with the operator's word his release. */
struct vrrp_state fsm_unbarred(struct vrrp_state, bool by_operator);
void fsm_note_heard(struct vrrp_heard *, const struct vrrp_advert *, mono_t now);
/* The operator's release as 'ev' words it, from now. */
struct vrrp_release fsm_released(
    const struct vrrp_params *, const struct vrrp_state *, const struct vrrp_event *ev, mono_t now);

/* ---- one event in each role ---- */

struct vrrp_outcome fsm_on_init(
    const struct vrrp_params *, struct vrrp_state, const struct vrrp_event *, mono_t now);
struct vrrp_outcome fsm_on_fault(
    const struct vrrp_params *, struct vrrp_state, const struct vrrp_event *, mono_t now);
struct vrrp_outcome fsm_on_backup(
    const struct vrrp_params *, struct vrrp_state, const struct vrrp_event *, mono_t now);
struct vrrp_outcome fsm_on_master(
    const struct vrrp_params *, struct vrrp_state, const struct vrrp_event *, mono_t now);

#endif
