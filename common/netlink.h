/*
 * netlink.h - rtnetlink on the libuv loop: a table of links and their addresses
 * kept up to date by the kernel's events, and requests in acknowledged batches.
 *
 * Three sockets: one hears events, one asks, and one asks for what is not to be
 * heard of again (IPv4 only: IPv6's events do not name who caused them).  The kernel works a
 * request off in the sender's context, so its answer is there when the send returns: asking never
 * waits for anything but the kernel's own lock, and results are plain return values.  When events
 * were lost (ENOBUFS) the table is read anew and the differences are reported as if they had been
 * heard.
 *
 * The table is the kernel's truth; nobody else writes it.  Pointers to links
 * and addresses are valid until the loop turns.
 */
#ifndef COMMON_NETLINK_H
#define COMMON_NETLINK_H

#include "common/addr.h"
#include "common/route.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#define NETLINK_FOREVER UINT32_MAX /* a lifetime without end */

struct netlink_addr {
	TAILQ_ENTRY(netlink_addr) entry; /* of a link's table; unused in requests */
	int index;			 /* of the link */
	struct addr local;		 /* the address itself */
	struct addr peer;		 /* of a point-to-point address; AF_UNSPEC: none */
	struct addr broadcast;		 /* AF_UNSPEC: none */
	uint8_t prefix_length;
	uint8_t scope;		       /* RT_SCOPE_* */
	uint8_t proto;		       /* IFA_PROTO; 0: none */
	uint32_t flags;		       /* IFA_F_* */
	uint32_t valid_s, preferred_s; /* NETLINK_FOREVER: permanent */
	uint32_t updated_cs;	       /* IFA_CACHEINFO.tstamp: centiseconds, CLOCK_MONOTONIC */
	char label[IFNAMSIZ];
	bool seen; /* by the dump under way */
};

struct netlink_link {
	TAILQ_ENTRY(netlink_link) entry;
	int index;
	char name[IFNAMSIZ];
	unsigned flags; /* IFF_* */
	unsigned mtu;
	uint8_t mac[6];
	bool has_mac;	/* Ethernet-like: six bytes */
	int master;	/* index of the bond, bridge or VRF it is in; 0: none */
	uint32_t table; /* of a VRF: its routing table; else 0 */
	int parent;	/* index of the link that it is on (VLAN, macvlan); 0: none */
	char kind[16];	/* "vlan", "macvlan", ...; "": hardware, or not told */
	char alias[32]; /* as much of it */
	bool seen;
	TAILQ_HEAD(, netlink_addr) addrs;
};

/* Administratively up, and a carrier. */
bool netlink_link_is_up(const struct netlink_link *);

/* The sender of an event: the kernel by itself (a lifetime ended, a link went), us, or somebody. */
enum netlink_by { NETLINK_BY_KERNEL, NETLINK_BY_US, NETLINK_BY_OTHER };

struct netlink_events {
	/* Appeared or changed as shown below; 'gone': about to leave the table, after its
	 * addresses. */
	void (*on_link)(void *aux, const struct netlink_link *, bool gone);
	/* The same for an address; also called when only its lifetime changed. */
	void (*on_addr)(void *aux, const struct netlink_link *, const struct netlink_addr *,
	    bool gone, enum netlink_by);
	/* A route that carries 'route_proto', or some rule, was deleted, not by us. */
	void (*on_route_gone)(void *aux);
	uint8_t route_proto; /* 0: not interested */
	/*
	 * After some of the above, when what was waiting has been read (or a bounded part of
	 * it): for what depends on the table as a whole.
	 */
	void (*on_settled)(void *aux);
	void *aux;
};

struct netlink;
struct mnl_socket;

/*
 * Subscribes, then reads the whole table before it returns (no events for that
 * part).  'events' is copied.  0 or -errno.
 */
int netlink_new(uv_loop_t *, const struct netlink_events *, struct netlink **ret);
void netlink_free(struct netlink *); /* accepts NULL */

/*
 * Read what has been told but not yet read: after a request, its own outcome.
 * Events are reported as always, before it returns.
 */
void netlink_catch_up(struct netlink *);

const struct netlink_link *netlink_link_by_name(const struct netlink *, const char *name);
const struct netlink_link *netlink_link_by_index(const struct netlink *, int index);
const struct netlink_link *netlink_link_first(const struct netlink *);
const struct netlink_link *netlink_link_next(const struct netlink_link *);

/* The table that routes over the link belong into: main, or that of the VRF it is in. */
uint32_t netlink_table_of(const struct netlink *, const struct netlink_link *);

/* The index of the VRF that the link is in; 0: in none. */
int netlink_vrf_of(const struct netlink *, const struct netlink_link *);

/* On that link, whatever its prefix; NULL: none. */
const struct netlink_addr *netlink_addr_find(
    const struct netlink *, int index, const struct addr *local);

/* ---- requests ---- */

#define NETLINK_BATCH_MAX 64 /* answers must fit the receive buffer together */

struct netlink_batch {
	struct netlink *nl;
	struct mnl_socket *via;
	unsigned n;
	size_t size, last; /* bytes, and where the last request begins */
	uint32_t first;	   /* sequence number of the first request */
	/* The outcome of each request, in order: 0 or -errno. */
	void (*on_result)(void *aux, void *tag, int error);
	void *aux;
	void *tags[NETLINK_BATCH_MAX];
	uint8_t bytes[NETLINK_BATCH_MAX * 192] __attribute__((aligned(8)));
};

/* Sends by itself when full; what is left goes with netlink_batch_send. */
void netlink_batch_begin(struct netlink_batch *, struct netlink *,
    void (*on_result)(void *aux, void *tag, int error), void *aux);

/* After begin: additions of this batch change nothing in the table, and no event tells of them. */
void netlink_batch_unheard(struct netlink_batch *);

enum netlink_add {
	NETLINK_CREATE, /* -EEXIST when it is there */
	NETLINK_RENEW,	/* new lifetimes for one that is there; made when it is not */
	NETLINK_BESIDE, /* a route only: before one of the same destination and metric */
};
void netlink_batch_add_addr(
    struct netlink_batch *, enum netlink_add, const struct netlink_addr *, void *tag);
void netlink_batch_del_addr(struct netlink_batch *, const struct netlink_addr *, void *tag);

/*
 * A route: CREATE fails with -EEXIST where another has its destination and
 * metric, RENEW replaces that one, BESIDE (IPv4) goes before it and fails with
 * -EEXIST only where the very same is there.  expires_s: IPv6 only; 0: never.
 * -ENODEV: nothing was put into the batch, one of its links is not there.
 */
int netlink_batch_add_route(struct netlink_batch *, enum netlink_add, const struct net_route *,
    uint32_t expires_s, void *tag);
int netlink_batch_del_route(struct netlink_batch *, const struct net_route *, void *tag);

/* -EEXIST when there is such a rule, whosever it is. */
void netlink_batch_add_rule(struct netlink_batch *, const struct net_rule *, void *tag);
void netlink_batch_del_rule(struct netlink_batch *, const struct net_rule *, void *tag);

/*
 * Down, without a setting; in that VRF, unless 0.  Of mode "bridge": in the other ones a frame that
 * arrives from its own MAC, which another node may have as well, is kept from
 * the link below.
 */
void netlink_batch_add_macvlan(struct netlink_batch *, const char *name, int parent,
    const uint8_t mac[static 6], int vrf, void *tag);
void netlink_batch_del_link(struct netlink_batch *, const char *name, void *tag);
void netlink_batch_set_up(struct netlink_batch *, const char *name, bool up, void *tag);
void netlink_batch_set_alias(
    struct netlink_batch *, const char *name, const char *alias, void *tag);

/* What is otherwise in /proc/sys/net/ipv4/conf/NAME, by its number (linux/ip.h). */
struct netlink_setting {
	uint16_t which; /* IPV4_DEVCONF_* */
	uint32_t value;
};
void netlink_batch_set_ip4(
    struct netlink_batch *, const char *name, const struct netlink_setting *, size_t n, void *tag);
/* No IPv6 address comes by itself. */
void netlink_batch_set_no_ip6_auto(struct netlink_batch *, const char *name, void *tag);

/*
 * 0 when all were answered; what went wrong with one is in its result.
 * -errno: not sent, or answers lost; those requests got that error as result.
 */
int netlink_batch_send(struct netlink_batch *);

/* ---- what carries our number ---- */

/*
 * Delete every route and rule that carries the number, of any table, unless
 * 'keep' says so.  0, or -errno with as many deleted as could be.
 */
int netlink_remove_own(struct netlink *, uint8_t proto,
    bool (*keep)(void *aux, const struct netlink_own *), void *aux, unsigned *ret_n);

#endif
