/*
 * instance.h - one vrrp_instance that runs: the shell around its election core
 * (fsm.h).  The only writer of the role: every cause arrives as an event, goes
 * through vrrp_step, and what comes out is performed, logged and published.
 */
#ifndef VRRPD_INSTANCE_H
#define VRRPD_INSTANCE_H

#include "common/log.h"
#include "vrrpd/adopt.h"
#include "vrrpd/advert.h"
#include "vrrpd/announcer.h"
#include "vrrpd/fsm.h"
#include "vrrpd/notify_script.h"
#include "vrrpd/routing.h"
#include "vrrpd/trackers.h"
#include "vrrpd/vmac.h"
#include "vrrpd/vrrpd.h"

struct instance {
	TAILQ_ENTRY(instance) entry;
	struct vrrpd *vrrpd;
	const struct vrrp_conf *conf; /* in force */
	char digest[17];	      /* of the configuration it is from: numbers its scripts */
	char *name;

	struct vrrp_params params;
	struct vrrp_state state; /* written in one place: instance_feed() */

	struct advert advert;
	struct vmac vmac;
	struct vip_group vips;
	struct routing routing; /* what goes with the addresses */
	struct announcer announcer;
	struct trackers trackers;
	struct notifier *notifier;
	struct sync_group *group;   /* NULL: none; its moves are the group's */
	char *own_fault;	    /* in words; NULL: none of its own */
	struct adopt_outcome adopt; /* what may be taken over from the last process */
	struct tick tick;	    /* state.deadline */
	TAILQ_ENTRY(instance) due;  /* in vrrpd->renewing, when ... */
	bool renews;		    /* ... its leases are due with this tick */
	struct loop_timer again;    /* the sum changes by time alone */
	bool waits_startup;	    /* not started yet: vrrp_startup_delay */
	bool link_up;		    /* ... when it was looked at last */
	int promotes;		    /* index of the link whose secondary addresses are promoted */
	mono_t barred_until;	    /* an address of ours is deleted again and again */
	mono_t asked;		    /* verdicts newer than this were asked for; MONO_NEVER: none */
	struct log_limit packet_limit; /* lines that a peer can cause */

	struct vrrp_release left; /* stopped: the operator's word that stands, for the record */

	/* what is told about it */
	char *reason; /* of the present role */
	mono_t changed_at;
	char changed_stamp[LOOP_STAMP_STRLEN];
	mono_t advert_at; /* the last one sent as master */
	uint32_t beat;	  /* where that is written down (beats.h) */
	mono_t lower_at;  /* the last losing advert heard as master */
	bool removed;	  /* by a reload: what it is told last says so */
	uint64_t became_master, released_master, put_back;
	unsigned differs; /* said already */
	unsigned n_open;  /* timers to close before it may be freed */
};

/* In INIT; configured, not started.  Owned by the roster. */
struct instance *instance_new(struct vrrpd *, const struct vrrp_conf *);
/* Leaves the kernel as it is: feed VRRP_EV_STOP before. */
void instance_free(struct instance *);

/* How far what the last process left (NULL: nothing) may be believed: in->adopt. */
void instance_consider(struct instance *, const struct record *rec, const char *boot_id);
/* Take part, after that.  True: adopted. */
bool instance_start(struct instance *, const struct record *rec, const char *boot_id);

/* Another configuration of the same router; what did not change is not touched. */
void instance_apply(struct instance *, const struct vrrp_conf *);

/* The same router on the wire, so that instance_apply may be used. */
bool instance_is_same(const struct instance *, const struct vrrp_conf *);

/* Something it depends on may have changed: link, address, verdict. */
void instance_update(struct instance *);

/* It wants to hear of every run of its checks, also of one that brings nothing new. */
bool instance_waits(const struct instance *);

/* What it left to the end of the tick: an advert posted, 0 or -errno; leases to renew. */
void instance_on_sent(struct instance *, int error);
void instance_renew(struct instance *, mono_t now);

/* A packet for its VRID on its interface. */
void instance_on_packet(struct instance *, const struct vrrp_pkt *);
/* ... that cannot be read: counted, and a line now and then. */
void instance_on_bad(struct instance *, const struct addr *source, enum vrrp_pkt_err);

/* The operator's words (org.trivet.vrrp.control); 'words' say who.  hold_us 0: until he says. */
void instance_adjust(struct instance *, int delta, int64_t hold_us, const char *words);
void instance_release(struct instance *, bool force, int64_t hold_us, const char *words);
void instance_resume(struct instance *);

/* What its group wants of it (group.h). */
void instance_order(struct instance *, enum vrrp_event_kind, const char *cause);

void instance_stop(struct instance *, enum daemon_stop);

#endif
