/*
 * netlink_route.c - routes and policy rules: requests, and finding those that
 * carry our protocol number (netlink.h).  Message layout: rtnetlink(7).
 */
#include "common/netlink_priv.h"
#include "common/text.h"

#include <assert.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static_assert(ROUTE_METRICS > RTAX_MAX, "every RTAX_* has its place");

/* Of one request with all that may be in it: the rest is small and of a fixed number. */
#define HOP_MAX	   (sizeof(struct rtnexthop) + 20 + 8 + 20)
#define ROUTE_ROOM (256 + ROUTE_METRICS * 8 + ROUTE_CONGCTL_MAX + ROUTE_HOPS_MAX * HOP_MAX)
#define RULE_ROOM  384

/* ---- routes ---- */

static void
put_via(struct nlmsghdr *nlh, const struct net_route *r, const struct net_hop *hop)
{
	struct rtvia *via;
	uint8_t bytes[sizeof(*via) + sizeof(hop->gateway.bytes)] = { 0 };

	if (hop->gateway.family == AF_UNSPEC)
		return;
	if (hop->gateway.family == r->family) {
		mnl_attr_put(nlh, RTA_GATEWAY, addr_size(&hop->gateway), hop->gateway.bytes);
		return;
	}
	via = (void *)bytes;
	via->rtvia_family = hop->gateway.family;
	memcpy(via->rtvia_addr, hop->gateway.bytes, addr_size(&hop->gateway));
	mnl_attr_put(nlh, RTA_VIA, sizeof(*via) + addr_size(&hop->gateway), bytes);
}

/* 0: whichever; negative: there is no such link now. */
static int
index_of(const struct netlink *nl, const struct net_hop *hop)
{
	const struct netlink_link *link;

	if (hop->index != 0 || hop->device[0] == '\0')
		return hop->index;
	link = netlink_link_by_name(nl, hop->device);
	return link != NULL ? link->index : -ENODEV;
}

static void
put_hops(const struct netlink *nl, struct nlmsghdr *nlh, const struct net_route *r)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);

	for (unsigned i = 0; i < r->n_hops; i++) {
		const struct net_hop *hop = &r->hops[i];
		struct rtnexthop *nh = mnl_nlmsg_put_extra_header(nlh, sizeof(*nh));

		nh->rtnh_ifindex = index_of(nl, hop);
		nh->rtnh_hops = (uint8_t)(hop->weight > 0 ? hop->weight - 1 : 0);
		nh->rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0;
		put_via(nlh, r, hop);
		nh->rtnh_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(nlh) - (char *)nh);
	}
	mnl_attr_nest_end(nlh, nest);
}

static void
put_metrics(struct nlmsghdr *nlh, const struct net_route *r)
{
	struct nlattr *nest = NULL;

	for (uint16_t i = 1; i < ROUTE_METRICS; i++) {
		if (r->metrics[i] == 0)
			continue;
		if (nest == NULL)
			nest = mnl_attr_nest_start(nlh, RTA_METRICS);
		mnl_attr_put_u32(nlh, i, r->metrics[i]);
	}
	if (r->congctl[0] != '\0') {
		if (nest == NULL)
			nest = mnl_attr_nest_start(nlh, RTA_METRICS);
		mnl_attr_put_strz(nlh, RTAX_CC_ALGO, r->congctl);
	}
	if (nest != NULL)
		mnl_attr_nest_end(nlh, nest);
}

static void
put_route(const struct netlink *nl, struct nlmsghdr *nlh, const struct net_route *r)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = r->family;
	rtm->rtm_dst_len = r->prefix_length;
	rtm->rtm_tos = r->tos;
	rtm->rtm_protocol = r->proto;
	rtm->rtm_scope = r->scope;
	rtm->rtm_type = r->type;
	mnl_attr_put_u32(nlh, RTA_TABLE, r->table);
	if (r->prefix_length > 0)
		mnl_attr_put(nlh, RTA_DST, addr_size(&r->prefix), r->prefix.bytes);
	if (r->source.family != AF_UNSPEC)
		mnl_attr_put(nlh, RTA_PREFSRC, addr_size(&r->source), r->source.bytes);
	if (r->metric != 0)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric);
	if (r->has_preference)
		mnl_attr_put_u8(nlh, RTA_PREF, r->preference);
	put_metrics(nlh, r);
	if (r->n_hops > 1) {
		put_hops(nl, nlh, r);
	} else if (r->n_hops == 1) {
		if (r->hops[0].onlink)
			rtm->rtm_flags |= RTNH_F_ONLINK;
		put_via(nlh, r, &r->hops[0]);
		if (index_of(nl, &r->hops[0]) > 0)
			mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)index_of(nl, &r->hops[0]));
	}
}

static bool
links_are_there(const struct netlink *nl, const struct net_route *r)
{
	for (unsigned i = 0; i < r->n_hops; i++)
		if (index_of(nl, &r->hops[i]) < 0)
			return false;
	return true;
}

int
netlink_batch_add_route(struct netlink_batch *b, enum netlink_add how, const struct net_route *r,
    uint32_t expires_s, void *tag)
{
	static const uint16_t flags[] = {
		[NETLINK_CREATE] = NLM_F_CREATE | NLM_F_EXCL,
		[NETLINK_RENEW] = NLM_F_CREATE | NLM_F_REPLACE,
		[NETLINK_BESIDE] = NLM_F_CREATE,
	};
	struct nlmsghdr *nlh;

	if (!links_are_there(b->nl, r))
		return -ENODEV;
	nlh = netlink_request_begin(b, RTM_NEWROUTE, flags[how], ROUTE_ROOM);
	put_route(b->nl, nlh, r);
	if (expires_s != 0)
		mnl_attr_put_u32(nlh, RTA_EXPIRES, expires_s);
	netlink_request_end(b, nlh, tag);
	return 0;
}

int
netlink_batch_del_route(struct netlink_batch *b, const struct net_route *r, void *tag)
{
	struct nlmsghdr *nlh;

	if (!links_are_there(b->nl, r))
		return -ENODEV;
	nlh = netlink_request_begin(b, RTM_DELROUTE, 0, ROUTE_ROOM);
	put_route(b->nl, nlh, r);
	netlink_request_end(b, nlh, tag);
	return 0;
}

/* ---- rules ---- */

static void
put_ports(struct nlmsghdr *nlh, uint16_t type, const struct rule_ports *ports)
{
	struct fib_rule_port_range range = { ports->low, ports->high };

	if (ports->low != 0)
		mnl_attr_put(nlh, type, sizeof(range), &range);
}

static void
put_rule(struct nlmsghdr *nlh, const struct net_rule *r)
{
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));

	frh->family = r->family;
	frh->src_len = r->from_length;
	frh->dst_len = r->to_length;
	frh->tos = r->tos;
	frh->action = r->action;
	frh->flags = r->invert ? FIB_RULE_INVERT : 0;
	if (r->from_length > 0)
		mnl_attr_put(nlh, FRA_SRC, addr_size(&r->from), r->from.bytes);
	if (r->to_length > 0)
		mnl_attr_put(nlh, FRA_DST, addr_size(&r->to), r->to.bytes);
	if (r->iif[0] != '\0')
		mnl_attr_put_strz(nlh, FRA_IIFNAME, r->iif);
	if (r->oif[0] != '\0')
		mnl_attr_put_strz(nlh, FRA_OIFNAME, r->oif);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, r->priority);
	if (r->table != 0)
		mnl_attr_put_u32(nlh, FRA_TABLE, r->table);
	if (r->action == FR_ACT_GOTO)
		mnl_attr_put_u32(nlh, FRA_GOTO, r->target);
	if (r->has_fwmark) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, r->fwmark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, r->fwmask);
	}
	if (r->realms != 0)
		mnl_attr_put_u32(nlh, FRA_FLOW, r->realms);
	if (r->has_suppress_prefix)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, r->suppress_prefix);
	if (r->has_suppress_group)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_IFGROUP, r->suppress_group);
	if (r->tun_id != 0)
		mnl_attr_put_u64(nlh, FRA_TUN_ID, htobe64(r->tun_id));
	if (r->l3mdev)
		mnl_attr_put_u8(nlh, FRA_L3MDEV, 1);
	if (r->has_uid) {
		struct fib_rule_uid_range range = { r->uid_low, r->uid_high };

		mnl_attr_put(nlh, FRA_UID_RANGE, sizeof(range), &range);
	}
	if (r->ip_proto != 0)
		mnl_attr_put_u8(nlh, FRA_IP_PROTO, r->ip_proto);
	put_ports(nlh, FRA_SPORT_RANGE, &r->sport);
	put_ports(nlh, FRA_DPORT_RANGE, &r->dport);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, r->proto);
}

void
netlink_batch_add_rule(struct netlink_batch *b, const struct net_rule *r, void *tag)
{
	struct nlmsghdr *nlh = netlink_request_begin(
	    b, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, RULE_ROOM);

	put_rule(nlh, r);
	netlink_request_end(b, nlh, tag);
}

void
netlink_batch_del_rule(struct netlink_batch *b, const struct net_rule *r, void *tag)
{
	struct nlmsghdr *nlh = netlink_request_begin(b, RTM_DELRULE, 0, RULE_ROOM);

	put_rule(nlh, r);
	netlink_request_end(b, nlh, tag);
}

/* ---- finding what carries our number ---- */

#define ATTRS_MAX 64

struct found {
	TAILQ_ENTRY(found) entry;
	size_t size;
	uint8_t message[] NLMSG_ALIGNED;
};

struct search {
	uint8_t proto;
	bool (*keep)(void *aux, const struct netlink_own *);
	void *aux;
	TAILQ_HEAD(, found) found;
};

static int
note_attr(const struct nlattr *attr, void *aux)
{
	const struct nlattr **attrs = aux;

	if (mnl_attr_get_type(attr) < ATTRS_MAX)
		attrs[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static uint32_t
u32_of(const struct nlattr *attr, uint32_t otherwise)
{
	return attr != NULL && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t)
		   ? mnl_attr_get_u32(attr)
		   : otherwise;
}

static void
addr_of(const struct nlattr *attr, uint8_t family, struct addr *ret)
{
	*ret = (struct addr){ .family = family };
	if (attr != NULL && mnl_attr_get_payload_len(attr) == addr_size(ret))
		memcpy(ret->bytes, mnl_attr_get_payload(attr), addr_size(ret));
}

static bool
read_own_route(const struct nlmsghdr *nlh, uint8_t proto, struct netlink_own *own)
{
	const struct nlattr *attrs[ATTRS_MAX] = { NULL };
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) || rtm->rtm_protocol != proto)
		return false;
	mnl_attr_parse(nlh, sizeof(*rtm), note_attr, attrs);
	*own = (struct netlink_own){ .family = rtm->rtm_family,
		.tos = rtm->rtm_tos,
		.prefix_length = rtm->rtm_dst_len,
		.table = u32_of(attrs[RTA_TABLE], rtm->rtm_table),
		.priority = u32_of(attrs[RTA_PRIORITY], 0) };
	addr_of(attrs[RTA_DST], own->family, &own->prefix);
	return true;
}

static bool
read_own_rule(const struct nlmsghdr *nlh, uint8_t proto, struct netlink_own *own)
{
	const struct nlattr *attrs[ATTRS_MAX] = { NULL };
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*frh))
		return false;
	mnl_attr_parse(nlh, sizeof(*frh), note_attr, attrs);
	if (attrs[FRA_PROTOCOL] == NULL || mnl_attr_get_u8(attrs[FRA_PROTOCOL]) != proto)
		return false;
	*own = (struct netlink_own){ .is_rule = true,
		.family = frh->family,
		.tos = frh->tos,
		.prefix_length = frh->src_len,
		.table = u32_of(attrs[FRA_TABLE], frh->table),
		.priority = u32_of(attrs[FRA_PRIORITY], 0) };
	addr_of(attrs[FRA_SRC], own->family, &own->prefix);
	return true;
}

/* What is not kept is remembered as the kernel words it: that is how it will know it. */
static int
on_found(const struct nlmsghdr *nlh, void *aux)
{
	struct search *s = aux;
	struct netlink_own own;
	struct found *f;
	bool ours = nlh->nlmsg_type == RTM_NEWROUTE  ? read_own_route(nlh, s->proto, &own)
		    : nlh->nlmsg_type == RTM_NEWRULE ? read_own_rule(nlh, s->proto, &own)
						     : false;

	if (!ours || s->keep(s->aux, &own))
		return MNL_CB_OK;
	f = xcalloc(1, sizeof(*f) + nlh->nlmsg_len);
	f->size = nlh->nlmsg_len;
	memcpy(f->message, nlh, f->size);
	TAILQ_INSERT_TAIL(&s->found, f, entry);
	return MNL_CB_OK;
}

/* The kernel itself looks at the number of a route: a router has a million of others. */
static int
ask_for(struct mnl_socket *sock, uint16_t type, uint8_t family, uint32_t sequence, struct search *s)
{
	uint8_t buf[32 * 1024] NLMSG_ALIGNED;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int more = MNL_CB_OK;
	ssize_t n;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = sequence;
	if (type == RTM_GETROUTE) {
		struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

		rtm->rtm_family = family;
		rtm->rtm_protocol = s->proto;
	} else {
		struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));

		frh->family = family;
	}
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		if ((n = mnl_socket_recvfrom(sock, buf, sizeof(buf))) < 0)
			return -errno;
		more = mnl_cb_run(
		    buf, (size_t)n, sequence, mnl_socket_get_portid(sock), on_found, s);
	}
	return more < 0 ? -errno : 0;
}

static int
send_away(struct mnl_socket *sock, struct found *f, uint32_t sequence)
{
	uint8_t buf[8 * 1024] NLMSG_ALIGNED;
	struct nlmsghdr *nlh = (void *)f->message;
	ssize_t n;

	nlh->nlmsg_type = nlh->nlmsg_type == RTM_NEWROUTE ? RTM_DELROUTE : RTM_DELRULE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = sequence;
	nlh->nlmsg_pid = 0;
	if (mnl_socket_sendto(sock, nlh, nlh->nlmsg_len) < 0 ||
	    (n = mnl_socket_recvfrom(sock, buf, sizeof(buf))) < 0 ||
	    mnl_cb_run(buf, (size_t)n, sequence, mnl_socket_get_portid(sock), NULL, NULL) < 0)
		return -errno;
	return 0;
}

int
netlink_remove_own(struct netlink *nl, uint8_t proto,
    bool (*keep)(void *aux, const struct netlink_own *), void *aux, unsigned *ret_n)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} asked[] = { { RTM_GETRULE, AF_INET }, { RTM_GETRULE, AF_INET6 },
		{ RTM_GETROUTE, AF_INET }, { RTM_GETROUTE, AF_INET6 } };
	struct search s = { .proto = proto, .keep = keep, .aux = aux };
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct found *f;
	int one = 1, r = 0, first = 0;

	*ret_n = 0;
	TAILQ_INIT(&s.found);
	if (sock == NULL || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0)
		first = -errno;
	else
		mnl_socket_setsockopt(sock, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	/* A family the kernel was built without is no failure of the others. */
	for (size_t i = 0; first == 0 && i < ARRAY_LEN(asked); i++)
		if ((r = ask_for(sock, asked[i].type, asked[i].family, ++nl->sequence, &s)) != 0 &&
		    r != -EOPNOTSUPP && r != -EAFNOSUPPORT)
			first = r;
	while ((f = TAILQ_FIRST(&s.found)) != NULL) {
		TAILQ_REMOVE(&s.found, f, entry);
		r = send_away(sock, f, ++nl->sequence);
		*ret_n += r == 0;
		if (r != 0 && r != -ESRCH && r != -ENOENT && first == 0)
			first = r;
		free(f);
	}
	if (sock != NULL)
		mnl_socket_close(sock);
	return first;
}
