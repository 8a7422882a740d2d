/*
 * netlink.c - the table of links and addresses (netlink.h), kept by the kernel's
 * events.  Message layout: rtnetlink(7), netlink(7).
 */
#include "common/netlink.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/netlink_priv.h"
#include "common/text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define EVENT_BURST  64		   /* messages read per wake-up: other handles get a turn */
#define EVENT_BUFFER (1024 * 1024) /* each renewal of an address is heard as an event */
#define SKIP_MAX     65536	   /* more than the buffer holds */
#define DUMP_TRIES   4		   /* a dump that the table changed under is begun again */
#define ANSWER_WAIT  (5 * 1000)	   /* ms; the answer is there already, or will never be */

/* ---- the table ---- */

bool
netlink_link_is_up(const struct netlink_link *link)
{
	return (link->flags & IFF_UP) && (link->flags & IFF_RUNNING);
}

const struct netlink_link *
netlink_link_first(const struct netlink *nl)
{
	return TAILQ_FIRST(&nl->links);
}

const struct netlink_link *
netlink_link_next(const struct netlink_link *link)
{
	return TAILQ_NEXT(link, entry);
}

static struct netlink_link *
find_link(const struct netlink *nl, int index)
{
	struct netlink_link *link;

	TAILQ_FOREACH (link, &nl->links, entry)
		if (link->index == index)
			return link;
	return NULL;
}

const struct netlink_link *
netlink_link_by_index(const struct netlink *nl, int index)
{
	return find_link(nl, index);
}

const struct netlink_link *
netlink_link_by_name(const struct netlink *nl, const char *name)
{
	const struct netlink_link *link;

	TAILQ_FOREACH (link, &nl->links, entry)
		if (strcmp(link->name, name) == 0)
			return link;
	return NULL;
}

static const struct netlink_link *
vrf_of(const struct netlink *nl, const struct netlink_link *link)
{
	const struct netlink_link *master = link->master != 0 ? find_link(nl, link->master) : NULL;

	return master != NULL && master->table != 0 ? master : NULL;
}

uint32_t
netlink_table_of(const struct netlink *nl, const struct netlink_link *link)
{
	const struct netlink_link *vrf = vrf_of(nl, link);

	return vrf != NULL ? vrf->table : RT_TABLE_MAIN;
}

int
netlink_vrf_of(const struct netlink *nl, const struct netlink_link *link)
{
	const struct netlink_link *vrf = vrf_of(nl, link);

	return vrf != NULL ? vrf->index : 0;
}

const struct netlink_addr *
netlink_addr_find(const struct netlink *nl, int index, const struct addr *local)
{
	const struct netlink_link *link = find_link(nl, index);
	const struct netlink_addr *addr;

	if (link == NULL)
		return NULL;
	TAILQ_FOREACH (addr, &link->addrs, entry)
		if (addr_equal(&addr->local, local))
			return addr;
	return NULL;
}

static void
tell_link(struct netlink *nl, const struct netlink_link *link, bool gone)
{
	nl->changed = true;
	if (!nl->quiet && nl->events.on_link != NULL)
		nl->events.on_link(nl->events.aux, link, gone);
}

static void
tell_addr(struct netlink *nl, const struct netlink_link *link, const struct netlink_addr *addr,
    bool gone, enum netlink_by by)
{
	nl->changed = true;
	if (!nl->quiet && nl->events.on_addr != NULL)
		nl->events.on_addr(nl->events.aux, link, addr, gone, by);
}

/* Told before it is freed, but no longer found. */
static void
remove_addr(
    struct netlink *nl, struct netlink_link *link, struct netlink_addr *addr, enum netlink_by by)
{
	TAILQ_REMOVE(&link->addrs, addr, entry);
	tell_addr(nl, link, addr, true, by);
	free(addr);
}

static void
remove_link(struct netlink *nl, struct netlink_link *link)
{
	while (!TAILQ_EMPTY(&link->addrs))
		remove_addr(nl, link, TAILQ_FIRST(&link->addrs), NETLINK_BY_KERNEL);
	TAILQ_REMOVE(&nl->links, link, entry);
	tell_link(nl, link, true);
	free(link);
}

/* ---- messages into the table ---- */

#define ATTR_MAX 64 /* attribute types above are of no interest here */

struct attrs {
	const struct nlattr *of[ATTR_MAX];
};

static int
note_attr(const struct nlattr *attr, void *aux)
{
	struct attrs *attrs = aux;

	if (mnl_attr_get_type(attr) < ATTR_MAX)
		attrs->of[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static bool
attr_addr(const struct nlattr *attr, uint8_t family, struct addr *ret)
{
	size_t size = family == AF_INET ? 4 : 16;

	if (attr == NULL || mnl_attr_get_payload_len(attr) != size)
		return false;
	*ret = (struct addr){ .family = family };
	memcpy(ret->bytes, mnl_attr_get_payload(attr), size);
	return true;
}

static void
attr_text(const struct nlattr *attr, char *ret, size_t size)
{
	size_t n;

	if (attr == NULL)
		return;
	n = MIN(mnl_attr_get_payload_len(attr), size - 1);
	memset(ret, 0, size);
	memcpy(ret, mnl_attr_get_payload(attr), n);
}

static void
attr_name(const struct nlattr *attr, char ret[static IFNAMSIZ])
{
	attr_text(attr, ret, IFNAMSIZ);
}

/* IFLA_LINKINFO: its kind, and of a VRF its table. */
static void
read_info(struct netlink_link *link, const struct nlattr *info)
{
	const struct nlattr *data = NULL, *attr;

	if (info == NULL)
		return;
	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			attr_text(attr, link->kind, sizeof(link->kind));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			data = attr;
	}
	if (data == NULL || strcmp(link->kind, "vrf") != 0)
		return;
	mnl_attr_for_each_nested(attr, data)
	{
		if (mnl_attr_get_type(attr) == IFLA_VRF_TABLE &&
		    mnl_attr_get_payload_len(attr) >= sizeof(uint32_t))
			link->table = mnl_attr_get_u32(attr);
	}
}

static int
attr_index(const struct nlattr *attr)
{
	return attr != NULL && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t)
		   ? (int)mnl_attr_get_u32(attr)
		   : 0;
}

static void
read_link(struct netlink_link *link, const struct ifinfomsg *ifi, const struct attrs *attrs)
{
	const struct nlattr *mac = attrs->of[IFLA_ADDRESS];

	link->flags = ifi->ifi_flags;
	attr_name(attrs->of[IFLA_IFNAME], link->name);
	if (attrs->of[IFLA_MTU] != NULL)
		link->mtu = mnl_attr_get_u32(attrs->of[IFLA_MTU]);
	link->has_mac = mac != NULL && mnl_attr_get_payload_len(mac) == sizeof(link->mac);
	link->master = attr_index(attrs->of[IFLA_MASTER]);
	link->parent = attr_index(attrs->of[IFLA_LINK]);
	attr_text(attrs->of[IFLA_IFALIAS], link->alias, sizeof(link->alias));
	read_info(link, attrs->of[IFLA_LINKINFO]);
	if (link->has_mac)
		memcpy(link->mac, mnl_attr_get_payload(mac), sizeof(link->mac));
}

static bool
same_link(const struct netlink_link *a, const struct netlink_link *b)
{
	return a->flags == b->flags && a->mtu == b->mtu && a->master == b->master &&
	       a->table == b->table && a->parent == b->parent && strcmp(a->alias, b->alias) == 0 &&
	       a->has_mac == b->has_mac && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static void
on_link_message(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct netlink_link *link = find_link(nl, ifi->ifi_index), before;
	struct attrs attrs = { 0 };

	/* A bridge reports its ports in a family of its own, also when one merely leaves it. */
	if (ifi->ifi_family != AF_UNSPEC)
		return;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		if (link != NULL)
			remove_link(nl, link);
		return;
	}
	mnl_attr_parse(nlh, sizeof(*ifi), note_attr, &attrs);
	if (link == NULL) {
		link = xcalloc(1, sizeof(*link));
		link->index = ifi->ifi_index;
		TAILQ_INIT(&link->addrs);
		TAILQ_INSERT_TAIL(&nl->links, link, entry);
	}
	before = *link;
	link->seen = true;
	read_link(link, ifi, &attrs);
	/* The kernel also tells what is of no interest here, for each of many members at once. */
	if (!same_link(&before, link))
		tell_link(nl, link, false);
}

static enum netlink_by
sent_by(const struct netlink *nl, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_pid == 0)
		return NETLINK_BY_KERNEL;
	if (nlh->nlmsg_pid == mnl_socket_get_portid(nl->asker) ||
	    nlh->nlmsg_pid == mnl_socket_get_portid(nl->unheard))
		return NETLINK_BY_US;
	return NETLINK_BY_OTHER;
}

/* 0, or -EINVAL: no address in it that we understand. */
static int
decode_addr(const struct nlmsghdr *nlh, struct netlink_addr *ret)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct netlink_addr a = { .valid_s = NETLINK_FOREVER, .preferred_s = NETLINK_FOREVER };
	struct attrs attrs = { 0 };
	struct addr address;

	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return -EINVAL;
	mnl_attr_parse(nlh, sizeof(*ifa), note_attr, &attrs);
	if (!attr_addr(attrs.of[IFA_ADDRESS], ifa->ifa_family, &address))
		return -EINVAL;
	/* IFA_LOCAL is the address; IFA_ADDRESS is it too, or a point-to-point peer. */
	if (!attr_addr(attrs.of[IFA_LOCAL], ifa->ifa_family, &a.local))
		a.local = address;
	else if (!addr_equal(&a.local, &address))
		a.peer = address;
	attr_addr(attrs.of[IFA_BROADCAST], ifa->ifa_family, &a.broadcast);
	attr_name(attrs.of[IFA_LABEL], a.label);
	a.index = (int)ifa->ifa_index;
	a.prefix_length = ifa->ifa_prefixlen;
	a.scope = ifa->ifa_scope;
	a.flags = attrs.of[IFA_FLAGS] != NULL ? mnl_attr_get_u32(attrs.of[IFA_FLAGS])
					      : ifa->ifa_flags;
	if (attrs.of[IFA_PROTO] != NULL)
		a.proto = mnl_attr_get_u8(attrs.of[IFA_PROTO]);
	if (attrs.of[IFA_CACHEINFO] != NULL &&
	    mnl_attr_get_payload_len(attrs.of[IFA_CACHEINFO]) >= sizeof(struct ifa_cacheinfo)) {
		const struct ifa_cacheinfo *ci = mnl_attr_get_payload(attrs.of[IFA_CACHEINFO]);

		a.valid_s = ci->ifa_valid;
		a.preferred_s = ci->ifa_prefered;
		a.updated_cs = ci->tstamp;
	}
	*ret = a;
	return 0;
}

/* The kernel tells addresses of one link apart by prefix and peer, too. */
static struct netlink_addr *
find_same(struct netlink_link *link, const struct netlink_addr *a)
{
	struct netlink_addr *addr;

	TAILQ_FOREACH (addr, &link->addrs, entry)
		if (addr_equal(&addr->local, &a->local) &&
		    addr->prefix_length == a->prefix_length && addr_equal(&addr->peer, &a->peer))
			return addr;
	return NULL;
}

static void
on_addr_message(struct netlink *nl, const struct nlmsghdr *nlh)
{
	struct netlink_addr a, *known;
	struct netlink_link *link;

	if (decode_addr(nlh, &a) != 0 || (link = find_link(nl, a.index)) == NULL)
		return;
	known = find_same(link, &a);
	if (nlh->nlmsg_type == RTM_DELADDR) {
		if (known != NULL)
			remove_addr(nl, link, known, sent_by(nl, nlh));
		else /* one of those added unheard */
			tell_addr(nl, link, &a, true, sent_by(nl, nlh));
		return;
	}
	if (known == NULL) {
		known = xcalloc(1, sizeof(*known));
		TAILQ_INSERT_TAIL(&link->addrs, known, entry);
	}
	a.entry = known->entry;
	a.seen = true;
	*known = a;
	tell_addr(nl, link, known, false, sent_by(nl, nlh));
}

static int
on_message(const struct nlmsghdr *nlh, void *aux)
{
	struct netlink *nl = aux;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifinfomsg))
			on_link_message(nl, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(struct ifaddrmsg))
			on_addr_message(nl, nlh);
		break;
	case RTM_DELROUTE: /* filtered: ours */
	case RTM_DELRULE:
		if (sent_by(nl, nlh) != NETLINK_BY_US && nl->events.on_route_gone != NULL) {
			nl->changed = true;
			nl->events.on_route_gone(nl->events.aux);
		}
		break;
	}
	return MNL_CB_OK;
}

/* ---- reading the whole table ---- */

static int
dump_once(struct netlink *nl, uint16_t type, size_t head_size)
{
	uint8_t buf[64 * 1024] NLMSG_ALIGNED; /* the kernel fills what it is given: fewer reads */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	uint32_t sequence = ++nl->sequence;
	unsigned portid = mnl_socket_get_portid(nl->asker);
	ssize_t n;
	int more = MNL_CB_OK;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = sequence;
	mnl_nlmsg_put_extra_header(nlh, head_size);
	if (mnl_socket_sendto(nl->asker, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		if ((n = mnl_socket_recvfrom(nl->asker, buf, sizeof(buf))) < 0)
			return -errno;
		more = mnl_cb_run(buf, (size_t)n, sequence, portid, on_message, nl);
		if (more < 0)
			return -errno; /* EINTR: the table changed while it was read */
	}
	return 0;
}

static int
dump(struct netlink *nl, uint16_t type, size_t head_size)
{
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++)
		r = dump_once(nl, type, head_size);
	return r;
}

static void
unsee(struct netlink *nl)
{
	struct netlink_link *link;
	struct netlink_addr *addr;

	TAILQ_FOREACH (link, &nl->links, entry) {
		link->seen = false;
		TAILQ_FOREACH (addr, &link->addrs, entry)
			addr->seen = false;
	}
}

static void
sweep_addrs(struct netlink *nl, struct netlink_link *link)
{
	struct netlink_addr *addr, *next;

	for (addr = TAILQ_FIRST(&link->addrs); addr != NULL; addr = next) {
		next = TAILQ_NEXT(addr, entry);
		if (!addr->seen)
			remove_addr(nl, link, addr, NETLINK_BY_OTHER);
	}
}

static void
sweep(struct netlink *nl)
{
	struct netlink_link *link, *next;

	for (link = TAILQ_FIRST(&nl->links); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		if (link->seen)
			sweep_addrs(nl, link);
		else
			remove_link(nl, link);
	}
}

/* What the kernel has becomes what the table has; what differs is told. */
static int
read_all(struct netlink *nl)
{
	int r;

	unsee(nl);
	if ((r = dump(nl, RTM_GETLINK, sizeof(struct ifinfomsg))) != 0 ||
	    (r = dump(nl, RTM_GETADDR, sizeof(struct ifaddrmsg))) != 0)
		return r;
	sweep(nl);
	return 0;
}

/* ---- events ---- */

/* Until the queue is empty the kernel drops further events without another word. */
static void
skip_events(struct netlink *nl)
{
	uint8_t byte;
	int fd = mnl_socket_get_fd(nl->listener);

	for (int i = 0; i < SKIP_MAX; i++)
		if (recv(fd, &byte, 1, MSG_TRUNC) < 0 && errno != ENOBUFS && errno != EINTR)
			return;
}

static void
resync(struct netlink *nl)
{
	int r;

	skip_events(nl);
	log_warn("netlink: events were lost, reading all links and addresses anew");
	if ((r = read_all(nl)) != 0)
		log_err("netlink: cannot read links and addresses: %s", strerror(-r));
	if (nl->events.on_route_gone != NULL) /* maybe */
		nl->events.on_route_gone(nl->events.aux);
}

/* False: nothing more to read. */
static bool
read_events(struct netlink *nl)
{
	uint8_t buf[64 * 1024] NLMSG_ALIGNED;
	ssize_t n = mnl_socket_recvfrom(nl->listener, buf, sizeof(buf));

	if (n < 0 && errno == ENOBUFS)
		resync(nl);
	else if (n <= 0)
		return false;
	else
		mnl_cb_run(buf, (size_t)n, 0, 0, on_message, nl);
	return true;
}

void
netlink_catch_up(struct netlink *nl)
{
	for (int i = 0; i < EVENT_BURST && read_events(nl); i++)
		;
	if (nl->changed && nl->events.on_settled != NULL)
		nl->events.on_settled(nl->events.aux);
	nl->changed = false;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct netlink *nl = poll->data;

	(void)events; /* only UV_READABLE is asked for */
	netlink_catch_up(nl);
	/* ENOBUFS shows as POLLERR, after which libuv polls no more. */
	if (status < 0)
		uv_poll_start(&nl->poll, UV_READABLE, on_readable);
}

/* ---- life ---- */

static int
open_asker(struct mnl_socket **ret)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT / 1000 };
	int one = 1;

	if ((*ret = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)) == NULL ||
	    mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* An answer without the request in it: 64 of them fit any buffer. */
	mnl_socket_setsockopt(*ret, NETLINK_CAP_ACK, &one, sizeof(one));
	setsockopt(mnl_socket_get_fd(*ret), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return 0;
}

#define FIRST_ATTR		(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ifaddrmsg)))
#define IN_CACHE(field)		(NLA_HDRLEN + offsetof(struct ifa_cacheinfo, field))

#define JUMP_IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))

/* A = where the attribute begins; 0: it is not there. */
#define FIND_ATTR(type)                                                                            \
	BPF_STMT(BPF_LDX | BPF_IMM, (type)), BPF_STMT(BPF_LD | BPF_IMM, FIRST_ATTR),               \
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR))

/*
 * A thousand addresses renewed each second would wake us a thousand times to
 * tell us so, and a router's table changes all day: what is of no interest stays
 * in the kernel.  Headers are in host order, and filters load in network order.
 *
 * A renewal is known by its sender, or (IPv6's events do not name one) by what it is
 * about: an address with our number and a lifetime, that was not made just now.
 */
static int
filter_events(const struct netlink *nl)
{
	enum { DROP = 29, PASS }; /* the last two */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		JUMP_IF(htons(RTM_NEWADDR), 8 - 2, 0),
		JUMP_IF(htons(RTM_NEWROUTE), DROP - 3, 0),
		JUMP_IF(htons(RTM_NEWRULE), DROP - 4, 0),
		JUMP_IF(htons(RTM_DELROUTE), 0, PASS - 5),
		BPF_STMT(
		    BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol)),
		JUMP_IF(nl->events.route_proto, PASS - 7, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),

		/* 8: an address */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		JUMP_IF(htonl(mnl_socket_get_portid(nl->unheard)), DROP - 10, 0),
		FIND_ATTR(IFA_PROTO),
		JUMP_IF(0, PASS - 14, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, NLA_HDRLEN),
		JUMP_IF(nl->events.route_proto, 0, PASS - 17),
		FIND_ATTR(IFA_CACHEINFO),
		JUMP_IF(0, PASS - 21, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, IN_CACHE(ifa_valid)),
		JUMP_IF(NETLINK_FOREVER, PASS - 24, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, IN_CACHE(cstamp)),
		BPF_STMT(BPF_ST, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, IN_CACHE(tstamp)),
		BPF_STMT(BPF_LDX | BPF_MEM, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, PASS - 29, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	static_assert(ARRAY_LEN(code) == PASS + 1, "the jumps lead where they should");
	return setsockopt(mnl_socket_get_fd(nl->listener), SOL_SOCKET, SO_ATTACH_FILTER, &program,
		   sizeof(program)) == 0
		   ? 0
		   : -errno;
}

static int
open_listener(struct netlink *nl, uv_loop_t *loop)
{
	unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	int size = EVENT_BUFFER, fd;

	if (nl->events.route_proto != 0)
		groups |= RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
			  1u << (RTNLGRP_IPV6_RULE - 1);

	nl->listener = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (nl->listener == NULL || mnl_socket_bind(nl->listener, groups, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(nl->listener);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	uv_poll_init(loop, &nl->poll, fd);
	nl->poll.data = nl;
	return uv_poll_start(&nl->poll, UV_READABLE, on_readable);
}

static void
free_sockets(struct netlink *nl)
{
	if (nl->listener != NULL)
		mnl_socket_close(nl->listener);
	if (nl->asker != NULL)
		mnl_socket_close(nl->asker);
	if (nl->unheard != NULL)
		mnl_socket_close(nl->unheard);
	free(nl);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	free_sockets(handle->data);
}

void
netlink_free(struct netlink *nl)
{
	if (nl == NULL)
		return;
	nl->quiet = true;
	while (!TAILQ_EMPTY(&nl->links))
		remove_link(nl, TAILQ_FIRST(&nl->links));
	if (nl->poll.data != NULL) {
		uv_poll_stop(&nl->poll);
		uv_close((uv_handle_t *)&nl->poll, on_poll_closed);
	} else
		free_sockets(nl);
}

int
netlink_new(uv_loop_t *loop, const struct netlink_events *events, struct netlink **ret)
{
	struct netlink *nl = xcalloc(1, sizeof(*nl));
	int r;

	nl->events = *events;
	TAILQ_INIT(&nl->links);
	nl->quiet = true;
	if ((r = open_asker(&nl->asker)) != 0 || (r = open_asker(&nl->unheard)) != 0 ||
	    (r = open_listener(nl, loop)) != 0 || (r = filter_events(nl)) != 0 ||
	    (r = read_all(nl)) != 0) {
		netlink_free(nl);
		return r;
	}
	nl->quiet = false;
	*ret = nl;
	return 0;
}
