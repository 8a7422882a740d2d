/*
 * fsm.h - one virtual router's election as a pure function: RFC 3768 section 6.4
 * for version 2, RFC 9568 section 6.4 for version 3, and the departures that
 * struct vrrp_params names, each of which can be off.
 *
 * Reads no clock, opens no socket, allocates nothing, logs nothing.  The
 * caller (vrrpd/instance.c, tests/sim, the what-if table of ctl) owns every
 * struct, passes the time in, stores outcome.next in one place, performs
 * outcome.actions and re-arms its one timer from next.deadline.
 */
#ifndef VRRPD_FSM_H
#define VRRPD_FSM_H

#include "common/mono.h"
#include "vrrpd/deaf.h"
#include "vrrpd/event.h"

struct vrrp_params {		  /* fixed between two reloads */
	struct addr primary;	  /* our address; breaks ties */
	uint8_t version;	  /* 2, 3 */
	int64_t interval_us;	  /* between our adverts; > 0 */
	unsigned down_adverts;	  /* missed adverts until a master counts as gone: 3 */
	bool preempt;		  /* an owner preempts in any case (RFC 9568, 6.1) */
	int64_t preempt_delay_us; /* from the first lower advert heard; wins over fast_preempt */

	/* Departures; all false is the RFC to the letter. */
	/*
	 * Many routers of a process speak in the same moments, a few in each interval, so that
	 * it wakes for all of them at once: each advert comes up to a hundredth of the interval
	 * early until its router has such a moment, and after that at the exact interval.
	 */
	bool together;
	bool answer_lower; /* v2: a master answers a losing advert at once, as v3 says */
	/*
	 * Outranking the master we hear, wait one skew time, not a down interval.  So
	 * that a fault that both nodes have, one a little after the other, does not
	 * move the address to and fro: a master that lowered itself is left alone by
	 * whoever is itself lowered as much (neither is well; it stays where it is).
	 */
	bool fast_preempt;
	bool fresh_verdicts;  /* ... and for VRRP_EV_VERDICTS, because weighted trackers exist */
	bool take_degraded;   /* nopreempt does not protect a master that lowered its priority */
	bool listen_late;     /* waking too late as master: listen before going on */
	bool yield_when_deaf; /* give way to a lower master that does not hear us (deaf.h) */

	/* Without a witness and hearing nobody: become master all the same after so long; 0: never
	 */
	int64_t or_alone_us;

	/* keepalived's, each off unless asked for. */
	bool never_answer;  /* lower_prio_no_advert: a losing advert is not answered */
	bool answer_higher; /* higher_prio_send_advert: one more of ours before we give way */
	bool owner_is_sure; /* owner_ignore_adverts: an owner hears nobody */

	bool grouped; /* of a sync group: takes over with VRRP_EV_GROUP_MASTER only (group.h) */
};

/* Who was last heard as master, and what it said. */
struct vrrp_heard {
	struct addr source; /* AF_UNSPEC: nobody yet */
	uint8_t priority;   /* 0: it has let go */
	uint8_t best;	    /* the highest since it is the one we hear */
	mono_t at;
};

/*
 * The operator's release (VRRP_EV_RELEASE).  Until another master was heard we
 * do not take over; if none is for two master-down intervals we do: nobody took
 * over.  After that the master heard is not preempted either, or a release would
 * last one skew time; it ends with that master, with 'until' or with
 * VRRP_EV_RESUME.  Forced: we do not take over, whatever happens.
 */
struct vrrp_release {
	bool on, force;
	bool heard;	   /* another master, since */
	mono_t until;	   /* MONO_NEVER: until VRRP_EV_RESUME */
	mono_t give_up_at; /* not forced, not heard: take over */
};

struct vrrp_state { /* a value: copy it freely.  Zeroed means INIT */
	enum vrrp_role role;
	uint8_t priority; /* effective: what we advertise */
	uint8_t lowered;  /* see struct vrrp_event */
	bool pending;	  /* see struct vrrp_event */
	bool holding;	  /* BACKUP: addresses may still be there, unrenewed */
	mono_t deadline;  /* when VRRP_EV_TIMER is due; MONO_NEVER: not at all */

	int64_t interval_us; /* the master's, by which we wait: learned in v3, else ours */
	struct vrrp_heard heard;

	/* BACKUP: what the deadline is made of, so that it can be made again. */
	enum vrrp_wait {
		VRRP_WAIT_DOWN,	 /* a whole master-down interval */
		VRRP_WAIT_SKEW,	 /* one skew time */
		VRRP_WAIT_LISTEN /* one interval and a skew time */
	} wait;
	mono_t wait_from;
	bool late;	    /* the present wait already is the second look after waking late */
	mono_t preempt_at;  /* not before; MONO_NEVER: the master heard is not to be preempted */
	bool fresh;	    /* verdicts are in for the present takeover */
	bool no_witness;    /* see struct vrrp_event */
	bool alone;	    /* it is time to take over, but for the witness ... */
	mono_t alone_until; /* ... until then; MONO_NEVER: for as long as it does not pass */
	bool wants;	    /* grouped: it is time to take over, the others are waited for */
	struct vrrp_release release; /* BACKUP; forced: FAULT too */

	mono_t lower_at; /* MASTER: the last losing advert; MONO_NEVER: uncontested */
	uint8_t answers; /* to such, since our last advert in turn */
	struct vrrp_deaf deaf;
};

struct vrrp_outcome {
	struct vrrp_state next;
	unsigned actions;	   /* of enum vrrp_action, to perform lowest bit first */
	struct vrrp_reason reason; /* of the change of role, or of something worth a line */
};

/*
 * The state after 'ev' at 'now', and what to do about it.  Total: every event
 * has an answer in every state, so there is no error to return.  'now' must
 * not run backwards between calls for the same router.
 */
struct vrrp_outcome vrrp_step(
    const struct vrrp_params *, struct vrrp_state, const struct vrrp_event *ev, mono_t now);

/*
 * The state with its deadlines made again after new params (a reload): the
 * role stays.  Feed VRRP_EV_PRIORITY next if the sum changed.
 */
struct vrrp_state vrrp_adjust(const struct vrrp_params *, struct vrrp_state, mono_t now);

/*
 * Skew_Time: v2 (256 - priority) / 256 s, v3 the same share of the master's
 * interval; in microseconds, never truncated to centiseconds.
 */
int64_t vrrp_skew_us(const struct vrrp_params *, uint8_t priority, int64_t interval_us);

/* Master_Down_Interval (Active_Down_Interval). */
int64_t vrrp_down_us(const struct vrrp_params *, uint8_t priority, int64_t interval_us);

/* A backup whose sum is the higher one, but no better off than the master (fast_preempt). */
bool vrrp_leaves_master(const struct vrrp_params *, const struct vrrp_state *);

/*
 * The interval that the last advert before a planned restart announces: in v3
 * at least 1 s, which backups learn and wait by; in v2 it cannot change.
 */
int64_t vrrp_handover_interval(const struct vrrp_params *);

/*
 * How long backups hear nothing and wait in any case: their master-down time
 * without the skew.  After a planned restart by the interval announced last.
 */
int64_t vrrp_bear_us(const struct vrrp_params *, bool handover);

#endif
