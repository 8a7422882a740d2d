/*
 * diag.c - see diag.h.
 *
 * With an address the kernel is asked for exactly that socket first: it looks
 * it up as it would for a connection, wildcards and dual-stack sockets
 * included, in some 5 us.  Only when that finds nothing, and for a port at any
 * address, all listeners on the port are listed, one dump for each family,
 * because an exact query misses sockets bound to a device, and a dump of one
 * family misses those of the other that serve it too.
 */
#include "checkd/diag.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BUFFER_SIZE 32768
#define WAIT_S	    1 /* the kernel answers within send(); this only bounds the impossible */

struct diag {
	struct mnl_socket *nl; /* NULL: not open */
	uint32_t seq;
};

struct question {
	const struct endpoint *at;
	bool udp;
	bool found;
};

struct diag *
diag_new(void)
{
	return xcalloc(1, sizeof(struct diag));
}

static void
close_socket(struct diag *d)
{
	if (d->nl != NULL)
		mnl_socket_close(d->nl);
	d->nl = NULL;
}

void
diag_free(struct diag *d)
{
	if (d == NULL)
		return;
	close_socket(d);
	free(d);
}

static int
open_socket(struct diag *d)
{
	const struct timeval wait = { .tv_sec = WAIT_S };

	if (d->nl != NULL)
		return 0;
	d->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (d->nl == NULL)
		return -errno;
	if (mnl_socket_bind(d->nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(d->nl), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) <
		0) {
		int err = -errno;

		close_socket(d);
		return err;
	}
	return 0;
}

/* ---- what comes back ---- */

/* Does a socket bound to this address serve what was asked for? */
static bool
serves(const struct inet_diag_msg *m, const struct addr *want, bool v6only)
{
	struct addr bound = { .family = m->idiag_family };

	memcpy(bound.bytes, m->id.idiag_src, addr_size(&bound));
	if (want->family == AF_UNSPEC || addr_equal(&bound, want))
		return true;
	if (!addr_is_any(&bound))
		return false;
	return bound.family == want->family || (bound.family == AF_INET6 && !v6only);
}

static int
on_attribute(const struct nlattr *attr, void *aux)
{
	bool *v6only = aux;

	if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY &&
	    mnl_attr_get_payload_len(attr) >= sizeof(uint8_t))
		*v6only = mnl_attr_get_u8(attr) != 0;
	return MNL_CB_OK;
}

/* An unconnected UDP socket is in the state that TCP calls closed. */
static int
on_socket(const struct nlmsghdr *h, void *aux)
{
	struct question *q = aux;
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	bool v6only = false;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	mnl_attr_parse(h, sizeof(*m), on_attribute, &v6only);
	if (m->idiag_state == (q->udp ? TCP_CLOSE : TCP_LISTEN) &&
	    ntohs(m->id.idiag_sport) == q->at->port && serves(m, &q->at->addr, v6only))
		q->found = true;
	return MNL_CB_OK;
}

/* ---- asking ---- */

static struct inet_diag_req_v2 *
put_request(char *buf, const struct question *q, uint8_t family, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = seq;
	req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = q->udp ? IPPROTO_UDP : IPPROTO_TCP;
	req->idiag_states = 1u << (q->udp ? TCP_CLOSE : TCP_LISTEN);
	req->id.idiag_sport = htons(q->at->port);
	req->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return req;
}

/* 0, or -errno (-ENOENT: no such socket). */
static int
transact(struct diag *d, const char *request, struct question *q, bool dump)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)request;
	unsigned port = mnl_socket_get_portid(d->nl);
	char buf[BUFFER_SIZE];
	ssize_t n;
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(d->nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(d->nl, buf, sizeof(buf));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		rc = mnl_cb_run(buf, (size_t)n, d->seq, port, on_socket, q);
		if (rc < 0)
			return -errno;
	} while (dump && rc > MNL_CB_STOP);
	return 0;
}

static int
ask_exact(struct diag *d, struct question *q)
{
	char buf[256];
	struct inet_diag_req_v2 *req = put_request(buf, q, q->at->addr.family, 0, ++d->seq);
	int err;

	memcpy(req->id.idiag_src, q->at->addr.bytes, addr_size(&q->at->addr));
	err = transact(d, buf, q, false);
	return err == -ENOENT ? 0 : err;
}

static int
ask_all(struct diag *d, struct question *q, uint8_t family)
{
	char buf[256];

	put_request(buf, q, family, NLM_F_DUMP, ++d->seq);
	return transact(d, buf, q, true);
}

/* A family the kernel does not have has no listeners; but without any, it cannot be asked at all.
 */
static int
ask_families(struct diag *d, struct question *q)
{
	int err = ask_all(d, q, AF_INET), err6 = 0;

	if (err < 0 && err != -ENOENT && err != -EAFNOSUPPORT)
		return err;
	if (!q->found)
		err6 = ask_all(d, q, AF_INET6);
	if (err6 == -ENOENT || err6 == -EAFNOSUPPORT)
		return err;
	return err6;
}

static int
ask(struct diag *d, struct question *q)
{
	int err = 0;

	/* For UDP the exact form means something else (source and destination swapped). */
	if (q->at->addr.family != AF_UNSPEC && !q->udp)
		err = ask_exact(d, q);
	return err == 0 && !q->found ? ask_families(d, q) : err;
}

int
diag_listens(struct diag *d, const struct endpoint *at, bool udp)
{
	struct question q = { .at = at, .udp = udp };
	int err = open_socket(d);

	if (err == 0)
		err = ask(d, &q);
	if (err < 0) {
		close_socket(d); /* whatever is still in it must not answer the next question */
		return err;
	}
	return q.found;
}
