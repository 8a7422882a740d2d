/*
 * relay_udp_priv.h - a data thread's UDP sessions, between relay_udp.c (passing
 * datagrams), relay_udp_server.c (which server gets them), relay_udp_table.c
 * (whose they are) and relay_udp_left.c (over a
 * restart).
 */
#ifndef PROXYD_RELAY_UDP_PRIV_H
#define PROXYD_RELAY_UDP_PRIV_H

#include "proxyd/relay_udp.h"
#include "proxyd/udp_batch.h"
#include "proxyd/udp_homes.h"

#define UDP_BUCKETS 4096

/* Whose datagrams: words, without holes, to be hashed and compared as they are. */
struct udp_key {
	uint32_t binding;
	uint32_t family_port;
	uint32_t from[4], scope;
	uint32_t local[4], interface;
};
#define UDP_KEY_WORDS (sizeof(struct udp_key) / sizeof(uint32_t))

struct udp_flow {
	struct udp_key key;
	bool is_hashed; /* the client's next datagram is this session's */
	int fd;
	struct binding *binding;
	int arrives_by;	       /* the listener socket that the client's datagrams come to */
	struct udp_home *home; /* of the process before; NULL: nobody else asks for it */
	struct route *route;
	struct upstream *up; /* proxy_pass with variables; the route keeps it.  NULL: the route's */
	struct server *server;
	struct endpoint tried; /* the last server, for its log */
	bool has_tried;
	uint64_t connection;	    /* its number in the log */
	uint64_t bytes[2];	    /* by enum flow_side */
	struct sockaddr_in6 client; /* or a sockaddr_in */
	struct udp_local local;
	struct guest *guest; /* where its listener asks about clients; else NULL */
	uint32_t requests, responses;
	mono_t began, active;
	mono_t
	    held; /* proxy_download_rate: replies wait in its socket until then; else MONO_NEVER */
	struct wheel_timer timer;
	LIST_ENTRY(udp_flow) in_bucket;
	int listener_fd;	     /* while it waits */
	TAILQ_ENTRY(udp_flow) entry; /* of all, of those that ended in this pass, or wait */
};

TAILQ_HEAD(udp_flow_list, udp_flow);

struct udp {
	struct udp_batch *batch;
	LIST_HEAD(, udp_flow) buckets[UDP_BUCKETS];
	uint64_t secret[UDP_KEY_WORDS]; /* nobody outside can aim at one bucket */
	struct udp_flow_list flows;
	struct udp_flow_list ended;   /* epoll may have handed out an event of theirs already */
	struct udp_flow_list waiting; /* of the process before, for a socket to be attached */
	unsigned n_flows;
	struct wheel wheel;
	struct log_limit full_log;
};

static inline void
udp_counted(struct worker *w)
{
	__atomic_store_n(&w->count->flows, w->udp->n_flows, __ATOMIC_RELAXED);
}

/* The thread's, made when it is first asked for. */
struct udp *udp_of(struct worker *);

struct udp_key udp_key_of(const struct binding *, const struct udp_datagram *);
struct udp_flow *udp_flow_find(const struct udp *, const struct udp_key *);
void udp_flow_hash(struct udp *, struct udp_flow *);
void udp_flow_unhash(struct udp_flow *);
int udp_flow_watch(struct worker *, struct udp_flow *); /* 0 or -errno */
void udp_flow_arm(struct worker *, struct udp_flow *);	/* its timer, for what is due next */
/* FLOW_REASON_NONE: it goes on elsewhere, which is neither told nor counted as an end. */
void udp_flow_end(struct worker *, struct udp_flow *, enum flow_reason);

/* The address it came to; where it was not told, the listener's. */
struct endpoint udp_local_endpoint(const struct binding *, const struct udp_local *);

/* What is known of it, for its log and for what variables stand for. */
struct facts;
void udp_learn(const struct worker *, const struct udp_flow *, struct facts *);

/* ---- relay_udp_server.c ---- */

/*
 * The next server that can be connected to; false: there is none, and it has
 * ended.  'tried' says who is out.
 */
bool udp_find_server(struct worker *, struct udp_flow *, struct pick_tried *tried);

/* Its server is down: to another, if there is one that is not.  It may have ended then. */
void udp_leave_dead_server(struct worker *, struct udp_flow *);

/* Close its socket; accepts one that has none.  FLOW_REASON_NONE as above. */
void udp_leave_server(struct worker *, struct udp_flow *, enum flow_reason);

/* -errno is its server's fault. */
void udp_blame(struct worker *, struct udp_flow *, int error);

/* ---- relay_udp_left.c ---- */

/* Those whose socket never came. */
void udp_drop_waiting(struct worker *);

#endif
