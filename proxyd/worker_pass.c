/*
 * worker_pass.c - one pass of a data thread: what was left over from the pass before,
 * what epoll reports, what bulk sessions have read meanwhile (relay_bulk.h), what has
 * come due.
 *
 * While there are bulk sessions their epoll set is waited for, which also tells that the
 * others have something; in a pause of theirs, the others' only.  No pass ends with a
 * bulk session that waits for its second phase: epoll would not come back to it.
 * Listener sockets are level-triggered, so that a bounded number of accepts needs no
 * bookkeeping; sessions are edge-triggered (relay_tcp.c) unless they are bulk.
 */
#include "proxyd/worker_priv.h"

#include "common/loop.h"
#include "proxyd/accept.h"
#include "proxyd/listener.h"
#include "proxyd/relay_bulk.h"
#include "proxyd/relay_tcp.h"
#include "proxyd/relay_udp.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#define EVENTS_MAX    256
#define ALARM_NEAR_US (20 * USEC_PER_MSEC)

/* ---- bulk sessions ---- */

int
worker_bulk_begins(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.u64 = (uint64_t)TAG_COMMAND << 62 | WORKER_OTHERS };

	if (w->bulk.n == 0 && epoll_ctl(w->bulk.epoll_fd, EPOLL_CTL_ADD, w->epoll_fd, &ev) < 0)
		return -1;
	w->bulk.n++;
	return 0;
}

void
worker_bulk_ends(struct worker *w)
{
	if (--w->bulk.n == 0) /* else each event would have to wake two sets */
		epoll_ctl(w->bulk.epoll_fd, EPOLL_CTL_DEL, w->epoll_fd, NULL);
}

/* ---- how long to wait ---- */

static bool
set_alarm(struct worker *w, mono_t at)
{
	struct itimerspec when = { .it_value = { .tv_sec = at.us / USEC_PER_SEC,
				       .tv_nsec = at.us % USEC_PER_SEC * 1000 } };

	w->alarm = timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0
		       ? at
		       : (mono_t){ 0 };
	return w->alarm.us == at.us;
}

/*
 * How long epoll may wait.  A timeout of its own is set up and taken down at each
 * wait, which is 4 % of a lone round trip; so what is not near wakes us by an
 * alarm, set anew when it has gone off or something is due before it.
 */
static int
wait_ms(struct worker *w)
{
	mono_t next = mono_min(mono_min(wheel_next(&w->wheel), relay_udp_next(w)), w->accept_again);
	int64_t us;

	if (!TAILQ_EMPTY(&w->leftover))
		return 0;
	if (mono_is_never(next))
		return -1;
	us = mono_until(w->now, next);
	if (us > ALARM_NEAR_US &&
	    ((mono_before(w->now, w->alarm) && !mono_before(next, w->alarm)) || set_alarm(w, next)))
		return -1;
	return us <= 0 ? 0 : (int)MIN((us + 999) / USEC_PER_MSEC, INT64_C(3600000));
}

/* For what is not bulk, until the pause is over: less than what wait_ms() can say. */
static int
wait_pause(struct worker *w, struct epoll_event events[static EVENTS_MAX])
{
	int ms = wait_ms(w), n;
	int64_t us = ms == 0 ? 0 : mono_until(loop_now(), w->bulk.pause);

	if (us <= 0)
		return epoll_wait(w->epoll_fd, events, EVENTS_MAX, 0);
	n = epoll_pwait2(
	    w->epoll_fd, events, EVENTS_MAX, &(struct timespec){ .tv_nsec = us * 1000 }, NULL);
	return n >= 0 ? n : epoll_wait(w->epoll_fd, events, EVENTS_MAX, 1); /* before Linux 5.11 */
}

static int
wait_events(struct worker *w, struct epoll_event events[static EVENTS_MAX])
{
	if (w->bulk.n == 0)
		return epoll_wait(w->epoll_fd, events, EVENTS_MAX, wait_ms(w));
	if (mono_before(w->now, w->bulk.pause))
		return wait_pause(w, events);
	return epoll_wait(w->bulk.epoll_fd, events, EVENTS_MAX, wait_ms(w));
}

/* ---- the pass ---- */

static void dispatch(struct worker *w, const struct epoll_event *ev);

static void
dispatch_others(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(w->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++)
		dispatch(w, &events[i]);
}

static void
dispatch(struct worker *w, const struct epoll_event *ev)
{
	uint64_t tag = ev->data.u64;
	enum flow_side side = tag >> 61 & 1 ? FLOW_SERVER : FLOW_CLIENT;
	struct binding *b;
	struct session *s;

	switch ((enum worker_tag)(tag >> 62)) {
	case TAG_COMMAND:
		if ((uint32_t)tag == WORKER_OTHERS)
			dispatch_others(w);
		else if ((uint32_t)tag != WORKER_ALARM)
			worker_obey(w);
		return;
	case TAG_LISTENER:
		b = worker_binding(w, (uint32_t)tag);
		if (b != NULL && b->listener->udp)
			relay_udp_clients(w, b);
		else if (b != NULL)
			accept_some(w, b);
		return;
	case TAG_UDP:
		relay_udp_server(
		    w, (struct udp_flow *)(uintptr_t)(tag & ~((uint64_t)TAG_UDP << 62)));
		return;
	case TAG_SESSION:
		s = session_find(&w->sessions, (uint32_t)(tag >> 32 & 0xffffff), (uint32_t)tag);
		/* The record may be another session's by now, the socket another server's. */
		if (s == NULL || (side == FLOW_SERVER && (s->attempt & 31) != (tag >> 56 & 31)))
			return;
		relay_ready(w, s, side, ev->events);
		return;
	}
}

/* Only what was left over before this pass: what is added now waits for the next. */
static void
go_on(struct worker *w)
{
	struct session *last = TAILQ_LAST(&w->leftover, session_queue), *s;
	bool is_last;

	while ((s = TAILQ_FIRST(&w->leftover)) != NULL) {
		is_last = s == last;
		TAILQ_REMOVE(&w->leftover, s, queue);
		s->is_queued = false;
		relay_resume(w, s);
		if (is_last)
			return;
	}
}

static void
expire(struct worker *w)
{
	struct wheel_timer *t;

	while ((t = wheel_pop(&w->wheel, w->now)) != NULL)
		relay_timer(w, CONTAINER_OF(t, struct session, timer));
	relay_udp_expire(w);
	if (!mono_before(w->now, w->accept_again))
		accept_resume(w);
}

void
worker_pass(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = wait_events(w, events);

	w->now = loop_now();
	w->bulk.pass = (struct bulk_pass){ 0 };
	go_on(w);
	for (int i = 0; i < n; i++)
		dispatch(w, &events[i]);
	relay_bulk_flush(w);
	if (w->bulk.pass.moved > 0) /* else one under way goes on */
		w->bulk.pause = mono_add(w->now, bulk_pause_us(&w->bulk.pass));
	expire(w);
	relay_bulk_flush(w); /* a server that was tried in time's name may have answered at once */
}
