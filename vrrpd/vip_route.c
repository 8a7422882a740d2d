/*
 * vip_route.c - see vip_route.h.  ip-route(8); the kernel looks past a route
 * whose time is over at once and removes it within half a minute.
 */
#include "vrrpd/vip_route.h"

static bool
in_prefix(const struct addr *a, const struct addr *b, unsigned length)
{
	for (unsigned bit = 0; bit < length; bit++)
		if ((a->bytes[bit / 8] ^ b->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool
is_link_local(const struct addr *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* A prefix that the kernel itself made a route for, wide enough. */
static bool
covers(const struct netlink_addr *there, const struct netlink_addr *vip)
{
	return there->local.family == AF_INET6 && there->proto != VIP_PROTO &&
	       !(there->flags & IFA_F_NOPREFIXROUTE) &&
	       there->prefix_length <= vip->prefix_length &&
	       in_prefix(&there->local, &vip->local, there->prefix_length);
}

/* The kernel has a route to every link's own fe80::/64, and to a single address: the address. */
static bool
wanted(const struct netlink *nl, const struct vip *vip)
{
	const struct netlink_addr *request = &vip->request, *there;
	const struct netlink_link *link;

	if (request->local.family != AF_INET6 || vip->no_prefix_route ||
	    request->prefix_length == 0 || request->prefix_length >= 128 ||
	    is_link_local(&request->local) ||
	    (link = netlink_link_by_index(nl, request->index)) == NULL)
		return false;
	TAILQ_FOREACH (there, &link->addrs, entry)
		if (covers(there, request))
			return false;
	return true;
}

static struct netlink_route
route_of(const struct vip *vip)
{
	struct netlink_route route = {
		.index = vip->request.index,
		.prefix = vip->request.local,
		.prefix_length = vip->request.prefix_length,
		.proto = VIP_PROTO,
		.metric = VIP_ROUTE_METRIC,
		.expires_s = (uint32_t)vip->lease_s,
	};

	for (unsigned bit = route.prefix_length; bit < 128; bit++)
		route.prefix.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return route;
}

void
vip_route_hold(struct netlink_batch *b, const struct netlink *nl, struct vip *vip)
{
	struct netlink_route route;

	if (!wanted(nl, vip)) {
		vip_route_release(b, vip, false);
		return;
	}
	route = route_of(vip);
	vip->routed = true;
	netlink_batch_add_route(b, &route, NULL);
}

void
vip_route_release(struct netlink_batch *b, struct vip *vip, bool any)
{
	struct netlink_route route;

	if (vip->request.local.family != AF_INET6 || (!vip->routed && !any))
		return;
	route = route_of(vip);
	vip->routed = false;
	netlink_batch_del_route(b, &route, NULL);
}
