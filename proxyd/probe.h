/*
 * probe.h - one connect to a server, made by the control loop so that no client
 * has to find out whether the server is back.  Where only datagrams are passed
 * on it is an empty one: ICMP refuses it, or nobody says anything.
 */
#ifndef PROXYD_PROBE_H
#define PROXYD_PROBE_H

#include "common/addr.h"

#include <uv.h>

struct probe;

enum probe_kind { PROBE_CONNECT, PROBE_DATAGRAM };

/* For ICMP to come back: longer than any way there, shorter than anybody would wait. */
#define PROBE_SILENCE_US USEC_PER_SEC

/*
 * Calls on_done once, later, with 0 or -errno, unless cancelled before.  A connect that is not
 * answered within timeout_us is -ETIMEDOUT; a datagram that is not refused in time is 0.
 */
struct probe *probe_start(uv_loop_t *, enum probe_kind, const struct sockaddr_storage *,
    int64_t timeout_us, void (*on_done)(void *aux, int error), void *aux);
void probe_cancel(struct probe *); /* accepts NULL; no call after it */

#endif
