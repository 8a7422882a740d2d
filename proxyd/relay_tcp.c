/*
 * relay_tcp.c - see relay_tcp.h.
 *
 * System calls are what a short connection costs (95 % of it), so none is made
 * that can be spared: each socket is registered once, edge-triggered, for
 * everything; SO_ERROR is asked only after EPOLLERR; TCP_NODELAY is inherited
 * from the listener and set towards the server at the second write only; a
 * short read ends a turn without the read that would say EAGAIN.
 */
#include "proxyd/relay_priv.h"

#include "common/text.h"
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/relay_bulk.h"
#include "proxyd/story.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEVELS (FLOW_READ_CLIENT | FLOW_READ_SERVER | FLOW_WRITE_CLIENT | FLOW_WRITE_SERVER)

/* ---- the end ---- */

void
relay_close_side(struct session *s, enum flow_side side, bool reset)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (s->fd[side] < 0)
		return;
	if (reset)
		setsockopt(s->fd[side], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s->fd[side]); /* takes it out of the epoll set, too */
	s->fd[side] = -1;
}

void
relay_unpark(struct session *s, enum flow_side from)
{
	free(s->parked[from].bytes);
	if (s->parked[from].pipe != NULL)
		pipes_discard(s->parked[from].pipe);
	s->parked[from] = (struct parked){ 0 };
}

void
relay_release_server(struct session *s)
{
	if (s->server != NULL)
		server_release(s->server);
	s->server = NULL;
}

void
relay_count_end(const struct session *s, struct tally *t)
{
	if (s->flow.reason == FLOW_IDLE)
		tally_add(&t->timeouts, 1);
	tally_end(t, s->flow.reason);
}

static void
end(struct worker *w, struct session *s)
{
	/* What it held is free before its client can know of the end: who comes next may be it. */
	if (s->server != NULL)
		relay_count_end(s, &s->server->tallies[w->number]);
	relay_release_server(s);
	guest_give_back(s->guest);
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		relay_close_side(s, side, (s->flow.reset_sides >> side & 1) != 0);
		relay_unpark(s, side);
	}
	story_ends(w, s);
	guest_done(s);
	wheel_set(&w->wheel, &s->timer, MONO_NEVER);
	if (s->is_queued)
		TAILQ_REMOVE(&w->leftover, s, queue);
	relay_bulk_end(w, s);
	relay_count_end(s, s->route->tally); /* the listener may be gone after it */
	route_unref(s->route);
	session_free(&w->sessions, s);
	worker_counted(w);
}

/* ---- what epoll is asked ---- */

int
relay_watch(struct worker *w, struct session *s, enum flow_side side, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = worker_tag_session(s, side) };

	return epoll_ctl(s->is_level ? w->bulk.epoll_fd : w->epoll_fd, op, s->fd[side], &ev);
}

int
relay_watch_edges(struct worker *w, struct session *s, enum flow_side side)
{
	return relay_watch(w, s, side, EPOLL_CTL_ADD, RELAY_EDGES);
}

/* ---- deadlines ---- */

static bool
has_half_timeout(const struct session *s)
{
	return s->route->half_timeout_us > 0 && flow_is_half_closed(&s->flow);
}

/* max_session_age; how much sooner, its begin and its number say: nothing to remember. */
static mono_t
end_of_life(const struct session *s)
{
	const struct route *r = s->route;
	uint64_t dice = ((uint64_t)s->began.us ^ (uint64_t)s->index << 32) *
			UINT64_C(0x9e3779b97f4a7c15);

	if (r->age_us == 0)
		return MONO_NEVER;
	dice = (dice ^ dice >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 48;
	return mono_add(s->began, r->age_us - (int64_t)(dice * (uint64_t)r->age_jitter_us >> 16));
}

mono_t
relay_deadline(const struct session *s)
{
	int64_t us = has_half_timeout(s) ? s->route->half_timeout_us : s->route->timeout_us;

	if (s->flow.phase != FLOW_OPEN)
		return s->connect_deadline;
	return mono_min(end_of_life(s), us > 0 ? mono_add(s->active, us) : MONO_NEVER);
}

/* A deadline that became nearer; one that moved away is seen when its timer comes. */
static void
hasten(struct worker *w, struct session *s)
{
	mono_t due = relay_deadline(s);

	if (!s->timer.is_set || mono_before(due, s->timer.deadline))
		wheel_set(&w->wheel, &s->timer, due);
}

/* ---- the flow's hands ---- */

static void
on_connected(struct worker *w, struct session *s)
{
	struct tally *t = &s->server->tallies[w->number];

	story_connected(w, s);
	tally_add(&t->connects, 1);
	tally_add(&t->connect_us, (uint64_t)mono_until(s->active, w->now));
	server_connected(s->server, w->now);
	s->active = w->now;
	hasten(w, s);
}

static void
shut(struct worker *w, struct session *s, enum flow_side side)
{
	shutdown(s->fd[side], SHUT_WR);
	s->active = w->now; /* an end is a sign of life */
	if (s->route->half_timeout_us > 0)
		hasten(w, s);
}

/* A header of ours goes first: like bytes that wait. */
static unsigned
announce(struct worker *w, struct session *s, unsigned actions)
{
	uint8_t header[PROXYPROTO_COMPOSED_MAX];
	size_t n = guest_preface(s->guest, false, header);

	if (n == 0)
		return actions;
	s->parked[FLOW_CLIENT] = (struct parked){ .bytes = malloc(n) };
	if (s->parked[FLOW_CLIENT].bytes == NULL) {
		relay_abort(w, s, FLOW_RESOURCES);
		return 0;
	}
	memcpy(s->parked[FLOW_CLIENT].bytes, header, n);
	return relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_PREFACE, .n = (uint32_t)n });
}

unsigned
relay_feed(struct worker *w, struct session *s, struct flow_event ev)
{
	for (;;) {
		unsigned actions = flow_step(&s->flow, &ev);

		if (ev.kind == FLOW_EV_CONNECTED && s->flow.phase == FLOW_OPEN)
			on_connected(w, s);
		if (actions & FLOW_BLAME)
			relay_blame(w, s);
		if (actions & FLOW_CLOSE) {
			end(w, s);
			return 0;
		}
		if (actions & FLOW_SHUT_CLIENT)
			shut(w, s, FLOW_CLIENT);
		if (actions & FLOW_SHUT_SERVER)
			shut(w, s, FLOW_SERVER);
		if (!(actions & FLOW_NEXT)) {
			actions &= LEVELS;
			return ev.kind == FLOW_EV_CONNECTED && s->guest != NULL
				   ? announce(w, s, actions)
				   : actions;
		}
		if (!relay_connect_next(w, s, &ev))
			return 0;
	}
}

void
relay_count(struct worker *w, struct session *s, enum flow_side from, size_t n)
{
	struct tally *server = &s->server->tallies[w->number], *route = s->route->tally;

	s->bytes[from] += n;
	s->active = w->now;
	bulk_answered(&s->bulk[flow_other(from)]);
	if (s->guest != NULL) {
		guest_spent(s->guest, from, (uint32_t)n);
		if (from == FLOW_SERVER)
			story_first_byte(w, s);
	}
	tally_add(from == FLOW_CLIENT ? &route->bytes_in : &route->bytes_out, n);
	tally_add(from == FLOW_CLIENT ? &server->bytes_in : &server->bytes_out, n);
}

/* Who writes to the server once needs no TCP_NODELAY; who writes again gets it before. */
void
relay_before_write(struct session *s, enum flow_side to)
{
	static const int on = 1;

	if (to != FLOW_SERVER || !s->route->tcp_nodelay || s->server_writes == 2 || s->is_unix[to])
		return;
	if (++s->server_writes == 2)
		setsockopt(s->fd[to], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/*
 * A failed write is a reset, but bytes that came before it may still lie in the
 * socket: they are read, and the reading tells the end.
 */
unsigned
relay_write_failed(struct worker *w, struct session *s, enum flow_side to)
{
	relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_WROTE, .side = to, .blocked = true });
	if (relay_is_over(s))
		return 0;
	return relay_feed(w, s,
	    (struct flow_event){ .kind = FLOW_EV_READY, .side = to, .hup = true, .err = true });
}

static unsigned
write_bytes(
    struct worker *w, struct session *s, enum flow_side to, const uint8_t *bytes, uint32_t size)
{
	struct flow_event ev = { .kind = FLOW_EV_WROTE, .side = to };
	ssize_t n;

	relay_before_write(s, to);
	n = send(s->fd[to], bytes, size, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return relay_write_failed(w, s, to);
	ev.n = n > 0 ? (uint32_t)n : 0;
	ev.blocked = ev.n < size;
	if (ev.n > 0)
		s->active = w->now;
	return relay_feed(w, s, ev);
}

/* Keep what the other side would not take; the thread's buffer is the next session's. */
static bool
park(struct session *s, enum flow_side from, const uint8_t *bytes)
{
	uint32_t size = s->flow.pending[from];

	s->parked[from].bytes = malloc(size);
	if (s->parked[from].bytes == NULL)
		return false;
	memcpy(s->parked[from].bytes, bytes, size);
	return true;
}

/* n bytes are in the thread's buffer: to the other side with them, at once. */
static unsigned
pass_on(struct worker *w, struct session *s, enum flow_side from, uint32_t n, unsigned actions)
{
	uint32_t left;

	if (actions & (from == FLOW_CLIENT ? FLOW_WRITE_SERVER : FLOW_WRITE_CLIENT))
		actions = write_bytes(w, s, flow_other(from), w->buffer, n);
	if (relay_is_over(s))
		return 0;
	left = s->flow.pending[from];
	if (left > 0 && !park(s, from, w->buffer + (n - left))) {
		relay_abort(w, s, FLOW_RESOURCES);
		return 0;
	}
	return actions;
}

/* ---- rates (rate.h) ---- */

uint32_t
relay_share(struct worker *w, struct session *s, enum flow_side from, uint32_t wanted)
{
	uint32_t n = s->guest != NULL ? guest_allows(s->guest, from, wanted, w->now) : wanted;

	if (n == 0)
		wheel_set(&w->wheel, &s->timer, mono_min(relay_deadline(s), guest_held(s->guest)));
	return n;
}

unsigned
relay_read(struct worker *w, struct session *s, enum flow_side from)
{
	struct flow_event ev = { .kind = FLOW_EV_READ, .side = from };
	uint32_t size = relay_share(w, s, from, s->route->read_size);
	unsigned actions;
	ssize_t n;

	if (size == 0)
		return relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_HOLD, .side = from });
	n = recv(s->fd[from], w->buffer, size, 0);
	if (n == 0)
		return relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_EOF, .side = from });
	if (n < 0 && errno != EAGAIN)
		return relay_feed(w, s,
		    (struct flow_event){
			.kind = FLOW_EV_RESET, .side = from, .gone = errno != ECONNRESET });
	ev.n = n > 0 ? (uint32_t)n : 0;
	ev.drained = n < 0 || (ev.n < size && !s->urgent[from] && !s->is_unix[from]);
	if (ev.n > 0)
		relay_count(w, s, from, ev.n);
	actions = relay_feed(w, s, ev);
	if (relay_is_over(s) || ev.n == 0)
		return actions;
	actions = pass_on(w, s, from, ev.n, actions);
	if (!relay_is_over(s) && !s->urgent[from])
		bulk_copied(&s->bulk[from], ev.n, s->route->read_size);
	if (!relay_is_over(s) && s->bulk[from].on && !s->is_level)
		relay_bulk_begin(w, s);
	return actions;
}

unsigned
relay_write(struct worker *w, struct session *s, enum flow_side to)
{
	enum flow_side from = flow_other(to);
	struct parked *p = &s->parked[from];
	uint32_t before = s->flow.pending[from];
	uint16_t attempt;
	unsigned actions;

	if (p->pipe != NULL)
		return relay_bulk_write(w, s, to);
	attempt = s->attempt;
	actions = write_bytes(w, s, to, p->bytes + p->offset, before);
	if (relay_is_over(s))
		return 0;
	if (s->attempt != attempt) /* another server, and other bytes for it */
		return actions;
	p->offset += before - s->flow.pending[from];
	if (s->flow.pending[from] == 0)
		relay_unpark(s, from);
	return actions;
}

/* The flow's wishes in turn, so that a busy direction leaves room for the other. */
static unsigned
do_one(struct worker *w, struct session *s, unsigned actions, bool server_first)
{
	if (actions & FLOW_WRITE_SERVER)
		return relay_write(w, s, FLOW_SERVER);
	if (actions & FLOW_WRITE_CLIENT)
		return relay_write(w, s, FLOW_CLIENT);
	if ((actions & FLOW_READ_SERVER) && (server_first || !(actions & FLOW_READ_CLIENT)))
		return relay_read(w, s, FLOW_SERVER);
	return relay_read(w, s, FLOW_CLIENT);
}

/*
 * Do what is wanted, but only so much of it: the kernel will not remind us, so
 * what is left goes to the end of the thread's own list.
 */
static void
run(struct worker *w, struct session *s, unsigned actions)
{
	int turns = RELAY_PASS_BYTES / WORKER_READ_SIZE * 2;

	for (int i = 0; i < turns && actions != 0 && !s->is_level; i++)
		actions = do_one(w, s, actions, i % 2 == 1);
	if (actions == 0 || relay_is_over(s) || s->is_queued || s->is_level)
		return;
	s->is_queued = true;
	TAILQ_INSERT_TAIL(&w->leftover, s, queue);
}

/* ---- before there is a server ---- */

/* True: it is decided, *ret is what to feed. */
static bool
greet(struct worker *w, struct session *s, struct flow_event *ret)
{
	enum flow_reason reason = FLOW_REASON_NONE;

	switch (guest_greet(w, s, &reason)) {
	case GUEST_WELCOME:
		*ret = (struct flow_event){ .kind = FLOW_EV_GREETED };
		return true;
	case GUEST_LEAVE:
		*ret = (struct flow_event){ .kind = FLOW_EV_ABORT, .reason = reason };
		return true;
	case GUEST_CONTENT:
		*ret = (struct flow_event){ .kind = FLOW_EV_ANSWERED };
		return true;
	case GUEST_WAIT:
		break;
	}
	if (s->guest->waits_anew) {
		s->guest->waits_anew = false;
		s->connect_deadline = mono_add(w->now, guest_timeout_us(s));
		wheel_set(&w->wheel, &s->timer, s->connect_deadline);
	}
	return false;
}

static bool
begin_greeting(struct worker *w, struct session *s, struct flow_event *ret)
{
	s->flow.phase = FLOW_GREETING;
	return greet(w, s, ret);
}

/* ---- what happens to a session ---- */

void
relay_open(struct worker *w, struct binding *b, int fd)
{
	struct session *s = session_new(&w->sessions);
	struct flow_event ev;

	if (s == NULL) {
		close(fd);
		return;
	}
	worker_counted(w);
	s->fd[FLOW_CLIENT] = fd;
	s->is_unix[FLOW_CLIENT] = listener_is_unix(b->listener);
	s->route = b->route;
	route_ref(s->route);
	s->began = s->active = w->now;
	flow_init(&s->flow, s->route->half_close);
	tally_add(&s->route->tally->sessions, 1);
	if (s->route->rules != NULL ? begin_greeting(w, s, &ev) : relay_connect_next(w, s, &ev))
		run(w, s, relay_feed(w, s, ev));
	if (!relay_is_over(s) && relay_watch_edges(w, s, FLOW_CLIENT) < 0)
		relay_abort(w, s, FLOW_RESOURCES);
}

void
relay_ready(struct worker *w, struct session *s, enum flow_side side, uint32_t events)
{
	struct flow_event ev = { .kind = FLOW_EV_READY,
		.side = side,
		.readable = (events & (EPOLLIN | EPOLLPRI)) != 0,
		.writable = (events & EPOLLOUT) != 0,
		.hup = (events & (EPOLLRDHUP | EPOLLHUP)) != 0,
		.err = (events & EPOLLERR) != 0 };
	struct flow_event result;
	unsigned actions;

	if (events & EPOLLPRI)
		s->urgent[side] = true;
	if (side == FLOW_SERVER && s->flow.phase == FLOW_CONNECTING) {
		if (!relay_connect_result(w, s, events, &result))
			return;
		actions = relay_feed(w, s, result);
		if (relay_is_over(s))
			return;
		if (result.kind != FLOW_EV_CONNECTED) { /* the events were another socket's */
			run(w, s, actions);
			return;
		}
	}
	if (s->is_level) {
		relay_bulk_ready(w, s, side, &ev);
		return;
	}
	actions = relay_feed(w, s, ev);
	if (s->flow.phase == FLOW_GREETING && greet(w, s, &result))
		actions = relay_feed(w, s, result);
	run(w, s, actions);
}

void
relay_resume(struct worker *w, struct session *s)
{
	run(w, s, relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_READY }));
}

static void
time_out(struct worker *w, struct session *s)
{
	bool is_old = s->flow.phase == FLOW_OPEN && !mono_before(w->now, end_of_life(s));

	if (is_old)
		relay_abort(w, s, FLOW_AGE);
	else if (s->flow.phase == FLOW_GREETING && guest_is_lingering(s))
		relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_ANSWERED });
	else
		run(w, s,
		    relay_feed(w, s,
			(struct flow_event){ .kind = FLOW_EV_TIMEOUT,
			    .reason = has_half_timeout(s) ? FLOW_HALF_CLOSED : FLOW_IDLE }));
}

/* Sides that have waited long enough.  False: the session is over. */
static bool
release(struct worker *w, struct session *s)
{
	unsigned actions = 0;

	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		struct rate *r = &s->guest->rates[side];

		if (!s->flow.half[side].held || mono_before(w->now, r->held))
			continue;
		r->held = MONO_NEVER;
		actions = relay_feed(
		    w, s, (struct flow_event){ .kind = FLOW_EV_RELEASE, .side = side });
		if (relay_is_over(s))
			return false;
	}
	if (s->is_level)
		relay_bulk_ask(w, s);
	else
		run(w, s, actions);
	return !relay_is_over(s);
}

void
relay_timer(struct worker *w, struct session *s)
{
	mono_t due;

	if (s->guest != NULL && s->flow.phase == FLOW_OPEN && !release(w, s))
		return;
	due = relay_deadline(s);
	if (s->guest != NULL)
		due = mono_min(due, guest_held(s->guest));
	if (mono_before(w->now, due))
		wheel_set(&w->wheel, &s->timer, due);
	else
		time_out(w, s);
}

void
relay_abort(struct worker *w, struct session *s, enum flow_reason reason)
{
	relay_feed(w, s, (struct flow_event){ .kind = FLOW_EV_ABORT, .reason = reason });
}
