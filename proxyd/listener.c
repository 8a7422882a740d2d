/*
 * listener.c - see listener.h.
 */
#include "proxyd/listener.h"

#include "common/mono.h"
#include "common/text.h"
#include "proxyd/dial.h"
#include "proxyd/rules.h"
#include "proxyd/udp_homes.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
	l->threads = xcalloc(n_sockets, sizeof(*l->threads));
	for (size_t i = 0; i < n_sockets; i++) {
		l->fds[i] = -1;
		l->threads[i] = LISTENER_NOBODYS;
	}
	l->n_sockets = listener_is_unix(l) ? MIN(n_sockets, 1) : n_sockets;
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
	free(l->threads);
	free(l->tallies);
	free(l->name);
	free(l->error);
	free(l->upstream);
	rules_unref(l->rules);
	dial_unref(l->dial);
	udp_homes_free(l->homes);
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

/* Options that accepted sockets inherit.  The first that fails: -errno. */
static int
set_tcp_options(const struct listener *l, int fd)
{
	const struct listen_conf *o = &l->options;
	const struct keepalive_conf *k = &o->keepalive;
	const struct {
		int level, option, value;
		bool always; /* 0 is a value too */
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, k->is_on, true },
		{ IPPROTO_TCP, TCP_KEEPIDLE, (int)k->idle_s, false },
		{ IPPROTO_TCP, TCP_KEEPINTVL, (int)k->interval_s, false },
		{ IPPROTO_TCP, TCP_KEEPCNT, (int)k->count, false },
		{ IPPROTO_TCP, TCP_NODELAY, l->tcp_nodelay, true },
		{ IPPROTO_TCP, TCP_FASTOPEN, (int)o->fastopen, false },
		{ IPPROTO_TCP, TCP_DEFER_ACCEPT, o->deferred, true },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT,
		    (int)MIN(l->user_timeout_us / USEC_PER_MSEC, INT_MAX), true },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int rc = options[i].always || options[i].value != 0
			     ? set_option(fd, options[i].level, options[i].option, options[i].value)
			     : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* More than net.core.[rw]mem_max is cut to it by the kernel. */
static int
set_changeable(const struct listener *l, int fd)
{
	const struct listen_conf *o = &l->options;
	int rc = 0;

	if (o->rcvbuf > 0)
		rc = set_option(fd, SOL_SOCKET, SO_RCVBUF, (int)o->rcvbuf);
	if (rc == 0 && o->sndbuf > 0)
		rc = set_option(fd, SOL_SOCKET, SO_SNDBUF, (int)o->sndbuf);
	return rc < 0 || l->udp || listener_is_unix(l) ? rc : set_tcp_options(l, fd);
}

/* listen(2) on a listening socket changes its backlog. */
void
listener_update(struct listener *l, const struct listener_conf *lc)
{
	l->options = lc->listen;
	l->user_timeout_us = lc->user_timeout_us;
	l->tcp_nodelay = lc->tcp_nodelay;
	free(l->upstream);
	l->upstream = xstrdup(lc->upstream != NULL    ? lc->upstream->name
			      : lc->words->pass.n > 0 ? lc->words->pass.text
						      : "(return)");
	rules_unref(l->rules);
	l->rules = rules_new(lc);
	dial_unref(l->dial);
	l->dial = dial_new(lc);
	if (l->state != LISTENER_LISTENING)
		return;
	for (size_t i = 0; i < l->n_sockets; i++) {
		set_changeable(l, l->fds[i]);
		if (!l->udp)
			listen(l->fds[i], (int)l->options.backlog);
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
		rc = v6 ? set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
			: set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return rc == 0 ? set_changeable(l, fd) : rc;
}

/* A file that nobody listens on any more: who made it was killed. */
static bool
is_stale(const struct sockaddr_storage *sa, socklen_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)sa, size) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* Who may connect is for the directory to say, as in nginx. */
static int
bind_unix(int fd, const struct sockaddr_storage *sa, socklen_t size)
{
	const char *path = ((const struct sockaddr_un *)sa)->sun_path;
	int rc = bind(fd, (const struct sockaddr *)sa, size);

	if (rc < 0 && errno == EADDRINUSE && is_stale(sa, size) && unlink(path) == 0)
		rc = bind(fd, (const struct sockaddr *)sa, size);
	if (rc < 0)
		return -errno;
	return chmod(path, 0666) < 0 ? -errno : 0;
}

void
listener_hide(const struct listener *l)
{
	if (listener_is_unix(l) && l->state == LISTENER_LISTENING)
		unlink(l->name + strlen("unix:"));
}

static int
bind_one(struct listener *l, size_t i, const char **ret_what)
{
	struct sockaddr_storage sa;
	socklen_t size = listener_is_unix(l) ? unix_to_sockaddr(l->name, &sa)
					     : endpoint_to_sockaddr(&l->endpoint, &sa);
	int rc;

	*ret_what = "socket";
	l->fds[i] = socket(
	    sa.ss_family, (l->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fds[i] < 0)
		return -errno;
	*ret_what = "setsockopt";
	rc = listener_is_unix(l) ? set_changeable(l, l->fds[i]) : set_options(l, l->fds[i]);
	if (rc < 0)
		return rc;
	*ret_what = "bind";
	if (listener_is_unix(l))
		return bind_unix(l->fds[i], &sa, size);
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
		if (listen(l->fds[i], (int)l->options.backlog) < 0)
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
	l->threads = xreallocarray(l->threads, n, sizeof(*l->threads));
	memcpy(l->fds, fds, n * sizeof(*fds));
	for (size_t i = 0; i < n; i++)
		l->threads[i] = LISTENER_NOBODYS;
	l->n_sockets = n;
	free(l->error);
	l->error = NULL;
	l->state = LISTENER_LISTENING;
}

bool
listener_grow(struct listener *l, size_t n)
{
	size_t before = l->n_sockets;
	const char *what = "";

	if (listener_is_unix(l) || n <= before)
		return false;
	l->fds = xreallocarray(l->fds, n, sizeof(*l->fds));
	l->threads = xreallocarray(l->threads, n, sizeof(*l->threads));
	while (l->n_sockets < n) {
		size_t i = l->n_sockets;

		if (bind_one(l, i, &what) < 0 ||
		    (!l->udp && listen(l->fds[i], (int)l->options.backlog) < 0)) {
			if (l->fds[i] >= 0)
				close(l->fds[i]);
			break;
		}
		l->threads[l->n_sockets++] = LISTENER_NOBODYS;
	}
	return l->n_sockets > before;
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
