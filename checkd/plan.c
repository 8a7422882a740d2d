/*
 * plan.c - see plan.h.
 */
#include "checkd/plan.h"

#include "common/util.h"

/* The first point of the grid after 'now'. */
static mono_t
next_point(const struct plan *p, mono_t now)
{
	int64_t passed = mono_until(p->grid, now);

	if (passed < 0)
		return p->grid;
	return mono_add(p->grid, (passed / p->interval_us + 1) * p->interval_us);
}

/* The next that others of this interval use too. */
static mono_t
together(int64_t interval_us, mono_t t)
{
	int64_t step = MIN(interval_us / PLAN_TOGETHER_PART, PLAN_TOGETHER_MAX_US);

	return step > 1 ? (mono_t){ (t.us + step - 1) / step * step } : t;
}

/*
 * The second run falls between half and one and a half intervals after the
 * first: on this check's point of the first round if that is far enough away,
 * else of the second.
 */
struct plan
plan_begin(int64_t interval_us, size_t index, size_t n, mono_t now)
{
	double share = n > 0 ? (double)index / (double)n : 0;
	int64_t phase = (int64_t)(share * (double)interval_us);
	int64_t spread = MIN(
	    MAX(PLAN_FIRST_SPREAD_US, (int64_t)n * PLAN_FIRST_APART_US), interval_us);

	if (phase < interval_us / 2)
		phase += interval_us;
	return (struct plan){
		.interval_us = interval_us,
		.grid = together(interval_us, mono_add(now, phase)),
		.due = mono_add(now, (int64_t)(share * (double)spread)),
	};
}

struct plan
plan_began(struct plan p)
{
	p.due = MONO_NEVER;
	return p;
}

struct plan
plan_ended(struct plan p, mono_t now)
{
	p.due = next_point(&p, now);
	return p;
}

struct plan
plan_change(struct plan p, int64_t interval_us, mono_t now)
{
	if (interval_us == p.interval_us)
		return p;
	p.interval_us = interval_us;
	/* A grid point further away than an interval would be a pause nobody asked for. */
	if (mono_until(now, p.grid) > interval_us)
		p.grid = now;
	if (!mono_is_never(p.due))
		p.due = mono_min(p.due, next_point(&p, now));
	return p;
}
