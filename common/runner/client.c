/*
 * client.c - see client.h.
 *
 * A request is asked (sent on the present connection) or waits to be.  Its
 * deadline is that of the state it is in: while it waits, how long it may wait
 * for a runner; once asked, when the runner is no longer believed to live.  One
 * timer serves all of them.
 */
#include "common/runner/client.h"

#include "common/log.h"
#include "common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_US	 (100 * USEC_PER_MSEC) /* between attempts to connect */
#define PATIENCE_US	 (5 * USEC_PER_SEC)    /* beyond the time limit: grace, a busy machine */
#define ANSWERS_PER_TURN 64

struct request {
	TAILQ_ENTRY(request) entry;
	uint64_t id;
	char *message; /* encoded; NULL: it was refused by encoding */
	size_t size;
	bool asked, again;
	bool lost; /* it was asked, and the runner went away */
	int64_t timeout_us;
	mono_t deadline; /* of the state it is in */
	void (*on_result)(void *, const struct runner_result *);
	void *aux;
};

struct connection {
	uv_poll_t poll;
	int fd;
};

struct runner_client {
	uv_loop_t *loop;
	char *path;
	struct connection *connection; /* NULL: none */
	struct loop_timer timer;
	mono_t retry_at;
	int last_error; /* errno of the last attempt */
	uint64_t last_id;
	TAILQ_HEAD(, request) requests;
};

/* ---- answering ---- */

static void
request_free(struct request *r)
{
	free(r->message);
	free(r);
}

/* Takes the request out before the callback, which may do anything but free the client. */
static void
finish(struct runner_client *c, struct request *r, const struct runner_result *result)
{
	TAILQ_REMOVE(&c->requests, r, entry);
	r->on_result(r->aux, result);
	request_free(r);
}

static void
finish_not_run(struct runner_client *c, struct request *r, const char *reason)
{
	const struct runner_result result = {
		.outcome = RUNNER_NOT_RUN, .reason = reason, .output = "", .last_line = ""
	};

	finish(c, r, &result);
}

static struct request *
find(const struct runner_client *c, uint64_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &c->requests, entry)
		if (r->id == id)
			return r;
	return NULL;
}

/* ---- the connection ---- */

static void
on_connection_closed(uv_handle_t *h)
{
	struct connection *k = CONTAINER_OF((uv_poll_t *)h, struct connection, poll);

	close(k->fd);
	free(k);
}

static void
disconnect(struct runner_client *c, const char *why)
{
	struct request *r;
	mono_t now = loop_now();

	if (c->connection == NULL)
		return;
	log_debug("runner: %s", why);
	uv_close((uv_handle_t *)&c->connection->poll, on_connection_closed);
	c->connection = NULL;
	c->retry_at = now;
	TAILQ_FOREACH (r, &c->requests, entry) {
		if (!r->asked)
			continue;
		/* on_timer answers those that must not be asked twice, before it connects. */
		r->asked = false;
		r->lost = true;
		r->deadline = r->again ? mono_add(now, r->timeout_us) : now;
	}
	loop_timer_at(&c->timer, now);
}

static void
deliver(struct runner_client *c, const struct runner_answer *a)
{
	struct request *r = find(c, a->id);
	const struct runner_result result = {
		.outcome = a->outcome,
		.code = a->code,
		.duration_us = a->duration_us,
		.reason = a->reason,
		.output = a->output,
		.last_line = a->last_line,
	};

	if (r != NULL) /* else it was forgotten, or given up */
		finish(c, r, &result);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct runner_client *c = poll->data;
	static char buf[RUNNER_MESSAGE_MAX];
	struct runner_answer a;

	(void)events;
	for (int i = 0; i < ANSWERS_PER_TURN; i++) {
		ssize_t n = status < 0 ? 0
				       : recv(c->connection->fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			disconnect(c, "connection closed");
			return;
		}
		if (runner_answer_decode(buf, (size_t)n, &a) < 0) {
			disconnect(c, "malformed answer");
			return;
		}
		deliver(c, &a);
		if (c->connection == NULL)
			return;
	}
}

static void
attach(struct runner_client *c, int fd)
{
	struct connection *k = xcalloc(1, sizeof(*k));

	k->fd = fd;
	uv_poll_init(c->loop, &k->poll, fd);
	k->poll.data = c;
	uv_poll_start(&k->poll, UV_READABLE, on_readable);
	uv_unref((uv_handle_t *)&k->poll);
	c->connection = k;
}

/* Only root's socket, or our own when nobody here is root. */
static int
connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd, err = 0;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		err = -errno;
	else if (peer.uid != 0 && peer.uid != geteuid())
		err = -EPERM;
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

static void
try_connect(struct runner_client *c, mono_t now)
{
	int fd;

	if (c->connection != NULL || mono_before(now, c->retry_at))
		return;
	fd = connect_to(c->path);
	if (fd >= 0) {
		attach(c, fd);
		return;
	}
	c->last_error = -fd;
	c->retry_at = mono_add(now, RETRY_US);
}

/* ---- asking ---- */

static void
ask(struct runner_client *c, struct request *r, mono_t now)
{
	ssize_t n = send(c->connection->fd, r->message, r->size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == (ssize_t)r->size) {
		r->asked = true;
		r->deadline = mono_add(now, r->timeout_us + PATIENCE_US);
	} else if (errno == EAGAIN) {
		c->retry_at = mono_add(now, RETRY_US); /* its buffer is full: soon again */
	} else {
		disconnect(c, strerror(errno));
	}
}

static void
ask_all(struct runner_client *c, mono_t now)
{
	struct request *r;

	TAILQ_FOREACH (r, &c->requests, entry) {
		if (c->connection == NULL)
			return;
		if (!r->asked && r->message != NULL)
			ask(c, r, now);
	}
}

static void
expire(struct runner_client *c, struct request *r)
{
	char reason[RUNNER_REASON_MAX];

	if (r->message == NULL)
		snprintf(reason, sizeof(reason), "the request is not allowed");
	else if (r->asked)
		snprintf(reason, sizeof(reason), "the runner did not answer");
	else if (r->lost && !r->again)
		snprintf(reason, sizeof(reason), "the runner went away");
	else
		snprintf(reason, sizeof(reason), "no runner at %s: %s", c->path,
		    strerror(c->last_error));
	finish_not_run(c, r, reason);
}

/* The first one whose time is over; callbacks may change the list, so one at a time. */
static struct request *
first_expired(const struct runner_client *c, mono_t now)
{
	struct request *r;

	TAILQ_FOREACH (r, &c->requests, entry)
		if (!mono_before(now, r->deadline))
			return r;
	return NULL;
}

static void
rearm(struct runner_client *c)
{
	mono_t next = MONO_NEVER;
	struct request *r;
	bool waiting = false;

	TAILQ_FOREACH (r, &c->requests, entry) {
		next = mono_min(next, r->deadline);
		waiting = waiting || !r->asked;
	}
	if (waiting)
		next = mono_min(next, c->retry_at);
	loop_timer_at(&c->timer, next);
}

static void
on_timer(struct loop_timer *t, mono_t now)
{
	struct runner_client *c = CONTAINER_OF(t, struct runner_client, timer);
	struct request *r;

	while ((r = first_expired(c, now)) != NULL)
		expire(c, r);
	if (!TAILQ_EMPTY(&c->requests))
		try_connect(c, now);
	if (c->connection != NULL)
		ask_all(c, now);
	rearm(c);
}

static void
encode(struct request *r, const struct runner_request *request)
{
	char buf[RUNNER_MESSAGE_MAX];
	struct runner_ask ask = {
		.id = r->id,
		.script = (uint32_t)request->script,
		.timeout_us = request->timeout_us,
	};

	snprintf(ask.digest, sizeof(ask.digest), "%s", request->digest);
	for (const char *const *p = request->args; p != NULL && *p != NULL; p++)
		if (ask.n_args++ < RUNNER_ARGS_MAX)
			ask.args[ask.n_args - 1] = *p;
	for (const char *const *p = request->env; p != NULL && *p != NULL; p++)
		if (ask.n_env++ < RUNNER_ENV_MAX)
			ask.env[ask.n_env - 1] = *p;
	if (runner_ask_encode(&ask, buf, &r->size) < 0)
		return;
	r->message = xcalloc(1, r->size);
	memcpy(r->message, buf, r->size);
}

uint64_t
runner_run(struct runner_client *c, const struct runner_request *request)
{
	struct request *r = xcalloc(1, sizeof(*r));
	mono_t now = loop_now();

	r->id = ++c->last_id;
	r->again = request->again;
	r->timeout_us = request->timeout_us;
	r->on_result = request->on_result;
	r->aux = request->aux;
	encode(r, request);
	r->deadline = r->message != NULL ? mono_add(now, request->timeout_us) : now;
	TAILQ_INSERT_TAIL(&c->requests, r, entry);
	if (c->connection != NULL && r->message != NULL)
		ask(c, r, now);
	loop_timer_at(&c->timer, mono_min(c->timer.deadline, r->asked ? r->deadline : now));
	return r->id;
}

void
runner_forget(struct runner_client *c, uint64_t id)
{
	struct request *r = find(c, id);

	if (r == NULL)
		return;
	TAILQ_REMOVE(&c->requests, r, entry);
	request_free(r);
}

/* ---- life ---- */

static void
take_inherited(struct runner_client *c)
{
	const char *number = getenv("TRIVET_RUNNER_FD");
	int fd = number != NULL ? atoi(number) : -1;

	unsetenv("TRIVET_RUNNER_FD"); /* once: a second client has to connect */
	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return;
	attach(c, fd);
}

struct runner_client *
runner_client_new(uv_loop_t *loop, const char *run_dir)
{
	struct runner_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->path = xasprintf("%s/%s", run_dir, RUNNER_SOCKET);
	TAILQ_INIT(&c->requests);
	loop_timer_init(loop, &c->timer, on_timer);
	take_inherited(c);
	return c;
}

static void
on_client_timer_closed(struct loop_timer *t)
{
	free(CONTAINER_OF(t, struct runner_client, timer));
}

void
runner_client_free(struct runner_client *c)
{
	struct request *r;

	if (c == NULL)
		return;
	while ((r = TAILQ_FIRST(&c->requests)) != NULL) {
		TAILQ_REMOVE(&c->requests, r, entry);
		request_free(r);
	}
	if (c->connection != NULL)
		uv_close((uv_handle_t *)&c->connection->poll, on_connection_closed);
	free(c->path);
	loop_timer_close(&c->timer, on_client_timer_closed);
}
