/*
 * relay_tcp.h - TCP sessions: connect to a server, pass bytes by copying them
 * through the thread's one buffer, close as the flow says.  Bulk directions are
 * relay_bulk.h's.
 *
 * All functions run on the session's data thread; any may end the session.
 * Decisions are flow.h's; this is its hands.
 */
#ifndef PROXYD_RELAY_TCP_H
#define PROXYD_RELAY_TCP_H

#include "proxyd/worker.h"

#include <sys/epoll.h>

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

/* ---- between relay_tcp.c and relay_bulk.c ---- */

#define RELAY_EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* epoll_ctl(2) of one side.  0, or -1 with errno. */
int relay_watch(struct worker *, struct session *, enum flow_side, int op, uint32_t events);

/*
 * Feed events until nothing more happens at once.  Returns the actions worth
 * trying; 0 also when the session has ended and must not be touched.  So do the
 * other three.
 */
unsigned relay_feed(struct worker *, struct session *, struct flow_event);

/* Copy once from a side; what is pending for a side, once. */
unsigned relay_read(struct worker *, struct session *, enum flow_side from);
unsigned relay_write(struct worker *, struct session *, enum flow_side to);

/*
 * How many of 'wanted' bytes may be taken from a side now.  0: the side is held
 * from now on, and its timer set.
 */
uint32_t relay_share(struct worker *, struct session *, enum flow_side from, uint32_t wanted);

/* Writing gave an error. */
unsigned relay_write_failed(struct worker *, struct session *, enum flow_side to);

void relay_before_write(struct session *, enum flow_side to);
void relay_count(struct worker *, struct session *, enum flow_side from, size_t n);

#endif
