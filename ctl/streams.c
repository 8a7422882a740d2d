/*
 * streams.c - see streams.h.
 */
#include "ctl/streams.h"

#include "common/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum {
	STREAMS_MAX = 8,
	AGAIN_MS = 500, /* between two attempts to reach one that is away */
};

static void
open_one(const char *run_dir, struct stream *s)
{
	if (s->link != NULL || ipc_link_open(run_dir, s->daemon, &s->link) < 0)
		return;
	if (ipc_link_send(s->link, s->method, NULL, true) < 0) {
		ipc_link_close(s->link);
		s->link = NULL;
	}
}

size_t
streams_open(const char *run_dir, struct stream *streams, size_t n)
{
	size_t there = 0;

	for (size_t i = 0; i < n; i++) {
		open_one(run_dir, &streams[i]);
		there += streams[i].link != NULL;
	}
	return there;
}

static void
close_one(struct stream *s)
{
	ipc_link_close(s->link);
	s->link = NULL;
}

/* A reply that is there already, or that poll(2) announced. */
static int
receive(struct stream *s, json_t **ret)
{
	struct varlink_reply reply;
	int err = ipc_link_receive(s->link, 0, &reply);

	if (err == -ETIMEDOUT)
		return 0;
	if (err < 0 || reply.error != NULL || !reply.continues) {
		if (err == 0)
			varlink_reply_done(&reply);
		close_one(s);
		return 0;
	}
	*ret = json_incref(reply.parameters);
	varlink_reply_done(&reply);
	return 1;
}

static int
receive_any(struct stream *streams, size_t n, json_t **ret, struct stream **ret_from)
{
	for (size_t i = 0; i < n; i++)
		if (streams[i].link != NULL && receive(&streams[i], ret) > 0) {
			*ret_from = &streams[i];
			return 1;
		}
	return 0;
}

static void
wait_readable(const struct stream *streams, size_t n, int timeout_ms)
{
	struct pollfd fds[STREAMS_MAX];
	nfds_t n_fds = 0;

	for (size_t i = 0; i < n && n_fds < STREAMS_MAX; i++)
		if (streams[i].link != NULL)
			fds[n_fds++] = (struct pollfd){ .fd = ipc_link_fd(streams[i].link),
				.events = POLLIN };
	poll(fds, n_fds, timeout_ms);
}

int
streams_next(const char *run_dir, struct stream *streams, size_t n, int timeout_ms, json_t **ret,
    struct stream **ret_from)
{
	mono_t limit = timeout_ms < 0 ? MONO_NEVER
				      : mono_add(loop_now(), timeout_ms * USEC_PER_MSEC);

	for (;;) {
		int64_t left = mono_until(loop_now(), limit) / USEC_PER_MSEC;

		if (receive_any(streams, n, ret, ret_from) > 0)
			return 1;
		if (left <= 0)
			return 0;
		wait_readable(streams, n, (int)MIN(left, AGAIN_MS));
		streams_open(run_dir, streams, n);
	}
}

void
streams_close(struct stream *streams, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (streams[i].link != NULL)
			close_one(&streams[i]);
}
