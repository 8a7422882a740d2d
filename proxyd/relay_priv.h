/*
 * relay_priv.h - a session's hands, between relay_tcp.c (bytes, deadlines, the end),
 * relay_connect.c (to a server, and the next), relay_bulk.c (splice) and
 * relay_left.c (over a restart).  Nobody else includes it.
 *
 * All on the session's data thread.  What feeds the flow may end the session: it
 * must not be touched after a function that says so returned 0 or false.
 */
#ifndef PROXYD_RELAY_PRIV_H
#define PROXYD_RELAY_PRIV_H

#include "proxyd/relay_tcp.h"

#include <sys/epoll.h>

static inline bool
relay_is_over(const struct session *s)
{
	return s->flow.phase == FLOW_DONE;
}

/* ---- relay_tcp.c ---- */

#define RELAY_EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* epoll_ctl(2) of one side.  0, or -1 with errno. */
int relay_watch(struct worker *, struct session *, enum flow_side, int op, uint32_t events);
int relay_watch_edges(struct worker *, struct session *, enum flow_side); /* for the first time */

/*
 * Feed events until nothing more happens at once.  Returns the actions worth
 * trying; 0 also when the session has ended and must not be touched.  So do the
 * other three.
 */
unsigned relay_feed(struct worker *, struct session *, struct flow_event);

/* Copy once from a side; what is pending for a side, once. */
unsigned relay_read(struct worker *, struct session *, enum flow_side from);
unsigned relay_write(struct worker *, struct session *, enum flow_side to);

/* Writing gave an error. */
unsigned relay_write_failed(struct worker *, struct session *, enum flow_side to);

/*
 * How many of 'wanted' bytes may be taken from a side now.  0: the side is held
 * from now on, and its timer set.
 */
uint32_t relay_share(struct worker *, struct session *, enum flow_side from, uint32_t wanted);

void relay_before_write(struct session *, enum flow_side to);
void relay_count(struct worker *, struct session *, enum flow_side from, size_t n);

/* Of the phase it is in; MONO_NEVER: none. */
mono_t relay_deadline(const struct session *);

/* Parts of an end.  Each may be asked for again: what is gone is passed over. */
void relay_close_side(struct session *, enum flow_side, bool reset);
void relay_unpark(struct session *, enum flow_side from); /* with the bytes */
void relay_release_server(struct session *);
void relay_count_end(const struct session *, struct tally *); /* by flow.reason */

/* ---- relay_connect.c ---- */

/*
 * One more server (its socket, its reference, its deadline), in place of the one
 * before.  False: wait for what epoll says; true: *ret is to be fed at once.
 */
bool relay_connect_next(struct worker *, struct session *, struct flow_event *ret);

/* epoll(7) says 'events' of a socket that is connecting.  True: *ret is what to feed. */
bool relay_connect_result(
    struct worker *, struct session *, uint32_t events, struct flow_event *ret);

/* Count and tell a failure against its server (FLOW_BLAME); worker.error is why. */
void relay_blame(struct worker *, struct session *);

#endif
