/*
 * server.h - a daemon's Varlink socket: connections, bounds, access, dispatch.
 *
 * Calls are checked against the embedded .varlink text (ipc/idl.h) before a
 * handler sees them: known method, declared and well-typed parameters.  An
 * interface whose name ends in ".control" is for root, the daemon's own uid and
 * the admin group only; every such call is logged with who and what.
 */
#ifndef IPC_SERVER_H
#define IPC_SERVER_H

#include "ipc/model.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct ipc_server;
struct ipc_call; /* one call in flight; ends with its final reply */

struct ipc_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool is_ours; /* root, or the user of a daemon of this node */
};

struct ipc_method {
	const char *name; /* "org.trivet.check.ListChecks" */
	/*
	 * 'parameters' is borrowed, an object, already checked against the
	 * interface.  Reply now or later: exactly one of ipc_reply, ipc_error;
	 * with ipc_call_more() any number of ipc_continue before.
	 */
	void (*handle)(struct ipc_call *, json_t *parameters, void *aux);
	void *aux;
};

struct ipc_server_config {
	const char *vendor, *product, *version, *url; /* org.varlink.service.GetInfo */
	const char *path;			      /* of the socket itself: RUN_DIR/DAEMON/bus */
	gid_t group, admin_group; /* who may connect; who may control; (gid_t)-1: none */
	unsigned connections_max; /* 0: 128 */
	/* uids that count as peers (kept slots); the daemons of this node */
	const uid_t *peer_uids;
	size_t n_peer_uids;
};

/* 0; -EADDRINUSE: a living daemon serves it already; other -errno. */
int ipc_server_new(uv_loop_t *, const struct ipc_server_config *, struct ipc_server **ret);

/* One interface more than ipc/model has (a test's own); 'model' is kept.  Before its methods. */
void ipc_server_describe(struct ipc_server *, const struct ipc_model *model);

/* 'methods' is kept.  Each name must be declared in the embedded interface texts. */
void ipc_server_add(struct ipc_server *, const struct ipc_method *methods, size_t n);

/* Closes everything, frees at the end of the loop turn.  Accepts NULL. */
void ipc_server_free(struct ipc_server *);

/* Each takes the reference to 'parameters'; NULL is {}. */
void ipc_reply(struct ipc_call *, json_t *parameters);
void ipc_error(struct ipc_call *, const char *error, json_t *parameters);
void ipc_error_invalid(
    struct ipc_call *, const char *parameter); /* org.varlink.service.InvalidParameter */

/* An intermediate reply; only if ipc_call_more(). */
void ipc_continue(struct ipc_call *, json_t *parameters);

bool ipc_call_more(const struct ipc_call *);
const struct ipc_peer *ipc_call_peer(const struct ipc_call *);

/* Output of this call is still queued: a streaming handler waits with its next update. */
bool ipc_call_blocked(const struct ipc_call *);

/*
 * For a handler that answers later: 'on_gone' when the caller has left (the
 * call is invalid after it returns), 'on_writable' when blocked output is out.
 */
void ipc_call_watch(
    struct ipc_call *, void (*on_gone)(void *aux), void (*on_writable)(void *aux), void *aux);

struct ipc_server_stats {
	size_t connections, subscribers;
	uint64_t refused, malformed, slow_closed;
};
struct ipc_server_stats ipc_server_stats(const struct ipc_server *);

#endif
