/*
 * worker.c - see worker.h.
 *
 * One pass: what was left over from the pass before, what epoll reports, what
 * bulk sessions have read meanwhile (relay_bulk.h), what has come due.  While there
 * are bulk sessions it reports them, and that others have something; in a pause of
 * theirs, the others only.  No pass ends with a bulk session that waits for its
 * second phase: epoll would not come back to it.  Listener sockets are
 * level-triggered, so that a bounded number of accepts needs no bookkeeping;
 * sessions are edge-triggered (relay_tcp.c) unless they are bulk.
 */
#include "proxyd/worker.h"

#include "common/loop.h"
#include "common/text.h"
#include "proxyd/accept.h"
#include "proxyd/dial.h"
#include "proxyd/listener.h"
#include "proxyd/relay_bulk.h"
#include "proxyd/relay_tcp.h"
#include "proxyd/relay_udp.h"
#include "proxyd/roll.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX    256
#define ALARM_NEAR_US (20 * USEC_PER_MSEC)
#define FDS_KEPT      64		  /* descriptors that sessions do not get */
#define SAY_AGAIN_US  (60 * USEC_PER_SEC) /* a shortage is told once while it lasts */

/* ---- routes ---- */

void
route_ref(struct route *r)
{
	r->refs++;
}

void
route_unref(struct route *r)
{
	if (--r->refs > 0)
		return;
	if (r->up != NULL)
		upstream_unref(r->up);
	rules_unref(r->rules);
	dial_unref(r->dial);
	free(r);
}

/* ---- listeners ---- */

static struct binding *
find_binding(struct worker *w, uint32_t id)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->id == id)
			return b;
	return NULL;
}

/* ---- commands ---- */

static void
attach(struct worker *w, const struct command *c)
{
	struct binding *b = xcalloc(1, sizeof(*b));

	b->listener = c->listener;
	b->fd = c->fd;
	b->route = c->route;
	b->id = w->next_binding++;
	TAILQ_INSERT_TAIL(&w->bindings, b, entry);
	if (c->listener->udp)
		relay_udp_attached(w, b);
	if (accept_watch(w, b, EPOLL_CTL_ADD, EPOLLIN) < 0)
		log_err("listener %s: epoll_ctl: %s", b->listener->name, strerrordesc_np(errno));
}

static void
forget_binding(struct worker *w, struct binding *b)
{
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, b->fd, NULL);
	TAILQ_REMOVE(&w->bindings, b, entry);
	route_unref(b->route);
	free(b);
}

/* Who is queued on it is not touched: the other thread has the same socket. */
static void
release(struct worker *w, const struct command *c)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->listener == c->listener && b->fd == c->fd)
			break;
	if (b != NULL)
		forget_binding(w, b);
}

static void
set_route(struct worker *w, const struct command *c)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry) {
		if (b->listener != c->listener)
			continue;
		route_unref(b->route);
		b->route = c->route;
		route_ref(b->route);
	}
	route_unref(c->route); /* the command's own */
}

static void
detach(struct worker *w, struct listener *l)
{
	struct binding *b, *next;

	for (b = TAILQ_FIRST(&w->bindings); b != NULL; b = next) {
		next = TAILQ_NEXT(b, entry);
		if (b->listener != l)
			continue;
		if (!l->udp)
			accept_all(w, b);
		relay_udp_end(w, b, FLOW_SHUTDOWN); /* they answer through its socket */
		forget_binding(w, b);
		listener_detached(l);
	}
	w->wake(w->wake_aux);
}

static void
abort_all(struct worker *w, enum flow_reason reason)
{
	struct session *s;
	uint32_t index = 0;

	while ((s = session_each(&w->sessions, &index)) != NULL)
		relay_abort(w, s, reason);
	relay_udp_end(w, NULL, reason);
}

/* What the client knows as our address; an IPv4 client of an IPv6 socket as IPv4. */
static bool
is_local_address(int fd, const struct addr *addr)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&sa;
	struct endpoint ep;

	if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0 ||
	    endpoint_from_sockaddr((const struct sockaddr *)&sa, &ep) < 0)
		return false;
	if (addr->family == AF_INET && sa.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return memcmp(&sin6->sin6_addr.s6_addr[12], addr->bytes, 4) == 0;
	return addr_equal(&ep.addr, addr);
}

static void
abort_lost(struct worker *w, const struct addr *addr)
{
	struct session *s;
	uint32_t index = 0;

	while ((s = session_each(&w->sessions, &index)) != NULL)
		if (is_local_address(s->fd[FLOW_CLIENT], addr))
			relay_abort(w, s, FLOW_ADDRESS_LOST);
	relay_udp_lost(w, addr);
}

/* A record of our own for each; what does not fit the table is reset. */
static void
adopt(struct worker *w, const struct command *c)
{
	for (size_t i = 0; i < c->n_adopted; i++)
		relay_adopt(w, &c->adopted[i]);
	free(c->adopted);
}

static void
obey(struct worker *w, const struct command *c)
{
	switch (c->kind) {
	case COMMAND_ATTACH:
		attach(w, c);
		break;
	case COMMAND_RELEASE:
		release(w, c);
		break;
	case COMMAND_ROUTE:
		set_route(w, c);
		break;
	case COMMAND_DETACH:
		detach(w, c->listener);
		break;
	case COMMAND_ABORT:
		abort_all(w, c->reason);
		break;
	case COMMAND_ROLL:
		roll_answer(c->roll, w);
		break;
	case COMMAND_LOST:
		abort_lost(w, &c->addr);
		break;
	case COMMAND_ADOPT:
		adopt(w, c);
		break;
	case COMMAND_ADOPT_UDP:
		relay_udp_adopt(w, c->adopted_udp, c->n_adopted);
		free(c->adopted_udp);
		break;
	case COMMAND_DATAGRAM:
		__atomic_fetch_sub(&w->n_handed, 1, __ATOMIC_RELAXED);
		relay_udp_handed(w, c);
		free(c->datagram);
		break;
	case COMMAND_QUIESCE:
		w->quit = w->quiesced = true;
		break;
	case COMMAND_QUIT:
		w->quit = true;
		break;
	}
}

static struct command *
next_command(struct worker *w)
{
	struct command *c;

	pthread_mutex_lock(&w->lock);
	c = STAILQ_FIRST(&w->commands);
	if (c != NULL)
		STAILQ_REMOVE_HEAD(&w->commands, entry);
	pthread_mutex_unlock(&w->lock);
	return c;
}

static void
obey_all(struct worker *w)
{
	struct command *c;
	uint64_t count;

	if (read(w->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_err("eventfd: %s", strerrordesc_np(errno));
	while ((c = next_command(w)) != NULL) {
		obey(w, c);
		free(c);
	}
}

void
worker_send(struct worker *w, const struct command *command)
{
	struct command *c = xcalloc(1, sizeof(*c));
	const uint64_t one = 1;

	*c = *command;
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->commands, c, entry);
	pthread_mutex_unlock(&w->lock);
	if (write(w->event_fd, &one, sizeof(one)) < 0)
		log_err("eventfd: %s", strerrordesc_np(errno));
}

/* ---- bulk sessions ---- */

/* With TAG_COMMAND: only time has passed; the epoll set of all that is not bulk has something. */
enum { ALARM = 1, OTHERS = 2 };

int
worker_bulk_begins(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.u64 = (uint64_t)TAG_COMMAND << 62 | OTHERS };

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

/* ---- the pass ---- */

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
		if ((uint32_t)tag == OTHERS)
			dispatch_others(w);
		else if ((uint32_t)tag != ALARM)
			obey_all(w);
		return;
	case TAG_LISTENER:
		b = find_binding(w, (uint32_t)tag);
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

static void
pass(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	int n = wait_events(w, events);

	w->now = loop_now();
	w->bulk.moved = 0;
	w->bulk.is_urgent = false;
	go_on(w);
	for (int i = 0; i < n; i++)
		dispatch(w, &events[i]);
	relay_bulk_flush(w);
	if (w->bulk.moved > 0 && !w->bulk.is_urgent)
		w->bulk.pause = mono_add(w->now, bulk_pause_us(w->bulk.moved));
	expire(w);
	relay_bulk_flush(w); /* a server that was tried in time's name may have answered at once */
}

static void *
worker_main(void *aux)
{
	struct worker *w = aux;

	while (!w->quit)
		pass(w);
	if (!w->quiesced) {
		abort_all(w, FLOW_SHUTDOWN);
		relay_udp_free(w);
	}
	w->wake(w->wake_aux);
	return NULL;
}

/* ---- from the control thread ---- */

static void
close_fds(struct worker *w)
{
	int *const fds[] = { &w->epoll_fd, &w->bulk.epoll_fd, &w->event_fd, &w->timer_fd,
		&w->spare_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void
worker_free(struct worker *w)
{
	struct binding *b;
	struct command *c;

	while ((b = TAILQ_FIRST(&w->bindings)) != NULL) {
		TAILQ_REMOVE(&w->bindings, b, entry);
		route_unref(b->route);
		free(b);
	}
	while ((c = STAILQ_FIRST(&w->commands)) != NULL) {
		STAILQ_REMOVE_HEAD(&w->commands, entry);
		if (c->route != NULL)
			route_unref(c->route);
		free(c->datagram);
		free(c);
	}
	session_table_done(&w->sessions);
	pipes_done(&w->pipes);
	close_fds(w);
	pthread_mutex_destroy(&w->lock);
	free(w->buffer);
	free(w);
}

static int
open_fds(struct worker *w)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (uint64_t)TAG_COMMAND << 62 };
	/* Nobody reads it: that it goes off is all it has to say. */
	struct epoll_event alarm = { .events = EPOLLIN | EPOLLET,
		.data.u64 = (uint64_t)TAG_COMMAND << 62 | ALARM };

	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->bulk.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); /* mono_t's */
	if (w->epoll_fd < 0 || w->bulk.epoll_fd < 0 || w->event_fd < 0 || w->timer_fd < 0 ||
	    !accept_have_spare(w) || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->event_fd, &ev) < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->timer_fd, &alarm) < 0)
		return -errno;
	return 0;
}

/* Signals are the control loop's: a data thread takes none. */
static int
start_thread(struct worker *w)
{
	sigset_t all, before;
	char name[16];
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return -rc;
	snprintf(name, sizeof(name), "data-%u", w->number);
	pthread_setname_np(w->thread, name);
	return 0;
}

/*
 * The last descriptors are the control thread's: without one it can neither tell
 * the service manager that we live, nor answer on the bus, nor hand over.
 */
static int
fd_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)(limit.rlim_cur - MIN(limit.rlim_cur / 4, FDS_KEPT));
}

int
worker_start(
    unsigned number, struct crowd *crowd, void (*wake)(void *aux), void *aux, struct worker **ret)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	uint32_t seed;
	int rc;

	w->number = w->next_source = number;
	w->crowd = crowd;
	w->count = &crowd->counts[number];
	w->wake = wake;
	w->wake_aux = aux;
	w->spare_fd = -1;
	w->fd_max = fd_max();
	w->now = w->bulk.pause = loop_now();
	w->accept_again = MONO_NEVER;
	w->connect_log = (struct log_limit){ 0 };
	w->ports_log = (struct log_limit){ .interval_us = SAY_AGAIN_US, .burst = 1 };
	w->buffer = xreallocarray(NULL, WORKER_READ_SIZE_MAX, 1);
	TAILQ_INIT(&w->bindings);
	TAILQ_INIT(&w->leftover);
	TAILQ_INIT(&w->outgoing);
	pipes_init(&w->pipes);
	STAILQ_INIT(&w->commands);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint32_t)w->now.us;
	session_table_init(&w->sessions, seed);
	wheel_init(&w->wheel, w->now);
	pthread_mutex_init(&w->lock, NULL);
	rc = open_fds(w);
	if (rc == 0)
		rc = start_thread(w);
	if (rc < 0) {
		worker_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

void
worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
	w->joined = true;
	close_fds(w); /* the handover wants some, and there may be no others left */
}

void
worker_stop(struct worker *w)
{
	if (!w->joined) {
		worker_send(w, &(struct command){ .kind = COMMAND_QUIT });
		worker_join(w);
	}
	abort_all(w, w->quiesced ? FLOW_HANDOVER : FLOW_SHUTDOWN);
	relay_udp_free(w);
	worker_free(w);
}
