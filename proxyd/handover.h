/*
 * handover.h - from one proxyd to the next, by way of the service manager's
 * store (design.md section 7).
 *
 * Listeners are in the store from the moment they listen, in boxes (post.h)
 * that are replaced at each change, so that they survive a crash: clients wait
 * in the backlog.  At a restart the data threads stop and everything else goes
 * the same way: sessions with the bytes that wait, the health of servers, the
 * round robin, the counters.  The next process takes the sessions out of the
 * store before it looks at them, so that none can poison a second start.
 *
 * Everything here runs on the control thread.
 */
#ifndef PROXYD_HANDOVER_H
#define PROXYD_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

struct handover;
struct listener;
struct proxy;

/* Why something that was left for us was closed instead. */
enum handover_refusal {
	HANDOVER_CORRUPT,    /* a message that is none of ours, cut or changed */
	HANDOVER_VERSION,    /* of a version that we do not understand */
	HANDOVER_RECORD,     /* it says what cannot be, or its descriptors are something else */
	HANDOVER_UNWANTED,   /* a listener that is no longer configured */
	HANDOVER_RESOURCES,  /* no room for the descriptors of a message */
	HANDOVER_INCOMPLETE, /* a message that was announced and did not come */
	HANDOVER_REFUSALS,
};
const char *handover_refusal_str(enum handover_refusal); /* "corrupt", ... */

struct handover_counts {
	uint64_t listeners, sessions; /* taken over */
	uint64_t refused[HANDOVER_REFUSALS];
};

struct handover *handover_new(struct proxy *);
void handover_free(struct handover *);
const struct handover_counts *handover_counts(const struct handover *);

/* ---- at start, in this order ---- */

/* Take everything out of the store's hands; sessions leave it. */
void handover_receive(struct handover *);

/* Upstreams are made: servers get back their health and counters. */
void handover_restore_upstreams(struct handover *);

/* The sockets that this listener had.  True: it listens now. */
bool handover_take_listener(struct handover *, struct listener *);

/* Listeners are made: sessions go to data threads; what nobody wants is closed.  Says so. */
void handover_take_sessions(struct handover *);

/* ---- while it runs ---- */

/* Some socket began or ended to listen. */
void handover_listeners_changed(struct handover *);

/* If so, replace what is in the store; waits for the service manager (it answers at once). */
void handover_keep_listeners(struct handover *);

/* ---- at a restart ---- */

/* All data threads have stopped: hand over their sessions; what cannot be is left to them. */
void handover_give(struct handover *);

#endif
