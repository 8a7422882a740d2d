/*
 * wheel.h - the deadlines of many sessions, coarse and cheap: a timer is moved
 * when it comes due, not at each byte.
 *
 * Pure: told the time, allocates nothing.  A session's deadline moves with
 * every byte; its timer stays where it was, and whoever takes it off the wheel
 * compares with the real deadline and sets it again.  Never early, at most
 * WHEEL_TICK_US and the caller's own delay late.
 */
#ifndef PROXYD_WHEEL_H
#define PROXYD_WHEEL_H

#include "common/mono.h"

#include <stddef.h>
#include <sys/queue.h>

#define WHEEL_TICK_US (100 * USEC_PER_MSEC)
#define WHEEL_SLOTS   512 /* a turn is 51.2 s; a later deadline goes around again */

struct wheel_timer { /* zeroed: not set */
	LIST_ENTRY(wheel_timer) entry;
	mono_t deadline;
	uint16_t slot;
	bool is_set;
};

struct wheel {
	LIST_HEAD(wheel_slot, wheel_timer) slots[WHEEL_SLOTS];
	uint64_t used[WHEEL_SLOTS / 64]; /* slots that may hold a timer */
	int64_t tick;			 /* slots up to this one have been emptied */
};

void wheel_init(struct wheel *, mono_t now);

/* MONO_NEVER takes it off. */
void wheel_set(struct wheel *, struct wheel_timer *, mono_t deadline);

/* The next timer whose deadline has passed, taken off the wheel; NULL: no more. */
struct wheel_timer *wheel_pop(struct wheel *, mono_t now);

/* When to call wheel_pop next; MONO_NEVER when the wheel is empty. */
mono_t wheel_next(const struct wheel *);

#endif
