/*
 * dispatch.h - a call from its message to its final reply: who handles it, who
 * may, whether its parameters are as declared.  Between conn.c, which has the
 * bytes, and the handlers, which see ipc/server.h.
 */
#ifndef IPC_DISPATCH_H
#define IPC_DISPATCH_H

#include "ipc/conn.h"

/*
 * One message (without its NUL) of 'c', which has no call in flight: answered
 * on the spot, or c->call from now on.  -EBADMSG: nothing that may be answered.
 */
int ipc_dispatch(struct ipc_conn *c, const char *bytes, size_t size);

/* The caller has left: tells the handler, if it asked to be told. */
void ipc_call_abandon(struct ipc_call *);

/* All that was queued is out. */
void ipc_call_wake(struct ipc_call *);

#endif
