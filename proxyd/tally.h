/*
 * tally.h - counters that data threads write and the control thread reads,
 * without locks: each counter has one writing thread (a tally per thread and
 * thing counted), readers sum over threads.
 */
#ifndef PROXYD_TALLY_H
#define PROXYD_TALLY_H

#include "proxyd/flow.h"

#include <stddef.h>
#include <stdint.h>

struct tally {
	uint64_t sessions;	    /* begun */
	uint64_t bytes_in;	    /* from the client towards the server */
	uint64_t bytes_out;	    /* from the server towards the client */
	uint64_t connection_errors; /* connects refused, unreachable, timed out, reset at once */
	uint64_t retries;	    /* sessions that went on to another server */
	uint64_t timeouts;	    /* of connects and of idle sessions */
	uint64_t dropped;	    /* datagrams that found no room, or came faster than they may */
	uint64_t connects;	    /* that succeeded */
	uint64_t connect_us;	    /* their sum */
	uint64_t reasons[FLOW_REASON_MAX]; /* sessions ended, by reason */
} __attribute__((aligned(64)));		   /* a cache line is one thread's */

/* By the one writing thread. */
static inline void
tally_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/*
 * The last thing a session does with a tally: whoever has seen it (tally_sum)
 * may free the tally when no other session is left.
 */
static inline void
tally_end(struct tally *t, enum flow_reason reason)
{
	__atomic_store_n(&t->reasons[reason], t->reasons[reason] + 1, __ATOMIC_RELEASE);
}

/* One tally for each of n threads, zeroed; to be freed. */
struct tally *tally_new(size_t n_threads);

/* Add what the n threads have counted to *sum. */
void tally_sum(const struct tally *tallies, size_t n_threads, struct tally *sum);

/* Sessions that have ended. */
uint64_t tally_ended(const struct tally *);

#endif
