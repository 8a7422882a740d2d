/*
 * world.h - a simulated segment or two: routers that run the real election core
 * and the real packets, a LAN that delays, loses, doubles and reorders them, and
 * a kernel that ends leases.  One clock, one seed: the same seed, the same run.
 * With two segments each process runs a router on either, in a sync group.
 *
 *	script.c, random.c   what is done to it
 *	world.c              what happens then
 *	checks.c             what the routers watch, and what they are told of it
 *	judge.c              whether that was right
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "common/rng.h"
#include "common/util.h"
#include "vrrpd/fsm.h"
#include "vrrpd/packet.h"
#include "vrrpd/priority.h"
#include "vrrpd/record.h"

#define NODES_MAX    5
#define SEGMENTS_MAX 2
#define ROUTERS_MAX  (NODES_MAX * SEGMENTS_MAX)
#define TERMS_MAX    2
#define MAIL_MAX     512 /* in flight; more are lost, as in any queue */
#define INBOX_MAX    64	 /* waiting in the socket of a router that does not run */
#define MESSAGE_MAX  64
#define VRID	     51

#define MSEC	     USEC_PER_MSEC
#define SECOND	     USEC_PER_SEC

struct message {
	mono_t at; /* when it arrives */
	unsigned from, to;
	size_t size;
	uint8_t bytes[MESSAGE_MAX];
};

/* Something that a check is about: well or ill, and when the check has noticed. */
struct ailment {
	bool ill, turns_to;
	mono_t turns_at; /* MONO_NEVER: it stays as it is */
	mono_t seen_at;	 /* the first ordinary run after that */
};

struct checks { /* of a process */
	uint8_t base;
	struct prio_term terms[TERMS_MAX];
	struct ailment of[TERMS_MAX];
	size_t n;   /* 0: its priority is what router_priority() says, and its faults too */
	bool away;  /* checkd is */
	bool fault; /* as they add up */
	int64_t every_us, valid_us;
	mono_t again_at; /* the sum changes by time alone */
};

struct router { /* process k runs routers k * n_segments and so on, one for each segment */
	char name[8];
	unsigned segment;
	struct vrrp_params params;
	struct vrrp_wire wire;
	struct vrrp_state state; /* written by world.c:feed() only */
	uint8_t full;		 /* its priority with all trackers well: as configured */
	uint8_t priority;	 /* what they add up to */
	bool faulted;		 /* and whether one of them is a fault */

	/* the process */
	bool alive;
	struct checks checks; /* in its first router */
	bool no_witness;      /* its witness does not pass */
	mono_t witnessed_at;  /* ... when that changed last */
	bool pending;	      /* no verdict yet */
	mono_t pending_until; /* then there is one; MONO_NEVER: not by itself */
	mono_t start_at;      /* MONO_NEVER: nobody starts it */
	mono_t asleep_until;  /* does not run till then (SIGSTOP, a paused VM) */
	mono_t timer;	      /* when its timer fires: the deadline, or a little later */
	mono_t verdicts_at;   /* when checkd answers VRRP_ASK_VERDICTS */
	struct message inbox[INBOX_MAX];
	unsigned n_inbox;
	bool lost_vip; /* a VIP_LOST not read yet */
	struct record record;
	struct record_instance recorded;

	/* the kernel */
	bool vip;
	mono_t vip_stamp, vip_lease_end; /* as IFA_CACHEINFO has them */
	mono_t vip_ends;		 /* when the sweep removes it */

	mono_t said_at, said_before; /* the last advert, the one before */
	mono_t heard_at; /* the last advert of a master that did not resign since; 0: none */
	mono_t woke_at;	 /* from the last stall */
	mono_t lower_at; /* the first advert lower than ours in a row of such; 0: none */
	mono_t told_at;	 /* the last VRRP_EV_VERDICTS */

	/* what the operator said, and what came of it; the judge's own book */
	bool released, released_force, released_heard; /* ... another master, since */
	mono_t released_at, released_until, nobody_at;
};

struct lan {
	int64_t delay_min_us, delay_max_us;
	unsigned loss, twice;		    /* per mille */
	bool cut[ROUTERS_MAX][ROUTERS_MAX]; /* from, to */
};

/* What judge.c keeps: see there. */
struct judge {
	bool strict;	   /* nothing but the events themselves may go wrong: bounds hold always */
	int64_t settle_us; /* after so long without a disturbance it must be settled */
	int64_t overlap_max_us; /* strict: how long two may hold the address */
	mono_t calm_since;
	unsigned n_disturbances;

	struct holding { /* of a segment's address */
		unsigned n;
		mono_t overlap_from, outage_from;
	} holding[SEGMENTS_MAX];
	mono_t half_since;	       /* some sync group is half master; MONO_NEVER: none is */
	int64_t overlap_us, outage_us; /* the longest since judge_count() */
	unsigned moves;		       /* times somebody became master since judge_count() */
	unsigned moves_ever;
	unsigned n_steps;

	unsigned line;	   /* of the scenario; 0: there is none */
	char failure[256]; /* the first one; "" while there is none */
};

struct world {
	mono_t now;
	struct rng rng;
	bool verbose;
	int64_t jitter_us;  /* a timer fires up to so much late */
	int64_t sweep_us;   /* a lease is ended up to so much late */
	int64_t verdict_us; /* checkd answers within; negative: never */
	struct router routers[ROUTERS_MAX];
	unsigned n_routers, n_segments;
	bool syncing; /* the groups are told later: inside an event, or a start */
	struct lan lan;
	struct message mail[MAIL_MAX];
	unsigned n_mail;
	struct judge judge;
};

void world_init(struct world *, uint64_t seed); /* one segment: set n_segments for more */

/*
 * Routers get the addresses 10.0.0.1, .2 ... in the order they are added, and
 * the segments in turn.
 */
struct router *world_add(
    struct world *, const char *name, const struct vrrp_params *, uint8_t priority);

/* Run until 't', or until something is wrong (judge.failure). */
void world_run(struct world *, mono_t t);

/* One thing that happens, not after 't'; false when there is none. */
bool world_step(struct world *, mono_t t);

/*
 * ---- what can be done to a router: start to stall, and its priority, to the
 * whole process; the rest to this one ----
 */

void router_start(struct world *, struct router *, bool pending);
void router_stop(struct world *, struct router *);  /* systemctl stop */
void router_crash(struct world *, struct router *); /* kill -9; the kernel stays */
void router_restart(struct world *, struct router *, int64_t gap_us); /* systemctl restart */
void router_start_later(struct world *, struct router *, int64_t us); /* respawned */
void router_stall(struct world *, struct router *, int64_t us);	      /* SIGSTOP, SIGCONT */
void router_fault(struct world *, struct router *, bool faulted);
void router_priority(struct world *, struct router *, uint8_t priority);
void router_witness(struct world *, struct router *, bool passes);
void router_verdict(struct world *, struct router *);  /* the pending one arrives */
void router_lose_vip(struct world *, struct router *); /* ip address del */
void router_release(struct world *, struct router *, bool force, int64_t hold_us);
void router_resume(struct world *, struct router *);
void router_path(struct world *, struct router *); /* its link or peers changed */

/* Lease of the configuration: three intervals in whole seconds, at least one. */
int64_t router_lease(const struct router *);

/* The routers of r's process: the first, and how many (n_segments). */
struct router *router_process(struct world *, const struct router *r);

bool router_runs(const struct world *, const struct router *);

/* ---- checks.c: of a process, named by its first router ---- */

void checks_init(struct router *, uint8_t base, const struct prio_term *, size_t n,
    int64_t every_us, int64_t valid_us);

/* 'adopted': with the verdicts of the process before. */
void checks_boot(struct world *, struct router *, bool adopted);

mono_t checks_next(const struct router *);
void checks_happen(struct world *, struct router *);
bool checks_unsettled(const struct router *); /* something will happen by itself */

/* All at once: the answer to VRRP_ASK_VERDICTS. */
void checks_now(struct world *, struct router *);

/* What the check is about becomes ill, or well, at that time. */
void checks_turn(struct world *, struct router *, size_t term, bool ill, mono_t at);
void checks_away(struct world *, struct router *, bool away); /* checkd dies, comes back */
void checks_mend(struct world *, struct router *);	      /* all is well, and known */

/* ---- judge.c ---- */

/* Something is being done: from here the network has settle_us to settle again. */
void judge_disturb(struct world *);

/* After one step of one router. */
void judge_step(struct world *, const struct router *, const struct vrrp_state *before,
    const struct vrrp_event *, const struct vrrp_outcome *);

/* The kernel ends a lease. */
void judge_lease_end(struct world *, const struct router *);

/* After each event. */
void judge_world(struct world *);
void judge_count(struct world *); /* start counting moves, overlap, outage anew */
void judge_fail(struct world *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A bound for settle_us that fits all routers. */
int64_t judge_settle(const struct world *);

/* ---- random.c, script.c: both return false after judge_fail ---- */

bool random_run(struct world *, uint64_t seed);

/* See script.c for the language.  -errno when the file cannot be read. */
int script_run(struct world *, const char *path);

#endif
