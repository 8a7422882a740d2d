/*
 * routing.h - the routes and rules that go with addresses: an instance's
 * (virtual_routes, virtual_rules) while it is master, the node's own (static_*)
 * while we run.
 *
 * All carry VIP_PROTO, so that the next process finds what this one could not
 * take away.  What can be made to end by itself is: an IPv4 route is tied to a
 * VIP as its preferred source where that is on the gateway's subnet (the kernel
 * removes it with the address), an IPv6 route carries the lifetime of the lease.
 * Rules outlive a kill.
 */
#ifndef VRRPD_ROUTING_H
#define VRRPD_ROUTING_H

#include "common/conf/conf.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/netlink.h"

struct routing_item {
	bool is_rule;
	bool no_track; /* its loss is nobody's business */
	bool present;  /* in the kernel, by our hand, as far as we know */
	bool foreign;  /* the same rule by another's hand: left alone */
	bool kept;     /* by the configuration being applied */
	union {
		struct net_route route;
		struct net_rule rule;
	};
};

struct routing_set {
	struct netlink *nl;
	struct log_limit limit;	    /* what fails is tried again and again */
	struct netlink_batch batch; /* used by one call at a time */
};

struct routing {
	struct routing_set *set;
	const char *name;	    /* for log lines; borrowed */
	struct routing_item *items; /* routes first: rules lead to them */
	size_t n;
	int32_t lease_s; /* 0: permanent */
	mono_t tried;
	bool held;
};

struct routing_set *routing_set_new(struct netlink *); /* borrowed */
void routing_set_free(struct routing_set *);	       /* accepts NULL */

void routing_init(struct routing *, struct routing_set *, const char *name);
void routing_done(struct routing *); /* leaves the kernel as it is */

/*
 * What it consists of from now on; while held, what goes is deleted.  'vips':
 * what routes may be tied to.
 */
void routing_configure(struct routing *, const struct routing_conf *, const struct vip_conf *vips,
    size_t n_vips, int32_t lease_s);

/* Add what is missing; how many are not there afterwards, those with no_track left out. */
size_t routing_hold(struct routing *, mono_t now);
/* Delete what is there, rules first. */
void routing_release(struct routing *);

/* With the leases of the addresses: renew, and try again what is missing. */
void routing_renew(struct routing *, mono_t now);

/* Links, addresses or routes have changed: put back what went with them, or by another's hand. */
void routing_again(struct routing *, mono_t now);

size_t routing_n_missing(const struct routing *);

/* A predecessor's are ours, present or not: hold adds, release deletes. */
void routing_adopt(struct routing *);

/* Is that route or rule one of them? */
bool routing_owns(const struct routing *, const struct netlink_own *);

#endif
