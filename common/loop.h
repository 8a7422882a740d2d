/*
 * loop.h - the libuv loop as the shells use it: the clock, and one timer per
 * object, armed with a deadline and re-armed from the state after each step.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include "common/mono.h"

#include <uv.h>

/* Now, read from the kernel at each call (CLOCK_BOOTTIME). */
mono_t loop_now(void);

/* RFC 3339, UTC, milliseconds, of the wall clock: for people, never for decisions. */
#define LOOP_STAMP_STRLEN 32
const char *loop_wallclock(char buf[static LOOP_STAMP_STRLEN]);

struct loop_timer {
	uv_timer_t uv;
	void (*on_due)(struct loop_timer *, mono_t now);
	mono_t deadline; /* MONO_NEVER while not armed */
};

/* Embedded in its owner (CONTAINER_OF finds it); never keeps the loop alive by itself. */
void loop_timer_init(uv_loop_t *, struct loop_timer *, void (*on_due)(struct loop_timer *, mono_t));

/*
 * Call on_due once, at or shortly after 'deadline' (at once when it has passed);
 * MONO_NEVER disarms.  Replaces what was armed before.  Never early.
 */
void loop_timer_at(struct loop_timer *, mono_t deadline);
void loop_timer_stop(struct loop_timer *);

/* The owner may be freed in 'on_closed' only.  NULL if it is static or outlives the loop. */
void loop_timer_close(struct loop_timer *, void (*on_closed)(struct loop_timer *));

#endif
