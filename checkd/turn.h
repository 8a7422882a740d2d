/*
 * turn.h - how many runs may begin in one turn of the loop.  After a stall, or
 * when thousands of checks start, many are due at once; were all begun before
 * the loop looks at its sockets again, their descriptors would be taken
 * together and their answers read late.
 */
#ifndef CHECKD_TURN_H
#define CHECKD_TURN_H

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#define TURN_RUNS 64

struct turn_entry { /* embedded in its owner */
	TAILQ_ENTRY(turn_entry) entry;
	void (*begin)(struct turn_entry *);
	bool waits;
};

struct turn {
	uv_check_t check; /* after the sockets */
	uv_idle_t idle;	  /* runs while somebody waits: the loop does not sleep */
	unsigned left;
	TAILQ_HEAD(, turn_entry) waiting;
};

void turn_init(struct turn *, uv_loop_t *);
void turn_done(struct turn *); /* nobody waits any more; its memory stays until the loop ends */

/* Calls begin() at once, or in one of the next turns, in order.  Not while it waits. */
void turn_take(struct turn *, struct turn_entry *);
void turn_forget(struct turn *, struct turn_entry *); /* also when it does not wait */

#endif
