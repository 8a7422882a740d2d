/*
 * poller.c - see poller.h.
 */
#include "checkd/poller.h"

#include "common/text.h"
#include "common/util.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 64

struct poller {
	uv_poll_t poll;
	int fd;
	struct epoll_event batch[BATCH];
	int next, n; /* of the batch: not told yet */
};

static uint32_t
to_epoll(int events)
{
	return (events & UV_READABLE ? EPOLLIN : 0u) | (events & UV_WRITABLE ? EPOLLOUT : 0u);
}

static int
from_epoll(uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		return UV_READABLE | UV_WRITABLE;
	return (events & EPOLLIN ? UV_READABLE : 0) | (events & EPOLLOUT ? UV_WRITABLE : 0);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct poller *p = CONTAINER_OF(poll, struct poller, poll);

	(void)status, (void)events;
	p->n = epoll_wait(p->fd, p->batch, BATCH, 0);
	for (p->next = 0; p->next < p->n;) {
		const struct epoll_event *e = &p->batch[p->next++];
		struct polled *one = e->data.ptr;

		if (one != NULL)
			one->on_ready(one, from_epoll(e->events));
	}
	p->n = 0;
}

int
poller_add(struct poller *p, struct polled *one, int events)
{
	struct epoll_event e = { .events = to_epoll(events), .data.ptr = one };

	one->events = events;
	return epoll_ctl(p->fd, EPOLL_CTL_ADD, one->fd, &e) < 0 ? -errno : 0;
}

void
poller_change(struct poller *p, struct polled *one, int events)
{
	struct epoll_event e = { .events = to_epoll(events), .data.ptr = one };

	if (one->events == events)
		return;
	one->events = events;
	epoll_ctl(p->fd, EPOLL_CTL_MOD, one->fd, &e);
}

/* What the batch still has to say of it is not for it any more. */
static int
leave(struct poller *p, struct polled *one)
{
	int fd = one->fd;

	for (int i = p->next; i < p->n; i++)
		if (p->batch[i].data.ptr == one)
			p->batch[i].data.ptr = NULL;
	one->fd = -1;
	return fd;
}

int
poller_take(struct poller *p, struct polled *one)
{
	epoll_ctl(p->fd, EPOLL_CTL_DEL, one->fd, NULL);
	return leave(p, one);
}

void
poller_close(struct poller *p, struct polled *one)
{
	int fd = leave(p, one);

	if (fd >= 0)
		close(fd); /* and it leaves the set: no other descriptor has that socket */
}

struct poller *
poller_new(uv_loop_t *loop)
{
	struct poller *p = xcalloc(1, sizeof(*p));

	p->fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->fd < 0) {
		free(p);
		return NULL;
	}
	uv_poll_init(loop, &p->poll, p->fd);
	uv_unref((uv_handle_t *)&p->poll);
	uv_poll_start(&p->poll, UV_READABLE, on_ready);
	return p;
}

static void
on_closed(uv_handle_t *handle)
{
	struct poller *p = CONTAINER_OF((uv_poll_t *)handle, struct poller, poll);

	close(p->fd);
	free(p);
}

void
poller_free(struct poller *p)
{
	if (p != NULL)
		uv_close((uv_handle_t *)&p->poll, on_closed);
}
