/*
 * once.h - one call of a daemon to a sibling and its one reply, over a
 * connection of its own, without waiting: the loop goes on.  For calls that
 * a stream (view.h) does not carry, and whose loss costs little.
 */
#ifndef IPC_ONCE_H
#define IPC_ONCE_H

#include "ipc/socket.h"
#include "ipc/varlink.h"

#include <stdint.h>
#include <uv.h>

struct ipc_once;

struct ipc_once_config {
	const char *path;	       /* of the sibling's socket */
	const struct ipc_trust *trust; /* who may serve it */
	const char *method;
	int64_t timeout_us; /* for the reply */
	/*
	 * Once, later: the reply (which may be an error), or NULL and why not in
	 * words.  The call is over then and its memory goes by itself.
	 */
	void (*on_reply)(void *aux, const struct varlink_reply *, const char *why);
	void *aux;
};

/* 0, or -errno with nothing to come; 'parameters' is taken. */
int ipc_once_call(
    uv_loop_t *, const struct ipc_once_config *, json_t *parameters, struct ipc_once **ret);

/* Before on_reply, which then does not come; accepts NULL. */
void ipc_once_cancel(struct ipc_once *);

#endif
