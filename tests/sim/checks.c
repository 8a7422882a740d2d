/*
 * checks.c - what a process watches, and the checkd that looks for it: the real sum
 * (priority.h) of the real terms, over verdicts that come some time after what
 * they are about, or at once when the election asks for them.  checkd may be
 * away: then a verdict stands for its time and its hold, and moves nothing.
 */
#include "tests/sim/world.h"

#include <string.h>

void
checks_init(struct router *r, uint8_t base, const struct prio_term *terms, size_t n,
    int64_t every_us, int64_t valid_us)
{
	struct checks *c = &r->checks;

	*c = (struct checks){ .base = base,
		.n = n,
		.every_us = every_us,
		.valid_us = valid_us,
		.again_at = MONO_NEVER };
	for (size_t i = 0; i < n; i++) {
		c->terms[i] = terms[i];
		c->of[i].turns_at = c->of[i].seen_at = MONO_NEVER;
	}
}

/* The truth of it, now. */
static bool
is_ill(const struct world *w, const struct ailment *a)
{
	return mono_before(w->now, a->turns_at) ? a->ill : a->turns_to;
}

static mono_t
next_look(struct world *w, const struct checks *c, mono_t from)
{
	return mono_add(from, rng_between(&w->rng, 0, c->every_us));
}

static void
look(struct world *w, struct checks *c, size_t i)
{
	struct ailment *a = &c->of[i];

	a->ill = is_ill(w, a);
	if (!mono_before(w->now, a->turns_at))
		a->turns_at = MONO_NEVER;
	a->seen_at = mono_is_never(a->turns_at) ? MONO_NEVER : next_look(w, c, a->turns_at);
	c->terms[i].verdict = a->ill ? PRIO_DOWN : PRIO_UP;
}

/* What the sum is now, in the fields that the rest of the process reads; true: another than before.
 */
static bool
add_up(struct world *w, struct router *first)
{
	struct checks *c = &first->checks;
	struct prio_sum sum = prio_sum(c->base, c->terms, c->n, w->now, NULL);
	uint8_t full = (uint8_t)(sum.effective + sum.lowered);
	bool news = sum.effective != first->priority || full != first->full ||
		    sum.pending != first->pending;

	for (unsigned i = 0; i < w->n_segments; i++) {
		first[i].priority = sum.effective;
		first[i].full = full;
		first[i].pending = sum.pending;
	}
	c->fault = sum.fault;
	c->again_at = sum.again_at;
	return news;
}

static void
tell_sum(struct world *w, struct router *first)
{
	bool news = add_up(w, first);

	if (news)
		router_priority(w, first, first->priority);
	for (unsigned i = 0; i < w->n_segments; i++)
		if (first[i].faulted != first->checks.fault)
			router_fault(w, &first[i], first->checks.fault);
}

/* Whatever happens to checkd, for that long nothing follows from it. */
static bool
is_held(const struct world *w, const struct checks *c)
{
	if (!c->away)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct prio_term *t = &c->terms[i];

		if (t->verdict == PRIO_UNKNOWN ||
		    (t->on_lost_fail && mono_until(t->valid_until, w->now) >= t->hold_us))
			return false;
	}
	return true;
}

void
checks_boot(struct world *w, struct router *first, bool adopted)
{
	struct checks *c = &first->checks;

	if (c->n == 0)
		return;
	for (size_t i = 0; i < c->n; i++) {
		struct prio_term *t = &c->terms[i];

		t->asked_at = w->now;
		if (!adopted)
			t->verdict = PRIO_UNKNOWN;
		if (!c->away)
			c->of[i].seen_at = next_look(w, c, w->now);
	}
	add_up(w, first);
	for (unsigned i = 0; i < w->n_segments; i++)
		first[i].faulted = c->fault;
}

mono_t
checks_next(const struct router *first)
{
	const struct checks *c = &first->checks;
	mono_t at = c->n > 0 ? c->again_at : MONO_NEVER;

	for (size_t i = 0; !c->away && i < c->n; i++)
		at = mono_min(at, c->of[i].seen_at);
	return at;
}

void
checks_happen(struct world *w, struct router *first)
{
	struct checks *c = &first->checks;
	uint8_t before = first->priority;
	bool fault = first->faulted;

	for (size_t i = 0; !c->away && i < c->n; i++)
		if (!mono_before(w->now, c->of[i].seen_at))
			look(w, c, i);
	tell_sum(w, first);
	if (is_held(w, c) && (before != first->priority || fault != first->faulted))
		judge_fail(w, "%s: checkd is away, and within the hold its priority is %u, not %u",
		    first->name, first->priority, before);
}

void
checks_now(struct world *w, struct router *first)
{
	struct checks *c = &first->checks;

	for (size_t i = 0; i < c->n; i++)
		look(w, c, i);
	if (c->n > 0)
		tell_sum(w, first);
}

void
checks_turn(struct world *w, struct router *first, size_t i, bool ill, mono_t at)
{
	struct checks *c = &first->checks;

	judge_disturb(w);
	c->of[i].ill = is_ill(w, &c->of[i]);
	c->of[i].turns_to = ill;
	c->of[i].turns_at = at;
	c->of[i].seen_at = next_look(w, c, at);
}

/* No disturbance: nothing may come of it until the verdicts are old. */
void
checks_away(struct world *w, struct router *first, bool away)
{
	struct checks *c = &first->checks;

	if (c->n == 0 || c->away == away || (first->alive && !router_runs(w, first)))
		return; /* whoever sleeps does not hear of it */
	c->away = away;
	for (unsigned i = 0; away && i < w->n_segments; i++)
		first[i].verdicts_at = MONO_NEVER;
	for (size_t i = 0; i < c->n; i++) {
		c->terms[i].away = away;
		c->terms[i].valid_until = mono_add(
		    w->now, away ? rng_between(&w->rng, 0, c->valid_us) : c->valid_us);
		if (!away)
			c->of[i].seen_at = next_look(w, c, w->now);
	}
	if (router_runs(w, first))
		checks_happen(w, first);
}

void
checks_mend(struct world *w, struct router *first)
{
	struct checks *c = &first->checks;

	checks_away(w, first, false);
	for (size_t i = 0; i < c->n; i++)
		c->of[i] = (struct ailment){ .turns_at = MONO_NEVER, .seen_at = MONO_NEVER };
	if (router_runs(w, first))
		checks_now(w, first);
}

bool
checks_unsettled(const struct router *first)
{
	return first->checks.n > 0 && !mono_is_never(checks_next(first));
}
