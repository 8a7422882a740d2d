/*
 * state.h - RUN_DIR/vrrpd/state: read once at the start, written whenever a role
 * or a term changed (record.h is its text); and beside it the beats (beats.h), which
 * are more exact about when an instance spoke last.
 */
#ifndef VRRPD_STATE_H
#define VRRPD_STATE_H

#include "vrrpd/record.h"
#include "vrrpd/vrrpd.h"

struct state *state_new(struct vrrpd *);

/* What the last process left; NULL: nothing usable.  Owned by the state. */
struct record *state_last(struct state *);
const char *state_boot_id(const struct state *);

/* Soon, once for all changes of this turn of the loop. */
void state_changed(struct state *);

/*
 * With each advert as master: a suspend that we lived through and that nobody
 * noticed (shorter than the peers bear) must not speak against the next process,
 * so the clocks are written down again.
 */
void state_live(struct state *, mono_t now);

/* An advert as master went out, told with the next flush; the place for it, and its end. */
void state_beat(struct state *, const struct instance *, mono_t now);
void state_flush_beats(struct state *);
uint32_t state_beat_take(struct state *, const struct vrrp_conf *);
void state_beat_give_back(struct state *, uint32_t beat);

/* Now: the last thing a process does. */
void state_write(struct state *, bool handover);

#endif
