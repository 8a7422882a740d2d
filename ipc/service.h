/*
 * service.h - what every daemon says of itself: org.varlink.service,
 * org.trivet.daemon (status, metrics, events, ping) and its .control (reload,
 * log level), over common/daemon.h.
 */
#ifndef IPC_SERVICE_H
#define IPC_SERVICE_H

#include "common/daemon.h"
#include "ipc/server.h"

struct service;
struct service_metrics; /* collects, see service_metric */

struct service_config {
	struct daemon *daemon;
	/* Add the daemon's own metrics; the common ones are added already.  May be NULL. */
	void (*metrics)(void *aux, struct service_metrics *);
	/* Append a PeerLink for each view (ipc_view_describe).  May be NULL. */
	void (*peers)(void *aux, json_t *array);
	/* Whose members may control, beside root and the daemon's own user; NULL: nobody else. */
	const char *admin_group;
	void *aux;
};

/* Opens RUN_DIR/DAEMON/bus and serves.  0 or -errno after logging. */
int service_start(const struct service_config *, struct service **ret);
struct ipc_server *service_server(struct service *);
void service_free(struct service *);

/* 'name' with the daemon's own first word.  'labels': key, value, ..., NULL; or NULL.  kind by
 * name: "_total" is a counter. */
void service_metric(struct service_metrics *, const char *name, const char *help,
    const char *const *labels, double value);

#endif
