/*
 * story.h - what happened to a session, for those who read of it: the lines of
 * its logs, and what variables are made of.  Kept only where a log wants it.
 *
 * All functions run on the session's data thread and accept a session that
 * nobody tells of.
 */
#ifndef PROXYD_STORY_H
#define PROXYD_STORY_H

#include "proxyd/facts.h"
#include "proxyd/worker.h"

#define STORY_TRIES_MAX 16 /* servers that are told of; of more the last ones */

struct story {
	uint64_t connection;
	struct facts_try *tries; /* names in it are its own */
	uint32_t n_tries;
	mono_t tried_at;   /* the last connect's beginning */
	mono_t first_byte; /* from its server; MONO_NEVER: none came */
};

struct rules;

/* NULL: no log of its listener wants one, or there is no memory for it. */
struct story *story_new(struct worker *, const struct route *); /* worker NULL: no number yet */
void story_free(struct story *);				/* accepts NULL */

/* The client is known and let in; a server is tried, there is none, it took us. */
void story_begins(struct worker *, struct session *);
void story_tried(struct worker *, struct session *);
void story_no_server(struct worker *, struct session *);
void story_connected(struct worker *, struct session *);
void story_failed(struct worker *, struct session *, const char *what);
void story_first_byte(struct worker *, struct session *);

/* Its end, for 'reason'. */
void story_ends(struct worker *, struct session *);

/*
 * What is true of every session of this process now: clock, host, pid.  The rest
 * is the caller's.
 */
void story_world(struct facts *);

/* Lines for a session that is none (relay_udp.c): facts are complete. */
void story_write(const struct rules *, const struct facts *, bool at_start);

/* nginx's $status. */
unsigned story_status(enum flow_reason);

#endif
