/*
 * once.c - see once.h.
 */
#include "ipc/once.h"

#include "common/loop.h"
#include "common/text.h"
#include "ipc/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ipc_once {
	uv_poll_t poll;
	struct loop_timer timer; /* the reply is late */
	int fd;
	struct ipc_inbox inbox;
	unsigned n_open; /* handles to close before it may be freed */
	void (*on_reply)(void *aux, const struct varlink_reply *, const char *why);
	void *aux;
};

static void
release(struct ipc_once *o)
{
	if (--o->n_open == 0)
		free(o);
}

static void
on_poll_closed(uv_handle_t *handle)
{
	release(CONTAINER_OF((uv_poll_t *)handle, struct ipc_once, poll));
}

static void
on_timer_closed(struct loop_timer *timer)
{
	release(CONTAINER_OF(timer, struct ipc_once, timer));
}

void
ipc_once_cancel(struct ipc_once *o)
{
	if (o == NULL)
		return;
	uv_close((uv_handle_t *)&o->poll, on_poll_closed);
	loop_timer_close(&o->timer, on_timer_closed);
	close(o->fd);
	ipc_inbox_done(&o->inbox);
}

static void
end(struct ipc_once *o, const struct varlink_reply *reply, const char *why)
{
	o->on_reply(o->aux, reply, why);
	ipc_once_cancel(o);
}

static void
on_late(struct loop_timer *timer, mono_t now)
{
	(void)now;
	end(CONTAINER_OF(timer, struct ipc_once, timer), NULL, "no reply in time");
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct ipc_once *o = CONTAINER_OF(poll, struct ipc_once, poll);
	int n = status < 0 ? -ECONNRESET : ipc_inbox_read(&o->inbox, o->fd);
	struct varlink_reply reply;
	const char *bytes;
	size_t size;

	(void)events;
	if (n > 0 && !ipc_inbox_next(&o->inbox, &bytes, &size))
		return; /* not whole yet */
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		end(o, NULL, n == 0 ? "it closed the connection" : strerror(-n));
	else if (varlink_reply_parse(bytes, size, &reply) < 0)
		end(o, NULL, "not a Varlink reply");
	else {
		end(o, &reply, NULL);
		varlink_reply_done(&reply);
	}
}

/* The call is small and the socket new: the kernel takes it whole or something is wrong. */
static int
send_whole(int fd, const char *bytes, size_t size)
{
	ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EAGAIN;
}

static int
open_and_send(const struct ipc_once_config *config, json_t *parameters, int *ret_fd)
{
	size_t size;
	char *bytes = varlink_call_encode(config->method, parameters, false, &size);
	int fd, error = bytes != NULL ? ipc_socket_connect(config->path, &fd) : -EMSGSIZE;
	uid_t uid;

	if (error == 0) {
		error = ipc_trust_check(config->trust, fd, &uid);
		if (error == 0)
			error = send_whole(fd, bytes, size);
		if (error < 0)
			close(fd);
		else
			*ret_fd = fd;
	}
	free(bytes);
	return error;
}

int
ipc_once_call(uv_loop_t *loop, const struct ipc_once_config *config, json_t *parameters,
    struct ipc_once **ret)
{
	struct ipc_once *o;
	int fd = -1, error = open_and_send(config, parameters, &fd);

	if (error < 0)
		return error;
	o = xcalloc(1, sizeof(*o));
	o->fd = fd;
	o->n_open = 2;
	o->on_reply = config->on_reply;
	o->aux = config->aux;
	uv_poll_init(loop, &o->poll, fd);
	uv_unref((uv_handle_t *)&o->poll);
	uv_poll_start(&o->poll, UV_READABLE, on_readable);
	loop_timer_init(loop, &o->timer, on_late);
	loop_timer_at(&o->timer, mono_add(loop_now(), config->timeout_us));
	*ret = o;
	return 0;
}
