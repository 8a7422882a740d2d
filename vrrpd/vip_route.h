/*
 * vip_route.h - the route to an IPv6 VIP's own prefix.  Our addresses come
 * without one (IFA_F_NOPREFIXROUTE: a lifetime on a shared prefix would take the
 * node's own route along), so where the node has no address of that prefix the
 * neighbours in it would be out of reach.  Then we add the route ourselves: with
 * our protocol number, a metric of its own so that it never meets another's, and
 * the lifetime of the lease.
 */
#ifndef VRRPD_VIP_ROUTE_H
#define VRRPD_VIP_ROUTE_H

#include "vrrpd/vip.h"

#define VIP_ROUTE_METRIC 1112 /* behind the kernel's 256 and the administrator's 1024 */

/*
 * Into the batch, with a NULL tag: add or renew the route if the VIP, whose
 * request is filled in, needs one; take it away if it no longer does.
 */
void vip_route_hold(struct netlink_batch *, const struct netlink *, struct vip *);

/* ... take it away, if it may be there. */
void vip_route_release(struct netlink_batch *, struct vip *);

/* Is that the route of this VIP? */
bool vip_route_is(const struct netlink *, const struct vip *, const struct netlink_own *);

#endif
