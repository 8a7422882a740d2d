/*
 * worker.c - a data thread comes and goes; see worker.h.
 */
#include "proxyd/worker_priv.h"

#include "common/loop.h"
#include "common/text.h"
#include "proxyd/accept.h"
#include "proxyd/dial.h"
#include "proxyd/relay_udp.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FDS_KEPT     64			 /* descriptors that sessions do not get */
#define SAY_AGAIN_US (60 * USEC_PER_SEC) /* a shortage is told once while it lasts */

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

/* ---- the thread ---- */

static void *
worker_main(void *aux)
{
	struct worker *w = aux;

	while (!w->quit)
		worker_pass(w);
	if (!w->quiesced) {
		worker_abort_all(w, FLOW_SHUTDOWN);
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
		.data.u64 = (uint64_t)TAG_COMMAND << 62 | WORKER_ALARM };

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
	worker_abort_all(w, w->quiesced ? FLOW_HANDOVER : FLOW_SHUTDOWN);
	relay_udp_free(w);
	worker_free(w);
}
