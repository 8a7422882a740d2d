/*
 * listener.c - see listener.h.
 */
#include "proxyd/listener.h"

#include "common/text.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *
listener_state_str(enum listener_state state)
{
	static const char *const names[] = {
		[LISTENER_FAILED] = "failed",
		[LISTENER_LISTENING] = "listening",
		[LISTENER_DRAINING] = "draining",
	};

	return names[state];
}

struct listener *
listener_new(const struct listener_conf *lc, size_t n_sockets, size_t n_tallies)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->name = xstrdup(lc->name);
	l->endpoint = lc->endpoint;
	l->udp = lc->udp;
	l->ipv6_only = lc->ipv6_only;
	l->state = LISTENER_FAILED;
	l->error = xstrdup("not tried yet");
	l->fds = xcalloc(n_sockets, sizeof(*l->fds));
	for (size_t i = 0; i < n_sockets; i++)
		l->fds[i] = -1;
	l->n_sockets = n_sockets;
	l->n_tallies = n_tallies;
	l->tallies = tally_new(n_tallies);
	listener_update(l, lc);
	return l;
}

void
listener_close(struct listener *l)
{
	for (size_t i = 0; i < l->n_sockets; i++) {
		if (l->fds[i] >= 0)
			close(l->fds[i]);
		l->fds[i] = -1;
	}
}

void
listener_free(struct listener *l)
{
	listener_close(l);
	free(l->fds);
	free(l->tallies);
	free(l->name);
	free(l->error);
	free(l->upstream);
	rules_unref(l->rules);
	free(l);
}

bool
listener_matches(const struct listener *l, const struct listener_conf *lc)
{
	return l->state != LISTENER_DRAINING && strcmp(l->name, lc->name) == 0 &&
	       endpoint_equal(&l->endpoint, &lc->endpoint) && l->udp == lc->udp &&
	       l->ipv6_only == lc->ipv6_only;
}

static int
set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* listen(2) on a listening socket changes its backlog; accepted sockets inherit TCP_NODELAY. */
void
listener_update(struct listener *l, const struct listener_conf *lc)
{
	l->backlog = lc->backlog;
	l->tcp_nodelay = lc->tcp_nodelay;
	free(l->upstream);
	l->upstream = xstrdup(lc->upstream->name);
	rules_unref(l->rules);
	l->rules = rules_new(lc);
	if (l->state != LISTENER_LISTENING || l->udp)
		return;
	for (size_t i = 0; i < l->n_sockets; i++) {
		set_option(l->fds[i], IPPROTO_TCP, TCP_NODELAY, l->tcp_nodelay);
		listen(l->fds[i], (int)l->backlog);
	}
}

static int
set_options(const struct listener *l, int fd)
{
	bool v6 = l->endpoint.addr.family == AF_INET6;
	int rc = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (rc == 0)
		rc = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (rc == 0 && v6)
		rc = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, l->ipv6_only);
	if (rc == 0) /* ip(7): an address that is not here yet */
		rc = v6 ? set_option(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1)
			: set_option(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (rc == 0 && l->udp) /* the address a datagram came to */
		return v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
			  : set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (rc == 0)
		rc = set_option(fd, IPPROTO_TCP, TCP_NODELAY, l->tcp_nodelay);
	return rc;
}

static int
bind_one(struct listener *l, size_t i, const char **ret_what)
{
	struct sockaddr_storage sa;
	socklen_t size = endpoint_to_sockaddr(&l->endpoint, &sa);
	int rc;

	*ret_what = "socket";
	l->fds[i] = socket(
	    sa.ss_family, (l->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fds[i] < 0)
		return -errno;
	*ret_what = "setsockopt";
	rc = set_options(l, l->fds[i]);
	if (rc < 0)
		return rc;
	*ret_what = "bind";
	return bind(l->fds[i], (struct sockaddr *)&sa, size) < 0 ? -errno : 0;
}

static int
bind_all(struct listener *l, const char **ret_what)
{
	int rc = 0;

	for (size_t i = 0; i < l->n_sockets && rc == 0; i++)
		rc = bind_one(l, i, ret_what);
	if (rc < 0)
		return rc;
	*ret_what = "listen";
	for (size_t i = 0; i < l->n_sockets && !l->udp; i++)
		if (listen(l->fds[i], (int)l->backlog) < 0)
			return -errno;
	return 0;
}

int
listener_bind(struct listener *l)
{
	const char *what = "";
	int rc = bind_all(l, &what);

	free(l->error);
	l->error = rc < 0 ? xasprintf("%s: %s", what, strerrordesc_np(-rc)) : NULL;
	l->state = rc < 0 ? LISTENER_FAILED : LISTENER_LISTENING;
	if (rc < 0)
		listener_close(l);
	return rc;
}

void
listener_take(struct listener *l, const int *fds, size_t n)
{
	listener_close(l);
	l->fds = xreallocarray(l->fds, n, sizeof(*l->fds));
	memcpy(l->fds, fds, n * sizeof(*fds));
	l->n_sockets = n;
	free(l->error);
	l->error = NULL;
	l->state = LISTENER_LISTENING;
}

bool
listener_is_detached(const struct listener *l)
{
	return __atomic_load_n(&l->n_detached, __ATOMIC_ACQUIRE) == l->n_sockets;
}

uint64_t
listener_sessions(const struct listener *l)
{
	struct tally sum = { 0 };

	tally_sum(l->tallies, l->n_tallies, &sum);
	return sum.sessions - tally_ended(&sum);
}
