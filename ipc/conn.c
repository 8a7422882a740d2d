/*
 * conn.c - see conn.h.
 */
#include "ipc/conn.h"

#include "common/text.h"
#include "ipc/dispatch.h"
#include "ipc/varlink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_US     (10 * USEC_PER_SEC)    /* for one request to arrive whole */
#define STALL_US       (30 * USEC_PER_SEC)    /* a reader that takes nothing for so long is gone */
#define CALLS_PER_TURN 16		      /* then the other handles of the loop get a turn */
#define IN_FIRST       4096		      /* most requests fit; the rest doubles up to IN_MAX */
#define IN_MAX	       (VARLINK_CALL_MAX + 1) /* with its NUL */

static void on_poll(uv_poll_t *, int status, int events);

/* ---- what is to be waited for ---- */

bool
ipc_conn_is_blocked(const struct ipc_conn *c)
{
	return c->out_sent < c->out_used;
}

static bool
may_serve(const struct ipc_conn *c)
{
	return c->call == NULL && !ipc_conn_is_blocked(c) && !c->dead;
}

static mono_t
next_deadline(const struct ipc_conn *c)
{
	if (c->dead || c->kicked)
		return loop_now();
	if (ipc_conn_is_blocked(c))
		return mono_add(c->progress_at, STALL_US);
	if (c->call == NULL)
		return mono_add(c->partial_since, REQUEST_US);
	return MONO_NEVER;
}

/*
 * UV_PRIORITIZED is always asked for: it keeps the descriptor in the poll set,
 * where the kernel reports POLLHUP (the peer is gone) unasked, but not the
 * POLLRDHUP of a peer that only half-closed and still listens.
 */
static void
rearm(struct ipc_conn *c)
{
	int events = UV_PRIORITIZED;

	if (c->closed)
		return;
	if (may_serve(c) && !c->eof && c->in_used < IN_MAX)
		events |= UV_READABLE;
	if (ipc_conn_is_blocked(c))
		events |= UV_WRITABLE;
	if (events != c->events)
		uv_poll_start(&c->poll, events, on_poll);
	c->events = events;
	loop_timer_at(&c->timer, next_deadline(c));
}

/* Go on serving as soon as the caller has returned to the loop. */
static void
kick(struct ipc_conn *c)
{
	c->kicked = true;
	if (!c->pumping)
		rearm(c);
}

/* Not closed on the spot: a handler may be on the stack, holding its call. */
void
ipc_conn_doom(struct ipc_conn *c)
{
	c->dead = true;
	kick(c);
}

static void
complain(struct ipc_conn *c, const char *what)
{
	log_limited(&c->owner->complaints, loop_now(), LOG_NOTICE,
	    "bus: connection of uid %u pid %d closed: %s", (unsigned)c->peer.uid, (int)c->peer.pid,
	    what);
}

static void
refuse(struct ipc_conn *c, const char *what)
{
	c->owner->malformed++;
	complain(c, what);
	ipc_conn_doom(c);
}

static void
give_up(struct ipc_conn *c, const char *what)
{
	c->owner->slow_closed++;
	complain(c, what);
	ipc_conn_doom(c);
}

/* ---- output ---- */

static void
flush(struct ipc_conn *c)
{
	while (ipc_conn_is_blocked(c)) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_used - c->out_sent,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			ipc_conn_doom(c);
		if (n < 0)
			return;
		c->out_sent += (size_t)n;
		c->progress_at = loop_now();
	}
	free(c->out);
	c->out = NULL;
	c->out_size = c->out_used = c->out_sent = 0;
}

/* A streaming handler that does not wait while blocked is bounded here. */
static void
queue(struct ipc_conn *c, char *bytes, size_t size)
{
	if (!ipc_conn_is_blocked(c)) {
		free(c->out);
		c->out = bytes;
		c->out_size = c->out_used = size;
		c->out_sent = 0;
		c->progress_at = loop_now();
		flush(c);
		return;
	}
	if (c->out_used - c->out_sent + size > VARLINK_REPLY_MAX) {
		give_up(c, "more is queued than it takes");
	} else {
		c->out = xreallocarray(c->out, c->out_used + size, 1);
		memcpy(c->out + c->out_used, bytes, size);
		c->out_used += size;
	}
	free(bytes);
}

void
ipc_conn_send(struct ipc_conn *c, char *bytes, size_t size)
{
	if (c->dead) {
		free(bytes);
		return;
	}
	queue(c, bytes, size);
	if (!c->pumping) /* then pump() does */
		rearm(c);
}

void
ipc_conn_call_ended(struct ipc_conn *c)
{
	c->call = NULL;
	if (!c->pumping) /* then pump() goes on with the next */
		kick(c);
}

/* ---- input ---- */

static bool
is_space(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (strchr(" \t\r\n", bytes[i]) == NULL || bytes[i] == '\0')
			return false;
	return true;
}

/*
 * Serve what has arrived whole, from in[*at] on.  At the end of the stream a
 * complete object counts without its NUL (`echo` sends none); a truncated one
 * never parses.
 */
static void
serve_arrived(struct ipc_conn *c, size_t *at)
{
	for (unsigned n = 0; may_serve(c); n++) {
		const char *start = c->in + *at, *end;
		size_t left = c->in_used - *at;

		if (left == 0 || (c->eof && is_space(start, left))) {
			*at = c->in_used;
			return;
		}
		end = memchr(start, '\0', left);
		if (end == NULL && !c->eof)
			return;
		if (n == CALLS_PER_TURN) {
			kick(c);
			return;
		}
		left = end != NULL ? (size_t)(end - start) : left;
		*at += left + (end != NULL);
		if (ipc_dispatch(c, start, left) < 0)
			refuse(c, "not a Varlink call");
	}
}

/*
 * What is left is the beginning of one request: it may be neither too long nor
 * too slow.  While a call is in flight we do not read, so no time runs.
 */
static void
watch_partial(struct ipc_conn *c, bool consumed)
{
	if (consumed || c->in_used == 0 || !may_serve(c))
		c->partial_since = MONO_NEVER;
	if (c->in_used > 0 && may_serve(c) && mono_is_never(c->partial_since))
		c->partial_since = loop_now();
	if (may_serve(c) && c->in_used == IN_MAX && memchr(c->in, '\0', c->in_used) == NULL)
		refuse(c, "request longer than 64 KiB");
}

static void
forget_consumed(struct ipc_conn *c, size_t n)
{
	c->in_used -= n;
	memmove(c->in, c->in + n, c->in_used);
	if (c->in_used > 0)
		return;
	free(c->in);
	c->in = NULL;
	c->in_size = 0;
}

static void
pump(struct ipc_conn *c)
{
	size_t at = 0;

	c->kicked = false;
	c->pumping = true;
	if (c->in_used > 0)
		serve_arrived(c, &at);
	c->pumping = false;
	if (at > 0)
		forget_consumed(c, at);
	watch_partial(c, at > 0);
	if (c->dead || (c->eof && c->in_used == 0 && may_serve(c)))
		ipc_conn_close(c);
	else
		rearm(c);
}

static void
read_some(struct ipc_conn *c)
{
	ssize_t n;

	if (c->in_used == c->in_size) {
		c->in_size = c->in_size > 0 ? MIN(c->in_size * 2, IN_MAX) : IN_FIRST;
		c->in = xreallocarray(c->in, c->in_size, 1);
	}
	n = recv(c->fd, c->in + c->in_used, c->in_size - c->in_used, MSG_DONTWAIT);
	if (n > 0)
		c->in_used += (size_t)n;
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
}

/* UV_PRIORITIZED alone: the peer has gone, or sends out-of-band bytes, which Varlink has not. */
static void
look_closer(struct ipc_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLPRI };

	if (poll(&p, 1, 0) <= 0)
		return;
	if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
		c->dead = true;
	else if (p.revents & POLLPRI)
		refuse(c, "out-of-band data");
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct ipc_conn *c = CONTAINER_OF(poll, struct ipc_conn, poll);
	bool was_blocked = ipc_conn_is_blocked(c);

	if (status < 0) {
		ipc_conn_close(c);
		return;
	}
	if (events & UV_WRITABLE)
		flush(c);
	if (events & UV_READABLE)
		read_some(c);
	else if (events & UV_PRIORITIZED)
		look_closer(c);
	if (was_blocked && !ipc_conn_is_blocked(c) && !c->dead && c->call != NULL)
		ipc_call_wake(c->call);
	pump(c);
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct ipc_conn *c = CONTAINER_OF(timer, struct ipc_conn, timer);

	if (ipc_conn_is_blocked(c) && !mono_before(now, mono_add(c->progress_at, STALL_US)))
		give_up(c, "nothing taken for 30 s");
	else if (may_serve(c) && !mono_before(now, mono_add(c->partial_since, REQUEST_US)))
		refuse(c, "request incomplete for 10 s");
	pump(c);
}

/* ---- life ---- */

struct ipc_conn *
ipc_conn_new(struct ipc_conn_owner *owner, int fd, const struct ipc_peer *peer, bool may_control)
{
	struct ipc_conn *c = xcalloc(1, sizeof(*c));

	*c = (struct ipc_conn){
		.owner = owner,
		.peer = *peer,
		.may_control = may_control,
		.fd = fd,
		.partial_since = MONO_NEVER,
		.handles = 2,
	};
	uv_poll_init(owner->loop, &c->poll, fd);
	loop_timer_init(owner->loop, &c->timer, on_due);
	TAILQ_INSERT_TAIL(&owner->conns, c, entry);
	owner->n_conns++;
	rearm(c);
	return c;
}

static void
release(struct ipc_conn *c)
{
	if (--c->handles > 0)
		return;
	free(c->in);
	free(c->out);
	free(c);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	release(CONTAINER_OF((uv_poll_t *)handle, struct ipc_conn, poll));
}

static void
on_timer_closed(struct loop_timer *timer)
{
	release(CONTAINER_OF(timer, struct ipc_conn, timer));
}

void
ipc_conn_close(struct ipc_conn *c)
{
	struct ipc_call *call = c->call;

	if (c->closed)
		return;
	c->closed = c->dead = true;
	c->call = NULL;
	TAILQ_REMOVE(&c->owner->conns, c, entry);
	c->owner->n_conns--;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	loop_timer_close(&c->timer, on_timer_closed);
	close(c->fd);
	if (call != NULL)
		ipc_call_abandon(call);
}

bool
ipc_conn_subscribed(const struct ipc_conn *c)
{
	return c->call != NULL && ipc_call_more(c->call);
}
