/*
 * session.h - one forwarded connection as a record that could be written down:
 * two descriptors, counters, deadlines, where it came from and goes to, its
 * phase, the bytes that wait.  Everything else about it lives in the kernel.
 *
 * A session belongs to one data thread from accept to close and is found by its
 * index; a record is used again, 'generation' tells the users apart (what epoll
 * hands back may be about the one before).  No memory beyond the record while
 * nothing waits.
 */
#ifndef PROXYD_SESSION_H
#define PROXYD_SESSION_H

#include "proxyd/flow.h"
#include "proxyd/pick.h"
#include "proxyd/wheel.h"

#include <sys/queue.h>

struct route;  /* worker.h */
struct server; /* upstream.h */

/* Bytes taken from one side that the other would not take yet. */
struct parked {
	uint8_t *bytes; /* NULL: none; flow.pending says how many are left */
	uint32_t offset;
};

struct session {
	uint32_t index, generation;
	int fd[2];	       /* by enum flow_side; -1: none */
	uint16_t attempt;      /* servers tried so far; which of them the server's fd is */
	uint8_t server_writes; /* 0, 1, 2 and more: the second has TCP_NODELAY set before it */
	bool urgent[2];	       /* urgent data cuts reads short: only EAGAIN means empty then */
	bool is_queued;	       /* has work left over for the next pass */
	struct flow flow;
	struct route *route;   /* a reference: the settings it began with */
	struct server *server; /* a reference, while one is being tried or used */
	struct parked parked[2];
	uint64_t bytes[2]; /* taken from each side */
	mono_t began, active, connect_deadline;
	struct pick_tried tried;
	struct wheel_timer timer;
	TAILQ_ENTRY(session) queue; /* of work left over, or of free records */
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
};

void session_table_init(struct session_table *);
void session_table_done(struct session_table *);

/* A clean record with its index and a new generation; NULL: no memory, or the table is full. */
struct session *session_new(struct session_table *);
void session_free(struct session_table *, struct session *);

/* The session in use with this index and generation, or NULL. */
struct session *session_find(const struct session_table *, uint32_t index, uint32_t generation);

/* Any in use from *index on (start with 0); NULL at the end.  Advances *index past it. */
struct session *session_each(const struct session_table *, uint32_t *index);

#endif
