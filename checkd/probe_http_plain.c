/*
 * probe_http_plain.c - http without TLS and redirects over a socket of our own.
 * libcurl takes twice the time of all the system calls of such a run together.
 *
 * The request is given to the kernel right behind connect: to a peer on this
 * host it goes at once, and to others when they answer.
 */
#include "checkd/http.h"
#include "checkd/probe_http.h"
#include "checkd/request.h"
#include "checkd/response.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 4
#define READ_SIZE      16384

struct run {
	struct attempt attempt;
	bool is_again; /* on a connection that was kept: the peer may have closed it */
	size_t sent;   /* of the request; it is said before anything is read */
	struct response response;
};

static struct run *
of(struct attempt *a)
{
	return CONTAINER_OF(a, struct run, attempt);
}

static struct http_plain *
plain_of(struct attempt *a)
{
	return CONTAINER_OF(a->owner, struct http_plain, runs);
}

static const struct check_conf *
conf_of(struct attempt *a)
{
	return a->owner->probe.conf;
}

/* ---- the end of a run ---- */

static void
fail(struct attempt *a, const char *what, int err)
{
	char detail[PROBE_DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s: %s", what, strerror(err));
	attempt_finish(a, attempt_reason(err), detail);
}

static void
finish_broken(struct attempt *a)
{
	struct text detail = { 0 };

	response_explain(&of(a)->response, &detail);
	attempt_finish(a, REASON_PROTOCOL, text_str(&detail));
	text_done(&detail);
}

static void
finish_whole(struct attempt *a)
{
	const struct http_conf *conf = conf_of(a)->http;
	struct http_plain *h = plain_of(a);
	const struct response *r = &of(a)->response;
	const struct http_answer answer = { r->status, text_str(&r->body), r->body.length };
	struct text detail = { 0 };
	enum check_reason reason = http_judge(conf, &answer, &detail);

	if (conf->keep_alive && response_keeps(r)) {
		h->kept = attempt_take_socket(a);
		h->kept_to = a->owner->probe.peer;
	}
	attempt_finish(a, reason, text_str(&detail));
	text_done(&detail);
}

/* ---- the exchange ---- */

static const char *
waiting_for(const struct run *r)
{
	if (r->sent == 0)
		return "no connection";
	return r->response.status != 0 ? "the answer did not end" : "no answer";
}

/* The same run on another connection, within its time. */
static void
connect_anew(struct attempt *a)
{
	struct run *r = of(a);
	const char *what;
	int fd = attempt_connect(&a->owner->probe, SOCK_STREAM, 0, NULL, &what);

	if (fd < 0) {
		fail(a, "connect", -fd);
		return;
	}
	r->is_again = false;
	r->sent = 0;
	attempt_replace_socket(a, fd, UV_WRITABLE);
	a->waiting = waiting_for(r);
}

static void
on_closed(struct attempt *a, bool reset)
{
	struct run *r = of(a);

	if (r->is_again && !response_began(&r->response))
		connect_anew(a); /* it was closed between two runs, when nobody looked */
	else if (response_closed(&r->response, reset) == RESPONSE_WHOLE)
		finish_whole(a);
	else
		finish_broken(a);
}

/* An errno of send or recv: true, the run is over or begins again. */
static bool
on_error(struct attempt *a, int err)
{
	if (err == EAGAIN || err == EINTR)
		return false;
	if (err == ECONNRESET || err == EPIPE)
		on_closed(a, true);
	else
		fail(a, of(a)->sent == 0 ? "connect" : "receive", err);
	return true;
}

/* What of the request is still to be said, as far as it goes now: 0 or an errno. */
static int
send_rest(const struct http_plain *h, int fd, size_t *sent)
{
	ssize_t n = send(
	    fd, h->request + *sent, h->request_size - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno;
	*sent += (size_t)n;
	return 0;
}

static int
events_for(const struct http_plain *h, size_t sent)
{
	return sent == h->request_size ? UV_READABLE : UV_WRITABLE;
}

static void
send_more(struct attempt *a)
{
	struct run *r = of(a);
	int err = send_rest(plain_of(a), a->socket.fd, &r->sent);

	if (err != 0) {
		on_error(a, err);
		return;
	}
	attempt_wait(a, events_for(plain_of(a), r->sent));
	a->waiting = waiting_for(r);
}

static void
receive_more(struct attempt *a)
{
	struct response *r = &of(a)->response;
	char buf[READ_SIZE];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(a->socket.fd, buf, sizeof(buf), MSG_DONTWAIT);
		enum response_state state;

		if (n < 0 && !on_error(a, errno))
			return;
		if (n <= 0) {
			if (n == 0)
				on_closed(a, false);
			return;
		}
		state = response_feed(r, buf, (size_t)n);
		if (state == RESPONSE_WHOLE)
			finish_whole(a);
		else if (state == RESPONSE_BROKEN)
			finish_broken(a);
		if (state != RESPONSE_MORE)
			return;
		a->waiting = waiting_for(of(a));
		if ((size_t)n < sizeof(buf))
			return;
	}
}

static void
on_ready(struct attempt *a, int events)
{
	(void)events; /* an error is told again, and better, by the calls */
	if (of(a)->sent == plain_of(a)->request_size)
		receive_more(a);
	else
		send_more(a);
}

/* ---- the start and the end of a run ---- */

static void
run_done(struct attempt *a)
{
	response_done(&of(a)->response);
}

static const struct attempt_class run_class = { .size = sizeof(struct run),
	.on_ready = on_ready,
	.done = run_done,
	.waiting = "no connection" };

static void
begin_response(struct run *r, const struct http_conf *conf)
{
	response_init(&r->response, conf->method != NULL && strcmp(conf->method, "HEAD") == 0,
	    conf->expect != NULL);
}

/* Nothing came on it: no end, and no word nobody asked for (servers say 408 before they close). */
static bool
is_quiet(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* A connection that may be asked again; -1: none. */
static int
take_kept(struct http_plain *h)
{
	const struct probe *p = &h->runs.probe;
	int fd = h->kept;

	h->kept = -1;
	if (fd >= 0 && (!p->conf->http->keep_alive || !endpoint_equal(&h->kept_to, &p->peer) ||
			   !is_quiet(fd))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
compose(struct http_plain *h)
{
	char agent[HTTP_AGENT_MAX];
	struct text request = { 0 };

	if (h->request != NULL && !h->outdated)
		return;
	free(h->request);
	http_agent(h->runs.probe.conf, agent);
	request_compose(h->runs.probe.conf, agent, &request);
	h->request_size = request.length;
	h->request = text_take(&request);
	h->outdated = false;
}

void
http_plain_start(struct http_plain *h)
{
	struct probe *p = &h->runs.probe;
	mono_t began = loop_now();
	int err, fd = take_kept(h);
	bool is_again = fd >= 0;
	const char *what;
	size_t sent = 0;
	struct attempt *a;

	compose(h);
	if (fd < 0)
		fd = attempt_connect(p, SOCK_STREAM, 0, NULL, &what);
	if (fd < 0) {
		char detail[PROBE_DETAIL_MAX];

		snprintf(detail, sizeof(detail), "connect: %s", strerror(-fd));
		attempt_refuse(p, began, attempt_reason(-fd), detail);
		return;
	}
	err = send_rest(h, fd, &sent);
	a = attempt_begin(p, &run_class, fd, began, events_for(h, sent));
	of(a)->is_again = is_again;
	of(a)->sent = sent;
	begin_response(of(a), p->conf->http);
	a->waiting = waiting_for(of(a));
	if (err != 0)
		on_error(a, err);
}

void
http_plain_init(struct http_plain *h)
{
	h->kept = -1;
}

/* A run that is on says what it began with. */
void
http_plain_rebind(struct http_plain *h)
{
	h->outdated = true;
}

void
http_plain_done(struct http_plain *h)
{
	attempt_probe_done(&h->runs.probe);
	if (h->kept >= 0)
		close(h->kept);
	free(h->request);
}
