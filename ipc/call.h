/*
 * call.h - one call and its answer, blocking: for the command and for tests of
 * it, never for a daemon's loop.
 */
#ifndef IPC_CALL_H
#define IPC_CALL_H

#include "ipc/varlink.h"

#include <stdbool.h>
#include <stdint.h>

struct ipc_link; /* an open connection */

/* RUN_DIR/DAEMON.sock.  0 or -errno: -ECONNREFUSED, -ENOENT (not running), -EACCES, -EPERM
 * (served by a stranger). */
int ipc_link_open(const char *run_dir, const char *daemon, struct ipc_link **ret);
void ipc_link_close(struct ipc_link *);

/* 'parameters' is taken.  0 with a reply (which may be an error), or -errno (-ETIMEDOUT). */
int ipc_link_call(struct ipc_link *, const char *method, json_t *parameters, int timeout_ms,
    struct varlink_reply *ret);

/* A streaming call, then each of its replies; timeout_ms -1: for ever. */
int ipc_link_send(struct ipc_link *, const char *method, json_t *parameters, bool more);
int ipc_link_receive(struct ipc_link *, int timeout_ms, struct varlink_reply *ret);

/*
 * The descriptor, for poll(2) over several links.  Several replies may have come
 * in one read: after it was readable, receive with timeout 0 until -ETIMEDOUT.
 */
int ipc_link_fd(const struct ipc_link *);

#endif
