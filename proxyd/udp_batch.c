/*
 * udp_batch.c - see udp_batch.h.
 */
#include "proxyd/udp_batch.h"

#include "common/text.h"
#include "common/util.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))
#define SEGMENTS_MAX 64 /* UDP_MAX_SEGMENTS of the kernel */
#define SEND_MAX     65000

union control {
	struct cmsghdr align;
	uint8_t bytes[CONTROL_SIZE];
};

struct udp_batch {
	struct udp_datagram datagrams[UDP_BATCH];
	struct mmsghdr messages[UDP_BATCH];
	union control controls[UDP_BATCH];
	unsigned n_used; /* the first ones, by the last call */
	uint8_t *bytes;	 /* UDP_SIZE_MAX for each; pages not touched cost nothing */
};

/* recvmmsg(2) and who looks at a datagram write lengths over what was given. */
static void
reset(struct udp_batch *b, unsigned i)
{
	b->datagrams[i].data = (struct iovec){ b->bytes + (size_t)i * UDP_SIZE_MAX, UDP_SIZE_MAX };
	b->messages[i].msg_hdr = (struct msghdr){
		.msg_name = &b->datagrams[i].from,
		.msg_namelen = UDP_NAME_SIZE,
		.msg_iov = &b->datagrams[i].data,
		.msg_iovlen = 1,
		.msg_control = &b->controls[i],
		.msg_controllen = CONTROL_SIZE,
	};
}

struct udp_batch *
udp_batch_new(void)
{
	struct udp_batch *b = xcalloc(1, sizeof(*b));

	b->bytes = xreallocarray(NULL, UDP_BATCH, UDP_SIZE_MAX);
	for (unsigned i = 0; i < UDP_BATCH; i++)
		reset(b, i);
	return b;
}

void
udp_batch_free(struct udp_batch *b)
{
	if (b == NULL)
		return;
	free(b->bytes);
	free(b);
}

/* ip(7), ipv6(7): IP_PKTINFO, IPV6_RECVPKTINFO. */
static void
read_local(struct msghdr *m, struct udp_local *ret)
{
	struct in_pktinfo v4;

	*ret = (struct udp_local){ .family = AF_UNSPEC };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			ret->family = AF_INET;
			ret->v4 = v4.ipi_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&ret->v6, CMSG_DATA(c), sizeof(ret->v6));
			ret->family = AF_INET6;
			if (!IN6_IS_ADDR_LINKLOCAL(&ret->v6.ipi6_addr))
				ret->v6.ipi6_ifindex = 0;
		}
	}
}

int
udp_batch_receive(struct udp_batch *b, int fd, unsigned max)
{
	int n;

	while (b->n_used > 0)
		reset(b, --b->n_used);
	n = recvmmsg(fd, b->messages, MIN(max, UDP_BATCH), MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	b->n_used = (unsigned)n;
	for (unsigned i = 0; i < (unsigned)n; i++) {
		struct udp_datagram *d = &b->datagrams[i];

		read_local(&b->messages[i].msg_hdr, &d->local);
		d->data.iov_len = b->messages[i].msg_len;
	}
	return n;
}

const struct udp_datagram *
udp_batch_at(const struct udp_batch *b, unsigned i)
{
	return &b->datagrams[i];
}

/* ---- out ---- */

static void
put_control(struct msghdr *m, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)m->msg_control +
						       m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	m->msg_controllen += CMSG_SPACE(size);
}

static void
put_local(struct msghdr *m, const struct udp_local *local)
{
	const struct in_pktinfo v4 = { .ipi_spec_dst = local->v4 };

	if (local->family == AF_INET)
		put_control(m, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	else if (local->family == AF_INET6)
		put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &local->v6, sizeof(local->v6));
}

static int
send_run(const struct udp_peer *peer, struct iovec *iov, unsigned n)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_SIZE + CMSG_SPACE(sizeof(uint16_t))];
	} control = { 0 };
	struct msghdr m = { .msg_name = (void *)(uintptr_t)peer->to,
		.msg_namelen = peer->to_size,
		.msg_iov = iov,
		.msg_iovlen = n,
		.msg_control = &control };
	const uint16_t segment = (uint16_t)iov[0].iov_len;
	struct iovec headed[2] = { { peer->head, peer->head_size }, iov[0] };

	if (peer->head_size > 0) { /* then n is 1 */
		m.msg_iov = headed;
		m.msg_iovlen = 2;
	}
	if (peer->local != NULL)
		put_local(&m, peer->local);
	if (n > 1)
		put_control(&m, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	if (m.msg_controllen == 0)
		m.msg_control = NULL;
	return sendmsg(peer->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* As many as UDP_SEGMENT takes: all of one size, but the last may be smaller. */
static unsigned
run_length(const struct iovec *iov, unsigned n)
{
	size_t total = iov[0].iov_len;
	unsigned run = 1;

	while (run < n && run < SEGMENTS_MAX && iov[run].iov_len > 0 &&
	       iov[run].iov_len <= iov[0].iov_len && total + iov[run].iov_len <= SEND_MAX) {
		total += iov[run].iov_len;
		if (iov[run++].iov_len < iov[0].iov_len)
			break;
	}
	return run;
}

/* Lost here as it would be on the wire. */
static bool
is_drop(int rc)
{
	return rc == -EAGAIN || rc == -EMSGSIZE || rc == -ENOBUFS || rc == -EPERM;
}

unsigned
udp_send(const struct udp_peer *peer, struct iovec *iov, unsigned n, int *ret_error)
{
	bool segmented = peer->head_size == 0;

	for (unsigned done = 0; done < n;) {
		unsigned run = segmented ? run_length(iov + done, n - done) : 1;
		int rc = send_run(peer, iov + done, run);

		/* Larger than the path's MTU, or no checksums by the card: one by one. */
		if (run > 1 && (rc == -EINVAL || rc == -EMSGSIZE || rc == -EIO)) {
			segmented = false;
			continue;
		}
		if (rc < 0 && !is_drop(rc)) {
			*ret_error = rc;
			return done;
		}
		done += run;
	}
	return n;
}
