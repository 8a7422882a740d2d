/*
 * plan.h - when a check runs next: start to start, on its own grid, never
 * beside itself.  Pure; its owner keeps one timer and arms it with 'due'.
 *
 * The first run comes almost at once, because an election may wait for it; the
 * second puts the check on a phase of its own, so that many checks of one
 * interval do not all run in the same instant for ever.
 */
#ifndef CHECKD_PLAN_H
#define CHECKD_PLAN_H

#include "common/mono.h"

#include <stddef.h>

struct plan { /* a value */
	int64_t interval_us;
	mono_t grid; /* a point of the grid: runs are due whole intervals from here */
	mono_t due;  /* the next run */
};

/* First runs begin within the first of these, or so much for each when they are thousands. */
#define PLAN_FIRST_SPREAD_US INT64_C(100000)
#define PLAN_FIRST_APART_US  INT64_C(50)

/*
 * Points of a grid are whole multiples of this part of the interval, at most so
 * long.  Of thousands some begin in each turn of the loop then, and their
 * answers come together: to wake for each alone costs as much as its run.
 */
#define PLAN_TOGETHER_PART   50
#define PLAN_TOGETHER_MAX_US INT64_C(20000)

/* Check 'index' of 'n' that start together at 'now'. */
struct plan plan_begin(int64_t interval_us, size_t index, size_t n, mono_t now);

/*
 * A run begins, and until plan_ended none is due.  Points of the grid
 * that passed meanwhile are left out, not made up for.
 */
struct plan plan_began(struct plan);
struct plan plan_ended(struct plan, mono_t now);

/* Another interval; the phase is kept as far as there is one. */
struct plan plan_change(struct plan, int64_t interval_us, mono_t now);

#endif
