/*
 * relay_tcp.h - TCP sessions: connect to a server (relay_connect.c), pass bytes by
 * copying them through the thread's one buffer and close as the flow says
 * (relay_tcp.c), leave them to the next process or go on with those of the last
 * (relay_left.c).  Bulk directions are relay_bulk.h's.
 *
 * All functions run on the session's data thread; any may end the session.
 * Decisions are flow.h's; this is its hands.
 */
#ifndef PROXYD_RELAY_TCP_H
#define PROXYD_RELAY_TCP_H

#include "proxyd/worker.h"

/* Work one session may do in a pass before others get their turn. */
#define RELAY_PASS_BYTES (256 * 1024)

/* A client was accepted: takes 'fd'. */
void relay_open(struct worker *, struct binding *, int fd);

/*
 * Go on with a session of another process: takes what 'left' holds (descriptors,
 * references, bytes); its queue, timer and index are not looked at.  What its
 * sockets are ready for is learned anew.
 */
void relay_adopt(struct worker *, const struct session *left);

/* Let go of a session that somebody else goes on with: no word to its peers.  Thread stopped. */
void relay_leave(struct worker *, struct session *);

/* epoll(7) says 'events' of one side. */
void relay_ready(struct worker *, struct session *, enum flow_side, uint32_t events);

/* Go on with what was left over. */
void relay_resume(struct worker *, struct session *);

/* Its timer came off the wheel: the deadline has passed, or has moved meanwhile. */
void relay_timer(struct worker *, struct session *);

void relay_abort(struct worker *, struct session *, enum flow_reason);

#endif
