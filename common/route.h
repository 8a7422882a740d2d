/*
 * route.h - a route and a policy rule as values: what the configuration says and
 * what netlink.h asks of the kernel.  Zeroed is "not given" for every field, and
 * two that say the same are the same bytes (memset before filling in).  Pure.
 */
#ifndef COMMON_ROUTE_H
#define COMMON_ROUTE_H

#include "common/addr.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define ROUTE_HOPS_MAX	  16 /* of one multipath route; as many as people balance over */
#define ROUTE_METRICS	  18 /* indexed by RTAX_*, RTAX_LOCK being the mask of the locked ones */
#define ROUTE_CONGCTL_MAX 16 /* TCP_CA_NAME_MAX */

struct net_hop {
	int index;	       /* of the link; 0: by its name */
	char device[IFNAMSIZ]; /* "": the kernel finds it by the gateway */
	struct addr gateway;   /* may be IPv6 for an IPv4 route; AF_UNSPEC: on the link itself */
	uint16_t weight;       /* 1..256; 0: 1 */
	bool onlink;	       /* the gateway is there, whatever the addresses say */
};

struct net_route {
	uint8_t family, type; /* RTN_*; never RTN_UNSPEC */
	uint8_t scope;	      /* RT_SCOPE_*; IPv4 */
	uint8_t tos, proto;   /* RTPROT_* */
	uint8_t prefix_length;
	struct addr prefix; /* its family is set for a default route, too */
	struct addr source; /* preferred; AF_UNSPEC: none */
	uint32_t table;	    /* never 0 */
	uint32_t metric;    /* 0: the kernel's default */
	uint8_t preference; /* RFC 4191, as RTA_PREF; IPv6 */
	bool has_preference;
	uint32_t metrics[ROUTE_METRICS];
	char congctl[ROUTE_CONGCTL_MAX];
	uint8_t n_hops; /* 0: of a type that leads nowhere */
	struct net_hop hops[ROUTE_HOPS_MAX];
};

struct rule_ports {
	uint16_t low, high; /* 0: any */
};

struct net_rule {
	uint8_t family, action; /* FR_ACT_* */
	uint8_t tos, proto;	/* RTPROT_* */
	uint8_t from_length, to_length;
	struct addr from, to;	   /* AF_UNSPEC: any */
	uint32_t table;		   /* of FR_ACT_TO_TBL; 0 beside l3mdev */
	uint32_t priority, target; /* target: of FR_ACT_GOTO */
	uint32_t fwmark, fwmask;
	uint32_t realms;
	uint32_t uid_low, uid_high;
	uint64_t tun_id;
	uint32_t suppress_prefix, suppress_group;
	struct rule_ports sport, dport;
	uint8_t ip_proto;
	bool has_fwmark, has_uid, has_suppress_prefix, has_suppress_group;
	bool invert, l3mdev;
	char iif[IFNAMSIZ], oif[IFNAMSIZ];
};

/* A route or rule, as far as it tells it apart from others. */
struct netlink_own {
	bool is_rule;
	uint8_t family, tos;
	uint8_t prefix_length;	  /* of a rule: of its 'from' */
	struct addr prefix;	  /* family set, all zero: none */
	uint32_t table, priority; /* priority: a route's metric */
};

#endif
