/*
 * roster.h - the instances of this process: made, changed and removed by
 * configuration; found for a packet, a link, an address.
 */
#ifndef VRRPD_ROSTER_H
#define VRRPD_ROSTER_H

#include "vrrpd/instance.h"

/* Make all of v->conf, then start them with what the last process left. */
void roster_start(struct vrrpd *, struct record *rec, const char *boot_id);

/* The timer v->startup: those that waited for vrrp_startup_delay start. */
void roster_on_startup(struct loop_timer *, mono_t now);

/* From the running instances to those of v->conf. */
void roster_apply(struct vrrpd *);

struct instance *roster_find(const struct vrrpd *, const char *name);
/* The next after 'from' (NULL: the first) half of a dual-stack instance of that name. */
struct instance *roster_next_half(
    const struct vrrpd *, const char *name, const struct instance *from);

/* Every instance looks at the world again. */
void roster_update(struct vrrpd *);

/* Handlers for struct netlink_events and struct sock_events; aux is the struct vrrpd. */
void roster_on_link(void *aux, const struct netlink_link *, bool gone);
void roster_on_addr(void *aux, const struct netlink_link *, const struct netlink_addr *, bool gone,
    enum netlink_by);
void roster_on_route_gone(void *aux);
void roster_on_settled(void *aux);
void roster_on_rx(void *aux, struct vrrp_sock *, const struct vrrp_rx *);
void roster_on_sent(void *aux, void *tag, int error);
void roster_on_bad(void *aux, struct vrrp_sock *, enum vrrp_pkt_err);

/* The ticks of this wake-up are over: what they posted leaves, and leases are renewed. */
void roster_on_ticked(void *aux, mono_t now);

#endif
