/*
 * listener.h - listening sockets, made by the control thread: a fixed number for
 * each listener, shared out among the data threads.
 *
 * An address need not be there yet (IP_FREEBIND): proxyd starts before the VIP.
 * A listener that cannot bind stops nobody; it is tried again each second and
 * shown with its error.  Sockets are closed only as a whole: closing one of a
 * SO_REUSEPORT group resets what is queued on it.  So they never become fewer:
 * where there are more of them than threads, a thread has several (listener_sockets).
 * Where there are fewer, some are added; for datagrams at a restart only: a
 * client's come to another socket then than before, and find their session by
 * udp_homes.h.
 *
 * That none leaves the group is on purpose.  A BPF program (SO_ATTACH_REUSEPORT_CBPF)
 * could steer clients away from a socket until it is empty, at the price of the
 * kernel's own choice for all of them, and of connects that are lost all the same
 * when their last ACK comes after the socket was found empty.  There is nothing to
 * gain: one thread with 4 or with 16 sockets took 1.03 of the CPU that one with a
 * single socket takes for a short connection, 50 at once, and 0.98 with 500
 * (medians of 25 rounds in turn, half of them within 8 % of that); 14.1 and 14.3
 * system calls instead of 14.0 (tests/bench/proxy.py, "sockets").
 *
 * The record outlives its configuration until the last session it accepted has
 * ended (state draining).
 */
#ifndef PROXYD_LISTENER_H
#define PROXYD_LISTENER_H

#include "common/conf/conf.h"
#include "proxyd/tally.h"

#include <limits.h>
#include <sys/queue.h>

enum listener_state { LISTENER_FAILED, LISTENER_LISTENING, LISTENER_DRAINING };
const char *listener_state_str(enum listener_state); /* "failed", ... */

struct udp_homes;

#define LISTENER_NOBODYS UINT_MAX

struct listener {
	char *name;
	struct endpoint endpoint; /* AF_UNSPEC: a unix socket, the name is "unix:/PATH" */
	bool udp, ipv6_only, tcp_nodelay;
	struct listen_conf options;
	int64_t user_timeout_us;
	char *upstream;	     /* its name */
	struct rules *rules; /* a reference; NULL: none */
	struct dial *dial;   /* likewise */

	enum listener_state state;
	char *error;	   /* of the last attempt; NULL: none */
	int *fds;	   /* n_sockets of them while listening */
	unsigned *threads; /* whose each of them is; LISTENER_NOBODYS: nobody's yet */
	size_t n_sockets;
	struct udp_homes *homes; /* sessions of the process before; NULL: there was none */
	unsigned n_detached;	 /* sockets data threads have let go; atomic */
	struct tally *tallies;	 /* one for each data thread, the last the control thread's */
	size_t n_tallies;
	bool configured;  /* mark of a reload */
	bool is_attached; /* data threads have its sockets */
	TAILQ_ENTRY(listener) entry;
};

/* A unix socket is always one: it belongs to one data thread. */
struct listener *listener_new(const struct listener_conf *, size_t n_sockets, size_t n_tallies);
void listener_free(struct listener *); /* closes what is open */

/* Is it the same socket that the file asks for?  Then it is kept. */
bool listener_matches(const struct listener *, const struct listener_conf *);

/* Take over what may change while it listens. */
void listener_update(struct listener *, const struct listener_conf *);

/* Make and bind all sockets, then listen.  0, or -errno with 'error' set; state follows. */
int listener_bind(struct listener *);

/* It goes on with these sockets, bound and listening, of the process before. */
void listener_take(struct listener *, const int *fds, size_t n);

/*
 * How many sockets 'n' threads want where there are 'have': one for each at least,
 * and as many for one as for another, since the kernel gives each socket the same
 * share of clients; with four for each it is near enough.
 */
static inline size_t
listener_sockets(size_t have, size_t n)
{
	if (have <= n)
		return n;
	return have % n == 0 || have >= 4 * n ? have : have + n - have % n;
}

/*
 * Join more sockets to those it has, up to n, so that there is one for each data
 * thread; before they are attached.  Whether there are more now.
 */
bool listener_grow(struct listener *, size_t n);

/* All data threads have let go. */
bool listener_is_detached(const struct listener *);
void listener_close(struct listener *);

static inline bool
listener_is_unix(const struct listener *l)
{
	return l->endpoint.addr.family == AF_UNSPEC;
}

/* Nobody new shall find it; who is queued is still served.  Not at a restart. */
void listener_hide(const struct listener *);

/* Sessions begun here and not ended. */
uint64_t listener_sessions(const struct listener *);

/* From a data thread: one socket less. */
static inline void
listener_detached(struct listener *l)
{
	__atomic_fetch_add(&l->n_detached, 1, __ATOMIC_RELEASE);
}

#endif
