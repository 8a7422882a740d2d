/*
 * call.c - see call.h.
 */
#include "ipc/call.h"

#include "common/loop.h"
#include "common/text.h"
#include "ipc/inbox.h"
#include "ipc/socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_TIMEOUT_MS 5000 /* a daemon that reads nothing for so long hangs */

struct ipc_link {
	int fd;
	struct ipc_inbox inbox;
};

int
ipc_link_open(const char *run_dir, const char *daemon, struct ipc_link **ret)
{
	const struct ipc_trust trust = ipc_trust_daemon(daemon);
	char *path = ipc_socket_path(run_dir, daemon);
	struct ipc_link *link;
	uid_t uid;
	int fd, error;

	error = ipc_socket_connect(path, &fd);
	free(path);
	if (error < 0)
		return error;
	error = ipc_trust_check(&trust, fd, &uid);
	if (error < 0) {
		close(fd);
		return error;
	}
	link = xcalloc(1, sizeof(*link));
	link->fd = fd;
	*ret = link;
	return 0;
}

void
ipc_link_close(struct ipc_link *link)
{
	if (link == NULL)
		return;
	close(link->fd);
	ipc_inbox_done(&link->inbox);
	free(link);
}

int
ipc_link_fd(const struct ipc_link *link)
{
	return link->fd;
}

static mono_t
deadline_after(int timeout_ms)
{
	return timeout_ms < 0 ? MONO_NEVER : mono_add(loop_now(), timeout_ms * USEC_PER_MSEC);
}

/* 0 once the descriptor is ready, -ETIMEDOUT. */
static int
wait_for(const struct ipc_link *link, short events, mono_t deadline)
{
	struct pollfd p = { .fd = link->fd, .events = events };

	for (;;) {
		int64_t left = mono_is_never(deadline) ? -1 : mono_until(loop_now(), deadline);
		int ms = mono_is_never(deadline) ? -1 : (int)(MAX(left, 0) / USEC_PER_MSEC);
		int n = poll(&p, 1, ms);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && left < USEC_PER_MSEC)
			return -ETIMEDOUT;
	}
}

static int
send_all(const struct ipc_link *link, const char *bytes, size_t size)
{
	mono_t deadline = deadline_after(SEND_TIMEOUT_MS);

	while (size > 0) {
		ssize_t n = send(link->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		int error;

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		error = wait_for(link, POLLOUT, deadline);
		if (error < 0)
			return error;
	}
	return 0;
}

int
ipc_link_send(struct ipc_link *link, const char *method, json_t *parameters, bool more)
{
	size_t size;
	char *bytes = varlink_call_encode(method, parameters, more, &size);
	int error;

	if (bytes == NULL)
		return -EMSGSIZE;
	error = send_all(link, bytes, size);
	free(bytes);
	return error;
}

int
ipc_link_receive(struct ipc_link *link, int timeout_ms, struct varlink_reply *ret)
{
	mono_t deadline = deadline_after(timeout_ms);
	const char *bytes;
	size_t size;

	while (!ipc_inbox_next(&link->inbox, &bytes, &size)) {
		int n = wait_for(link, POLLIN, deadline);

		if (n == 0)
			n = ipc_inbox_read(&link->inbox, link->fd);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && n != -EAGAIN)
			return n;
	}
	return varlink_reply_parse(bytes, size, ret);
}

int
ipc_link_call(struct ipc_link *link, const char *method, json_t *parameters, int timeout_ms,
    struct varlink_reply *ret)
{
	struct varlink_reply reply;
	int error = ipc_link_send(link, method, parameters, false);

	if (error == 0)
		error = ipc_link_receive(link, timeout_ms, &reply);
	if (error < 0)
		return error;
	if (reply.continues) { /* we asked for one reply */
		varlink_reply_done(&reply);
		return -EBADMSG;
	}
	*ret = reply;
	return 0;
}
