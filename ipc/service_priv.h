/*
 * service_priv.h - the parts of service.c: what it answers, metrics, events.
 */
#ifndef IPC_SERVICE_PRIV_H
#define IPC_SERVICE_PRIV_H

#include "ipc/service.h"

struct service_events;

struct service {
	struct service_config config;
	struct ipc_server *server;
	struct service_events *events;
	struct ipc_method methods[7];
};

/* service_metrics.c: org.trivet.daemon.ListMetrics, FormatMetrics; aux is the service. */
void service_list_metrics(struct ipc_call *, json_t *parameters, void *aux);
void service_format_metrics(struct ipc_call *, json_t *parameters, void *aux);

/* service_events.c: org.trivet.daemon.Events; aux is the struct service_events. */
struct service_events *service_events_new(uv_loop_t *, const char *epoch);
void service_events_free(struct service_events *);
void service_events_serve(struct ipc_call *, json_t *parameters, void *aux);

/* What GetStatus.peers says: a new array. */
json_t *service_peers(const struct service *);

#endif
