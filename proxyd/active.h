/*
 * active.h - what checkd says of servers (health_check), told to their pools.
 * Control thread.
 *
 * A check made for a server is named ADDRESS:PORT, or ADDRESS:PORT/match.  Those
 * of servers given by address checkd makes from the file, for the addresses
 * behind names it is asked (lease.h).  What
 * it said last holds while checkd is away, until its validity and a hold are
 * over; from then on the server is judged by its clients alone.
 */
#ifndef PROXYD_ACTIVE_H
#define PROXYD_ACTIVE_H

#include "proxyd/upstream.h"

#include <jansson.h>

struct active;

struct active *active_new(uv_loop_t *, const char *run_dir, struct upstreams *);
void active_free(struct active *); /* accepts NULL */

/* As on_server of the upstreams: it is new, or may be checked otherwise now. */
void active_server(struct active *, struct server *);

/* As on_upstream: the addresses behind its names may be others. */
void active_upstream(struct active *, const struct upstream *, bool gone);

/* A PeerLink for GetStatus.peers; NULL: nothing is asked of checkd. */
json_t *active_describe(const struct active *);

#endif
