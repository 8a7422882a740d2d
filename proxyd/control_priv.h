/*
 * control_priv.h - between control.c and metrics.c.
 */
#ifndef PROXYD_CONTROL_PRIV_H
#define PROXYD_CONTROL_PRIV_H

struct proxy;
struct service_metrics;

/* proxyd_frontend_*, proxyd_backend_*, proxyd_server_*, proxyd_process_*. */
void metrics_collect(struct proxy *, struct service_metrics *);

#endif
