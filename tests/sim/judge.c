/*
 * judge.c - what must hold, and when.
 *
 * After each step of a router: its role and its addresses agree, its timer lies
 * ahead and not too far, a master is heard, keeps its lease and gives way to whoever
 * outranks it and to nobody else, nobody resigns and stays, nobody takes over who may not (no
 * verdict, nopreempt, released, deaf), or speaks first after a stall.  On a good LAN nobody is
 * deaf.
 *
 * Once nothing was done to the network for settle_us (and nothing is lost or
 * cut any more): exactly one holds the address if anybody can, no better one
 * that preempts stands by, and nothing changes hands.
 *
 * Beside these, checks.c: while checkd is away nothing changes before the hold of a
 * verdict is over; random.c: the same fault on every node does not pass the
 * address to and fro, a path cut one way moves it a bounded number of times.
 *
 * In a strict run nothing is lost, cut, delayed beyond delay_max or left
 * running without a lease, so bounds hold at every moment: two never hold the
 * address for longer than overlap_max_us, and no disturbance makes it change
 * hands more often than there are routers, twice.
 */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Instances that share nothing but a step do not loop; if one does, say so. */
#define STEPS_MAX 2000000

void
judge_fail(struct world *w, const char *fmt, ...)
{
	struct judge *j = &w->judge;
	va_list args;
	int n;

	if (j->failure[0] != '\0')
		return;
	n = j->line > 0 ? snprintf(j->failure, sizeof(j->failure), "line %u, ", j->line) : 0;
	n += snprintf(j->failure + n, sizeof(j->failure) - (size_t)n,
	    "at %.4f s: ", (double)w->now.us / (double)SECOND);
	va_start(args, fmt);
	vsnprintf(j->failure + n, sizeof(j->failure) - (size_t)n, fmt, args);
	va_end(args);
}

void
judge_disturb(struct world *w)
{
	w->judge.calm_since = w->now;
	w->judge.n_disturbances++;
}

void
judge_count(struct world *w)
{
	struct judge *j = &w->judge;

	j->moves = 0;
	j->overlap_us = j->outage_us = 0;
	for (unsigned i = 0; i < SEGMENTS_MAX; i++)
		j->holding[i].overlap_from = j->holding[i].outage_from = w->now;
}

int64_t
judge_settle(const struct world *w)
{
	/* A group that moves on resigns, which begins the next one's preempt_delay anew. */
	unsigned n_delays = w->n_segments > 1 ? w->n_routers / w->n_segments : 1;
	int64_t most = 0;

	for (unsigned i = 0; i < w->n_routers; i++) {
		const struct vrrp_params *p = &w->routers[i].params;
		/* A handover teaches up to a second. */
		int64_t down = vrrp_down_us(p, 1, MAX(p->interval_us, SECOND));

		most = MAX(
		    most, 3 * down + n_delays * p->preempt_delay_us + router_lease(&w->routers[i]));
	}
	return most + w->sweep_us + 10 * w->lan.delay_max_us;
}

/* ---- one router ---- */

static void
judge_vip(struct world *w, const struct router *r)
{
	const struct vrrp_state *s = &r->state;

	if (s->role == VRRP_MASTER && !r->vip && !r->lost_vip)
		judge_fail(w, "%s is MASTER without the address", r->name);
	if (s->role != VRRP_MASTER && !(s->role == VRRP_BACKUP && s->holding) && r->vip)
		judge_fail(w, "%s is %s and keeps the address", r->name, vrrp_role_str(s->role));
}

/* How far ahead a backup's timer may be, MONO_NEVER included. */
static int64_t
longest_wait(const struct router *r)
{
	const struct vrrp_state *s = &r->state;
	int64_t down = vrrp_down_us(&r->params, 1, MAX(s->interval_us, r->params.interval_us));

	if (s->pending || s->wants || (r->released && r->released_force))
		return INT64_MAX;
	if (r->no_witness)
		return r->params.or_alone_us > 0 ? MAX(2 * down, r->params.or_alone_us) : INT64_MAX;
	return r->released ? 2 * down : vrrp_down_us(&r->params, 1, s->interval_us);
}

static void
judge_deadline(struct world *w, const struct router *r, const struct vrrp_event *ev)
{
	const struct vrrp_state *s = &r->state;
	int64_t left = mono_until(w->now, s->deadline);

	switch (s->role) {
	case VRRP_INIT:
	case VRRP_FAULT:
		if (!mono_is_never(s->deadline))
			judge_fail(w, "%s is %s with a timer", r->name, vrrp_role_str(s->role));
		break;
	case VRRP_BACKUP:
		if (left > longest_wait(r))
			judge_fail(w, "%s is BACKUP and waits too long", r->name);
		break;
	case VRRP_MASTER:
		if (left > r->params.interval_us)
			judge_fail(w, "%s is MASTER and waits too long", r->name);
		break;
	}
	if (ev->kind == VRRP_EV_TIMER && left <= 0)
		judge_fail(w, "%s: its timer is due again at once", r->name);
}

/* The peers count a master out when it is silent: it must not be, while it runs. */
static void
judge_silence(struct world *w, const struct router *r, const struct vrrp_state *before)
{
	int64_t silent = mono_until(mono_max(r->said_at, r->woke_at), w->now);

	if (before->role == VRRP_MASTER && r->state.role == VRRP_MASTER &&
	    silent > r->params.interval_us + w->jitter_us)
		judge_fail(w, "%s is MASTER and said nothing for %.4f s", r->name,
		    (double)silent / (double)SECOND);
}

/* Adverts come at their interval, up to a hundredth early; nobody needs more of them. */
static void
judge_haste(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_event *ev)
{
	const struct vrrp_params *p = &r->params;
	bool in_turn = before->role == VRRP_MASTER && ev->kind == VRRP_EV_TIMER;
	int64_t apart = mono_until(in_turn ? before->deadline : w->now, r->state.deadline);

	if (r->state.role == VRRP_MASTER && r->state.deadline.us != before->deadline.us &&
	    apart < p->interval_us - (p->together ? p->interval_us / 100 : 0))
		judge_fail(w, "%s is MASTER and speaks again after %.4f s", r->name,
		    (double)apart / (double)SECOND);
}

/*
 * A master gives way to a higher priority, and to its own from the greater address: else
 * two that hear each other both go on, or neither does.
 */
static void
judge_yield(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_event *ev, const struct vrrp_outcome *out)
{
	const struct vrrp_advert *a = &ev->advert;
	int order = addr_cmp(&a->source, &r->params.primary);
	bool higher, tie;

	if (before->role != VRRP_MASTER || ev->kind != VRRP_EV_ADVERT || order == 0)
		return;
	higher = a->priority > before->priority;
	tie = a->priority == before->priority && order > 0;
	if ((out->reason.why == VRRP_WHY_HIGHER && !higher) ||
	    (out->reason.why == VRRP_WHY_TIE && !tie))
		judge_fail(w, "%s gives way to one that it outranks", r->name);
	if ((higher || tie) && out->next.role == VRRP_MASTER &&
	    !(r->params.owner_is_sure && before->priority == VRRP_PRIORITY_OWNER))
		judge_fail(w, "%s stays master beside one that outranks it", r->name);
}

/* By force means: nothing counts towards a takeover, not even the time. */
static void
judge_force(struct world *w, const struct router *r)
{
	if (r->released && r->released_force && mono_before(w->now, r->released_until) &&
	    r->state.role == VRRP_BACKUP && !mono_is_never(r->state.preempt_at))
		judge_fail(w, "%s was released by force and prepares to preempt", r->name);
}

static void
judge_actions(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_outcome *out)
{
	bool leaves = before->role == VRRP_MASTER && out->next.role != VRRP_MASTER;
	bool out_of_it = out->next.role == VRRP_INIT || out->next.role == VRRP_FAULT ||
			 out->reason.why == VRRP_WHY_DEAF || out->reason.why == VRRP_WHY_RELEASED ||
			 out->reason.why == VRRP_WHY_GROUP;
	bool probes = out->reason.why == VRRP_WHY_PROBE && out->actions == VRRP_SEND_ADVERT;
	bool insists = leaves && r->params.answer_higher &&
		       (out->reason.why == VRRP_WHY_HIGHER || out->reason.why == VRRP_WHY_TIE);

	if ((out->actions & VRRP_SEND_RESIGN) != 0 && !(leaves && out_of_it))
		judge_fail(w, "%s resigns and stays", r->name);
	if (leaves && out_of_it && (out->actions & VRRP_SEND_RESIGN) == 0)
		judge_fail(w, "%s leaves without a word", r->name);
	if ((out->actions & (VRRP_SEND_ADVERT | VRRP_RENEW_LEASE)) != 0 &&
	    out->next.role != VRRP_MASTER && !probes && !insists)
		judge_fail(w, "%s speaks as %s", r->name, vrrp_role_str(out->next.role));
	if ((out->actions & VRRP_SEND_ADVERT) != 0 && r->state.priority == 0)
		judge_fail(w, "%s advertises priority 0 as its own", r->name);
	if (before->role == VRRP_MASTER && out->next.role == VRRP_MASTER &&
	    before->priority != out->next.priority && (out->actions & VRRP_SEND_ADVERT) == 0)
		judge_fail(w, "%s keeps its new priority to itself", r->name);
}

/* Whoever was silent for so long that it counts as gone must listen first. */
static void
judge_stall(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_outcome *out)
{
	const struct vrrp_params *p = &r->params;
	int64_t silent = mono_until(r->said_before, w->now);

	if (p->listen_late && before->role == VRRP_MASTER && out->next.role == VRRP_MASTER &&
	    (out->actions & VRRP_SEND_ADVERT) != 0 &&
	    silent > (p->down_adverts + 1) * p->interval_us)
		judge_fail(w, "%s speaks after %.4f s of silence", r->name,
		    (double)silent / (double)SECOND);
}

/* The operator's word holds, until somebody else was heard or nobody came. */
static void
judge_release(struct world *w, const struct router *r)
{
	int64_t since = mono_until(r->released_at, w->now);

	if (!r->released || !mono_before(w->now, r->released_until))
		return;
	if (r->released_force || (!r->released_heard && mono_before(w->now, r->nobody_at)))
		judge_fail(w, "%s takes over %.4f s after it was released", r->name,
		    (double)since / (double)SECOND);
}

/* Whoever gave way does not come back to a master that it hears, unless that heard a probe. */
static void
judge_deaf(struct world *w, const struct router *r, const struct vrrp_state *before)
{
	int64_t silent = mono_until(r->heard_at, w->now);

	if (before->deaf.on && !before->deaf.probing &&
	    silent < r->params.down_adverts * before->interval_us)
		judge_fail(w, "%s is deaf and takes over from a master that it heard %.4f s ago",
		    r->name, (double)silent / (double)SECOND);
}

/*
 * From a lower master that is heard: not before preempt_delay is over, counted
 * from its first such advert; and sooner than the ordinary wait ends only with
 * verdicts that came since, where they are to be waited for.
 */
static void
judge_preemption(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_outcome *out)
{
	const struct vrrp_params *p = &r->params;
	int64_t since = mono_until(r->lower_at, w->now);
	mono_t ordinary = mono_add(
	    before->wait_from, vrrp_down_us(p, before->priority, before->interval_us));

	if (out->reason.why != VRRP_WHY_PREEMPT && out->reason.why != VRRP_WHY_DEGRADED)
		return;
	if (r->lower_at.us == 0)
		judge_fail(w, "%s preempts nobody", r->name);
	if (since < p->preempt_delay_us)
		judge_fail(w, "%s preempts after %.4f s, its delay is %.4f s", r->name,
		    (double)since / (double)SECOND, (double)p->preempt_delay_us / (double)SECOND);
	if (p->fresh_verdicts && before->wait == VRRP_WAIT_DOWN && mono_before(w->now, ordinary) &&
	    mono_before(r->told_at, r->lower_at))
		judge_fail(w, "%s preempts without a fresh verdict", r->name);
}

/*
 * Not before there is a verdict; and under nopreempt to the letter, not from a
 * master that is still heard.
 */
static void
judge_takeover(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_event *ev, const struct vrrp_outcome *out)
{
	const struct vrrp_params *p = &r->params;
	int64_t silent = mono_until(r->heard_at, w->now);

	if (ev->kind == VRRP_EV_RESUME_MASTER)
		return;
	judge_preemption(w, r, before, out);
	judge_release(w, r);
	judge_deaf(w, r, before);
	if (r->pending)
		judge_fail(w, "%s takes over without a verdict", r->name);
	if (r->no_witness && (p->or_alone_us == 0 || silent < p->or_alone_us))
		judge_fail(w, "%s takes over without a witness, %.4f s after a master's advert",
		    r->name, (double)silent / (double)SECOND);
	if (!p->preempt && !p->take_degraded && r->priority != VRRP_PRIORITY_OWNER &&
	    silent < p->down_adverts * before->interval_us)
		judge_fail(w, "%s takes over from a master that it heard %.4f s ago", r->name,
		    (double)silent / (double)SECOND);
}

void
judge_lease_end(struct world *w, const struct router *r)
{
	if (router_runs(w, r) && r->state.role == VRRP_MASTER)
		judge_fail(w, "%s is MASTER and lets its lease end", r->name);
}

/* Whole for long enough, with nothing done to it, and nobody kept off by the operator or by being
 * deaf, or may become master alone. */
static bool
is_calm(const struct world *w)
{
	for (unsigned i = 0; i < w->n_routers; i++)
		if (w->routers[i].alive && (w->routers[i].released || w->routers[i].no_witness ||
					       w->routers[i].state.deaf.on))
			return false;
	for (unsigned i = 0; i < w->n_routers; i++)
		for (unsigned k = 0; k < w->n_routers; k++)
			if (w->lan.cut[i][k])
				return false;
	return w->lan.loss == 0 && mono_until(w->judge.calm_since, w->now) > w->judge.settle_us;
}

void
judge_step(struct world *w, const struct router *r, const struct vrrp_state *before,
    const struct vrrp_event *ev, const struct vrrp_outcome *out)
{
	struct judge *j = &w->judge;

	if (++j->n_steps > STEPS_MAX)
		judge_fail(w, "more than %d steps: something loops", STEPS_MAX);
	judge_vip(w, r);
	judge_deadline(w, r, ev);
	judge_silence(w, r, before);
	judge_haste(w, r, before, ev);
	judge_yield(w, r, before, ev, out);
	judge_force(w, r);
	judge_actions(w, r, before, out);
	judge_stall(w, r, before, out);
	if (out->reason.why == VRRP_WHY_PROBE)
		judge_disturb(w); /* what follows has this cause */
	if (j->strict && out->reason.why == VRRP_WHY_DEAF)
		judge_fail(w, "%s is deaf on a good LAN", r->name);
	if (before->role != VRRP_MASTER && out->next.role == VRRP_MASTER) {
		judge_takeover(w, r, before, ev, out);
		j->moves++;
		j->moves_ever++;
	}
	if (before->role != out->next.role && is_calm(w))
		judge_fail(
		    w, "%s becomes %s without a cause", r->name, vrrp_role_str(out->next.role));
	if (j->strict && j->moves_ever > 2 * w->n_routers * j->n_disturbances)
		judge_fail(w, "%u moves for %u disturbances", j->moves_ever, j->n_disturbances);
}

/* ---- all of them ---- */

/* With all of its group.  A master goes on without a verdict. */
static bool
is_eligible(struct world *w, const struct router *r)
{
	const struct router *first = router_process(w, r);

	for (unsigned i = 0; i < w->n_segments; i++)
		if (first[i].faulted || (first[i].pending && first[i].state.role != VRRP_MASTER))
			return false;
	return router_runs(w, r);
}

/* It has seen the master fall by no more than it has fallen itself: both are unwell, nothing moves.
 */
static bool
may_leave_it(const struct router *r)
{
	int fell = r->state.heard.best - r->state.heard.priority;

	return r->params.fast_preempt && fell > 0 && r->full - r->priority >= fell;
}

/* ... or another one of its group has: they take over together. */
static bool
group_may_leave_it(struct world *w, const struct router *r)
{
	const struct router *first = router_process(w, r);

	for (unsigned i = 0; i < w->n_segments; i++)
		if (may_leave_it(&first[i]))
			return true;
	return false;
}

static void
judge_settled(struct world *w, unsigned segment)
{
	const struct router *master = NULL;
	unsigned n_masters = 0, n_eligible = 0, n_alone = 0,
		 n_holders = w->judge.holding[segment].n;

	for (unsigned i = segment; i < w->n_routers; i += w->n_segments) {
		if (router_runs(w, &w->routers[i]) && w->routers[i].state.role == VRRP_MASTER) {
			master = &w->routers[i];
			n_masters++;
		}
		if (w->routers[i].no_witness)
			n_alone += is_eligible(w, &w->routers[i]); /* it may, or may not */
		else
			n_eligible += is_eligible(w, &w->routers[i]);
	}
	if (n_masters < (n_eligible > 0 ? 1 : 0) ||
	    n_masters > (n_eligible + n_alone > 0 ? 1 : 0) || n_holders != n_masters) {
		judge_fail(w, "settled with %u masters and %u holders of %u that could be",
		    n_masters, n_holders, n_eligible);
		return;
	}
	for (unsigned i = segment; master != NULL && i < w->n_routers; i += w->n_segments) {
		const struct router *r = &w->routers[i];

		if (is_eligible(w, r) && !r->no_witness && r->priority > master->priority &&
		    !group_may_leave_it(w, r) &&
		    (r->params.preempt || r->priority == VRRP_PRIORITY_OWNER))
			judge_fail(w, "settled on %s (%u) although %s (%u) preempts", master->name,
			    master->priority, r->name, r->priority);
	}
}

/* The time with two, the time with none: kept as it goes on. */
static void
judge_holders(struct world *w, unsigned segment)
{
	struct judge *j = &w->judge;
	struct holding *h = &j->holding[segment];
	unsigned before = h->n;

	if (before >= 2)
		j->overlap_us = MAX(j->overlap_us, mono_until(h->overlap_from, w->now));
	if (before == 0)
		j->outage_us = MAX(j->outage_us, mono_until(h->outage_from, w->now));
	h->n = 0;
	for (unsigned i = segment; i < w->n_routers; i += w->n_segments)
		h->n += w->routers[i].vip;
	if (before < 2 && h->n >= 2)
		h->overlap_from = w->now;
	if (before > 0 && h->n == 0)
		h->outage_from = w->now;
}

/*
 * A running group is master as a whole or not at all, one in fault is all in
 * fault.  Half of it may be master while the rest listens, which ends.
 */
static void
judge_group(struct world *w, const struct router *first, bool *half)
{
	unsigned n_masters = 0, n_faults = 0;

	if (!router_runs(w, first) || first->asleep_until.us == w->now.us)
		return;
	for (unsigned i = 0; i < w->n_segments; i++) {
		n_masters += first[i].state.role == VRRP_MASTER;
		n_faults += first[i].state.role == VRRP_FAULT;
	}
	if (n_faults > 0 && n_faults < w->n_segments)
		judge_fail(w, "%s and its group: one is in FAULT, another is not", first->name);
	*half |= n_masters > 0 && n_masters < w->n_segments;
}

static void
judge_groups(struct world *w)
{
	struct judge *j = &w->judge;
	bool half = false;

	for (unsigned i = 0; w->n_segments > 1 && i < w->n_routers; i += w->n_segments)
		judge_group(w, &w->routers[i], &half);
	if (!half)
		j->half_since = MONO_NEVER;
	else if (mono_is_never(j->half_since))
		j->half_since = w->now;
	else if (mono_until(j->half_since, w->now) > j->settle_us)
		judge_fail(w, "a group is half master for too long");
}

void
judge_world(struct world *w)
{
	struct judge *j = &w->judge;

	for (unsigned i = 0; i < w->n_segments; i++)
		judge_holders(w, i);
	judge_groups(w);
	if (j->strict && j->overlap_us > j->overlap_max_us)
		judge_fail(w, "two hold the address for %.4f s, %.4f s are allowed",
		    (double)j->overlap_us / (double)SECOND,
		    (double)j->overlap_max_us / (double)SECOND);
	for (unsigned i = 0; is_calm(w) && i < w->n_segments; i++)
		judge_settled(w, i);
}
