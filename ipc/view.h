/*
 * view.h - the consumer's side of Monitor: a peer daemon's objects as this
 * process last knew them.  Connects, backs off, reconnects; the old objects
 * stay over the peer's restart until its new snapshot is complete.
 */
#ifndef IPC_VIEW_H
#define IPC_VIEW_H

#include "common/mono.h"
#include "ipc/mirror.h" /* struct ipc_view_array */

#include <jansson.h>
#include <uv.h>

enum ipc_view_state {
	IPC_VIEW_DOWN,	/* never connected, or the peer closed */
	IPC_VIEW_STALE, /* connected, but silent for three heartbeats, or no whole snapshot yet */
	IPC_VIEW_LIVE,
};
const char *ipc_view_state_str(enum ipc_view_state); /* "down", "stale", "live" */

struct ipc_view_config {
	const char *daemon; /* "checkd": its socket, the uid its server must have */
	const char *run_dir;
	const char *method; /* "org.trivet.check.Monitor" */
	json_t *parameters; /* of the method, beside heartbeatMs; a reference is taken; or NULL */
	unsigned heartbeat_ms;
	const struct ipc_view_array *arrays; /* kept */
	size_t n_arrays;
	/* The state changed; 'why' in words. */
	void (*on_state)(void *aux, enum ipc_view_state, const char *why);
	/* A message's objects have all been told (struct ipc_view_array); may be NULL. */
	void (*on_applied)(void *aux);
	void *aux;
};

struct ipc_view;

struct ipc_view *ipc_view_new(uv_loop_t *, const struct ipc_view_config *);
void ipc_view_free(struct ipc_view *);

/* What GetStatus.peers says of it (a PeerLink object, new reference). */
json_t *ipc_view_describe(const struct ipc_view *);
enum ipc_view_state ipc_view_state(const struct ipc_view *);

#endif
