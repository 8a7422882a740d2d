/*
 * upstream_priv.h - between upstream.c (running) and upstream_apply.c (changing).
 */
#ifndef PROXYD_UPSTREAM_PRIV_H
#define PROXYD_UPSTREAM_PRIV_H

#include "proxyd/lookup.h"
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
	bool is_service;	/* the host is that of SRV records */
	struct target *targets; /* what the name resolved to */
	size_t n_targets;
};

/* An upstream of that name, in the list, without lines. */
struct upstream *upstream_new(struct upstreams *, const char *name);

/* The endpoint of one of its targets. */
static inline struct endpoint
spec_endpoint(const struct spec *spec, size_t i)
{
	struct endpoint ep = spec->targets[i].at;

	if (!spec->is_service)
		ep.port = spec->endpoint.port;
	return ep;
}

/* A server of its own, in no pool yet, without a name.  'text': where no endpoint is a unix socket.
 */
struct server *upstream_server_new(
    struct upstream *, const struct pool_params *, const struct endpoint *, const char *text);

/* Does the server stand for this line (its text, or text@address)? */
bool upstream_is_of_line(const char *server, const char *text);

/* Make the pool anew from lines and answers. */
void upstream_rebuild(struct upstream *);

void upstream_probe_due(struct loop_timer *, mono_t now);

#endif
