/*
 * ask.c - see ask.h.
 */
#include "checkd/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 16 /* others have a turn, even if somebody floods us */

struct ask {
	struct attempt attempt;
	const struct ask_class *class;
	struct ask_token token;
};

static struct ask *
of(struct attempt *a)
{
	return CONTAINER_OF(a, struct ask, attempt);
}

/* True: it was an answer, and the run is over. */
static bool
judge(struct ask *q, const uint8_t *bytes, size_t size)
{
	const struct probe *p = &q->attempt.owner->probe;
	struct text detail = { 0 };
	enum ask_answer answer = q->class->judge(p, &q->token, bytes, size, &detail);

	if (answer != ASK_NOT_OURS)
		attempt_finish(&q->attempt, answer == ASK_GOOD ? REASON_OK : REASON_PROTOCOL,
		    text_str(&detail));
	text_done(&detail);
	return answer != ASK_NOT_OURS;
}

static void
on_ready(struct attempt *a, int events)
{
	static uint8_t buf[ASK_ANSWER_MAX];

	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(a->socket.fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* an ICMP error came back */
			attempt_finish(a, attempt_reason(errno), strerror(errno));
			return;
		}
		if (judge(of(a), buf, (size_t)n))
			return;
	}
}

static const struct attempt_class ask_attempt = {
	.size = sizeof(struct ask), .on_ready = on_ready, .waiting = "no answer"
};

static void
fail(struct probe *p, const struct ask_class *class, mono_t began, const char *what, int err)
{
	char detail[PROBE_DETAIL_MAX];

	if (class->explain == NULL || !class->explain(what, err, detail, sizeof(detail)))
		snprintf(detail, sizeof(detail), "%s: %s", what, strerror(err));
	attempt_refuse(p, began, attempt_reason(err), detail);
}

void
ask_start(struct probe *p, const struct ask_class *class)
{
	mono_t began = loop_now();
	uint8_t buf[ASK_SIZE_MAX];
	struct ask_token token;
	struct attempt *a;
	size_t size;
	const char *what;
	int fd = attempt_connect(p, class->type,
	    p->peer.addr.family == AF_INET6 ? class->protocol6 : class->protocol4, NULL, &what);

	if (fd < 0) {
		fail(p, class, began, what, -fd);
		return;
	}
	if (getrandom(&token, sizeof(token), GRND_NONBLOCK) < 0)
		memset(&token, 0, sizeof(token));
	size = class->write(p, &token, buf);
	if (send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		int err = errno;

		close(fd);
		fail(p, class, began, "send", err);
		return;
	}
	a = attempt_begin(p, &ask_attempt, fd, began, UV_READABLE);
	of(a)->class = class;
	of(a)->token = token;
}
