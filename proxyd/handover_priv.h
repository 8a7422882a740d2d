/*
 * handover_priv.h - between the files of the handover: handover.c (what it
 * consists of, the order of things), handover_listeners.c, handover_take.c and
 * handover_give.c (sessions and the rest).
 */
#ifndef PROXYD_HANDOVER_PRIV_H
#define PROXYD_HANDOVER_PRIV_H

#include "common/mono.h"
#include "proxyd/handover.h"
#include "proxyd/post.h"
#include "proxyd/proxy.h"
#include "proxyd/relay_udp.h"

/* Names in the store.  Listeners: a new set has another name than the one it replaces. */
#define HANDOVER_SESSIONS "sessions"
#define HANDOVER_SETS	  3

/* Sockets that were left for us, by what they listen on. */
struct left_listener {
	struct parcel_address address;
	int *fds;
	size_t n_fds;
};

struct handover {
	struct proxy *proxy;
	struct handover_counts counts;

	/* what was left for us, until it is taken */
	struct left_listener *listeners;
	size_t n_listeners;
	struct post_message *messages;
	size_t n_messages;
	uint64_t stamp_us;	      /* when the one before us stopped */
	uint32_t n_came, n_announced; /* messages */

	/* what is in the store */
	bool is_changed;	    /* not as it should be */
	bool stored[HANDOVER_SETS]; /* listener boxes of this set */
	unsigned set;
	size_t n_boxes;
};

void handover_refuse(struct handover *, enum handover_refusal);

/* What parcel_open or parcel_get said. */
enum handover_refusal handover_refusal_of(int error);

/* "listeners-a", ...; the number of the set, or -1. */
const char *handover_set_name(unsigned set);
int handover_set_of(const char *name);

/* handover_listeners.c */
void handover_read_listeners(struct handover *, int box);
void handover_close_listeners(struct handover *); /* those nobody took: counted */

/* The identity of a listener as it is written down. */
void handover_address(const struct listener *, struct parcel_address *ret);
bool handover_same_address(const struct parcel_address *, const struct listener *);

/* handover_udp.c: but for listener, route, server and descriptor when it is filled. */
void handover_describe_udp(const struct udp_left *, struct parcel_udp *ret);
void handover_fill_udp(const struct parcel_udp *, struct udp_left *ret);

void handover_copy(char to[static PARCEL_NAME_SIZE], const char *from);

#endif
