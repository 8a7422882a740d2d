/*
 * metrics.h - the numbers of vrrpd for monitors: keepalived-exporter's labels
 * and suffixes under our own prefix (ipc.md section 5).
 */
#ifndef VRRPD_METRICS_H
#define VRRPD_METRICS_H

#include "ipc/service.h"
#include "vrrpd/vrrpd.h"

void metrics_of(const struct vrrpd *, struct service_metrics *);

#endif
