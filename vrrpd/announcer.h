/*
 * announcer.h - tells the segment where our addresses are, when announce_plan.h
 * says so, in frames that announce.h makes.
 */
#ifndef VRRPD_ANNOUNCER_H
#define VRRPD_ANNOUNCER_H

#include "common/conf/conf.h"
#include "common/loop.h"
#include "vrrpd/announce_plan.h"
#include "vrrpd/sock.h"
#include "vrrpd/vip.h"

struct announcer {
	struct loop_timer timer;
	struct netlink *nl;
	struct sock_set *socks;
	const struct vip_group *vips;
	struct announce_plan plan;
	int64_t garp_interval_us, gna_interval_us; /* between two on a link */
	unsigned rounds;			   /* left of the burst under way, ... */
	size_t at;				   /* ... and the address whose turn it is */
	mono_t pace_at;				   /* ... not before; MONO_NEVER: nothing is left */
	uint64_t sent;
};

/* Embedded by its owner; the rest is borrowed for as long. */
void announcer_init(
    struct announcer *, uv_loop_t *, struct netlink *, struct sock_set *, const struct vip_group *);

/* 'lease_s' as of announce_plan_configure. */
void announcer_configure(struct announcer *, const struct vrrp_conf *, int32_t lease_s);

/* contest: after an advert of lower priority (garp_lower_prio_delay, _repeat). */
void announcer_begin(struct announcer *, bool contest, mono_t now);
void announcer_stop(struct announcer *);

/* The owner may be freed in 'on_closed' only. */
void announcer_close(struct announcer *, void (*on_closed)(struct loop_timer *));

#endif
