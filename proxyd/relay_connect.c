/*
 * relay_connect.c - a session's way to a server, and to the next one
 * (relay_priv.h): sockets, local addresses, what is short here and what is the
 * server's doing.
 */
#include "proxyd/relay_priv.h"

#include "common/text.h"
#include "proxyd/accept.h"
#include "proxyd/dial.h"
#include "proxyd/guest.h"
#include "proxyd/story.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int64_t
us_left(const struct session *s, mono_t now)
{
	if (s->route->next_timeout_us == 0)
		return INT64_MAX;
	return s->route->next_timeout_us - mono_until(s->greeted, now);
}

static bool
may_try_again(const struct session *s, mono_t now)
{
	if (s->attempt == 0)
		return true;
	return (s->route->tries == 0 || s->attempt < s->route->tries) && us_left(s, now) > 0;
}

/* What is short here and no fault of the server (connect(2), socket(2)). */
static bool
is_local_shortage(int error)
{
	switch (error) {
	case EADDRNOTAVAIL: /* no local port left */
	case EAFNOSUPPORT:  /* no transparent bind: said by connect_from() */
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC: /* fs.epoll.max_user_watches */
		return true;
	}
	return false;
}

/*
 * A socket for the server.  A client that was accepted is served even when it
 * took the last descriptor: the spare is for this.
 */
static int
server_socket(struct worker *w, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && accept_use_spare(w))
		fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return fd;
}

/* One socket, from the n-th local address.  As begin_connect. */
static int
connect_from(struct worker *w, struct session *s, unsigned n)
{
	const struct server *to = s->server;
	const struct dial *dial = s->route->dial;
	int fd = server_socket(w, to->sockaddr.ss_family), rc;

	if (fd < 0)
		return -1;
	s->fd[FLOW_SERVER] = fd;
	s->is_unix[FLOW_SERVER] = server_is_unix(to);
	if (dial != NULL) {
		dial_prepare(dial, fd);
		rc = dial_bind(dial, fd, to->sockaddr.ss_family, n);
		if (rc < 0) {
			log_limited(
			    &w->ports_log, w->now, LOG_ERR, "proxy_bind: %s", strerrordesc_np(-rc));
			errno = -rc;
			return -1;
		}
	}
	if (s->guest != NULL && s->guest->transparent && !server_is_unix(to)) {
		struct endpoint as = guest_source(s->guest);

		rc = dial_bind_as(&as, fd, to->sockaddr.ss_family);
		if (rc < 0) {
			log_limited(&w->ports_log, w->now, LOG_ERR, "transparent bind: %s",
			    strerrordesc_np(-rc));
			errno = rc == -EADDRNOTAVAIL ? EADDRNOTAVAIL : EAFNOSUPPORT;
			return -1;
		}
	}
	rc = connect(fd, (const struct sockaddr *)&to->sockaddr, to->sockaddr_size);
	if (rc < 0 && errno == EAGAIN && server_is_unix(to))
		errno = ECONNREFUSED; /* its backlog is full, which is its own affair */
	return rc < 0 && errno != EINPROGRESS ? -1 : rc == 0;
}

/*
 * 0: it is under way; 1: it stands; -1: it failed, errno says how.  Local
 * addresses take turns; one whose ports are used up is followed by the next.
 */
static int
begin_connect(struct worker *w, struct session *s)
{
	unsigned n = dial_sources(s->route->dial, s->server->sockaddr.ss_family);
	unsigned first = n > 1 ? w->next_source++ : 0;
	char address[ENDPOINT_STRLEN];
	int rc = -1;

	for (unsigned i = 0; i < n; i++) {
		rc = connect_from(w, s, (first + i) % n);
		if (rc >= 0 || errno != EADDRNOTAVAIL)
			break;
		relay_close_side(s, FLOW_SERVER, false);
		errno = EADDRNOTAVAIL;
	}
	if (rc < 0 && errno == EADDRNOTAVAIL) {
		dial_say_no_port(server_where(s->server, address), n, w->now);
		errno = EADDRNOTAVAIL;
	}
	return rc < 0 || relay_watch_edges(w, s, FLOW_SERVER) < 0 ? -1 : rc;
}

static void
arm_connect(struct worker *w, struct session *s)
{
	int64_t us = MIN(s->route->connect_timeout_us, us_left(s, w->now));

	s->active = w->now;
	s->connect_deadline = mono_add(w->now, us);
	wheel_set(&w->wheel, &s->timer, s->connect_deadline);
}

/* With it goes what was said to it and was ours (flow.h: the preface). */
static void
drop_server(struct session *s)
{
	relay_unpark(s, FLOW_CLIENT);
	relay_close_side(s, FLOW_SERVER, true);
	relay_release_server(s);
}

/* One more server.  False: wait for what epoll says; true: *ret happened at once. */
bool
relay_connect_next(struct worker *w, struct session *s, struct flow_event *ret)
{
	int rc;

	drop_server(s);
	if (s->attempt == 0)
		s->greeted = w->now;
	if (may_try_again(s, w->now))
		s->server = guest_pick(w, s);
	if (s->server == NULL) {
		story_no_server(w, s);
		*ret = (struct flow_event){ .kind = FLOW_EV_NO_SERVER };
		return true;
	}
	story_tried(w, s);
	tally_add(&s->server->tallies[w->number].sessions, 1);
	if (s->attempt++ == 1)
		tally_add(&s->route->tally->retries, 1);
	rc = begin_connect(w, s);
	if (rc < 0) {
		w->error = errno;
		*ret = is_local_shortage(errno)
			   ? (struct flow_event){ .kind = FLOW_EV_ABORT, .reason = FLOW_RESOURCES }
			   : (struct flow_event){ .kind = FLOW_EV_CONNECT_FAILED };
		return true;
	}
	arm_connect(w, s);
	*ret = (struct flow_event){ .kind = FLOW_EV_CONNECTED };
	return rc == 1;
}

/*
 * In words, for the log and the server's reason.  A server that accepts and
 * resets may have done both before we look: that is no failed connect.
 */
static void
say_failure(struct worker *w, const struct session *s, char *buf, size_t size)
{
	const struct flow *f = &s->flow;
	bool timed_out = f->failure == FLOW_CONNECT_TIMEOUT;

	if (f->phase == FLOW_DONE || f->failure == FLOW_SERVER_RST ||
	    (!timed_out && w->error == ECONNRESET))
		snprintf(buf, size, "reset before its first byte");
	else
		snprintf(
		    buf, size, "connect: %s", strerrordesc_np(timed_out ? ETIMEDOUT : w->error));
}

void
relay_blame(struct worker *w, struct session *s)
{
	struct tally *t = &s->server->tallies[w->number];
	char what[96], address[ENDPOINT_STRLEN];

	say_failure(w, s, what, sizeof(what));
	log_limited(&w->connect_log, w->now, LOG_INFO, "upstream %s: server %s failed: %s",
	    s->server->up->name, server_where(s->server, address), what);
	story_failed(w, s, what);
	tally_add(&s->route->tally->connection_errors, 1);
	tally_add(&t->connection_errors, 1);
	if (s->flow.phase != FLOW_DONE) { /* it ends for this server; end() counts the other case */
		tally_add(&t->reasons[s->flow.failure], 1);
		if (s->flow.failure == FLOW_CONNECT_TIMEOUT) {
			tally_add(&s->route->tally->timeouts, 1);
			tally_add(&t->timeouts, 1);
		}
	}
	server_failed(s->server, what, w->now);
}

/* ---- what becomes of it ---- */

static int
socket_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error != 0 ? error : ECONNRESET;
}

/* True: the connect is decided; *ret is what to feed. */
bool
relay_connect_result(struct worker *w, struct session *s, uint32_t events, struct flow_event *ret)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		w->error = socket_error(s->fd[FLOW_SERVER]);
		*ret = (struct flow_event){ .kind = FLOW_EV_CONNECT_FAILED };
		return true;
	}
	*ret = (struct flow_event){ .kind = FLOW_EV_CONNECTED };
	return (events & EPOLLOUT) != 0;
}
