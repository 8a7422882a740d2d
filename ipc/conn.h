/*
 * conn.h - one connection of a server: bytes in, calls one after another,
 * replies out, and the bounds on each (ipc.md 1.9).  For server.c, which lets
 * it in, and dispatch.c, which makes calls of the messages.
 *
 * One call is in flight at a time; until its final reply is with the kernel
 * nothing more is read, so what a caller pipelines waits in its own socket.
 */
#ifndef IPC_CONN_H
#define IPC_CONN_H

#include "common/log.h"
#include "common/loop.h"
#include "ipc/interfaces.h"
#include "ipc/server.h"

#include <sys/queue.h>

struct ipc_conn {
	TAILQ_ENTRY(ipc_conn) entry;
	struct ipc_conn_owner *owner;
	struct ipc_peer peer;
	bool may_control;

	int fd;
	uv_poll_t poll;
	int events; /* that it waits for */
	struct loop_timer timer;
	unsigned handles; /* still to be closed before the memory goes */

	char *in; /* read and not yet consumed: in[0..in_used) */
	size_t in_size, in_used;
	bool eof;	      /* the peer will not say more, but may still listen */
	mono_t partial_since; /* an incomplete request stands since; MONO_NEVER: none */

	char *out; /* not yet written: out[out_sent..out_used) */
	size_t out_size, out_used, out_sent;
	mono_t progress_at; /* when the peer last took some of it */

	struct ipc_call *call; /* in flight, or NULL */
	bool pumping;	       /* serving calls, further down the stack */
	bool kicked;	       /* there is work that needs no event */
	bool dead;	       /* to be closed at the next opportunity */
	bool closed;
};

/* What the connections of one server share. */
struct ipc_conn_owner {
	uv_loop_t *loop;
	struct ipc_interfaces interfaces;
	TAILQ_HEAD(, ipc_conn) conns;
	size_t n_conns;
	uint64_t malformed, slow_closed;
	struct log_limit complaints;
};

/* Takes over 'fd'. */
struct ipc_conn *ipc_conn_new(
    struct ipc_conn_owner *, int fd, const struct ipc_peer *, bool may_control);

/* Ends the call in flight (on_gone), frees at the end of the loop turn. */
void ipc_conn_close(struct ipc_conn *);

/* A stream is running on it. */
bool ipc_conn_subscribed(const struct ipc_conn *);

/* ---- for dispatch.c ---- */

/* Queue a message; takes 'bytes' (malloc'ed). */
void ipc_conn_send(struct ipc_conn *, char *bytes, size_t size);
/* Some of it is still with us: a stream should wait. */
bool ipc_conn_is_blocked(const struct ipc_conn *);
/* The final reply is queued. */
void ipc_conn_call_ended(struct ipc_conn *);
/* Close it, but not on the spot: a handler may be on the stack, holding its call. */
void ipc_conn_doom(struct ipc_conn *);

#endif
