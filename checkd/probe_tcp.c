/*
 * probe_tcp.c - connects, optionally says something and waits for an answer.
 *
 * A connection that is only made is reset, and where the kernel lets us in
 * answer to the peer's SYN-ACK: so many checks leave no TIME_WAIT behind, no
 * line in the server's log, and there was nothing to lose.  After an exchange
 * it is closed the ordinary way.
 */
#include "checkd/attempt.h"
#include "checkd/expect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READS_PER_TURN 4

enum phase { CONNECTING, SENDING, EXPECTING };

struct exchange {
	struct attempt attempt;
	enum phase phase;
	size_t sent;
	struct expect
	    *expect; /* NULL: nothing is expected yet; it is large, and connects are many */
};

static struct exchange *
of(struct attempt *a)
{
	return CONTAINER_OF(a, struct exchange, attempt);
}

static const struct check_conf *
conf_of(const struct attempt *a)
{
	return a->owner->probe.conf;
}

/* ---- the exchange ---- */

/* Connected, and what was to be said is said. */
static void
begin_expecting(struct attempt *a)
{
	const struct check_conf *conf = conf_of(a);
	struct expect *e;

	if (conf->expect == NULL) {
		attempt_finish(a, REASON_OK, "");
		return;
	}
	of(a)->phase = EXPECTING;
	of(a)->expect = e = xcalloc(1, sizeof(*e));
	if (conf->expect_regex)
		expect_init_regex(e, conf->expect, conf->expect_ignore_case);
	else
		expect_init(e, conf->expect, conf->expect_size);
	a->waiting = "no expected answer";
	attempt_wait(a, UV_READABLE);
}

static void
send_more(struct attempt *a)
{
	const struct check_conf *conf = conf_of(a);
	char detail[PROBE_DETAIL_MAX];
	size_t sent = of(a)->sent;
	ssize_t n = send(
	    a->socket.fd, conf->send + sent, conf->send_size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		snprintf(detail, sizeof(detail), "send: %s", strerror(errno));
		attempt_finish(a, REASON_PROTOCOL, detail);
		return;
	}
	of(a)->sent += (size_t)n;
	if (of(a)->sent == conf->send_size)
		begin_expecting(a);
}

static void
on_connected(struct attempt *a)
{
	const struct check_conf *conf = conf_of(a);
	char detail[PROBE_DETAIL_MAX];
	int err = attempt_connected(a);

	if (err != 0) {
		snprintf(detail, sizeof(detail), "connect: %s", strerror(err));
		attempt_finish(a, attempt_reason(err), detail);
	} else if (conf->send != NULL && conf->send_size > 0) {
		of(a)->phase = SENDING;
		a->waiting = "no expected answer";
		send_more(a);
	} else {
		begin_expecting(a);
	}
}

static void
unexpected(struct attempt *a, const char *what)
{
	const struct expect *e = of(a)->expect;
	char detail[PROBE_DETAIL_MAX];

	if (e->shown[0] != '\0')
		snprintf(detail, sizeof(detail), "%s; got \"%s\"", what, e->shown);
	else
		snprintf(detail, sizeof(detail), "%s", what);
	attempt_finish(a, REASON_PROTOCOL, detail);
}

static void
receive_more(struct attempt *a)
{
	char buf[4096];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(a->socket.fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			unexpected(a, n < 0 ? "connection reset before the expected answer"
					    : "connection closed before the expected answer");
			return;
		}
		switch (expect_feed(of(a)->expect, buf, (size_t)n)) {
		case EXPECT_FOUND:
			attempt_finish(a, REASON_OK, "");
			return;
		case EXPECT_NEVER:
			unexpected(a, "the expected answer did not come");
			return;
		case EXPECT_MORE:
			break;
		}
	}
}

static void
on_ready(struct attempt *a, int events)
{
	(void)events; /* an error is told again, and better, by the calls */
	switch (of(a)->phase) {
	case CONNECTING:
		on_connected(a);
		break;
	case SENDING:
		send_more(a);
		break;
	case EXPECTING:
		receive_more(a);
		break;
	}
}

/* ---- the start and the end of a run ---- */

/*
 * The last ACK of the handshake waits, and the close sends a reset instead of
 * it: the peer's kernel has answered, and its program is not disturbed.
 */
static void
only_connect(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){ 0 }, sizeof(int));
}

static void
exchange_done(struct attempt *a)
{
	free(of(a)->expect);
}

static const struct attempt_class exchange_class = { .size = sizeof(struct exchange),
	.on_ready = on_ready,
	.done = exchange_done,
	.waiting = "no connection" };

static void
start(struct probe *p)
{
	const struct check_conf *conf = p->conf;
	bool talks = conf->send != NULL || conf->expect != NULL;
	mono_t began = loop_now();
	char detail[PROBE_DETAIL_MAX];
	const char *what;
	int fd = attempt_connect(p, SOCK_STREAM, 0, talks ? NULL : only_connect, &what);

	if (fd >= 0) {
		attempt_begin(p, &exchange_class, fd, began, UV_WRITABLE);
		return;
	}
	snprintf(detail, sizeof(detail), "%s: %s", what, strerror(-fd));
	attempt_refuse(p, began, attempt_reason(-fd), detail);
}

static void
rebind(struct probe *p)
{
	struct attempt *a = CONTAINER_OF(p, struct attempt_probe, probe)->attempt;

	if (a != NULL && of(a)->phase == EXPECTING)
		of(a)->expect->want = p->conf->expect;
}

const struct probe_class probe_tcp = {
	.size = sizeof(struct attempt_probe),
	.start = start,
	.rebind = rebind,
	.done = attempt_probe_done,
};
