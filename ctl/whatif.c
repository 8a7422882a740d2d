/*
 * whatif.c - see whatif.h.
 */
#include "ctl/whatif.h"

#include "vrrpd/fsm.h"
#include "vrrpd/priority.h"

#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 16,	     /* adverts that answer adverts at one instant */
	STEPS_MAX = 1000000, /* a bound on a run, far above what any interval needs */
};

struct router {
	const struct whatif_side *side;
	struct vrrp_params params;
	struct vrrp_state state;
	bool lost;
	mono_t became; /* master */
};

struct world {
	struct router routers[WHATIF_SIDES_MAX];
	size_t n;
	mono_t now;
	unsigned depth;
};

/* ---- one router ---- */

/* As vrrpd makes them (vrrpd/instance.c); an address where the file leaves it to the interface. */
static struct vrrp_params
params_of(const struct vrrp_conf *vi, size_t i)
{
	struct vrrp_params p = {
		.primary = vi->source,
		.version = vi->version,
		.interval_us = vi->advert_us,
		.down_adverts = vi->down_timer_adverts,
		.preempt = !vi->nopreempt,
		.preempt_delay_us = vi->preempt_delay_us,
		.answer_lower = !vi->strict,
		.fast_preempt = vi->fast_preempt && !vi->strict,
		.take_degraded = !vi->strict,
		.listen_late = !vi->strict,
	};

	for (size_t k = 0; k < vi->n_tracks; k++)
		p.fresh_verdicts |= vi->tracks[k].weight != 0;
	if (p.primary.family == AF_UNSPEC) {
		p.primary.family = vi->family;
		p.primary.bytes[addr_size(&p.primary) - 1] = (uint8_t)(i + 1);
	}
	return p;
}

/* ---- what its priority depends on ---- */

/* One thing that can fail. */
struct part {
	struct prio_term term;
	const char *how;   /* "fails", "is down" */
	int64_t notice_us; /* at most, until it is known */
};

static size_t
n_parts(const struct vrrp_conf *vi)
{
	return vi->n_tracks + vi->n_track_interfaces + vi->n_track_upstreams +
	       (vi->track_proxy.mode == TRACK_PROXY_ON);
}

static struct part
check_part(const struct track_conf *t)
{
	bool is_file = t->check->kind == CHECK_FILE; /* its number is a good one, or none */

	return (struct part){ .term = { .kind = is_file ? PRIO_FILE : PRIO_SCRIPT,
				  .name = t->check->name,
				  .weight = t->weight,
				  .reverse = t->reverse,
				  .value = t->weight == 0 && t->reverse },
		.how = "fails",
		.notice_us = t->check->interval_us * t->check->fall };
}

/* The k-th of n_parts(). */
static struct part
part_of(const struct vrrp_conf *vi, size_t k)
{
	if (k < vi->n_tracks)
		return check_part(&vi->tracks[k]);
	k -= vi->n_tracks;
	if (k < vi->n_track_interfaces) {
		const struct track_interface_conf *t = &vi->track_interfaces[k];

		return (struct part){ .term = { .kind = PRIO_INTERFACE,
					  .name = t->name,
					  .weight = t->weight,
					  .reverse = t->reverse },
			.how = "is down" };
	}
	k -= vi->n_track_interfaces;
	if (k < vi->n_track_upstreams)
		return (struct part){ .term = { .kind = PRIO_UPSTREAM,
					  .name = vi->track_upstreams[k].name,
					  .weight = vi->track_upstreams[k].weight },
			.how = "is cut off" };
	return (struct part){
		.term = { .kind = PRIO_PROXY, .name = "proxyd", .weight = vi->track_proxy.weight },
		.how = "stops serving",
		.notice_us = vi->track_proxy.hold_us,
	};
}

/* The sum with everything well but 'failed' (SIZE_MAX: all of it). */
static struct prio_sum
sum_of(const struct vrrp_conf *vi, size_t failed)
{
	size_t n = n_parts(vi);
	struct prio_term *terms = xcalloc(n + 1, sizeof(*terms));
	struct prio_sum sum;

	for (size_t k = 0; k < n; k++) {
		terms[k] = part_of(vi, k).term;
		/* "fails" means: says the bad thing, which reverse turns round */
		terms[k].verdict = (k == failed) != (terms[k].reverse && terms[k].kind != PRIO_FILE)
				       ? PRIO_DOWN
				       : PRIO_UP;
		terms[k].valid_until = MONO_NEVER;
	}
	sum = prio_sum(vi->priority, terms, n, (mono_t){ 0 }, NULL);
	free(terms);
	return sum;
}

/* ---- the segment ---- */

static void step(struct world *, size_t i, const struct vrrp_event *);

static void
deliver(struct world *w, size_t from, uint8_t priority)
{
	const struct router *r = &w->routers[from];
	const struct vrrp_event ev = { .kind = VRRP_EV_ADVERT,
		.advert = { .source = r->params.primary,
		    .version = r->params.version,
		    .vrid = r->side->vi->vrid,
		    .priority = priority,
		    .interval_us = r->params.interval_us } };

	if (w->depth == DEPTH_MAX)
		return;
	w->depth++;
	for (size_t i = 0; i < w->n; i++)
		if (i != from && !w->routers[i].lost)
			step(w, i, &ev);
	w->depth--;
}

static void
step(struct world *w, size_t i, const struct vrrp_event *ev)
{
	struct router *r = &w->routers[i];
	struct vrrp_outcome out = vrrp_step(&r->params, r->state, ev, w->now);

	if (out.next.role == VRRP_MASTER && r->state.role != VRRP_MASTER)
		r->became = w->now;
	r->state = out.next;
	if ((out.actions & VRRP_SEND_ADVERT) != 0)
		deliver(w, i, r->state.priority);
	if ((out.actions & VRRP_SEND_RESIGN) != 0)
		deliver(w, i, VRRP_PRIORITY_LEAVE);
	if ((out.actions & VRRP_ASK_VERDICTS) != 0)
		step(w, i, &(struct vrrp_event){ .kind = VRRP_EV_VERDICTS });
}

/* The router whose timer is due next, or SIZE_MAX. */
static size_t
next_due(const struct world *w)
{
	size_t next = SIZE_MAX;

	for (size_t i = 0; i < w->n; i++)
		if (!w->routers[i].lost && !mono_is_never(w->routers[i].state.deadline) &&
		    (next == SIZE_MAX ||
			mono_before(w->routers[i].state.deadline, w->routers[next].state.deadline)))
			next = i;
	return next;
}

/* One timer.  False: none is due before 'until'. */
static bool
advance(struct world *w, mono_t until)
{
	const struct vrrp_event ev = { .kind = VRRP_EV_TIMER };
	size_t i = next_due(w);

	if (i == SIZE_MAX || mono_before(until, w->routers[i].state.deadline))
		return false;
	w->now = mono_max(w->now, w->routers[i].state.deadline);
	step(w, i, &ev);
	return true;
}

static void
run_for(struct world *w, int64_t us)
{
	mono_t until = mono_add(w->now, us);

	for (unsigned i = 0; i < STEPS_MAX && advance(w, until); i++)
		;
	w->now = until;
}

/* The last one to have become master; SIZE_MAX: nobody. */
static size_t
master(const struct world *w)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < w->n; i++)
		if (!w->routers[i].lost && w->routers[i].state.role == VRRP_MASTER &&
		    (found == SIZE_MAX ||
			mono_before(w->routers[found].became, w->routers[i].became)))
			found = i;
	return found;
}

/* Longer than anything here takes. */
static int64_t
horizon(const struct world *w)
{
	int64_t us = 10 * USEC_PER_SEC;

	for (size_t i = 0; i < w->n; i++)
		us += 10 * w->routers[i].params.interval_us +
		      2 * w->routers[i].params.preempt_delay_us;
	return us;
}

/* Everybody up, at rest, and the master has spoken just now: a loss then takes longest. */
static void
settle(struct world *w, const struct whatif_side *sides, size_t n)
{
	*w = (struct world){ .n = n };
	for (size_t i = 0; i < n; i++) {
		w->routers[i].side = &sides[i];
		w->routers[i].params = params_of(sides[i].vi, i);
	}
	for (size_t i = 0; i < n; i++)
		step(w, i,
		    &(struct vrrp_event){ .kind = VRRP_EV_START,
			.priority = sum_of(sides[i].vi, SIZE_MAX).effective });
	run_for(w, horizon(w));
	if (master(w) != SIZE_MAX)
		advance(w, w->routers[master(w)].state.deadline);
}

/* ---- the failures ---- */

static void
finish(struct world *w, struct whatif_rows *rows, struct whatif_row row)
{
	mono_t since = w->now;

	run_for(w, horizon(w));
	row.after = master(w);
	if (row.after != row.before && row.after != SIZE_MAX)
		row.move_us = mono_until(since, w->routers[row.after].became);
	rows->items = xreallocarray(rows->items, rows->n + 1, sizeof(*rows->items));
	rows->items[rows->n++] = row;
}

/* 'owner': NULL, or another member of its sync group, whose fault is the group's. */
static void
fail_part(const struct world *rest, size_t i, size_t k, const struct vrrp_conf *owner,
    struct whatif_rows *rows)
{
	const struct whatif_side *side = rest->routers[i].side;
	const struct vrrp_conf *vi = owner != NULL ? owner : side->vi;
	struct part part = part_of(vi, k);
	struct prio_sum sum = sum_of(vi, k);
	struct world w = *rest;
	struct whatif_row row = {
		.what = owner == NULL
			    ? xasprintf("%s %s on %s", part.term.name, part.how, side->name)
			    : xasprintf("%s %s on %s (%s)", part.term.name, part.how, side->name,
				  owner->name),
		.before = master(rest),
		.notice_us = part.notice_us,
	};

	step(&w, i,
	    &(struct vrrp_event){ .kind = sum.fault ? VRRP_EV_FAULT : VRRP_EV_PRIORITY,
		.priority = sum.effective,
		.lowered = sum.lowered,
		.cause = "it fails" });
	finish(&w, rows, row);
}

static bool
has_part(const struct vrrp_conf *vi, const struct prio_term *term)
{
	for (size_t k = 0; k < n_parts(vi); k++) {
		struct part own = part_of(vi, k);

		if (own.term.kind == term->kind && strcmp(own.term.name, term->name) == 0)
			return true;
	}
	return false;
}

/*
 * Weights are shared among the members of a sync group when the file is read
 * (conf/vrrp_group.c); what is left to see is a FAULT of another member.
 */
static void
fail_siblings(const struct world *rest, size_t i, struct whatif_rows *rows)
{
	const struct whatif_side *side = rest->routers[i].side;

	for (size_t m = 0; side->vi->group != NULL && m < side->conf->n_instances; m++) {
		const struct vrrp_conf *other = &side->conf->instances[m];

		if (other == side->vi || other->group == NULL ||
		    strcmp(other->group, side->vi->group) != 0)
			continue;
		for (size_t k = 0; k < n_parts(other); k++) {
			struct part part = part_of(other, k);

			if (sum_of(other, k).fault && !has_part(side->vi, &part.term))
				fail_part(rest, i, k, other, rows);
		}
	}
}

static void
lose_node(const struct world *rest, size_t i, struct whatif_rows *rows)
{
	struct world w = *rest;
	struct whatif_row row = {
		.what = xasprintf("%s is lost", rest->routers[i].side->name),
		.before = master(rest),
	};

	w.routers[i].lost = true;
	finish(&w, rows, row);
}

void
whatif_run(const struct whatif_side *sides, size_t n, struct whatif_rows *ret)
{
	struct world rest;

	*ret = (struct whatif_rows){ 0 };
	settle(&rest, sides, n);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_parts(sides[i].vi); k++)
			fail_part(&rest, i, k, NULL, ret);
		fail_siblings(&rest, i, ret);
		lose_node(&rest, i, ret);
	}
}

void
whatif_rows_done(struct whatif_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->items[i].what);
	free(rows->items);
	*rows = (struct whatif_rows){ 0 };
}
