/*
 * probe.c - see probe.h.
 */
#include "proxyd/probe.h"

#include "common/loop.h"
#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>

struct probe {
	union {
		uv_handle_t handle;
		uv_tcp_t tcp;
		uv_pipe_t local; /* a unix socket */
		uv_udp_t udp;
	};
	enum probe_kind kind;
	uv_connect_t req;
	struct loop_timer timer;
	void (*on_done)(void *aux, int error); /* NULL once called or cancelled */
	void *aux;
	int error; /* to report from the timer when it could not even begin */
	unsigned n_closed;
};

static void
free_when_closed(struct probe *p)
{
	if (++p->n_closed == 2)
		free(p);
}

static void
on_handle_closed(uv_handle_t *handle)
{
	free_when_closed(handle->data);
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free_when_closed(CONTAINER_OF(timer, struct probe, timer));
}

static void
end(struct probe *p, int error)
{
	void (*on_done)(void *, int) = p->on_done;

	if (on_done == NULL)
		return;
	p->on_done = NULL;
	uv_close(&p->handle, on_handle_closed);
	loop_timer_close(&p->timer, on_timer_closed);
	on_done(p->aux, error);
}

static void
on_connected(uv_connect_t *req, int status)
{
	end(req->data, status); /* libuv's errors are -errno here */
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct probe *p = CONTAINER_OF(timer, struct probe, timer);

	(void)now;
	if (p->error != 0)
		end(p, p->error);
	else
		end(p, p->kind == PROBE_DATAGRAM ? 0 : -ETIMEDOUT);
}

static void
give_room(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
	static char room[1]; /* that something came is enough */

	(void)handle;
	(void)size;
	*ret = uv_buf_init(room, sizeof(room));
}

static void
on_received(
    uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
	(void)buf;
	(void)flags;
	if (n < 0)
		end(udp->data, (int)n);
	else if (from != NULL)
		end(udp->data, 0);
}

static int
send_empty(struct probe *p, const struct sockaddr *to)
{
	uv_buf_t nothing = uv_buf_init(NULL, 0);
	int err = uv_udp_connect(&p->udp, to);

	if (err == 0)
		err = uv_udp_recv_start(&p->udp, give_room, on_received);
	if (err == 0)
		err = uv_udp_try_send(&p->udp, &nothing, 1, NULL);
	return err < 0 ? err : 0;
}

static void
begin(uv_loop_t *loop, struct probe *p, const struct sockaddr_storage *to)
{
	if (to->ss_family == AF_UNIX) {
		const struct sockaddr_un *sun = (const struct sockaddr_un *)to;

		uv_pipe_init(loop, &p->local, 0);
		uv_pipe_connect(&p->req, &p->local, sun->sun_path, on_connected);
	} else if (p->kind == PROBE_DATAGRAM) {
		uv_udp_init(loop, &p->udp);
		p->error = send_empty(p, (const struct sockaddr *)to);
	} else {
		uv_tcp_init(loop, &p->tcp);
		p->error = uv_tcp_connect(
		    &p->req, &p->tcp, (const struct sockaddr *)to, on_connected);
	}
	p->handle.data = p;
}

struct probe *
probe_start(uv_loop_t *loop, enum probe_kind kind, const struct sockaddr_storage *to,
    int64_t timeout_us, void (*on_done)(void *aux, int error), void *aux)
{
	struct probe *p = xcalloc(1, sizeof(*p));

	p->kind = kind;
	p->on_done = on_done;
	p->aux = aux;
	if (kind == PROBE_DATAGRAM)
		timeout_us = PROBE_SILENCE_US;
	p->req.data = p;
	loop_timer_init(loop, &p->timer, on_due);
	begin(loop, p, to);
	loop_timer_at(&p->timer, mono_add(loop_now(), p->error != 0 ? 0 : timeout_us));
	return p;
}

static void
ignore(void *aux, int error)
{
	(void)aux;
	(void)error;
}

void
probe_cancel(struct probe *p)
{
	if (p == NULL)
		return;
	p->on_done = ignore;
	end(p, -ECANCELED);
}
