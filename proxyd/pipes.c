/*
 * pipes.c - see pipes.h.
 */
#include "proxyd/pipes.h"

#include "common/text.h"
#include "common/util.h"
#include "proxyd/bulk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE_MIN     (256 * 1024) /* a smaller pipe costs more than copying saves */
#define TRY_AGAIN_US (10 * USEC_PER_SEC)

/* What all threads share. */
static struct {
	pthread_mutex_t lock;
	struct pipe_list empty;
	unsigned n_made; /* in the process: empty, kept or lent */
	unsigned n_threads;
	mono_t try_again;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct pipe *
make(void)
{
	struct pipe *p;
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return NULL;
	fcntl(fds[1], F_SETPIPE_SZ, BULK_SPLICE_MAX);
	if (fcntl(fds[1], F_GETPIPE_SZ) < SIZE_MIN) {
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->out = fds[0];
	p->in = fds[1];
	return p;
}

static void
dispose(struct pipe *p)
{
	close(p->out);
	close(p->in);
	free(p);
}

void
pipes_init(struct pipes *own)
{
	SLIST_INIT(&own->empty);
	own->n_empty = 0;
	__atomic_fetch_add(&all.n_threads, 1, __ATOMIC_RELAXED);
}

void
pipes_done(struct pipes *own)
{
	struct pipe *p;

	pthread_mutex_lock(&all.lock);
	while ((p = SLIST_FIRST(&own->empty)) != NULL) {
		SLIST_REMOVE_HEAD(&own->empty, entry);
		SLIST_INSERT_HEAD(&all.empty, p, entry);
	}
	pthread_mutex_unlock(&all.lock);
	own->n_empty = 0;
	__atomic_fetch_sub(&all.n_threads, 1, __ATOMIC_RELAXED);
}

static struct pipe *
take_shared(mono_t now)
{
	struct pipe *p;

	pthread_mutex_lock(&all.lock);
	p = SLIST_FIRST(&all.empty);
	if (p != NULL)
		SLIST_REMOVE_HEAD(&all.empty, entry);
	else if (all.n_made < PIPES_MAX && !mono_before(now, all.try_again)) {
		p = make();
		if (p != NULL)
			all.n_made++;
		else
			all.try_again = mono_add(now, TRY_AGAIN_US);
	}
	pthread_mutex_unlock(&all.lock);
	return p;
}

struct pipe *
pipes_take(struct pipes *own, mono_t now)
{
	struct pipe *p = SLIST_FIRST(&own->empty);

	if (p == NULL)
		return take_shared(now);
	SLIST_REMOVE_HEAD(&own->empty, entry);
	own->n_empty--;
	return p;
}

/* Half of all at the most lie with threads that do not need them. */
static bool
may_keep(const struct pipes *own)
{
	unsigned n_threads = __atomic_load_n(&all.n_threads, __ATOMIC_RELAXED);

	return own->n_empty < MIN(PIPES_KEEP, PIPES_MAX / 2 / n_threads);
}

void
pipes_give(struct pipes *own, struct pipe *p)
{
	if (may_keep(own)) {
		SLIST_INSERT_HEAD(&own->empty, p, entry); /* the warmest first */
		own->n_empty++;
		return;
	}
	pthread_mutex_lock(&all.lock);
	SLIST_INSERT_HEAD(&all.empty, p, entry);
	pthread_mutex_unlock(&all.lock);
}

void
pipes_discard(struct pipe *p)
{
	dispose(p);
	pthread_mutex_lock(&all.lock);
	all.n_made--;
	pthread_mutex_unlock(&all.lock);
}
