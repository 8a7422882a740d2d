/*
 * relay_bulk.c - see relay_bulk.h.
 */
#include "proxyd/relay_bulk.h"

#include "proxyd/relay_priv.h"

#include <errno.h>
#include <fcntl.h>

enum { ARM_IN = 1, ARM_OUT = 2, ARM_NEW = 4 }; /* session.armed; NEW: in no epoll set now */

static void
queue(struct worker *w, struct session *s)
{
	if (s->is_outgoing)
		return;
	if (s->is_queued) { /* epoll reminds us from now on */
		TAILQ_REMOVE(&w->leftover, s, queue);
		s->is_queued = false;
	}
	s->is_outgoing = true;
	TAILQ_INSERT_TAIL(&w->outgoing, s, queue);
}

void
relay_bulk_begin(struct worker *w, struct session *s)
{
	if (worker_bulk_begins(w) < 0) { /* it copies, and may try again */
		bulk_off(&s->bulk[FLOW_CLIENT]);
		bulk_off(&s->bulk[FLOW_SERVER]);
		return;
	}
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		relay_watch(w, s, side, EPOLL_CTL_DEL, 0);
		s->armed[side] = ARM_NEW;
	}
	s->is_level = true;
	queue(w, s);
}

void
relay_bulk_end(struct worker *w, struct session *s)
{
	if (s->is_outgoing)
		TAILQ_REMOVE(&w->outgoing, s, queue);
	s->is_outgoing = false;
	if (s->is_level)
		worker_bulk_ends(w);
	s->is_level = false;
}

/* ---- in ---- */

/* True: something is in the pipe. */
static bool
splice_in(struct worker *w, struct session *s, enum flow_side from)
{
	uint32_t size = relay_share(w, s, from, BULK_SPLICE_MAX);
	struct pipe *p;
	ssize_t n;

	if (size == 0)
		return false; /* nor is anything copied: relay_read finds the same */
	p = pipes_take(&w->pipes, w->now);
	if (p == NULL)
		return false;
	n = splice(s->fd[from], NULL, p->in, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n <= 0) {
		pipes_give(&w->pipes, p);
		bulk_off(&s->bulk[from]);
		return false;
	}
	s->parked[from].pipe = p;
	bulk_spliced(&s->bulk[from], &w->bulk.pass, (uint32_t)n);
	relay_count(w, s, from, (size_t)n);
	relay_feed(
	    w, s, (struct flow_event){ .kind = FLOW_EV_READ, .side = from, .n = (uint32_t)n });
	return true;
}

void
relay_bulk_ready(
    struct worker *w, struct session *s, enum flow_side side, const struct flow_event *ev)
{
	unsigned read = side == FLOW_CLIENT ? FLOW_READ_CLIENT : FLOW_READ_SERVER;
	unsigned actions = relay_feed(w, s, *ev);

	if (relay_is_over(s))
		return;
	if (s->urgent[side]) /* splice stops before it */
		bulk_off(&s->bulk[side]);
	if ((actions & read) && (ev->readable || ev->hup || ev->err) &&
	    (!s->bulk[side].on || !splice_in(w, s, side)))
		relay_read(w, s, side);
	if (!relay_is_over(s))
		queue(w, s);
}

/* ---- out ---- */

unsigned
relay_bulk_write(struct worker *w, struct session *s, enum flow_side to)
{
	enum flow_side from = flow_other(to);
	struct flow_event ev = { .kind = FLOW_EV_WROTE, .side = to };
	uint32_t pending = s->flow.pending[from];
	ssize_t n;

	relay_before_write(s, to);
	n = splice(s->parked[from].pipe->out, NULL, s->fd[to], NULL, pending,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n < 0 && errno != EAGAIN)
		return relay_write_failed(w, s, to);
	ev.n = n > 0 ? (uint32_t)n : 0;
	/* Less than asked for may be a stop of the process (signal(7)), and the socket has room:
	   no edge will come then.  Only EAGAIN has asked for one. */
	ev.blocked = ev.n == 0 || (s->is_level && ev.n < pending);
	if (ev.n > 0)
		s->active = w->now;
	if (ev.n == pending) {
		pipes_give(&w->pipes, s->parked[from].pipe);
		s->parked[from].pipe = NULL;
	}
	return relay_feed(w, s, ev);
}

/*
 * What one side is asked for.  Nothing wanted of it: edge-triggered, since
 * EPOLLHUP and EPOLLERR cannot be declined and would come again and again; with
 * a wish they lead to a read or a write, and that to the end.
 */
static int
arm(struct worker *w, struct session *s, enum flow_side side)
{
	const struct flow *f = &s->flow;
	uint8_t want = 0;
	int op;

	if (!f->half[side].eof && f->pending[side] == 0 && !f->half[side].held)
		want |= ARM_IN;
	if (f->pending[flow_other(side)] > 0 && !f->half[side].can_write)
		want |= ARM_OUT;
	if (want == s->armed[side])
		return 0;
	op = s->armed[side] == ARM_NEW ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	s->armed[side] = want;
	return relay_watch(w, s, side, op,
	    (want == 0 ? EPOLLET : 0) | (want & ARM_IN ? EPOLLIN | EPOLLPRI : 0) |
		(want & ARM_OUT ? EPOLLOUT : 0));
}

/* epoll tells anew, as edges, what the sockets are ready for. */
static int
back_to_edges(struct worker *w, struct session *s)
{
	int rc;

	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++)
		if (s->armed[side] != ARM_NEW)
			relay_watch(w, s, side, EPOLL_CTL_DEL, 0);
	relay_bulk_end(w, s);
	rc = relay_watch_edges(w, s, FLOW_CLIENT);
	return rc < 0 ? rc : relay_watch_edges(w, s, FLOW_SERVER);
}

static int
ask(struct worker *w, struct session *s)
{
	int rc;

	if (!s->bulk[FLOW_CLIENT].on && !s->bulk[FLOW_SERVER].on)
		return back_to_edges(w, s);
	rc = arm(w, s, FLOW_CLIENT);
	return rc < 0 ? rc : arm(w, s, FLOW_SERVER);
}

void
relay_bulk_ask(struct worker *w, struct session *s)
{
	if (ask(w, s) < 0)
		relay_abort(w, s, FLOW_RESOURCES);
}

static void
put_out(struct worker *w, struct session *s)
{
	for (enum flow_side to = FLOW_CLIENT; to <= FLOW_SERVER; to++) {
		if (s->flow.pending[flow_other(to)] > 0 && s->flow.half[to].can_write)
			relay_write(w, s, to);
		if (relay_is_over(s))
			return;
	}
	relay_bulk_ask(w, s);
}

void
relay_bulk_flush(struct worker *w)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&w->outgoing)) != NULL) {
		TAILQ_REMOVE(&w->outgoing, s, queue);
		s->is_outgoing = false;
		put_out(w, s);
	}
}
