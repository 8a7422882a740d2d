/*
 * roll.h - the roll call of sessions: one question that goes round all data
 * threads, to list sessions or to end them.
 *
 * The control thread makes it and sends it to every thread (COMMAND_ROLL); each
 * does its part and the last one out wakes the control thread, which takes it
 * from there (rolls_finish).
 */
#ifndef PROXYD_ROLL_H
#define PROXYD_ROLL_H

#include "proxyd/worker.h"

#define ROLL_LIMIT_MAX 65536 /* sessions listed in one call */

struct roll_entry { /* what a session was when it was asked */
	unsigned thread;
	uint32_t index, generation;
	const char *state; /* flow_phase_str */
	char *listener, *upstream;
	struct endpoint client, server; /* server: AF_UNSPEC for none */
	int64_t age_us, idle_us;
	uint64_t bytes[2];
};

struct roll {
	/* which: all that match everything that is set */
	struct server *server;	   /* a session of its own is held on it */
	const struct upstream *up; /* a reference */
	const char *listener;	   /* owned */
	bool one;		   /* the session of this thread, index, generation */
	unsigned thread;
	uint32_t index, generation;
	bool only_open;		 /* not those still being connected */
	enum flow_reason reason; /* FLOW_REASON_NONE: list; else end them */

	pthread_mutex_t lock;
	unsigned waiting; /* threads that have not answered */
	size_t n_matched; /* also those beyond the limit */
	struct roll_entry *entries;
	size_t n, limit;

	/* on the control thread, when all have answered; NULL 'call': nobody waits */
	void (*on_done)(struct roll *);
	void *call;
	TAILQ_ENTRY(roll) entry;
};

TAILQ_HEAD(rolls, roll);

struct roll *roll_new(struct server *, struct upstream *, const char *listener);

/* Ask every thread.  It is in 'rolls' until rolls_finish. */
void roll_send(struct rolls *, struct roll *, struct worker *const *workers, size_t n);

/* Those that are answered: on_done, freed. */
void rolls_finish(struct rolls *);

/* At the end, when no thread runs: without on_done. */
void rolls_done(struct rolls *);

/* A data thread's part. */
void roll_answer(struct roll *, struct worker *);

#endif
