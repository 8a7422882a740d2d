/*
 * udp_homes.h - where the sessions live whose datagrams may come to another data
 * thread: those of the process before, of a listener that has got more sockets
 * since.  The kernel shares datagrams out by hash and number of sockets; with
 * another number, most of a client's come to another socket than before.
 *
 * Whoever gets a datagram of no session of its own asks here; the datagram goes
 * to the session's thread as a command, and the session remembers the socket it
 * came by (relay_udp.h: udp_left), so that the restart after this one takes it
 * to the right thread.  Sessions begun since are never here.
 */
#ifndef PROXYD_UDP_HOMES_H
#define PROXYD_UDP_HOMES_H

#include "proxyd/udp_batch.h"
#include "proxyd/worker.h"

struct udp_key;
struct udp_homes; /* of one listener; any thread */
struct udp_home;  /* of one session */

/* Datagrams that wait for one thread; more are dropped, as by a socket that is full. */
#define UDP_HANDED_MAX 1024

struct udp_homes *udp_homes_new(void);
void udp_homes_free(struct udp_homes *); /* accepts NULL; its sessions have ended */

/* The session of 'key' (its binding is of no account) is with 'w', at listener socket 'fd'. */
struct udp_home *udp_homes_add(
    struct udp_homes *, const struct udp_key *key, struct worker *w, int fd);

/* The session ended, or the client's next datagram is not its own; accepts NULL. */
void udp_home_left(struct udp_home *);

/*
 * Whether a datagram that came by socket 'via' belongs to a session elsewhere;
 * it has been handed on then.
 */
bool udp_homes_hand(struct udp_homes *, const struct udp_key *key, struct listener *, int via,
    const struct udp_datagram *);

/*
 * Between the two nothing is handed on: a session's thread has to be told of its
 * own socket before others ask (proxy.c: attach).  Both accept NULL.
 */
void udp_homes_hold(struct udp_homes *);
void udp_homes_go_on(struct udp_homes *);

#endif
