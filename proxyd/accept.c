/*
 * accept.c - see accept.h.
 */
#include "proxyd/accept.h"

#include "proxyd/listener.h"
#include "proxyd/relay_tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX	64 /* in one pass, so that sessions get their turn */
#define ACCEPT_PAUSE_US (200 * USEC_PER_MSEC)
#define SAY_AGAIN_US	(60 * USEC_PER_SEC) /* a shortage is told once while it lasts */

int
accept_watch(struct worker *w, struct binding *b, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events,
		.data.u64 = (uint64_t)TAG_LISTENER << 62 | b->id };

	return epoll_ctl(w->epoll_fd, op, b->fd, &ev);
}

/* One line for the process, however many threads feel it. */
static bool
may_say(int64_t *said_us, mono_t now)
{
	int64_t last = __atomic_load_n(said_us, __ATOMIC_RELAXED);

	return (last == 0 || now.us - last >= SAY_AGAIN_US) &&
	       __atomic_compare_exchange_n(
		   said_us, &last, now.us, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void
pause_all(struct worker *w)
{
	struct binding *b;

	w->accept_again = mono_add(w->now, ACCEPT_PAUSE_US);
	TAILQ_FOREACH (b, &w->bindings, entry)
		if (!b->is_paused && !b->listener->udp) {
			b->is_paused = true;
			accept_watch(w, b, EPOLL_CTL_MOD, 0);
		}
}

void
accept_pause(struct worker *w, int error)
{
	static int64_t said_us;

	if (may_say(&said_us, w->now))
		log_err("accept: %s: new clients wait in the backlog until there is room",
		    strerrordesc_np(error));
	pause_all(w);
}

void
accept_full(struct worker *w, bool waits)
{
	static int64_t said_us;

	if (may_say(&said_us, w->now))
		log_warn("%u worker_connections are not enough: %u sessions are open, new clients "
			 "wait in the backlog, new ones of UDP are dropped",
		    __atomic_load_n(&w->crowd->connections, __ATOMIC_RELAXED),
		    __atomic_load_n(&w->crowd->max, __ATOMIC_RELAXED));
	crowd_found_full(w->count, waits);
	if (waits)
		pause_all(w);
}

/* Any descriptor will do: it only keeps its number. */
bool
accept_have_spare(struct worker *w)
{
	if (w->spare_fd < 0)
		w->spare_fd = eventfd(0, EFD_CLOEXEC);
	return w->spare_fd >= 0;
}

bool
accept_use_spare(struct worker *w)
{
	if (w->spare_fd < 0)
		return false;
	close(w->spare_fd);
	w->spare_fd = -1;
	return true;
}

/* Descriptors are handed out lowest first: the next one's number says how many are left. */
static bool
has_room(struct worker *w)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	if (fd < w->fd_max)
		return true;
	errno = EMFILE;
	return false;
}

void
accept_resume(struct worker *w)
{
	struct binding *b;

	if (!accept_have_spare(w) || !has_room(w)) {
		accept_pause(w, errno);
		return;
	}
	if (!crowd_has_room(w->crowd)) {
		accept_full(w, true);
		return;
	}
	w->accept_again = MONO_NEVER;
	__atomic_store_n(&w->count->is_full, false, __ATOMIC_RELAXED);
	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->is_paused) {
			b->is_paused = false;
			accept_watch(w, b, EPOLL_CTL_MOD, EPOLLIN);
		}
}

static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Until the queue is empty or enough for a pass are taken; whether there may be more. */
static bool
accept_queue(struct worker *w, struct binding *b, bool regardless)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd;

		if (!regardless && !crowd_has_room(w->crowd)) {
			accept_full(w, true);
			return false;
		}
		if (!accept_have_spare(w)) {
			accept_pause(w, errno);
			return false;
		}
		fd = accept4(b->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			relay_open(w, b, fd);
			if (fd < w->fd_max)
				continue;
			accept_pause(w, EMFILE);
			return false;
		}
		if (errno == EAGAIN)
			return false;
		if (is_shortage(errno)) {
			accept_pause(w, errno);
			return false;
		}
		/* accept(2): errors of the connection itself; the next one may be well */
	}
	return true;
}

void
accept_some(struct worker *w, struct binding *b)
{
	accept_queue(w, b, false);
}

void
accept_all(struct worker *w, struct binding *b)
{
	while (accept_queue(w, b, true)) {
		/* who was let in by the kernel is let in by us */
	}
}
