/*
 * upstream_priv.h - between upstream.c (running) and upstream_apply.c (changing).
 */
#ifndef PROXYD_UPSTREAM_PRIV_H
#define PROXYD_UPSTREAM_PRIV_H

#include "proxyd/upstream.h"

/* One server line of the file, and the addresses behind it. */
struct spec {
	struct upstream *up;
	char *text;
	char *host; /* NULL: the endpoint is an address */
	struct endpoint endpoint;
	struct pool_params params;
	bool again;
	struct resolve *resolve;
	struct addr *addrs; /* what the name resolved to */
	size_t n_addrs;
};

/* Say what changed in one upstream; control thread. */
void upstream_tell(struct upstream *);
void upstream_probe_due(struct loop_timer *, mono_t now);

#endif
