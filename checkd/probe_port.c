/*
 * probe_port.c - something listens on a local port.
 */
#include "checkd/diag.h"
#include "checkd/probe.h"
#include "common/loop.h"

#include <stdio.h>
#include <string.h>

static void
start(struct probe *p)
{
	const struct endpoint *at = &p->conf->endpoint;
	struct probe_result result = { .detail = "" };
	char buf[PROBE_DETAIL_MAX], where[ENDPOINT_STRLEN];
	mono_t began = loop_now();
	int rc = diag_listens(p->env->diag, at, p->conf->udp);

	if (at->addr.family == AF_UNSPEC)
		snprintf(where, sizeof(where), "port %u", at->port);
	else
		endpoint_format(at, where);
	if (rc > 0) {
		result.reason = REASON_OK;
	} else if (rc == 0) {
		result.reason = REASON_NOT_LISTENING;
		snprintf(
		    buf, sizeof(buf), "nothing listens on %s%s", p->conf->udp ? "udp " : "", where);
		result.detail = buf;
	} else {
		result.reason = REASON_SYSTEM;
		snprintf(
		    buf, sizeof(buf), "cannot ask the kernel for listeners: %s", strerror(-rc));
		result.detail = buf;
	}
	result.duration_us = mono_until(began, loop_now());
	p->events.on_result(p->events.aux, &result);
}

const struct probe_class probe_port = {
	.size = sizeof(struct probe),
	.start = start,
};
