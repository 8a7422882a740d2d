/*
 * worker.h - a data thread: its own epoll set, its own listener sockets, its own
 * sessions, nothing shared with the others but the pools (upstream.h).
 *
 * The control thread talks to it by commands through a queue and an eventfd;
 * it answers by counters and by waking the control thread.  Commands are
 * carried out in order.
 */
#ifndef PROXYD_WORKER_H
#define PROXYD_WORKER_H

#include "proxyd/crowd.h"
#include "proxyd/pipes.h"
#include "proxyd/session.h"
#include "proxyd/tally.h"
#include "proxyd/upstream.h"

#include "common/log.h"

#include <pthread.h>

/*
 * How long a session of the process before has at least, so that what came to its sockets in
 * between is heard before its deadline is looked at.
 */
#define WORKER_ADOPTED_US USEC_PER_SEC

#define WORKER_READ_SIZE  (64 * 1024) /* of one recv, unless proxy_buffer_size is larger */
#define WORKER_READ_SIZE_MAX                                                                       \
	(1024 * 1024) /* the thread's buffer; pages not touched cost nothing                       \
		       */

struct dial;
struct listener;
struct roll;
struct udp_datagram;
struct udp_left;
struct rules;

/*
 * What a listener's sessions are forwarded by: immutable.  Each data thread has
 * its own copy, so that counting its users needs no atomics.
 */
struct route {
	struct listener *listener;
	struct upstream *up; /* a reference */
	struct rules *rules; /* a reference; NULL: none */
	struct dial *dial;   /* a reference; NULL: none */
	struct tally *tally; /* this thread's, of the listener */
	int64_t connect_timeout_us, timeout_us, next_timeout_us;
	int64_t half_timeout_us, age_us, age_jitter_us; /* 0: none */
	unsigned tries;					/* 0: as many as there are servers */
	uint32_t read_size;
	bool half_close, tcp_nodelay;
	uint32_t requests, responses; /* UDP: of one session; 0 and UDP_UNLIMITED: no limit */
	unsigned refs;		      /* this thread's: the binding and sessions */
};

/* One listener socket of this thread. */
struct binding {
	struct listener *listener;
	int fd;
	struct route *route; /* a reference */
	bool is_paused;
	uint32_t id;
	TAILQ_ENTRY(binding) entry;
};

enum command_kind {
	COMMAND_ATTACH,	   /* accept from 'fd' and forward by 'route' */
	COMMAND_RELEASE,   /* another thread accepts from 'fd' now */
	COMMAND_ROUTE,	   /* new sessions of 'listener' go by 'route' */
	COMMAND_DETACH,	   /* accept what is queued, then no more; listener_detached() when done */
	COMMAND_ABORT,	   /* end all sessions for 'reason', by reset */
	COMMAND_LOST,	   /* end those whose local address is 'addr' */
	COMMAND_ROLL,	   /* answer 'roll' (roll.h) */
	COMMAND_ADOPT,	   /* go on with the sessions 'adopted', begun by another process */
	COMMAND_ADOPT_UDP, /* the same for datagrams; before their listener is attached */
	COMMAND_DATAGRAM,  /* one for a session of this thread that came to another (udp_homes.h) */
	COMMAND_QUIESCE,   /* let the thread end and leave its sessions as they are */
	COMMAND_QUIT,
};

struct command {
	enum command_kind kind;
	struct listener *listener;
	int fd;
	struct route *route; /* ownership passes */
	enum flow_reason reason;
	struct addr addr;
	struct roll *roll;
	struct session *adopted; /* an array; ownership passes */
	struct udp_left *adopted_udp;
	size_t n_adopted;
	struct udp_datagram *datagram; /* ownership passes; 'fd': the session's socket */
	int via;		       /* the socket it came by */
	STAILQ_ENTRY(command) entry;
};

struct worker {
	/* the thread's own */
	unsigned number;
	int epoll_fd;
	mono_t now; /* read once a pass */
	int timer_fd;
	mono_t alarm; /* when it goes off, or went */
	struct session_table sessions;
	struct session_queue leftover;
	struct session_queue outgoing; /* bulk: read in this pass, to be written at its end */
	struct {
		int epoll_fd; /* their sockets; and while there are any, the set of all others */
		unsigned n;   /* sessions */
		mono_t pause; /* its end */
		struct bulk_pass pass; /* this one */
	} bulk;			       /* sessions that are, relay_bulk.h */
	struct pipes pipes;
	struct wheel wheel;
	struct udp *udp; /* relay_udp.h */
	TAILQ_HEAD(, binding) bindings;
	uint32_t next_binding;
	uint8_t *buffer;      /* one for all sessions: bytes stay in it for one step only */
	int spare_fd;	      /* given up to finish an accepted session when descriptors run out */
	int fd_max;	      /* sessions do not take descriptors from this number on */
	mono_t accept_again;  /* MONO_NEVER: not paused */
	unsigned next_source; /* proxy_bind: whose turn it is */
	int error;	      /* errno of the connect that just failed, for words */
	uint64_t n_stories;   /* begun (story.h) */
	struct log_limit connect_log, ports_log, guest_log;
	bool quit, quiesced;

	/* shared with the control thread */
	pthread_t thread;
	bool joined; /* the control thread's */
	pthread_mutex_t lock;
	STAILQ_HEAD(, command) commands;
	int event_fd;
	struct crowd *crowd;
	struct crowd_count *count; /* the thread's */
	uint32_t n_handed;	   /* COMMAND_DATAGRAM in the queue; atomic */
	void (*wake)(void *aux);
	void *wake_aux;
};

/* 'wake' is called from the thread when it has news.  0 or -errno. */
int worker_start(
    unsigned number, struct crowd *, void (*wake)(void *aux), void *aux, struct worker **ret);

/* Copies the command. */
void worker_send(struct worker *, const struct command *);

/*
 * After COMMAND_QUIESCE: wait for the thread.  From then on the caller may do
 * with its sessions what the thread could.
 */
void worker_join(struct worker *);

/* Sends COMMAND_QUIT, unless it was quiesced, and waits; ends its sessions; frees. */
void worker_stop(struct worker *);

static inline uint32_t
worker_sessions(const struct worker *w)
{
	return __atomic_load_n(&w->count->sessions, __ATOMIC_RELAXED);
}

/* ---- for what runs on the thread ---- */

/* A session began or ended; who waits for room need not wait longer. */
static inline void
worker_counted(struct worker *w)
{
	__atomic_store_n(&w->count->sessions, w->sessions.n_used, __ATOMIC_RELAXED);
	if (w->count->is_full)
		w->accept_again = w->now;
}

/* What epoll hands back: what kind, which, which side, which attempt. */
enum worker_tag { TAG_SESSION, TAG_LISTENER, TAG_COMMAND, TAG_UDP };

static inline uint64_t
worker_tag_session(const struct session *s, enum flow_side side)
{
	return (uint64_t)TAG_SESSION << 62 | (uint64_t)side << 61 |
	       (uint64_t)(s->attempt & 31) << 56 | (uint64_t)(s->index & 0xffffff) << 32 |
	       s->generation;
}

/* One more session whose sockets are in bulk.epoll_fd, or one less.  0, or -1 with errno. */
int worker_bulk_begins(struct worker *);
void worker_bulk_ends(struct worker *);

void route_ref(struct route *);
void route_unref(struct route *);

#endif
