/*
 * probe_smtp.c - a mail server that greets and answers EHLO (smtp.h).
 */
#include "checkd/attempt.h"
#include "checkd/smtp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 4

struct dialog {
	struct attempt attempt;
	bool connected;
	struct smtp smtp;
};

static struct dialog *
of(struct attempt *a)
{
	return CONTAINER_OF(a, struct dialog, attempt);
}

/* ---- steps: true when the run is over ---- */

/* A few bytes into an empty socket buffer: all of them or an error. */
static bool
say(struct attempt *a, const char *line)
{
	ssize_t n = send(a->socket.fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	char detail[PROBE_DETAIL_MAX];

	if (n == (ssize_t)strlen(line) || of(a)->smtp.phase == SMTP_QUIT)
		return false;
	snprintf(detail, sizeof(detail), "send: %s", n < 0 ? strerror(errno) : "it does not read");
	attempt_finish(a, REASON_PROTOCOL, detail);
	return true;
}

static bool
say_ehlo(struct attempt *a)
{
	char host[HOST_NAME_MAX + 1], line[HOST_NAME_MAX + 16];

	if (gethostname(host, sizeof(host)) < 0 || host[0] == '\0')
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	snprintf(line, sizeof(line), "EHLO %s\r\n", host);
	return say(a, line);
}

static bool
perform(struct attempt *a, enum smtp_step next)
{
	struct smtp *s = &of(a)->smtp;

	a->waiting = smtp_waiting(s);
	switch (next) {
	case SMTP_MORE:
		return false;
	case SMTP_SAY_EHLO:
		return say_ehlo(a);
	case SMTP_SAY_QUIT:
		return say(a, "QUIT\r\n");
	case SMTP_UP:
		attempt_finish(a, REASON_OK, "");
		return true;
	case SMTP_DOWN:
		attempt_finish(a, REASON_PROTOCOL, s->why);
		return true;
	}
	return false;
}

static bool
feed(struct attempt *a, const char *bytes, size_t size)
{
	while (size > 0) {
		size_t used;
		enum smtp_step next = smtp_feed(&of(a)->smtp, bytes, size, &used);

		if (perform(a, next))
			return true;
		bytes += used;
		size -= used;
	}
	return false;
}

static void
receive(struct attempt *a)
{
	char buf[4096];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(a->socket.fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			perform(a, smtp_closed(&of(a)->smtp));
			return;
		}
		if (feed(a, buf, (size_t)n))
			return;
	}
}

/* ---- events ---- */

static void
on_ready(struct attempt *a, int events)
{
	char detail[PROBE_DETAIL_MAX];
	int err;

	(void)events;
	if (of(a)->connected) {
		receive(a);
		return;
	}
	err = attempt_connected(a);
	if (err != 0) {
		snprintf(detail, sizeof(detail), "connect: %s", strerror(err));
		attempt_finish(a, attempt_reason(err), detail);
		return;
	}
	of(a)->connected = true;
	a->waiting = smtp_waiting(&of(a)->smtp);
	attempt_wait(a, UV_READABLE);
}

/* It answered EHLO; whether it says good-bye is its own affair. */
static void
on_late(struct attempt *a)
{
	char detail[PROBE_DETAIL_MAX];

	if (of(a)->smtp.phase == SMTP_QUIT) {
		attempt_finish(a, REASON_OK, "");
		return;
	}
	snprintf(detail, sizeof(detail), "timeout after %.3g s: %s",
	    (double)a->owner->probe.conf->timeout_us / 1e6, a->waiting);
	attempt_finish(a, REASON_TIMEOUT, detail);
}

static const struct attempt_class dialog_class = { .size = sizeof(struct dialog),
	.on_ready = on_ready,
	.on_late = on_late,
	.waiting = "no connection" };

static void
start(struct probe *p)
{
	mono_t began = loop_now();
	const char *what;
	int fd = attempt_connect(p, SOCK_STREAM, 0, NULL, &what);
	char detail[PROBE_DETAIL_MAX];

	if (fd >= 0) {
		attempt_begin(p, &dialog_class, fd, began, UV_WRITABLE);
		return;
	}
	snprintf(detail, sizeof(detail), "%s: %s", what, strerror(-fd));
	attempt_refuse(p, began, attempt_reason(-fd), detail);
}

const struct probe_class probe_smtp = {
	.size = sizeof(struct attempt_probe),
	.start = start,
	.done = attempt_probe_done,
};
