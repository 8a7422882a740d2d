/*
 * session.h - one forwarded connection as a record that could be written down:
 * two descriptors, counters, deadlines, where it came from and goes to, its
 * phase, the bytes that wait.  Everything else about it lives in the kernel.
 *
 * A session belongs to one data thread from accept to close and is found by its
 * index; a record is used again, 'generation' tells the users apart (what epoll
 * hands back may be about the one before; and what an operator names may be of
 * the process before).  No memory beyond the record while nothing waits.
 */
#ifndef PROXYD_SESSION_H
#define PROXYD_SESSION_H

#include "proxyd/bulk.h"
#include "proxyd/flow.h"
#include "proxyd/pick.h"
#include "proxyd/wheel.h"

#include <sys/queue.h>

struct guest;  /* guest.h */
struct pipe;   /* pipes.h */
struct route;  /* worker.h */
struct server; /* upstream.h */

/*
 * Bytes taken from one side that the other would not take yet: flow.pending of
 * them, in memory or in a pipe, never in both.  To write them down, a pipe needs
 * nothing but its reading end ('out'): a file of flow.pending bytes like any
 * other, of at most BULK_SPLICE_MAX; whoever takes the session up may read them
 * into memory.  'bulk' and 'is_level' need not be known then: zeroed, a session
 * is edge-triggered and copies until it has proved itself again.
 */
struct parked {
	uint8_t *bytes;	   /* NULL: none */
	struct pipe *pipe; /* pipes.h; NULL: none */
	uint32_t offset;   /* into bytes */
};

struct session {
	uint32_t index, generation;
	int fd[2];	       /* by enum flow_side; -1: none */
	uint16_t attempt;      /* servers tried so far; which of them the server's fd is */
	uint8_t server_writes; /* 0, 1, 2 and more: the second has TCP_NODELAY set before it */
	bool urgent[2];	       /* urgent data cuts reads short: only EAGAIN means empty then */
	bool is_unix[2];       /* so do descriptors that a peer passes along (unix(7)) */
	bool is_queued;	       /* has work left over for the next pass */
	bool is_outgoing;      /* has its turn in the second phase of this pass (relay_bulk.h) */
	bool is_level;	       /* its sockets are level-triggered, since a direction is bulk */
	uint8_t armed[2];      /* what epoll is asked for then */
	struct bulk bulk[2];   /* by the side that bytes come from */
	struct flow flow;
	struct route *route;   /* a reference: the settings it began with */
	struct server *server; /* a reference, while one is being tried or used */
	struct guest *guest;   /* where its listener asks about clients; else NULL */
	struct parked parked[2];
	uint64_t bytes[2]; /* taken from each side */
	mono_t began, active;
	mono_t greeted;		 /* when a server was first looked for */
	mono_t connect_deadline; /* also of what a client has to say before that */
	struct pick_tried tried;
	struct wheel_timer timer;
	TAILQ_ENTRY(session) queue; /* of work left over, of the second phase, of free records */
};

TAILQ_HEAD(session_queue, session);

/* The records of one thread, made in chunks, never given back. */
#define SESSION_CHUNK  256
#define SESSION_CHUNKS 4096 /* a million sessions a thread */

struct session_table {
	struct session *chunks[SESSION_CHUNKS];
	uint32_t n_chunks;
	struct session_queue free;
	uint32_t n_used;
	uint32_t first; /* generation of a record that was never used; even */
};

/* 'seed' is another for each process and thread: generations begin there. */
void session_table_init(struct session_table *, uint32_t seed);
void session_table_done(struct session_table *);

/* A clean record with its index and a new generation; NULL: no memory, or the table is full. */
struct session *session_new(struct session_table *);
void session_free(struct session_table *, struct session *);

/* The session in use with this index and generation, or NULL. */
struct session *session_find(const struct session_table *, uint32_t index, uint32_t generation);

/* Any in use from *index on (start with 0); NULL at the end.  Advances *index past it. */
struct session *session_each(const struct session_table *, uint32_t *index);

#endif
