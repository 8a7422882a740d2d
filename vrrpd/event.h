/*
 * event.h - what one virtual router is told and what it answers: the words
 * between the election core (fsm.h) and the shell around it (instance.c).
 *
 * Times are microseconds.  Texts are borrowed: they must outlive the call (an
 * event) or the event they came from (a reason).
 */
#ifndef VRRPD_EVENT_H
#define VRRPD_EVENT_H

#include "common/addr.h"
#include "common/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are keepalived's, which dashboards plot: never renumber. */
enum vrrp_role { VRRP_INIT, VRRP_BACKUP, VRRP_MASTER, VRRP_FAULT };

#define VRRP_PRIORITY_OWNER 255 /* the addresses are ours; never changes */
#define VRRP_PRIORITY_LEAVE 0	/* "I let go": sent when a master leaves on purpose */

/* "MASTER", as logs and notify scripts say it. */
const char *vrrp_role_str(enum vrrp_role);

/* A valid advertisement, decoded, that passed all checks (packet.h). */
struct vrrp_advert {
	struct addr source;
	uint8_t version; /* 2, 3 */
	uint8_t vrid;
	uint8_t priority;
	int64_t interval_us; /* as the sender said; never 0 */
	bool other_addrs;    /* for other addresses than ours: a VRID collision */
};

enum vrrp_event_kind {
	VRRP_EV_START,	       /* take part: priority, pending */
	VRRP_EV_RESUME_MASTER, /* instead of START: the last process was master just now (adopt.h)
				*/
	VRRP_EV_RESUME_LISTEN, /* instead of START: addresses are still there, their right unclear
				*/
	VRRP_EV_STOP,	       /* let go of everything: stop, or the instance is removed */
	VRRP_EV_HANDOVER,      /* the next process goes on: leave everything as it is */
	VRRP_EV_TIMER,	       /* state.deadline is due; early is harmless */
	VRRP_EV_ADVERT,	       /* advert */
	VRRP_EV_PRIORITY,      /* the sum changed: priority, pending, cause */
	VRRP_EV_VERDICTS,      /* every weighted tracker ran since VRRP_ASK_VERDICTS */
	VRRP_EV_FAULT,	       /* may not take part: cause.  Again, with another cause: noted */
	VRRP_EV_FAULT_CLEARED,
	VRRP_EV_VIP_LOST,     /* a VIP of ours is gone and we did not remove it */
	VRRP_EV_RELEASE,      /* the operator's word: let go and stay off (force, hold_us; cause) */
	VRRP_EV_RESUME,	      /* ... and its end; also of being deaf */
	VRRP_EV_PATH_CHANGED, /* link or set of peers: who did not hear us may do so now */
	VRRP_EV_GROUP_MASTER, /* every member of the sync group wants to: go (group.h) */
	VRRP_EV_GROUP_BACKUP, /* another member let go: so do we; cause */
	VRRP_EV_MAX,
};
const char *vrrp_event_str(enum vrrp_event_kind);

struct vrrp_event {
	enum vrrp_event_kind kind;
	struct vrrp_advert advert; /* ADVERT */
	uint8_t priority;	   /* START, RESUME_*, PRIORITY: effective, 1..255 */
	/*
	 * START, RESUME_*, PRIORITY: a tracker has never had a verdict, so we do not
	 * become master yet (a running master goes on).
	 */
	bool pending;
	/* ... and how much more it would be if all our trackers were well. */
	uint8_t lowered;
	bool no_witness;   /* ... the witness does not pass: we do not become master (yet) */
	bool force;	   /* RELEASE: whatever happens, until hold_us is over or RESUME */
	int64_t hold_us;   /* RELEASE: for so long at most; 0: until RESUME */
	const char *cause; /* FAULT, PRIORITY, RELEASE, GROUP_*: in words, for the log; or NULL */
};

/*
 * What to do, the lowest bit first.  The order is part of the protocol: the
 * right is claimed before the addresses are added, and they are gone before
 * the peers are told so (a peer at priority 254 needs 8 ms to take them).
 */
enum vrrp_action {
	VRRP_SEND_ADVERT = 1 << 0,   /* with state.priority and our interval */
	VRRP_SEND_HANDOVER = 1 << 1, /* an advert; v3: with vrrp_handover_interval() */
	VRRP_ADD_VIPS = 1 << 2,	     /* those that are missing; renew the rest */
	VRRP_RENEW_LEASE = 1 << 3,   /* of every VIP, in one batch */
	VRRP_DEL_VIPS = 1 << 4,
	VRRP_SEND_RESIGN = 1 << 5,  /* an advert of priority 0 */
	VRRP_ANNOUNCE = 1 << 6,	    /* gratuitous ARP, unsolicited NA (announce.h) */
	VRRP_ASK_VERDICTS = 1 << 7, /* have the weighted trackers check now; then EV_VERDICTS */
};
#define VRRP_N_ACTIONS 8
const char *vrrp_action_str(enum vrrp_action);

/* Why something changed, or is worth a line although nothing did. */
enum vrrp_why {
	VRRP_WHY_NONE,
	/* to BACKUP */
	VRRP_WHY_START,	 /* init */
	VRRP_WHY_LISTEN, /* addresses found, their right unclear */
	VRRP_WHY_HIGHER, /* peer advertises priority; ours */
	VRRP_WHY_TIE,	 /* equal priority, and the peer's address is the higher one */
	VRRP_WHY_LATE,	 /* our timer expired us late: others may have taken over */
	VRRP_WHY_FAULT_CLEARED,
	VRRP_WHY_DEAF,	   /* peer, of lower priority, goes on although we answered; ours */
	VRRP_WHY_RELEASED, /* by the operator: cause */
	VRRP_WHY_GROUP,	   /* another member of the sync group let go: cause */
	/* to MASTER */
	VRRP_WHY_OWNER,
	VRRP_WHY_RESUMED,
	VRRP_WHY_NO_ADVERT, /* from peer (or from anybody) for us */
	VRRP_WHY_RESIGNED,  /* peer sent priority 0 */
	VRRP_WHY_PREEMPT,   /* peer advertises the lower priority; ours */
	VRRP_WHY_DEGRADED,  /* peer lowered its priority from 'was'; ours */
	VRRP_WHY_HEARD,	    /* peer, which did not hear us, does again: it fell silent */
	VRRP_WHY_NOBODY,    /* released, and nobody took over for us */
	VRRP_WHY_ALONE,	    /* no witness, and nobody heard for as long as that may matter */
	/* to FAULT, INIT */
	VRRP_WHY_FAULT, /* cause */
	VRRP_WHY_STOP,
	/* no change of role */
	VRRP_WHY_PRIORITY,     /* from 'was' to priority: cause */
	VRRP_WHY_LOWER_ADVERT, /* a master hears one of lower priority: new election */
	VRRP_WHY_LEAVE_HEARD,  /* priority 0 heard from peer */
	VRRP_WHY_VIP_LOST,     /* put back */
	VRRP_WHY_PROBE,	       /* deaf: asked peer whether it hears us */
	VRRP_WHY_NO_WITNESS,   /* nobody is heard, but the witness does not pass */
	VRRP_WHY_UNBARRED,     /* the operator's release, or being deaf, is over */
	VRRP_WHY_MAX,
};

struct vrrp_reason {
	enum vrrp_why why;
	struct addr peer; /* AF_UNSPEC: none */
	uint8_t priority; /* the peer's; VRRP_WHY_PRIORITY: our new one */
	uint8_t ours;
	uint8_t was;
	int64_t us;
	const char *cause; /* the event's, or NULL */
};

/* The reason's name: "no-advert".  A key for events and tests, not prose. */
const char *vrrp_why_str(enum vrrp_why);

#define VRRP_REASON_STRLEN 256 /* longer causes are cut */

/*
 * The reason in the field's words, "no advert from 10.4.7.11 for 3.609 s", as
 * they follow "(VI_1) Entering MASTER STATE: ".  In buf; returns buf.
 */
const char *vrrp_reason_format(const struct vrrp_reason *, char buf[static VRRP_REASON_STRLEN]);

#endif
