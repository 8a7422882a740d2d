/*
 * attempt.c - see attempt.h.
 */
#include "checkd/attempt.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct attempt_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct attempt_probe, probe);
}

/* ---- the end of a run ---- */

static void
on_timer_closed(struct loop_timer *t)
{
	free(CONTAINER_OF(t, struct attempt, timer));
}

static void
attempt_end(struct attempt *a)
{
	struct probe *p = &a->owner->probe;

	a->owner->attempt = NULL;
	a->owner = NULL;
	poller_close(p->env->poller, &a->socket);
	if (a->class->done != NULL)
		a->class->done(a);
	loop_timer_close(&a->timer, on_timer_closed);
}

void
attempt_refuse(struct probe *p, mono_t began, enum check_reason reason, const char *detail)
{
	const struct probe_result result = {
		.reason = reason, .duration_us = mono_until(began, loop_now()), .detail = detail
	};

	p->events.on_result(p->events.aux, &result);
}

void
attempt_finish(struct attempt *a, enum check_reason reason, const char *detail)
{
	struct probe *p = &a->owner->probe;
	mono_t began = a->began;

	attempt_end(a);
	attempt_refuse(p, began, reason, detail);
}

void
attempt_probe_done(struct probe *p)
{
	if (of(p)->attempt != NULL)
		attempt_end(of(p)->attempt);
}

/* ---- events ---- */

static void
on_event(struct polled *socket, int events)
{
	struct attempt *a = CONTAINER_OF(socket, struct attempt, socket);

	a->class->on_ready(a, events);
}

/*
 * After a stall, ours or the machine's, the timer comes first although the
 * answer has been there for long: that is not the peer's failure.
 */
static bool
answered_meanwhile(struct attempt *a)
{
	struct pollfd p = { .fd = a->socket.fd };

	if (a->socket.events & UV_READABLE)
		p.events |= POLLIN;
	if (a->socket.events & UV_WRITABLE)
		p.events |= POLLOUT;
	if (poll(&p, 1, 0) > 0)
		a->class->on_ready(a, a->socket.events);
	return a->owner == NULL;
}

static void
on_time_over(struct loop_timer *t, mono_t now)
{
	struct attempt *a = CONTAINER_OF(t, struct attempt, timer);
	char detail[PROBE_DETAIL_MAX];

	(void)now;
	if (answered_meanwhile(a))
		return;
	if (a->class->on_late != NULL) {
		a->class->on_late(a);
		return;
	}
	snprintf(detail, sizeof(detail), "timeout after %.3g s: %s",
	    (double)a->owner->probe.conf->timeout_us / 1e6, a->waiting);
	attempt_finish(a, REASON_TIMEOUT, detail);
}

/* ---- the start of a run ---- */

void
attempt_wait(struct attempt *a, int events)
{
	poller_change(a->owner->probe.env->poller, &a->socket, events);
}

int
attempt_take_socket(struct attempt *a)
{
	return poller_take(a->owner->probe.env->poller, &a->socket);
}

static void
watch(struct attempt *a, int fd, int events)
{
	a->socket.fd = fd;
	if (poller_add(a->owner->probe.env->poller, &a->socket, events) < 0)
		loop_timer_at(&a->timer, loop_now()); /* no memory for it: it is looked at once */
}

void
attempt_replace_socket(struct attempt *a, int fd, int events)
{
	poller_close(a->owner->probe.env->poller, &a->socket);
	watch(a, fd, events);
}

struct attempt *
attempt_begin(struct probe *p, const struct attempt_class *class, int fd, mono_t began, int events)
{
	struct attempt *a = xcalloc(1, class->size);

	a->class = class;
	a->owner = of(p);
	a->waiting = class->waiting;
	a->began = began;
	a->owner->attempt = a;
	loop_timer_init(p->env->loop, &a->timer, on_time_over);
	loop_timer_at(&a->timer, mono_add(began, p->conf->timeout_us));
	a->socket.on_ready = on_event;
	watch(a, fd, events);
	return a;
}

enum check_reason
attempt_reason(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return REASON_REFUSED;
	case ETIMEDOUT:
		return REASON_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
	case EPERM:
	case EACCES: /* a firewall's answer (ICMP prohibited) */
		return REASON_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return REASON_PROTOCOL;
	default:
		return REASON_SYSTEM;
	}
}

/*
 * The next run uses the same port to the same peer: a reset at the end of this
 * one, so that no TIME_WAIT holds the pair of them.
 */
static void
free_port_at_the_end(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
}

bool
attempt_source(const struct probe *p, struct sockaddr_storage *ss, socklen_t *ret_size)
{
	const struct check_conf *conf = p->conf;
	struct endpoint from = { .addr = conf->bind_to, .port = conf->bind_port };

	if (from.addr.family == AF_UNSPEC && from.port == 0)
		return false;
	if (from.addr.family == AF_UNSPEC)
		from.addr.family = p->peer.addr.family;
	*ret_size = endpoint_to_sockaddr(&from, ss);
	return true;
}

/* keepalived's bindto, bind_if and bind_port: where its packets come from. */
static const char *
set_source(int fd, int type, const struct probe *p)
{
	const struct check_conf *conf = p->conf;
	struct sockaddr_storage ss;
	socklen_t size;

	if (conf->bind_if != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, conf->bind_if,
					 (socklen_t)strlen(conf->bind_if)) < 0)
		return "bind_if";
	if (!attempt_source(p, &ss, &size))
		return NULL;
	if (conf->bind_port == 0) /* chosen with the peer: as many as there are, for each peer */
		setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	else if (type == SOCK_STREAM)
		free_port_at_the_end(fd);
	if (bind(fd, (struct sockaddr *)&ss, size) == 0)
		return NULL;
	return conf->bind_port != 0 ? "bind_port" : "bindto";
}

int
attempt_connect(
    const struct probe *p, int type, int protocol, void (*tune)(int fd), const char **ret_what)
{
	struct sockaddr_storage ss;
	socklen_t size = endpoint_to_sockaddr(&p->peer, &ss);
	int fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int err;

	*ret_what = "socket";
	if (fd < 0)
		return -errno;
	if (tune != NULL)
		tune(fd);
	*ret_what = set_source(fd, type, p);
	if (*ret_what == NULL) {
		*ret_what = "connect";
		if (connect(fd, (struct sockaddr *)&ss, size) == 0 || errno == EINPROGRESS)
			return fd;
	}
	err = -errno;
	close(fd);
	return err;
}

int
attempt_connected(const struct attempt *a)
{
	socklen_t size = sizeof(int);
	int err = 0;

	return getsockopt(a->socket.fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 ? errno : err;
}
