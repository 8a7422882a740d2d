/*
 * relay_udp.h - UDP sessions: the datagrams of one client to one local address,
 * passed on from a socket of their own that is connected to the server.
 *
 * Threads share them without sharing anything: the kernel gives the datagrams of
 * one client and local address always to the same socket of a SO_REUSEPORT group
 * (it hashes both ends), the number of sockets in it changes at a restart only
 * (udp_homes.h is for the sessions that were there before), and each socket is
 * one thread's.
 *
 * There is no connection to fail: a server is found dead by ICMP, or by
 * proxy_responses that did not come in proxy_timeout; a session whose server is
 * down goes on to another with the client's next datagram.  A session ends when
 * as many replies came as were expected, or when it was idle for proxy_timeout.
 *
 * A stranger can make sessions with invented addresses: there are at most
 * UDP_FLOWS_MAX in a thread, and a datagram that finds no room is dropped.
 */
#ifndef PROXYD_RELAY_UDP_H
#define PROXYD_RELAY_UDP_H

#include "proxyd/udp_batch.h"
#include "proxyd/worker.h"

#define UDP_FLOWS_MAX 16384
#define UDP_UNLIMITED UINT32_MAX /* route.responses: nobody counts */

struct udp; /* of one thread, made at its first datagram */
struct udp_flow;

/* All on the data thread.  epoll(7) says: datagrams from clients, from a server. */
void relay_udp_clients(struct worker *, struct binding *);
void relay_udp_server(struct worker *, struct udp_flow *);

/* COMMAND_DATAGRAM. */
void relay_udp_handed(struct worker *, const struct command *);

/* When to call relay_udp_expire next, and at the end of each pass that had events. */
mono_t relay_udp_next(const struct worker *);
void relay_udp_expire(struct worker *);

/* End those of one listener socket (NULL: all), or of one local address. */
void relay_udp_end(struct worker *, const struct binding *, enum flow_reason);
void relay_udp_lost(struct worker *, const struct addr *);

void relay_udp_free(struct worker *);

/* ---- over a restart (relay_udp_left.c) ---- */

/*
 * A session as it is written down: its socket towards the server, and which of
 * the listener's sockets it belongs to (the kernel goes on to give that one the
 * client's datagrams).
 */
struct udp_left {
	struct listener *listener;
	unsigned socket;       /* index into listener->fds */
	struct udp_home *home; /* adopting, where is_current */
	int fd;
	struct route *route;	    /* adopting: a reference */
	struct server *server;	    /* likewise */
	struct sockaddr_in6 client; /* or a sockaddr_in */
	struct udp_local local;
	uint32_t requests, responses;
	uint64_t connection; /* its number in the log */
	uint64_t bytes[2];   /* by enum flow_side */
	mono_t began, active;
	bool is_current; /* the client's next datagram is this session's */
};

/* All sessions of a thread that has stopped. */
void relay_udp_list(
    const struct worker *, void (*each)(void *aux, const struct udp_left *), void *aux);

/* Let go of the first n of these, which somebody else goes on with.  Returns how many there were.
 */
size_t relay_udp_leave(struct worker *, size_t n);

/*
 * Go on with them; before their sockets are attached, so that no datagram
 * begins a second session for the same client.
 */
void relay_udp_adopt(struct worker *, const struct udp_left *, size_t n);
void relay_udp_attached(struct worker *, struct binding *);

#endif
