/*
 * announcer.h - when the segment is told where our addresses are: a burst at
 * once, once more after three intervals, a second burst after garp_master_delay,
 * and a refresh for as long as we hold them (announce.h makes the frames).
 *
 * After three intervals, because a router that did not hear us answers our first
 * adverts, tells the segment that the addresses are its own, and then gives way
 * (design.md section 6, deaf peer).
 */
#ifndef VRRPD_ANNOUNCER_H
#define VRRPD_ANNOUNCER_H

#include "common/conf/conf.h"
#include "common/loop.h"
#include "vrrpd/sock.h"
#include "vrrpd/vip.h"

struct announcer {
	struct loop_timer timer;
	struct netlink *nl;
	struct sock_set *socks;
	const struct vip_group *vips;
	int64_t again_us, delay_us, refresh_us; /* 0: none */
	int64_t lower_delay_us;			/* after an advert of lower priority */
	unsigned repeat, refresh_repeat, lower_repeat;
	int64_t garp_interval_us, gna_interval_us; /* between two on a link */
	unsigned rounds;			   /* left of the burst under way, ... */
	size_t at;				   /* ... and the address whose turn it is */
	mono_t pace_at;				   /* ... not before; MONO_NEVER: nothing is left */
	unsigned second_repeat;
	mono_t again_at, second_at, refresh_at; /* MONO_NEVER: not due */
	uint64_t sent;
};

/* Embedded by its owner; the rest is borrowed for as long. */
void announcer_init(
    struct announcer *, uv_loop_t *, struct netlink *, struct sock_set *, const struct vip_group *);
void announcer_configure(struct announcer *, const struct vrrp_conf *);

/* contest: after an advert of lower priority (garp_lower_prio_delay, _repeat). */
void announcer_begin(struct announcer *, bool contest, mono_t now);
void announcer_stop(struct announcer *);

/* The owner may be freed in 'on_closed' only. */
void announcer_close(struct announcer *, void (*on_closed)(struct loop_timer *));

#endif
