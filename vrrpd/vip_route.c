/*
 * vip_route.c - see vip_route.h.  ip-route(8); the kernel looks past a route
 * whose time is over at once and removes it within half a minute.
 */
#include "vrrpd/vip_route.h"

#include "vrrpd/owned.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* A prefix that the kernel itself made a route for, wide enough. */
static bool
covers(const struct netlink_addr *there, const struct netlink_addr *vip)
{
	return there->local.family == AF_INET6 && there->proto != VIP_PROTO &&
	       !(there->flags & IFA_F_NOPREFIXROUTE) &&
	       there->prefix_length <= vip->prefix_length &&
	       addr_in_prefix(&there->local, &vip->local, there->prefix_length);
}

/* The kernel has a route to every link's own fe80::/64, and to a single address: the address. */
static bool
wanted(const struct netlink *nl, const struct vip *vip)
{
	const struct netlink_addr *request = &vip->request, *there;
	const struct netlink_link *link;

	if (request->local.family != AF_INET6 || vip->no_prefix_route || vip->ordinary ||
	    request->prefix_length == 0 || request->prefix_length >= 128 ||
	    addr_is_link_local(&request->local) ||
	    (link = netlink_link_by_index(nl, request->index)) == NULL)
		return false;
	TAILQ_FOREACH (there, &link->addrs, entry)
		if (covers(there, request))
			return false;
	return true;
}

static void
route_of(const struct netlink *nl, const struct vip *vip, struct net_route *ret)
{
	const struct netlink_link *link = netlink_link_by_index(nl, vip->request.index);
	uint32_t table = link != NULL ? netlink_table_of(nl, link) : RT_TABLE_MAIN;

	memset(ret, 0, sizeof(*ret));
	ret->family = vip->request.local.family;
	ret->type = RTN_UNICAST;
	ret->prefix = vip->request.local;
	ret->prefix_length = vip->request.prefix_length;
	ret->proto = VIP_PROTO;
	ret->table = table;
	ret->metric = VIP_ROUTE_METRIC;
	ret->n_hops = 1;
	ret->hops[0].index = vip->request.index;
	for (unsigned bit = ret->prefix_length; bit < 128; bit++)
		ret->prefix.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

void
vip_route_hold(struct netlink_batch *b, const struct netlink *nl, struct vip *vip)
{
	struct net_route route;

	if (!wanted(nl, vip)) {
		vip_route_release(b, vip);
		return;
	}
	route_of(nl, vip, &route);
	vip->routed = true;
	netlink_batch_add_route(b, NETLINK_RENEW, &route, (uint32_t)vip->lease_s, NULL);
}

void
vip_route_release(struct netlink_batch *b, struct vip *vip)
{
	struct net_route route;

	if (vip->request.local.family != AF_INET6 || !vip->routed)
		return;
	route_of(b->nl, vip, &route);
	vip->routed = false;
	netlink_batch_del_route(b, &route, NULL);
}

bool
vip_route_is(const struct netlink *nl, const struct vip *vip, const struct netlink_own *own)
{
	struct net_route route;

	if (!vip->routed || own->is_rule)
		return false;
	route_of(nl, vip, &route);
	return owned_is_route(&route, own);
}
