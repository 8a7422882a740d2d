/*
 * probe.h - one connect to a server, made by the control loop so that no client
 * has to find out whether the server is back.
 */
#ifndef PROXYD_PROBE_H
#define PROXYD_PROBE_H

#include "common/addr.h"

#include <uv.h>

struct probe;

/* Calls on_done once, later, with 0 or -errno (-ETIMEDOUT), unless cancelled before. */
struct probe *probe_start(uv_loop_t *, const struct sockaddr_storage *, int64_t timeout_us,
    void (*on_done)(void *aux, int error), void *aux);
void probe_cancel(struct probe *); /* accepts NULL; no call after it */

#endif
