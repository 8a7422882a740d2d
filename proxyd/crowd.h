/*
 * crowd.h - how many sessions all data threads have together, and how many they
 * may have (worker_connections).  Pure.
 *
 * Each thread writes its own count; where there is a limit, it adds all of them up
 * before each accept.  Threads that do so at the same moment may each take the
 * last place: the limit may be exceeded by fewer sessions than there are threads,
 * and no thread has to write what another writes.
 */
#ifndef PROXYD_CROWD_H
#define PROXYD_CROWD_H

#include <stdbool.h>
#include <stdint.h>

/* Of one thread, which alone writes it; atomic, and a cache line of its own. */
struct crowd_count {
	uint32_t sessions, flows; /* of connections, of datagrams */
	uint64_t full;		  /* times that a client found no room */
	bool is_full;		  /* clients wait in its backlog until there is room */
} __attribute__((aligned(64)));

struct crowd {
	uint32_t max;	      /* sessions; 0: no limit; atomic */
	uint32_t connections; /* worker_connections, for words; atomic */
	unsigned n_threads;
	struct crowd_count *counts;
};

void crowd_init(struct crowd *, unsigned n_threads);
void crowd_done(struct crowd *);

/*
 * So many connections for each of n threads on an average (0: no limit), of which
 * a session takes two, as in nginx.
 */
void crowd_limit(struct crowd *, uint32_t connections, unsigned n);

/* May a thread begin one more? */
bool crowd_has_room(const struct crowd *);

/* A client of this thread found no room; for a while, or nothing waits. */
void crowd_found_full(struct crowd_count *, bool waits);

/* Over all threads. */
uint64_t crowd_full(const struct crowd *);
bool crowd_waits(const struct crowd *);

#endif
