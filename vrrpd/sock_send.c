/*
 * sock_send.c - sending: one message, several in common, announcements; see sock.h.
 * raw(7), ipv6(7), packet(7), sendmmsg(2).
 */
#include "vrrpd/sock_priv.h"

#include "common/text.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A message made ready; not to be moved, it points into itself. */
struct letter {
	struct sockaddr_in6 to; /* or a sockaddr_in */
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))]
	    __attribute__((aligned(8)));
	uint8_t header[VRRP_IP4_HEADER];
	struct iovec iov[2];
	struct msghdr msg;
};

static void
address_ip4(struct letter *l, struct vrrp_sock *s, const struct addr *source,
    const struct addr *destination, uint8_t ttl, const void *message, size_t size)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&l->to;

	if (++s->set->ip_id == 0)
		s->set->ip_id = 1;
	vrrp_pkt_ip4_header(l->header, source, destination, ttl, s->set->ip_id, size);
	*to = (struct sockaddr_in){ .sin_family = AF_INET };
	memcpy(&to->sin_addr, destination->bytes, sizeof(to->sin_addr));
	l->iov[0] = (struct iovec){ l->header, sizeof(l->header) };
	l->iov[1] = (struct iovec){ (void *)message, size };
	l->msg = (struct msghdr){
		.msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = l->iov, .msg_iovlen = 2
	};
}

static void
address_ip6(struct letter *l, struct vrrp_sock *s, const struct addr *source,
    const struct addr *destination, uint8_t ttl, const void *message, size_t size)
{
	struct in6_pktinfo info = { .ipi6_ifindex = (unsigned)s->index };
	const int hops = ttl;
	struct cmsghdr *c;

	l->to = (struct sockaddr_in6){ .sin6_family = AF_INET6,
		.sin6_scope_id = (uint32_t)s->index };
	memcpy(&l->to.sin6_addr, destination->bytes, 16);
	l->iov[0] = (struct iovec){ (void *)message, size };
	l->msg = (struct msghdr){ .msg_name = &l->to,
		.msg_namelen = sizeof(l->to),
		.msg_iov = l->iov,
		.msg_iovlen = 1,
		.msg_control = l->control,
		.msg_controllen = sizeof(l->control) };
	memset(l->control, 0, sizeof(l->control));
	memcpy(&info.ipi6_addr, source->bytes, 16);
	c = CMSG_FIRSTHDR(&l->msg);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	c = CMSG_NXTHDR(&l->msg, c);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(hops));
	memcpy(CMSG_DATA(c), &hops, sizeof(hops));
}

/* 'message' is borrowed until it has been sent. */
static void
address(struct letter *l, struct vrrp_sock *s, const struct addr *source,
    const struct addr *destination, uint8_t ttl, const void *message, size_t size)
{
	if (s->family == AF_INET)
		address_ip4(l, s, source, destination, ttl, message, size);
	else
		address_ip6(l, s, source, destination, ttl, message, size);
}

int
vrrp_sock_send(struct vrrp_sock *s, const struct addr *source, const struct addr *destination,
    uint8_t ttl, const void *message, size_t size)
{
	struct letter l;

	sock_end_storm(s);
	address(&l, s, source, destination, ttl, message, size);
	return sendmsg(s->tx, &l.msg, 0) < 0 ? -errno : 0;
}

/* ---- sending in common ---- */

#define OUTBOX_MAX   64		 /* messages; of most, some dozen bytes */
#define OUTBOX_BYTES (16 * 1024) /* of them together; holds the longest one, too */

static_assert(OUTBOX_BYTES >= VRRP_PKT_MAX, "the longest message fits");

struct outbox {
	unsigned n;
	size_t used;
	struct posted {
		struct vrrp_sock *sock; /* NULL: sent */
		void *tag;
		struct letter letter;
	} posted[OUTBOX_MAX];
	uint8_t bytes[OUTBOX_BYTES];
};

/* In order; what cannot be sent keeps nobody else back. */
static void
send_all(struct vrrp_sock *s, struct mmsghdr *msgs, void *const *tags, unsigned n)
{
	const struct sock_events *events = &s->set->events;
	unsigned done = 0;

	while (done < n) {
		int r = sendmmsg(s->tx, msgs + done, n - done, 0), error = r < 0 ? -errno : 0;
		unsigned served = r > 0 ? (unsigned)r : 1;

		for (; served > 0; served--)
			events->on_sent(events->aux, tags[done++], error);
	}
}

/* All that go out by the socket of the first one. */
static void
send_like(struct outbox *o, unsigned first)
{
	struct vrrp_sock *s = o->posted[first].sock;
	struct mmsghdr msgs[OUTBOX_MAX];
	void *tags[OUTBOX_MAX];
	unsigned n = 0;

	for (unsigned i = first; i < o->n; i++) {
		if (o->posted[i].sock != s)
			continue;
		o->posted[i].sock = NULL;
		tags[n] = o->posted[i].tag;
		msgs[n++] = (struct mmsghdr){ .msg_hdr = o->posted[i].letter.msg };
	}
	send_all(s, msgs, tags, n);
}

void
vrrp_sock_flush(struct sock_set *set)
{
	struct outbox *o = set->outbox;

	if (o == NULL || o->n == 0)
		return;
	for (unsigned i = 0; i < o->n; i++)
		if (o->posted[i].sock != NULL)
			send_like(o, i);
	o->n = 0;
	o->used = 0;
}

void
vrrp_sock_post(struct vrrp_sock *s, const struct addr *source, const struct addr *destination,
    uint8_t ttl, const void *message, size_t size, void *tag)
{
	struct outbox *o = s->set->outbox;
	struct posted *p;

	sock_end_storm(s);
	if (o == NULL)
		o = s->set->outbox = xcalloc(1, sizeof(*o));
	if (o->n == OUTBOX_MAX || o->used + size > sizeof(o->bytes))
		vrrp_sock_flush(s->set);
	memcpy(o->bytes + o->used, message, size);
	p = &o->posted[o->n++];
	p->sock = s;
	p->tag = tag;
	address(&p->letter, s, source, destination, ttl, o->bytes + o->used, size);
	o->used += size;
}

/* ---- announcements ---- */

static struct pace *
pace_of(struct sock_set *set, int index, uint8_t family)
{
	struct pace *p;

	TAILQ_FOREACH (p, &set->paces, entry)
		if (p->index == index && p->family == family)
			return p;
	p = xcalloc(1, sizeof(*p));
	p->index = index;
	p->family = family;
	TAILQ_INSERT_HEAD(&set->paces, p, entry);
	return p;
}

bool
vrrp_sock_pace(struct sock_set *set, const struct netlink_link *link, uint8_t family,
    int64_t interval_us, mono_t now, mono_t *ret_at)
{
	struct pace *p;
	mono_t next;

	if (interval_us == 0)
		return true;
	p = pace_of(set, link->index, family);
	next = mono_add(p->last, interval_us);
	if (p->last.us != 0 && mono_before(now, next)) {
		*ret_at = next;
		return false;
	}
	p->last = now;
	return true;
}

int
vrrp_sock_send_frame(
    struct sock_set *set, const struct netlink_link *link, const void *frame, size_t size)
{
	const struct ether_header *ether = frame;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = ether->ether_type,
		.sll_ifindex = link->index,
		.sll_halen = ETH_ALEN,
	};

	/* Protocol 0: it hears nothing. */
	if (set->packet_fd < 0 &&
	    (set->packet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	memcpy(to.sll_addr, ether->ether_dhost, ETH_ALEN);
	if (sendto(set->packet_fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}
