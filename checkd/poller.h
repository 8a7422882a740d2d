/*
 * poller.h - the sockets of short runs, thousands of them: one epoll set of our
 * own behind one libuv handle.  A uv_poll_t for each costs five system calls
 * more than its socket needs, and lives on after it until libuv has closed it.
 */
#ifndef CHECKD_POLLER_H
#define CHECKD_POLLER_H

#include <uv.h>

struct poller;

struct polled { /* embedded in its owner */
	int fd;
	int events; /* waited for: UV_READABLE, UV_WRITABLE */
	/* Level-triggered.  After an error both: the next call on the socket tells it. */
	void (*on_ready)(struct polled *, int events);
};

struct poller *poller_new(uv_loop_t *); /* NULL: no descriptors */
void poller_free(struct poller *);	/* accepts NULL; nothing is polled any more */

/* Of a set fd and on_ready: 0 or -errno. */
int poller_add(struct poller *, struct polled *, int events);
void poller_change(struct poller *, struct polled *, int events);

/* It is the caller's again, polled no more: 'one->fd' becomes -1. */
int poller_take(struct poller *, struct polled *);

/* Closes the descriptor, if it was not taken; on_ready does not come any more. */
void poller_close(struct poller *, struct polled *);

#endif
