/*
 * guest.h - what a session is asked about its client, where its listener has
 * rules (rules.h): on the session's data thread, between accept and the first
 * server.
 */
#ifndef PROXYD_GUEST_H
#define PROXYD_GUEST_H

#include "proxyd/worker.h"

/* The next server for this session, by its upstream's algorithm and key.  NULL: none. */
struct server *guest_pick(struct worker *, struct session *);

#endif
