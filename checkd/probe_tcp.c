/*
 * probe_tcp.c - connects, optionally says something and waits for an answer.
 *
 * A connection that was only made is reset, not closed: so many checks leave no
 * TIME_WAIT behind, and there was nothing to lose.  After an exchange it is
 * closed the ordinary way.
 */
#include "checkd/expect.h"
#include "checkd/probe.h"
#include "common/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 4

enum phase { CONNECTING, SENDING, EXPECTING };

/* One run: apart from the probe, because libuv closes its handles after the run is over. */
struct attempt {
	struct tcp_probe *owner; /* NULL: the run is over */
	int fd;
	enum phase phase;
	size_t sent;
	mono_t began;
	struct expect
	    *expect; /* NULL: nothing is expected yet; it is large, and connects are many */
	uv_poll_t poll;
	struct loop_timer timer;
	unsigned open_handles;
};

struct tcp_probe {
	struct probe probe;
	struct attempt *attempt; /* NULL: no run is on */
};

static struct tcp_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct tcp_probe, probe);
}

/* ---- the end of a run ---- */

static void
handle_closed(struct attempt *a)
{
	if (--a->open_handles > 0)
		return;
	close(a->fd);
	free(a->expect);
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

static void
report(struct tcp_probe *p, enum check_reason reason, int64_t duration_us, const char *detail)
{
	const struct probe_result result = {
		.reason = reason, .duration_us = duration_us, .detail = detail
	};

	p->probe.events.on_result(p->probe.events.aux, &result);
}

static void
finish(struct attempt *a, enum check_reason reason, const char *detail)
{
	struct tcp_probe *p = a->owner;
	int64_t duration = mono_until(a->began, loop_now());

	attempt_end(a);
	report(p, reason, duration, detail);
}

static enum check_reason
reason_of_connect(int err)
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
	case EACCES: /* a firewall's answer (ICMP prohibited) */
		return REASON_UNREACHABLE;
	default:
		return REASON_SYSTEM;
	}
}

static void
describe_connect(int err, char *buf, size_t size)
{
	snprintf(buf, size, "connect: %s", strerror(err));
}

/* ---- the exchange ---- */

static void
reset_instead_of_close(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* Connected, and what was to be said is said. */
static void
begin_expecting(struct attempt *a)
{
	const struct check_conf *conf = a->owner->probe.conf;

	if (conf->expect == NULL) {
		finish(a, REASON_OK, "");
		return;
	}
	a->phase = EXPECTING;
	a->expect = xcalloc(1, sizeof(*a->expect));
	if (conf->expect_regex)
		expect_init_regex(a->expect, conf->expect, conf->expect_ignore_case);
	else
		expect_init(a->expect, conf->expect, conf->expect_size);
}

static void
send_more(struct attempt *a)
{
	const struct check_conf *conf = a->owner->probe.conf;
	char detail[PROBE_DETAIL_MAX];
	ssize_t n = send(
	    a->fd, conf->send + a->sent, conf->send_size - a->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		snprintf(detail, sizeof(detail), "send: %s", strerror(errno));
		finish(a, REASON_PROTOCOL, detail);
		return;
	}
	a->sent += (size_t)n;
	if (a->sent == conf->send_size)
		begin_expecting(a);
}

static void
on_connected(struct attempt *a)
{
	const struct check_conf *conf = a->owner->probe.conf;
	char detail[PROBE_DETAIL_MAX];
	socklen_t size = sizeof(int);
	int err = 0;

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
		err = errno;
	if (err != 0) {
		describe_connect(err, detail, sizeof(detail));
		finish(a, reason_of_connect(err), detail);
		return;
	}
	if (conf->send != NULL && conf->send_size > 0) {
		a->phase = SENDING;
		send_more(a);
		return;
	}
	if (conf->expect == NULL)
		reset_instead_of_close(a->fd);
	begin_expecting(a);
}

static void
unexpected(struct attempt *a, const char *what)
{
	char detail[PROBE_DETAIL_MAX];

	if (a->expect->shown[0] != '\0')
		snprintf(detail, sizeof(detail), "%s; got \"%s\"", what, a->expect->shown);
	else
		snprintf(detail, sizeof(detail), "%s", what);
	finish(a, REASON_PROTOCOL, detail);
}

static void
receive_more(struct attempt *a)
{
	char buf[4096];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			unexpected(a, n < 0 ? "connection reset before the expected answer"
					    : "connection closed before the expected answer");
			return;
		}
		switch (expect_feed(a->expect, buf, (size_t)n)) {
		case EXPECT_FOUND:
			finish(a, REASON_OK, "");
			return;
		case EXPECT_NEVER:
			unexpected(a, "the expected answer did not come");
			return;
		case EXPECT_MORE:
			break;
		}
	}
}

/* ---- events ---- */

static void on_event(uv_poll_t *, int status, int events);

static void
listen_for_phase(struct attempt *a)
{
	uv_poll_start(&a->poll, a->phase == EXPECTING ? UV_READABLE : UV_WRITABLE, on_event);
}

/* True: the run is over. */
static bool
step(struct attempt *a)
{
	if (a->phase == CONNECTING)
		on_connected(a);
	else if (a->phase == SENDING)
		send_more(a);
	else
		receive_more(a);
	if (a->owner == NULL)
		return true;
	listen_for_phase(a);
	return false;
}

static void
on_event(uv_poll_t *handle, int status, int events)
{
	(void)status; /* an error is told again, and better, by the calls of the step */
	(void)events;
	step(CONTAINER_OF(handle, struct attempt, poll));
}

/* After a stall of ours the timer comes first, although the socket has been ready for long. */
static bool
ended_meanwhile(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = a->phase == EXPECTING ? POLLIN : POLLOUT };

	return poll(&p, 1, 0) > 0 && step(a);
}

static void
on_time_over(struct loop_timer *t, mono_t now)
{
	struct attempt *a = CONTAINER_OF(t, struct attempt, timer);
	char detail[PROBE_DETAIL_MAX];

	(void)now;
	if (ended_meanwhile(a))
		return;
	snprintf(detail, sizeof(detail), "timeout after %.3g s: %s",
	    (double)a->owner->probe.conf->timeout_us / 1e6,
	    a->phase == CONNECTING ? "no connection" : "no expected answer");
	finish(a, REASON_TIMEOUT, detail);
}

/* ---- the start of a run ---- */

/* A connected or connecting socket, or -errno. */
static int
open_and_connect(const struct endpoint *to)
{
	struct sockaddr_storage ss;
	socklen_t size = endpoint_to_sockaddr(to, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, size) == 0 || errno == EINPROGRESS)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void
start(struct probe *probe)
{
	struct tcp_probe *p = of(probe);
	mono_t now = loop_now();
	int fd = open_and_connect(&probe->peer);
	struct attempt *a;

	if (fd < 0) {
		char detail[PROBE_DETAIL_MAX];

		describe_connect(-fd, detail, sizeof(detail));
		report(p, reason_of_connect(-fd), mono_until(now, loop_now()), detail);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->owner = p;
	a->fd = fd;
	a->began = now;
	p->attempt = a;
	a->open_handles = 2;
	uv_poll_init(probe->env->loop, &a->poll, fd);
	loop_timer_init(probe->env->loop, &a->timer, on_time_over);
	loop_timer_at(&a->timer, mono_add(now, probe->conf->timeout_us));
	listen_for_phase(a);
}

static void
rebind(struct probe *probe)
{
	struct attempt *a = of(probe)->attempt;

	if (a != NULL && a->phase == EXPECTING)
		a->expect->want = probe->conf->expect;
}

static void
done(struct probe *probe)
{
	if (of(probe)->attempt != NULL)
		attempt_end(of(probe)->attempt);
}

const struct probe_class probe_tcp = {
	.size = sizeof(struct tcp_probe),
	.start = start,
	.rebind = rebind,
	.done = done,
};
