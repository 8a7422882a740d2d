/*
 * vrrp_draft.h - between the files that read a vrrp_instance: vrrp.c (its words),
 * vrrp_peers.c (whom it speaks to, and from where), vrrp_settle.c (what can only be said
 * when all was read), vrrp_dual.c (an instance of both families); nobody else's.
 */
#ifndef COMMON_CONF_VRRP_DRAFT_H
#define COMMON_CONF_VRRP_DRAFT_H

#include "common/conf/bind.h"

/* An instance while its block is read. */
struct draft {
	struct vrrp_conf vrrp; /* first: the binders of one field reach into it */
	const struct stmt *advert, *preempt_delay, *priority, *vip_block;
	struct auth_draft auth;
	struct conf_pos nopreempt;
	bool version_written, state_written, has_unicast_source;
	bool no_address; /* ... is meant so */
	uint8_t half; /* of a dual-stack instance, a family: what is of the other is not for us */
};

/* Binders of struct draft: unicast_src_ip and mcast_src_ip; mcast_dst_ip; unicast_peer. */
void vrrp_bind_source(struct binder *, struct stmt *, const struct directive *, void *object);
void vrrp_bind_destination(struct binder *, struct stmt *, const struct directive *, void *object);
void vrrp_bind_peers(struct binder *, struct stmt *, const struct directive *, void *object);

/* The block 's' was read into the draft: what follows from it, what is missing, what is odd. */
void vrrp_settle(struct binder *, struct stmt *s, struct draft *);

/* Does it advertise addresses of IPv4 and of IPv6? */
bool vrrp_has_both_families(const struct stmt *instance);

/* All was read for both families: what is not of draft->half goes. */
void vrrp_keep_half(struct binder *, struct draft *);

#endif
