/*
 * random.c - a network and its misfortunes from a seed.  A run has a few
 * rounds: some intervals in which things are done to it, then everything is
 * mended (or left dead) and it must settle; judge.c watches all the time.
 */
#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

enum climate {
	BENIGN,	   /* a good LAN, processes that are only started and stopped: strict */
	PROCESSES, /* ... that are also killed, restarted, stalled: strict, up to the lease */
	LOSSY,	   /* adverts get lost, doubled, late */
	CUT,	   /* one way, both ways, partitions */
	ALL,
	ONE_WAY, /* a good LAN but for one path that stays cut one way, for hours */
	N_CLIMATES
};
static const char *const climates[] = { "benign", "processes", "lossy", "cut", "all", "one way" };

struct run {
	struct world *w;
	enum climate climate;
	int64_t interval_us;
	struct prio_term terms[TERMS_MAX]; /* what all of them watch */
	size_t n_terms;
	int64_t check_us;
};

/* ---- the network ---- */

static bool
is_rough(enum climate c)
{
	return c == LOSSY || c == CUT || c == ALL;
}

static struct vrrp_params
group_params(struct run *run)
{
	static const int64_t v3_intervals[] = { 10 * MSEC, 100 * MSEC, SECOND };
	static const int64_t v2_intervals[] = { SECOND, 2 * SECOND };
	struct rng *g = &run->w->rng;
	struct vrrp_params p = { .down_adverts = 3 };

	p.version = rng_chance(g, 500) ? 3 : 2;
	p.interval_us = p.version == 3 ? v3_intervals[rng_below(g, ARRAY_LEN(v3_intervals))]
				       : v2_intervals[rng_below(g, ARRAY_LEN(v2_intervals))];
	if (rng_chance(g, 100))
		p.down_adverts = (unsigned)rng_between(g, 2, 5);
	p.together = rng_chance(g, 700);
	p.answer_lower = rng_chance(g, 500);
	p.fast_preempt = rng_chance(g, 500);
	p.fresh_verdicts = rng_chance(g, 300);
	p.take_degraded = rng_chance(g, 500);
	p.listen_late = run->climate == PROCESSES || rng_chance(g, 800);
	p.yield_when_deaf = rng_chance(g, 600);
	if (run->climate == ONE_WAY) {
		p.yield_when_deaf = p.answer_lower = p.listen_late = true; /* as vrrpd has them */
		p.down_adverts = 3;
	}
	if (rng_chance(g, 500))
		p.or_alone_us = rng_between(g, 1, 30) * p.interval_us;
	if (rng_chance(g, 200))
		p.preempt_delay_us = rng_between(g, 1, 10) * p.interval_us;
	run->interval_us = p.interval_us;
	return p;
}

/* One file for all nodes: the same checks, each with its own service to look at. */
static void
group_checks(struct run *run)
{
	struct rng *g = &run->w->rng;

	if (run->climate == ONE_WAY || rng_chance(g, 500))
		return;
	run->n_terms = (size_t)rng_between(g, 1, TERMS_MAX);
	run->check_us = rng_between(g, 1, 20) * run->interval_us;
	for (size_t i = 0; i < run->n_terms; i++)
		run->terms[i] = (struct prio_term){ .kind = PRIO_SCRIPT,
			.name = "chk",
			.weight = rng_chance(g, 200) ? 0 : (int)rng_between(g, -80, 80),
			.reverse = rng_chance(g, 100),
			.valid_until = MONO_NEVER,
			.hold_us = rng_between(g, 0, 40) * run->interval_us,
			.on_lost_fail = rng_chance(g, 500) };
}

/* What may differ from node to node, and a departure of one. */
static void
own_params(struct run *run, struct vrrp_params *p)
{
	struct rng *g = &run->w->rng;

	if (run->climate == ONE_WAY)
		return; /* what is measured there is answered */
	p->never_answer = rng_chance(g, 100);
	p->answer_higher = rng_chance(g, 150);
	p->owner_is_sure = rng_chance(g, 300);
	if (p->preempt_delay_us > 0 && rng_chance(g, 300))
		p->preempt_delay_us = rng_between(g, 0, 10) * run->interval_us;
}

/* The routers of one process, one on each segment. */
static void
make_process(struct run *run, unsigned index, const struct vrrp_params *p, uint8_t priority)
{
	struct world *w = run->w;
	struct router *r, *first = NULL;

	for (unsigned i = 0; i < w->n_segments; i++) {
		char name[3] = { (char)('A' + index), w->n_segments > 1 ? (char)('1' + i) : '\0' };

		r = world_add(w, name, p, priority);
		first = i == 0 ? r : first;
	}
	checks_init(first, priority, run->terms, run->n_terms, run->check_us,
	    rng_between(&w->rng, 0, 10) * run->interval_us);
}

static void
make_routers(struct run *run)
{
	struct rng *g = &run->w->rng;
	struct vrrp_params p = group_params(run), all = p;
	unsigned n = (unsigned)rng_between(g, 2, NODES_MAX);
	int preempt = (int)rng_below(g, 5); /* 0: none, 1: some, else all */
	bool unequal = is_rough(run->climate) && p.version == 3 && rng_chance(g, 100);
	uint8_t priority = 0, lowest = 1, highest = 254;

	group_checks(run);
	if (run->n_terms > 0 && rng_chance(g, 500)) { /* a weight is more than what lies between */
		lowest = (uint8_t)rng_between(g, 1, 214);
		highest = lowest + 40;
	}
	for (unsigned i = 0; i < n; i++) {
		p = all;
		own_params(run, &p);
		p.preempt = preempt == 1 ? rng_chance(g, 500) : preempt != 0;
		if (unequal)
			p.interval_us = rng_between(g, 1, 200) * 10 * MSEC;
		if (i == 0 || !rng_chance(g, 100)) /* else the same once more */
			priority = (uint8_t)rng_between(g, lowest, highest);
		/* An owner never gives way. */
		if (i == 0 && run->climate != ONE_WAY && rng_chance(g, 100))
			make_process(run, i, &p, VRRP_PRIORITY_OWNER);
		else
			make_process(run, i, &p, priority);
	}
}

static void
make_lan(struct run *run)
{
	struct world *w = run->w;
	int64_t shortest = run->interval_us, most;

	for (unsigned i = 0; i < w->n_routers; i++)
		shortest = MIN(shortest, w->routers[i].params.interval_us);
	most = is_rough(run->climate) ? shortest / 2 : shortest / 10;
	w->lan.delay_max_us = rng_between(&w->rng, 0, MIN(most, 50 * MSEC));
	w->lan.delay_min_us = rng_between(&w->rng, 0, w->lan.delay_max_us);
	w->lan.twice = rng_chance(&w->rng, 200) ? 50 : 0;
	w->jitter_us = rng_between(&w->rng, 0, MIN(run->interval_us / 10, 2 * MSEC));
	w->sweep_us = 400 * MSEC;
	w->verdict_us = rng_chance(&w->rng, 100) ? -1 : rng_between(&w->rng, 0, SECOND);
}

/*
 * How long two may hold the address on a good LAN: until the claim, or the
 * answer to it, has arrived.  A v2 master that does not answer is heard with
 * its next advert.  A process that does not run holds it until its lease ends.
 */
static int64_t
overlap_allowed(const struct run *run)
{
	const struct world *w = run->w;
	const struct router *r = &w->routers[0];
	int64_t most = 2 * w->lan.delay_max_us;
	bool mute = false; /* some master does not answer */

	for (unsigned i = 0; i < w->n_routers; i++)
		mute |= w->routers[i].params.never_answer ||
			(w->routers[i].params.owner_is_sure &&
			    w->routers[i].full == VRRP_PRIORITY_OWNER);
	if (mute || (r->params.version == 2 && !r->params.answer_lower))
		most += run->interval_us + w->jitter_us;
	if (run->climate == PROCESSES)
		most += (w->n_routers - 1) * (router_lease(r) + w->sweep_us);
	return most;
}

/* ---- what happens to it ---- */

static struct router *
anyone(struct run *run)
{
	return &run->w->routers[rng_below(&run->w->rng, run->w->n_routers)];
}

static int64_t
intervals(struct run *run, int64_t from_tenths, int64_t to_tenths)
{
	return rng_between(
	    &run->w->rng, from_tenths * run->interval_us / 10, to_tenths * run->interval_us / 10);
}

static void
do_start(struct run *run)
{
	struct router *r = anyone(run);
	bool pending = run->n_terms == 0 && rng_chance(&run->w->rng, 200);

	if (r->alive || !mono_is_never(r->start_at))
		return;
	router_start(run->w, r, pending);
	if (pending)
		r->pending_until = mono_add(run->w->now, intervals(run, 0, 60));
}

static void
do_stop(struct run *run)
{
	router_stop(run->w, anyone(run));
}

static void
do_fault(struct run *run)
{
	struct router *r = anyone(run);

	if (run->n_terms == 0)
		router_fault(run->w, r, !r->faulted);
}

static void
do_ail(struct run *run)
{
	struct router *r = router_process(run->w, anyone(run));
	size_t i = rng_below(&run->w->rng, TERMS_MAX);

	if (i < run->n_terms)
		checks_turn(run->w, r, i, !r->checks.of[i].turns_to, run->w->now);
}

static void
do_checkd(struct run *run)
{
	struct router *r = router_process(run->w, anyone(run));

	checks_away(run->w, r, !r->checks.away);
}

static void
do_priority(struct run *run)
{
	struct router *r = anyone(run);

	if (r->priority != VRRP_PRIORITY_OWNER && run->n_terms == 0)
		router_priority(run->w, r, (uint8_t)rng_between(&run->w->rng, 1, 254));
}

static void
do_witness(struct run *run)
{
	struct router *r = anyone(run);

	router_witness(run->w, r, r->no_witness);
}

static void
do_lose_vip(struct run *run)
{
	router_lose_vip(run->w, anyone(run));
}

static void
do_release(struct run *run)
{
	struct router *r = anyone(run);
	bool force = rng_chance(&run->w->rng, 400);

	router_release(run->w, r, force, rng_chance(&run->w->rng, 300) ? intervals(run, 1, 90) : 0);
}

static void
do_resume(struct run *run)
{
	router_resume(run->w, anyone(run));
}

static void
do_crash(struct run *run)
{
	struct router *r = anyone(run);

	router_crash(run->w, r);
	if (rng_chance(&run->w->rng, 700))
		router_start_later(run->w, r, intervals(run, 0, 60));
}

static void
do_restart(struct run *run)
{
	router_restart(run->w, anyone(run), intervals(run, 0, 40));
}

static void
do_stall(struct run *run)
{
	router_stall(run->w, anyone(run), intervals(run, 0, 100));
}

static void
do_loss(struct run *run)
{
	judge_disturb(run->w);
	run->w->lan.loss = (unsigned)rng_below(&run->w->rng, 600);
}

static void
do_cut(struct run *run)
{
	struct lan *lan = &run->w->lan;
	struct router *a = anyone(run), *b = anyone(run);

	judge_disturb(run->w);
	lan->cut[a - run->w->routers][b - run->w->routers] = true;
	if (rng_chance(&run->w->rng, 500))
		lan->cut[b - run->w->routers][a - run->w->routers] = true;
}

/* Two sides that do not hear each other. */
static void
do_partition(struct run *run)
{
	struct world *w = run->w;
	uint64_t side = rng_next(&w->rng);

	judge_disturb(w);
	for (unsigned i = 0; i < w->n_routers; i++)
		for (unsigned k = 0; k < w->n_routers; k++)
			w->lan.cut[i][k] = (side >> i & 1) != (side >> k & 1);
}

static void
do_join(struct run *run)
{
	judge_disturb(run->w);
	memset(run->w->lan.cut, 0, sizeof(run->w->lan.cut));
	run->w->lan.loss = 0;
}

static const struct {
	void (*act)(struct run *);
	bool in[N_CLIMATES];
} acts[] = {
	/*		  benign, processes, lossy, cut, all */
	{ do_start, { true, true, true, true, true } },
	{ do_start, { true, true, true, true, true } },
	{ do_stop, { true, true, true, true, true } },
	{ do_fault, { true, true, true, true, true } },
	{ do_priority, { true, true, true, true, true } },
	{ do_priority, { true, true, true, true, true } },
	{ do_ail, { true, true, true, true, true } },
	{ do_ail, { true, true, true, true, true } },
	{ do_checkd, { true, true, true, true, true } },
	{ do_witness, { true, true, true, true, true } },
	{ do_lose_vip, { true, true, false, true, true } },
	{ do_release, { true, true, true, true, true } },
	{ do_resume, { true, true, true, true, true } },
	{ do_crash, { false, true, false, false, true } },
	{ do_restart, { false, true, false, false, true } },
	{ do_stall, { false, true, false, false, true } },
	{ do_loss, { false, false, true, false, true } },
	{ do_cut, { false, false, false, true, true } },
	{ do_partition, { false, false, false, true, true } },
	{ do_join, { false, false, true, true, true } },
};

static void
misfortune(struct run *run)
{
	size_t i;

	do
		i = rng_below(&run->w->rng, ARRAY_LEN(acts));
	while (!acts[i].in[run->climate]);
	acts[i].act(run);
}

/* Whoever is not to stay dead comes back. */
static void
mend(struct run *run)
{
	struct world *w = run->w;

	do_join(run);
	for (unsigned i = 0; i < w->n_routers; i++) {
		struct router *r = &w->routers[i];

		router_resume(w, r);
		if (r == router_process(w, r) && run->n_terms > 0)
			checks_mend(w, r);
		if (run->n_terms == 0 && r->faulted && !rng_chance(&w->rng, 100))
			router_fault(w, r, false);
		if (!r->alive && mono_is_never(r->start_at) && !rng_chance(&w->rng, 100))
			router_start(w, r, false);
	}
}

/* Stalled and starting ones are waited for: their time is not calm yet. */
static bool
is_on_its_way(const struct world *w)
{
	for (unsigned i = 0; i < w->n_routers; i++) {
		const struct router *r = &w->routers[i];

		if (mono_before(w->now, r->asleep_until) || !mono_is_never(r->start_at) ||
		    !mono_is_never(r->pending_until) || (r->alive && checks_unsettled(r)))
			return true;
	}
	return false;
}

/*
 * The same service fails on every node, not quite at once, and every check has its
 * own phase: nobody is better off than before.  Each failure may pass the address
 * on, once; of three, two may claim it at the same moment.  Of two that both
 * fell as far, with fast_preempt the second one to fail does not pass it back.
 */
static void
common_fault(struct run *run)
{
	struct world *w = run->w;
	const struct router *a = &w->routers[0], *b = &w->routers[w->n_segments];
	unsigned n = w->n_routers / w->n_segments, most = 2 * n;

	judge_count(w);
	for (unsigned i = 0; i < w->n_routers; i += w->n_segments)
		checks_turn(w, &w->routers[i], 0, true,
		    mono_add(w->now, rng_between(&w->rng, 0, 2 * run->check_us)));
	world_run(w, mono_add(w->now, 3 * run->check_us + w->judge.settle_us));
	if (n == 2 && a->params.fast_preempt && a->full - a->priority == b->full - b->priority)
		most = 1;
	if (w->judge.moves > most * w->n_segments)
		judge_fail(w, "the same fault on %u nodes: %u moves", n, w->judge.moves);
	mend(run);
	world_run(w, mono_add(w->now, w->judge.settle_us + run->interval_us));
}

static bool
is_for_common_fault(const struct run *run)
{
	const struct prio_term *t = &run->terms[0];

	return run->climate == BENIGN && run->n_terms > 0 && t->weight != 0 && !t->reverse;
}

static void
one_round(struct run *run)
{
	struct world *w = run->w;

	for (int64_t n = rng_between(&w->rng, 1, 12); n > 0; n--) {
		misfortune(run);
		world_run(w, mono_add(w->now, intervals(run, 0, 80)));
		if (w->judge.failure[0] != '\0')
			return;
	}
	while (is_on_its_way(w) && w->judge.failure[0] == '\0')
		world_run(w, mono_add(w->now, run->interval_us));
	mend(run);
	world_run(w, mono_add(w->now, w->judge.settle_us + intervals(run, 10, 200)));
	if (w->judge.failure[0] == '\0' && is_for_common_fault(run))
		common_fault(run);
}

/*
 * How often the address may move in 'us' while one path is cut one way: the
 * one that does not hear takes it and better ones take it from that (two at
 * once, if they are near), then the same for each question (deaf.h).
 */
static unsigned
moves_allowed(const struct world *w, int64_t us)
{
	unsigned moves = w->n_routers;

	for (int64_t wait = DEAF_PROBE_MIN_US; us > wait; wait = MIN(2 * wait, DEAF_PROBE_MAX_US)) {
		us -= wait;
		moves += w->n_routers + 1;
	}
	return moves;
}

/* They are told that the path is another one, or find out: within an hour, if they want to. */
static void
heal(struct run *run)
{
	struct world *w = run->w;
	bool told = run->interval_us < SECOND || rng_chance(&w->rng, 700);

	do_join(run);
	if (!told)
		world_run(w, mono_add(w->now, DEAF_PROBE_MAX_US + w->judge.settle_us));
	for (unsigned i = 0; i < w->n_routers; i++) {
		const struct router *r = &w->routers[i];

		if (!told && r->state.deaf.on && r->params.preempt &&
		    r->priority > r->state.heard.priority)
			judge_fail(w, "%s is still deaf, an hour after", r->name);
		router_path(w, &w->routers[i]);
	}
}

/*
 * One path cut one way for up to two hours or so many intervals: soon there is
 * one holder, nobody holds it beside another for longer than two answers in
 * vain take, and it does not move without end.
 */
static void
one_way_round(struct run *run)
{
	struct world *w = run->w;
	int64_t most = rng_chance(&w->rng, 300) ? 20000 : 2000;
	int64_t wanted = rng_between(&w->rng, 50, most) * run->interval_us;
	int64_t us = MIN(7200 * SECOND, wanted);
	int64_t overlap = 2 * run->interval_us + 4 * (w->lan.delay_max_us + w->jitter_us);
	unsigned from = (unsigned)rng_below(&w->rng, w->n_routers);
	unsigned to = (from + 1 + (unsigned)rng_below(&w->rng, w->n_routers - 1)) % w->n_routers;

	judge_disturb(w);
	w->lan.cut[from][to] = true;
	judge_count(w);
	world_run(w, mono_add(w->now, us));
	if (w->judge.overlap_us > overlap)
		judge_fail(w, "one way: two hold the address for %.4f s",
		    (double)w->judge.overlap_us / (double)SECOND);
	if (w->judge.moves > moves_allowed(w, us))
		judge_fail(
		    w, "one way: %u moves in %.0f s", w->judge.moves, (double)us / (double)SECOND);
	heal(run);
	world_run(w, mono_add(w->now, w->judge.settle_us + intervals(run, 10, 200)));
}

bool
random_run(struct world *w, uint64_t seed)
{
	bool verbose = w->verbose;
	struct run run = { .w = w };

	world_init(w, seed);
	w->verbose = verbose;
	run.climate = (enum climate)rng_below(&w->rng, N_CLIMATES);
	if (run.climate != ONE_WAY && rng_chance(&w->rng, 250))
		w->n_segments = SEGMENTS_MAX;
	make_routers(&run);
	make_lan(&run);
	w->judge.strict = run.climate == BENIGN || run.climate == PROCESSES;
	w->judge.overlap_max_us = overlap_allowed(&run);
	w->judge.settle_us = judge_settle(w);
	if (verbose)
		printf(
		    "seed %llu: %u routers on %u segments, v%u, %s, interval %lld ms, delay up to %lld us\n",
		    (unsigned long long)seed, w->n_routers, w->n_segments,
		    w->routers[0].params.version, climates[run.climate],
		    (long long)(run.interval_us / MSEC), (long long)w->lan.delay_max_us);
	for (unsigned i = 0; i < w->n_routers; i++)
		if (run.climate == ONE_WAY || !rng_chance(&w->rng, 200))
			router_start(w, &w->routers[i], false);
	if (run.climate == ONE_WAY)
		world_run(w, mono_add(w->now, w->judge.settle_us + SECOND));
	for (int round = 0; round < 3 && w->judge.failure[0] == '\0'; round++)
		run.climate == ONE_WAY ? one_way_round(&run) : one_round(&run);
	return w->judge.failure[0] == '\0';
}
