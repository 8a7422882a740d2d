/*
 * wheel.c - see wheel.h.
 */
#include "proxyd/wheel.h"

#include <string.h>

void
wheel_init(struct wheel *w, mono_t now)
{
	*w = (struct wheel){ .tick = now.us / WHEEL_TICK_US };
}

static void
take_off(struct wheel *w, struct wheel_timer *t)
{
	if (!t->is_set)
		return;
	LIST_REMOVE(t, entry);
	t->is_set = false;
	if (LIST_EMPTY(&w->slots[t->slot]))
		w->used[t->slot / 64] &= ~(UINT64_C(1) << t->slot % 64);
}

void
wheel_set(struct wheel *w, struct wheel_timer *t, mono_t deadline)
{
	int64_t tick;

	take_off(w, t);
	t->deadline = deadline;
	if (mono_is_never(deadline))
		return;
	tick = deadline.us / WHEEL_TICK_US + 1;
	if (tick <= w->tick)
		tick = w->tick + 1;
	if (tick >= w->tick + WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	t->slot = (uint16_t)(tick % WHEEL_SLOTS);
	t->is_set = true;
	LIST_INSERT_HEAD(&w->slots[t->slot], t, entry);
	w->used[t->slot / 64] |= UINT64_C(1) << t->slot % 64;
}

static bool
is_empty(const struct wheel *w)
{
	for (size_t i = 0; i < WHEEL_SLOTS / 64; i++)
		if (w->used[i] != 0)
			return false;
	return true;
}

struct wheel_timer *
wheel_pop(struct wheel *w, mono_t now)
{
	int64_t target = now.us / WHEEL_TICK_US;

	for (;;) {
		struct wheel_timer *t;

		while ((t = LIST_FIRST(&w->slots[w->tick % WHEEL_SLOTS])) != NULL) {
			take_off(w, t);
			if (!mono_before(now, t->deadline))
				return t;
			wheel_set(w, t, t->deadline); /* more than one turn away */
		}
		if (w->tick >= target)
			return NULL;
		w->tick = is_empty(w) ? target : w->tick + 1;
	}
}

mono_t
wheel_next(const struct wheel *w)
{
	for (int64_t i = 1; i < WHEEL_SLOTS; i++) {
		size_t slot = (size_t)((w->tick + i) % WHEEL_SLOTS);
		uint64_t word = w->used[slot / 64] >> slot % 64;

		if (word == 0) {
			i += 63 - (int64_t)(slot % 64); /* to the last slot of this word */
			continue;
		}
		i += __builtin_ctzll(word);
		return i < WHEEL_SLOTS ? (mono_t){ (w->tick + i) * WHEEL_TICK_US } : MONO_NEVER;
	}
	return MONO_NEVER;
}
