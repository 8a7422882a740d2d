/*
 * dial.c - see dial.h.
 */
#include "proxyd/dial.h"

#include "common/log.h"
#include "common/text.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define SAY_AGAIN_US (60 * USEC_PER_SEC) /* a shortage is told once while it lasts */

struct dial {
	unsigned refs; /* atomic */
	bool keepalive;
	int rcvbuf, sndbuf, user_timeout_ms; /* 0: as the system has it */
	unsigned n_sources;
	struct addr sources[SOURCES_MAX];
};

struct dial *
dial_new(const struct listener_conf *lc)
{
	struct dial *d;

	if (lc->n_sources == 0 && !lc->keepalive && lc->rcvbuf == 0 && lc->sndbuf == 0 &&
	    lc->user_timeout_us == 0)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	d->refs = 1;
	d->keepalive = lc->keepalive;
	d->rcvbuf = (int)lc->rcvbuf;
	d->sndbuf = (int)lc->sndbuf;
	d->user_timeout_ms = (int)MIN(lc->user_timeout_us / USEC_PER_MSEC, INT_MAX);
	d->n_sources = (unsigned)lc->n_sources;
	memcpy(d->sources, lc->sources, sizeof(d->sources));
	return d;
}

void
dial_ref(struct dial *d)
{
	if (d != NULL)
		__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

void
dial_unref(struct dial *d)
{
	if (d != NULL && __atomic_fetch_sub(&d->refs, 1, __ATOMIC_ACQ_REL) == 1)
		free(d);
}

static void
set(int fd, int level, int option, int value)
{
	if (value != 0)
		setsockopt(fd, level, option, &value, sizeof(value));
}

void
dial_prepare(const struct dial *d, int fd)
{
	if (d == NULL)
		return;
	set(fd, SOL_SOCKET, SO_RCVBUF, d->rcvbuf);
	set(fd, SOL_SOCKET, SO_SNDBUF, d->sndbuf);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, d->keepalive);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, d->user_timeout_ms);
}

unsigned
dial_sources(const struct dial *d, int family)
{
	unsigned n = 0;

	for (unsigned i = 0; d != NULL && i < d->n_sources; i++)
		n += d->sources[i].family == family;
	return n > 0 ? n : 1;
}

int
dial_bind(const struct dial *d, int fd, int family, unsigned n)
{
	struct endpoint from = { 0 };
	struct sockaddr_storage sa;
	socklen_t size;
	static const int on = 1;

	for (unsigned i = 0; d != NULL && i < d->n_sources; i++)
		if (d->sources[i].family == family && n-- == 0)
			from.addr = d->sources[i];
	if (from.addr.family == AF_UNSPEC)
		return 0;
	size = endpoint_to_sockaddr(&from, &sa);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&sa, size) < 0 ? -errno : 0;
}

void
dial_say_no_port(const char *server, unsigned n, mono_t now)
{
	static int64_t said_us; /* however many threads feel it */
	int64_t last = __atomic_load_n(&said_us, __ATOMIC_RELAXED);

	if ((last != 0 && now.us - last < SAY_AGAIN_US) ||
	    !__atomic_compare_exchange_n(
		&said_us, &last, now.us, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	log_err(
	    "no local port is left to reach %s from %u local address%s: net.ipv4.ip_local_port_range, "
	    "or more addresses with proxy_bind",
	    server, n, n == 1 ? "" : "es");
}

int
dial_bind_as(const struct endpoint *client, int fd, int family)
{
	static const int on = 1;
	struct endpoint from = { .addr = addr_unmapped(&client->addr), .port = client->port };
	struct sockaddr_storage sa;
	socklen_t size = endpoint_to_sockaddr(&from, &sa);
	int rc;

	if (from.addr.family != family)
		return -EAFNOSUPPORT;
	rc = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on))
				: setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
	/* The client's port may be here twice: its sessions to two addresses, one that ended. */
	if (rc == 0 && from.port != 0)
		rc = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	else if (rc == 0)
		rc = setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (rc < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&sa, size) < 0 ? -errno : 0;
}
