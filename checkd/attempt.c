/*
 * attempt.c - see attempt.h.
 */
#include "checkd/attempt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct attempt_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct attempt_probe, probe);
}

/* ---- the end of a run ---- */

static void
handle_closed(struct attempt *a)
{
	if (--a->open_handles > 0)
		return;
	close(a->fd);
	free(a);
}

static void
on_poll_closed(uv_handle_t *h)
{
	handle_closed(CONTAINER_OF((uv_poll_t *)h, struct attempt, poll));
}

static void
on_timer_closed(struct loop_timer *t)
{
	handle_closed(CONTAINER_OF(t, struct attempt, timer));
}

static void
attempt_end(struct attempt *a)
{
	a->owner->attempt = NULL;
	a->owner = NULL;
	uv_close((uv_handle_t *)&a->poll, on_poll_closed);
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
on_event(uv_poll_t *poll, int status, int events)
{
	struct attempt *a = CONTAINER_OF(poll, struct attempt, poll);

	/* An error is told again, and better, by the next call on the socket. */
	a->class->on_ready(a, status < 0 ? UV_READABLE | UV_WRITABLE : events);
}

/*
 * After a stall, ours or the machine's, the timer comes first although the
 * answer has been there for long: that is not the peer's failure.
 */
static bool
answered_meanwhile(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd };

	if (a->events & UV_READABLE)
		p.events |= POLLIN;
	if (a->events & UV_WRITABLE)
		p.events |= POLLOUT;
	if (poll(&p, 1, 0) > 0)
		a->class->on_ready(a, a->events);
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
	a->events = events;
	uv_poll_start(&a->poll, events, on_event);
}

struct attempt *
attempt_begin(struct probe *p, const struct attempt_class *class, int fd, mono_t began, int events)
{
	struct attempt *a = xcalloc(1, class->size);

	a->class = class;
	a->owner = of(p);
	a->waiting = class->waiting;
	a->fd = fd;
	a->began = began;
	a->owner->attempt = a;
	a->open_handles = 2;
	uv_poll_init(p->env->loop, &a->poll, fd);
	loop_timer_init(p->env->loop, &a->timer, on_time_over);
	loop_timer_at(&a->timer, mono_add(began, p->conf->timeout_us));
	attempt_wait(a, events);
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

int
attempt_connect(const struct endpoint *peer, int type, int protocol)
{
	struct sockaddr_storage ss;
	socklen_t size = endpoint_to_sockaddr(peer, &ss);
	int fd = socket(ss.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, size) == 0 || errno == EINPROGRESS)
		return fd;
	err = -errno;
	close(fd);
	return err;
}
