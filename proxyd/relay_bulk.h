/*
 * relay_bulk.h - sessions with a bulk direction (bulk.h): splice(2) through a
 * pipe of 1 MiB, level-triggered, in two phases of a pass.
 *
 * While a pass hands out events, such a session takes in once from each side
 * that is readable; when all events are handed out, each that has something puts
 * it out once (relay_bulk_flush).  Draining one session in a loop is dearer:
 * what piles up meanwhile makes the next transfer larger.  Of each socket epoll
 * is asked for EPOLLIN while nothing waits that came from it, and for EPOLLOUT
 * while it blocks what waits; each transfer of a busy session would otherwise
 * wake the loop for room it does not need.
 *
 * Their sockets have an epoll set of their own: after a pass that moved little of
 * long streams the thread waits for everybody else's only, up to BULK_PAUSE_US
 * (bulk.h).
 *
 * A pipe is held while bytes are in it and no longer; a direction without one
 * copies.  What splice(2) does not take (the end, an error, urgent data) is for
 * recv(2) to tell: the direction goes back to copying and reads.
 */
#ifndef PROXYD_RELAY_BULK_H
#define PROXYD_RELAY_BULK_H

#include "proxyd/worker.h"

/* A direction has become bulk; the session's sockets from now on level-triggered. */
void relay_bulk_begin(struct worker *, struct session *);

/* The session is going, or is no longer bulk: off the thread's list and count. */
void relay_bulk_end(struct worker *, struct session *);

/* First phase: 'ev' is READY of that side. */
void relay_bulk_ready(
    struct worker *, struct session *, enum flow_side, const struct flow_event *ev);

/* Second phase, for all; and back to edges for those without a bulk direction. */
void relay_bulk_flush(struct worker *);

/* relay_write() of what waits in a pipe. */
unsigned relay_bulk_write(struct worker *, struct session *, enum flow_side to);

/* What is wanted of its sockets has changed outside of a pass.  May end the session. */
void relay_bulk_ask(struct worker *, struct session *);

#endif
