/*
 * owned.c - see owned.h.
 */
#include "vrrpd/owned.h"

#include <sys/socket.h>

void
owned_tie(struct net_route *r, const struct vip_conf *vips, size_t n)
{
	if (r->family != AF_INET || r->source.family != AF_UNSPEC || r->n_hops > 1)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct vip_conf *vip = &vips[i];

		if (vip->addr.family != AF_INET || vip->is_static)
			continue;
		if (r->n_hops == 0 ||
		    (r->hops[0].gateway.family == AF_INET && vip->prefix_length < 32 &&
			addr_in_prefix(&r->hops[0].gateway, &vip->addr, vip->prefix_length))) {
			r->source = vip->addr;
			return;
		}
	}
}

/* A metric that was not written is the kernel's to choose. */
bool
owned_is_route(const struct net_route *r, const struct netlink_own *own)
{
	return r->family == own->family && r->table == own->table && r->tos == own->tos &&
	       r->prefix_length == own->prefix_length && addr_equal(&r->prefix, &own->prefix) &&
	       (r->metric == own->priority || (r->metric == 0 && r->family == AF_INET6));
}

bool
owned_is_rule(const struct net_rule *r, const struct netlink_own *own)
{
	return r->family == own->family && r->priority == own->priority &&
	       r->from_length == own->prefix_length && r->tos == own->tos &&
	       (r->table == own->table || own->table == 0 || r->table == 0) &&
	       (r->from_length == 0 || addr_equal(&r->from, &own->prefix));
}
