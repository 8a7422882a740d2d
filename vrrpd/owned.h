/*
 * owned.h - what a process that dies leaves of routes and rules: which routes the kernel
 * takes away by itself, and which of those found later are the ones we want.
 */
#ifndef VRRPD_OWNED_H
#define VRRPD_OWNED_H

#include "common/conf/conf.h"
#include "common/route.h"

/*
 * Give an IPv4 route without a source one of the addresses, with which the kernel then
 * takes it away.  Only one on the gateway's subnet, which the kernel might choose as the
 * source anyway: what this node says to that gateway would else come from an address the
 * others cannot answer.  A route that leads nowhere has no source at all: any of them.
 */
void owned_tie(struct net_route *, const struct vip_conf *vips, size_t n);

/* Is what the kernel shows the one that was asked for?  Not everything is shown as written. */
bool owned_is_route(const struct net_route *, const struct netlink_own *);
bool owned_is_rule(const struct net_rule *, const struct netlink_own *);

#endif
