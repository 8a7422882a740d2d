/*
 * ticker.h - the deadlines of all instances on one timer of the kernel, to the
 * microsecond: those that are due at once are served by one wake-up, one after
 * another, and what they leave to the end of it (adverts to send, leases to renew) is
 * done in common.
 *
 * A wake-up costs as much as ten adverts; libuv's timers count whole milliseconds, and
 * each has its own place in memory.
 */
#ifndef VRRPD_TICKER_H
#define VRRPD_TICKER_H

#include "vrrpd/agenda.h"

#include <uv.h>

struct ticker;

struct tick { /* embedded by its owner */
	struct agenda_item item;
	struct ticker *ticker;
	void (*on_due)(struct tick *, mono_t now);
};

/* 'on_end': some were due and have been served.  0 or -errno. */
int ticker_new(uv_loop_t *, void (*on_end)(void *aux, mono_t now), void *aux, struct ticker **ret);

void tick_init(struct tick *, struct ticker *, void (*on_due)(struct tick *, mono_t now));
void tick_done(struct tick *); /* its owner may be freed now */

/*
 * Call on_due once, at or shortly after 'deadline' (at once when it has passed);
 * MONO_NEVER: not at all.  Replaces what was set before.  Never early.
 */
void tick_at(struct tick *, mono_t deadline);

#endif
