/*
 * sock.c - the sockets' life, what the kernel lets through, and receiving; see sock.h.
 * raw(7), ipv6(7).
 *
 * IPv4 is sent with its own header (IP_HDRINCL), so that source, TTL and the
 * missing DF are what packet.h wrote; received packets carry theirs.  IPv6 has
 * the kernel make the header from ancillary data and report hop limit and
 * destination likewise.
 */
#include "vrrpd/sock_priv.h"

#include "common/loop.h"
#include "common/text.h"
#include "vrrpd/filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECV_BURST  32		  /* packets per wake-up: other handles get a turn */
#define DRAIN_AGAIN USEC_PER_MSEC /* found empty, it is not read again for so long */
#define DRAIN_MAX   4096 /* packets read before a late decision: a flood must not hold it up */
#define RECV_BUFFER (64 * 1024) /* an IP packet has no more */
#define RECV_QUEUE                                                                                 \
	(1024 * 1024) /* of the kernel: some thousand adverts, before good ones are lost */
#define CONTROL_SIZE  256

#define STORM_PACKETS 1000 /* unwanted ones within a second: no reading, but a storm */
#define STORM_LULL_US (10 * USEC_PER_SEC) /* the strict filter stays so long */

struct sock_set *
sock_set_new(uv_loop_t *loop, const struct sock_events *events)
{
	struct sock_set *set = xcalloc(1, sizeof(*set));

	set->loop = loop;
	set->events = *events;
	set->packet_fd = -1;
	set->ip_id = (uint16_t)loop_now().us;
	TAILQ_INIT(&set->socks);
	TAILQ_INIT(&set->paces);
	return set;
}

void
sock_set_free(struct sock_set *set)
{
	if (set == NULL)
		return;
	while (!TAILQ_EMPTY(&set->paces)) {
		struct pace *p = TAILQ_FIRST(&set->paces);

		TAILQ_REMOVE(&set->paces, p, entry);
		free(p);
	}
	if (set->packet_fd >= 0)
		close(set->packet_fd);
	free(set->outbox);
	free(set);
}

int
vrrp_sock_index(const struct vrrp_sock *s)
{
	return s->index;
}

const char *
vrrp_sock_name(const struct vrrp_sock *s)
{
	return s->name;
}

uint8_t
vrrp_sock_family(const struct vrrp_sock *s)
{
	return s->family;
}

uint64_t
vrrp_sock_n_storms(const struct sock_set *set)
{
	return set->n_storms;
}

/* ---- what the kernel lets through ---- */

static void
hear(struct filter_spec *spec, const struct vrrp_wire *wire)
{
	filter_add_vrid(spec, wire->vrid);
	spec->versions |= 1u << wire->version;
	spec->multicast |= !wire->unicast;
	for (size_t i = 0; wire->unicast && i < wire->n_peers; i++)
		filter_add_source(spec, &wire->peers[i]);
}

void
vrrp_sock_refilter(struct vrrp_sock *s)
{
	struct sock_filter code[FILTER_MAX];
	struct filter_spec spec = { 0 };
	struct sock_fprog program = { .filter = code };
	const struct vrrp_ear *ear;

	if (s == NULL)
		return;
	spec.family = s->family;
	spec.strict = !mono_is_never(s->lull);
	TAILQ_FOREACH (ear, &s->ears, entry)
		hear(&spec, ear->wire);
	if (s->set->hear_unknown && !spec.strict)
		memset(spec.vrids, 0xff, sizeof(spec.vrids));
	program.len = (unsigned short)filter_make(&spec, code);
	/* A filter that stays as it was lets too much or too little through for an instance. */
	if (setsockopt(s->rx, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
		log_limited(&s->limit, loop_now(), LOG_ERR,
		    "cannot set the socket filter of %s, going without: %s", s->name,
		    strerror(errno));
		setsockopt(s->rx, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0);
	}
}

void
vrrp_sock_listen(struct vrrp_sock *s, struct vrrp_ear *ear)
{
	TAILQ_INSERT_TAIL(&s->ears, ear, entry);
	vrrp_sock_refilter(s);
}

void
vrrp_sock_unlisten(struct vrrp_sock *s, struct vrrp_ear *ear)
{
	if (s == NULL)
		return;
	TAILQ_REMOVE(&s->ears, ear, entry);
	vrrp_sock_refilter(s);
}

static void
begin_storm(struct vrrp_sock *s, mono_t now)
{
	s->set->n_storms++;
	s->lull = mono_add(now, STORM_LULL_US);
	log_limited(&s->limit, now, LOG_WARNING,
	    "%s: more than %d VRRP packets in a second that nobody here can act upon: what the "
	    "socket filter knows of them is dropped for %d s and not counted",
	    s->name, STORM_PACKETS, (int)(STORM_LULL_US / USEC_PER_SEC));
	vrrp_sock_refilter(s);
}

void
vrrp_sock_unwanted(struct vrrp_sock *s)
{
	mono_t now;

	if (s->n_unwanted++ == 0 && mono_is_never(s->lull))
		s->since = loop_now();
	if (s->n_unwanted < STORM_PACKETS || !mono_is_never(s->lull))
		return;
	now = loop_now();
	s->n_unwanted = 0;
	if (mono_until(s->since, now) <= USEC_PER_SEC)
		begin_storm(s, now);
}

void
sock_end_storm(struct vrrp_sock *s)
{
	if (mono_is_never(s->lull) || mono_before(loop_now(), s->lull))
		return;
	s->lull = MONO_NEVER;
	s->n_unwanted = 0;
	vrrp_sock_refilter(s);
}

/* ---- receiving ---- */

static void
note_control(struct msghdr *msg, struct vrrp_rx *rx)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&rx->ttl, CMSG_DATA(c), sizeof(rx->ttl));
		if (c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			rx->destination.family = AF_INET6;
			memcpy(rx->destination.bytes, &info.ipi6_addr, 16);
		}
	}
}

static void
deliver(struct vrrp_sock *s, struct msghdr *msg, const uint8_t *bytes, size_t size)
{
	const struct sock_events *events = &s->set->events;
	struct vrrp_rx rx = { .ttl = -1, .bytes = bytes, .size = size };
	enum vrrp_pkt_err err;

	if (s->family == AF_INET6) {
		const struct sockaddr_in6 *from = msg->msg_name;

		rx.source.family = AF_INET6;
		memcpy(rx.source.bytes, &from->sin6_addr, 16);
		note_control(msg, &rx);
	} else if ((err = vrrp_pkt_ip4(bytes, size, &rx)) != VRRP_PKT_OK) {
		events->on_bad(events->aux, s, err);
		return;
	}
	events->on_rx(events->aux, s, &rx);
}

/* False: nothing is waiting. */
static bool
receive_one(struct vrrp_sock *s)
{
	static uint8_t buf[RECV_BUFFER]; /* one loop, one packet at a time */
	struct sockaddr_in6 from = { 0 };
	uint8_t control[CONTROL_SIZE] __attribute__((aligned(8)));
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(s->rx, &msg, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR;
	deliver(s, &msg, buf, (size_t)n);
	return true;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct vrrp_sock *s = poll->data;

	(void)events; /* only UV_READABLE is asked for */
	sock_end_storm(s);
	s->uses++; /* a packet may end the instance that holds it */
	for (int i = 0; i < RECV_BURST && receive_one(s); i++)
		;
	/* An error on the socket (a link that went) shows as POLLERR, after which libuv polls no
	 * more. */
	if (status < 0)
		uv_poll_start(&s->poll, UV_READABLE, on_readable);
	vrrp_sock_put(s);
}

void
vrrp_sock_drain(struct vrrp_sock *s)
{
	int i = 0;

	if (mono_until(s->empty, loop_now()) < DRAIN_AGAIN)
		return;
	s->uses++;
	while (i < DRAIN_MAX && receive_one(s))
		i++;
	if (i < DRAIN_MAX)
		s->empty = loop_now();
	vrrp_sock_put(s);
}

/* ---- opening ---- */

static int
set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int
bind_device(const struct vrrp_sock *s, int fd)
{
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, s->name, (socklen_t)strlen(s->name)) != 0)
		return -errno;
	return 0;
}

static int
open_ip4(struct vrrp_sock *s)
{
	int r;

	s->rx = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, VRRP_IP_PROTOCOL);
	if (s->rx < 0 ||
	    (s->tx = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW)) < 0)
		return -errno;
	/* IPPROTO_RAW receives nothing and implies IP_HDRINCL. */
	if ((r = bind_device(s, s->rx)) != 0 || (r = bind_device(s, s->tx)) != 0 ||
	    (r = set_int(s->rx, IPPROTO_IP, IP_MULTICAST_ALL, 0)) != 0 ||
	    (r = set_int(s->tx, IPPROTO_IP, IP_MULTICAST_LOOP, 0)) != 0)
		return r;
	return 0;
}

static int
open_ip6(struct vrrp_sock *s)
{
	static const struct {
		int name, value;
	} options[] = {
		{ IPV6_MULTICAST_LOOP, 0 },
		{ IPV6_MULTICAST_ALL, 0 },
		{ IPV6_MULTICAST_HOPS, VRRP_IP_TTL },
		{ IPV6_UNICAST_HOPS, VRRP_IP_TTL },
		{ IPV6_TCLASS, VRRP_IP_TOS },
		{ IPV6_RECVPKTINFO, 1 },
		{ IPV6_RECVHOPLIMIT, 1 },
		{ IPV6_MULTICAST_IF, -1 },
	};
	int r;

	s->rx = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, VRRP_IP_PROTOCOL);
	if (s->rx < 0)
		return -errno;
	s->tx = s->rx;
	if ((r = bind_device(s, s->rx)) != 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int value = options[i].name == IPV6_MULTICAST_IF ? s->index : options[i].value;

		if ((r = set_int(s->rx, IPPROTO_IPV6, options[i].name, value)) != 0)
			return r;
	}
	return 0;
}

/*
 * A raw socket hears all links from its first moment: nothing, until it is bound
 * to its own, and what came before that is thrown away.
 */
static void
deafen(struct vrrp_sock *s)
{
	uint8_t byte;

	vrrp_sock_refilter(s);
	while (recv(s->rx, &byte, 1, MSG_DONTWAIT) >= 0 || errno == EINTR)
		;
}

static void
enlarge_queue(const struct vrrp_sock *s)
{
	if (set_int(s->rx, SOL_SOCKET, SO_RCVBUFFORCE, RECV_QUEUE) != 0)
		set_int(s->rx, SOL_SOCKET, SO_RCVBUF, RECV_QUEUE);
}

static void
close_fds(struct vrrp_sock *s)
{
	if (s->tx >= 0 && s->tx != s->rx)
		close(s->tx);
	if (s->rx >= 0)
		close(s->rx);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	struct vrrp_sock *s = handle->data;

	close_fds(s);
	free(s);
}

static int
open_sock(
    struct sock_set *set, const struct netlink_link *link, uint8_t family, struct vrrp_sock **ret)
{
	struct vrrp_sock *s = xcalloc(1, sizeof(*s));
	int r;

	s->set = set;
	s->family = family;
	s->index = link->index;
	s->rx = s->tx = -1;
	s->lull = MONO_NEVER;
	TAILQ_INIT(&s->ears);
	memcpy(s->name, link->name, sizeof(s->name));
	if ((r = family == AF_INET ? open_ip4(s) : open_ip6(s)) != 0 ||
	    (r = uv_poll_init(set->loop, &s->poll, s->rx)) != 0) {
		close_fds(s);
		free(s);
		return r;
	}
	enlarge_queue(s);
	deafen(s);
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_readable);
	TAILQ_INSERT_TAIL(&set->socks, s, entry);
	*ret = s;
	return 0;
}

int
vrrp_sock_get(
    struct sock_set *set, const struct netlink_link *link, uint8_t family, struct vrrp_sock **ret)
{
	struct vrrp_sock *s;
	int r;

	TAILQ_FOREACH (s, &set->socks, entry)
		if (s->index == link->index && s->family == family &&
		    strcmp(s->name, link->name) == 0)
			break;
	if (s == NULL && (r = open_sock(set, link, family, &s)) != 0)
		return r;
	s->uses++;
	*ret = s;
	return 0;
}

void
vrrp_sock_put(struct vrrp_sock *s)
{
	if (s == NULL || --s->uses > 0)
		return;
	vrrp_sock_flush(s->set);
	TAILQ_REMOVE(&s->set->socks, s, entry);
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
}

int
vrrp_sock_join(struct vrrp_sock *s, const struct addr *group)
{
	struct group_req request = { .gr_interface = (uint32_t)s->index };
	struct endpoint ep = { .addr = *group };
	int level = s->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;

	endpoint_to_sockaddr(&ep, &request.gr_group);
	if (setsockopt(s->rx, level, MCAST_JOIN_GROUP, &request, sizeof(request)) != 0 &&
	    errno != EADDRINUSE)
		return -errno;
	return 0;
}

/* IPv4 takes any address of the node; IPv6 wants a link-local one of the link itself. */
void
vrrp_sock_borrow_source(struct vrrp_sock *s)
{
	if (s->family == AF_INET6 && set_int(s->tx, IPPROTO_IPV6, IPV6_FREEBIND, 1) != 0)
		log_warn("%s: adverts cannot be sent from the address of another link: %s", s->name,
		    strerror(errno));
}

void
sock_set_hear_unknown(struct sock_set *set, bool on)
{
	struct vrrp_sock *s;

	if (set->hear_unknown == on)
		return;
	set->hear_unknown = on;
	TAILQ_FOREACH (s, &set->socks, entry)
		vrrp_sock_refilter(s);
}
