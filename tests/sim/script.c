/*
 * script.c - scenarios as text.  The language, a statement a line, # comments:
 *
 *	groups				two segments; each process has a router on either,
 *					  in a sync group: A1 and A2, B1 and B2.  First
 *	version 3			2 or 3; 3 unless said.  These six go before
 *	interval 100ms			  the routers they are for; 1s
 *	preempt off			on unless said
 *	option fast degraded ...	fast fresh degraded answer late deaf together: these and no
 *others delay 10s			preempt_delay; 0 alone 30s			witness ...
 *or_alone; 0s: never
 *	router A 100			a router of that priority; addresses 10.0.0.1, .2 ...
 *					  In groups the routers of a process, one by one
 *	lan 1ms..5ms loss 10% twice 5%	delay; loss and doubled packets if any; 1ms..1ms
 *	verdicts 300ms | never		how long checkd takes to answer; 0s
 *	sweep 0s			how late a lease is ended; 400ms
 *
 *	start A B ... [pending]		pending: no verdict yet
 *	verdict A			the pending one arrives
 *	stop A | crash A		systemctl stop; kill -9
 *	respawn A 200ms			start again after so long
 *	restart A 200ms			systemctl restart: handover, gap, start
 *	stall A 5s			SIGSTOP for so long
 *	fault A | clear A
 *	priority A 80
 *	witness A lost | witness A back	it does not pass; it does again
 *	unaddress A			somebody deletes the VIP
 *	release A [force] [10s]		the operator's word, for so long at most
 *	resume A
 *	path A				its link or its peers changed
 *	cut A -> B | cut A - B		one way, both ways
 *	join				nothing is cut any more
 *
 *	run 5s				time goes by
 *	within 4s master A		time goes by until A alone (on its segment) is MASTER
 *					  and holds the address; it must be within that
 *	for 10s master A		it must be so now and all that time
 *	role A BACKUP
 *	holders A B | none		who has the address just now
 *	count				start counting anew
 *	moves 1 | moves at most 9	so many takeovers since then
 *	overlap 5ms | outage 650ms	since then at most so long two, nobody
 *	calm				from here nothing may change (judge.c)
 *
 * Each of the judge's rules about single steps holds throughout.
 */
#include "tests/sim/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 12

struct script {
	struct world *w;
	struct vrrp_params params; /* of the next router */
	char *words[WORDS_MAX];
	unsigned n_words;
};

/* ---- words ---- */

static bool
is(const struct script *s, unsigned i, const char *word)
{
	return i < s->n_words && strcmp(s->words[i], word) == 0;
}

/* "1.5s", "200ms", "50us" in word i; without one, or a bad one, the script fails. */
static int64_t
duration(struct script *s, unsigned i)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = { { "us", 1 }, { "ms", MSEC }, { "s", SECOND } };
	char *end;
	double n;

	if (i < s->n_words) {
		n = strtod(s->words[i], &end);
		for (size_t k = 0; end != s->words[i] && k < ARRAY_LEN(units); k++)
			if (strcmp(end, units[k].unit) == 0)
				return (int64_t)(n * (double)units[k].us);
	}
	judge_fail(s->w, "'%s': a time is wanted", i < s->n_words ? s->words[i] : "");
	return 0;
}

static unsigned
number(struct script *s, unsigned i)
{
	char *end = NULL;
	unsigned long n = i < s->n_words ? strtoul(s->words[i], &end, 10) : 0;

	if (end == NULL || end == s->words[i] || (*end != '\0' && strcmp(end, "%") != 0))
		judge_fail(s->w, "'%s': a number is wanted", i < s->n_words ? s->words[i] : "");
	return (unsigned)n;
}

static struct router *
find(struct script *s, unsigned i)
{
	for (unsigned k = 0; i < s->n_words && k < s->w->n_routers; k++)
		if (strcmp(s->w->routers[k].name, s->words[i]) == 0)
			return &s->w->routers[k];
	return NULL;
}

/* The router in word i; a script that names none fails, and goes on with the first. */
static struct router *
router(struct script *s, unsigned i)
{
	struct router *r = find(s, i);

	if (r == NULL)
		judge_fail(s->w, "'%s': no such router", i < s->n_words ? s->words[i] : "");
	return r != NULL ? r : &s->w->routers[0];
}

/* ---- what goes before the routers ---- */

static void
do_groups(struct script *s)
{
	s->w->n_segments = SEGMENTS_MAX;
}

static void
do_version(struct script *s)
{
	s->params.version = (uint8_t)number(s, 1);
}

static void
do_interval(struct script *s)
{
	s->params.interval_us = duration(s, 1);
}

static void
do_preempt(struct script *s)
{
	s->params.preempt = is(s, 1, "on");
}

static void
do_option(struct script *s)
{
	struct vrrp_params *p = &s->params;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = { { "fast", &p->fast_preempt }, { "fresh", &p->fresh_verdicts },
		{ "degraded", &p->take_degraded }, { "answer", &p->answer_lower },
		{ "late", &p->listen_late }, { "deaf", &p->yield_when_deaf },
		{ "together", &p->together } };

	for (size_t k = 0; k < ARRAY_LEN(flags); k++)
		*flags[k].flag = false;
	for (unsigned i = 1; i < s->n_words; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(flags) && !is(s, i, flags[k].name))
			k++;
		if (k < ARRAY_LEN(flags))
			*flags[k].flag = true;
		else
			judge_fail(s->w, "'%s': no such option", s->words[i]);
	}
}

static void
do_delay(struct script *s)
{
	s->params.preempt_delay_us = duration(s, 1);
}

static void
do_alone(struct script *s)
{
	s->params.or_alone_us = duration(s, 1);
}

static void
do_router(struct script *s)
{
	if (s->n_words < 3 || s->w->n_routers == ROUTERS_MAX)
		judge_fail(s->w, "a name and a priority are wanted, for at most %d", ROUTERS_MAX);
	else
		world_add(s->w, s->words[1], &s->params, (uint8_t)number(s, 2));
	s->w->judge.settle_us = judge_settle(s->w);
}

static void
do_lan(struct script *s)
{
	struct lan *lan = &s->w->lan;
	char *dots = s->n_words > 1 ? strstr(s->words[1], "..") : NULL;

	if (dots == NULL) {
		judge_fail(s->w, "lan FROM..TO is wanted");
		return;
	}
	*dots = '\0';
	lan->delay_min_us = duration(s, 1);
	s->words[1] = dots + 2;
	lan->delay_max_us = duration(s, 1);
	lan->loss = lan->twice = 0;
	for (unsigned i = 2; i + 1 < s->n_words; i += 2) {
		if (is(s, i, "loss"))
			lan->loss = 10 * number(s, i + 1);
		else if (is(s, i, "twice"))
			lan->twice = 10 * number(s, i + 1);
		else
			judge_fail(s->w, "'%s': loss or twice is wanted", s->words[i]);
	}
	judge_disturb(s->w);
}

static void
do_verdicts(struct script *s)
{
	s->w->verdict_us = is(s, 1, "never") ? -1 : duration(s, 1);
}

static void
do_sweep(struct script *s)
{
	s->w->sweep_us = duration(s, 1);
}

/* ---- what is done to them ---- */

static void
do_start(struct script *s)
{
	bool pending = is(s, s->n_words - 1, "pending");

	for (unsigned i = 1; i < s->n_words - pending; i++)
		router_start(s->w, router(s, i), pending);
}

static void
do_verdict(struct script *s)
{
	router_verdict(s->w, router(s, 1));
}

static void
do_stop(struct script *s)
{
	router_stop(s->w, router(s, 1));
}

static void
do_crash(struct script *s)
{
	router_crash(s->w, router(s, 1));
}

static void
do_respawn(struct script *s)
{
	router_start_later(s->w, router(s, 1), duration(s, 2));
}

static void
do_restart(struct script *s)
{
	router_restart(s->w, router(s, 1), duration(s, 2));
}

static void
do_stall(struct script *s)
{
	router_stall(s->w, router(s, 1), duration(s, 2));
}

static void
do_fault(struct script *s)
{
	router_fault(s->w, router(s, 1), true);
}

static void
do_clear(struct script *s)
{
	router_fault(s->w, router(s, 1), false);
}

static void
do_priority(struct script *s)
{
	router_priority(s->w, router(s, 1), (uint8_t)number(s, 2));
}

static void
do_witness(struct script *s)
{
	router_witness(s->w, router(s, 1), is(s, 2, "back"));
}

static void
do_unaddress(struct script *s)
{
	router_lose_vip(s->w, router(s, 1));
}

static void
do_release(struct script *s)
{
	bool force = is(s, 2, "force");
	unsigned hold = 2 + force;

	router_release(s->w, router(s, 1), force, hold < s->n_words ? duration(s, hold) : 0);
}

static void
do_resume(struct script *s)
{
	router_resume(s->w, router(s, 1));
}

static void
do_path(struct script *s)
{
	router_path(s->w, router(s, 1));
}

static void
do_cut(struct script *s)
{
	long from = router(s, 1) - s->w->routers, to = router(s, 3) - s->w->routers;

	judge_disturb(s->w);
	s->w->lan.cut[from][to] = true;
	if (is(s, 2, "-"))
		s->w->lan.cut[to][from] = true;
	else if (!is(s, 2, "->"))
		judge_fail(s->w, "cut A -> B or cut A - B is wanted");
}

static void
do_join(struct script *s)
{
	judge_disturb(s->w);
	memset(s->w->lan.cut, 0, sizeof(s->w->lan.cut));
}

/* ---- what must be seen ---- */

static void
do_run(struct script *s)
{
	world_run(s->w, mono_add(s->w->now, duration(s, 1)));
}

/* Word i: "master A" or "master none" holds just now. */
static bool
sees_master(struct script *s, unsigned i)
{
	const struct router *wanted = is(s, i + 1, "none") ? NULL : router(s, i + 1);

	if (!is(s, i, "master"))
		judge_fail(s->w, "'master NAME' is wanted");
	for (unsigned k = 0; k < s->w->n_routers; k++) {
		const struct router *r = &s->w->routers[k];
		bool master = r->state.role == VRRP_MASTER && router_runs(s->w, r);

		if (wanted != NULL && wanted->segment != r->segment)
			continue;
		if (master != (r == wanted) || r->vip != (r == wanted))
			return false;
	}
	return true;
}

static void
tell_who(struct script *s, const char *what)
{
	char who[128] = "";

	for (unsigned k = 0; k < s->w->n_routers; k++) {
		const struct router *r = &s->w->routers[k];
		size_t n = strlen(who);

		snprintf(who + n, sizeof(who) - n, " %s is %s%s", r->name,
		    vrrp_role_str(r->state.role), r->vip ? " with the address" : "");
	}
	judge_fail(s->w, "%s:%s", what, who);
}

static void
do_within(struct script *s)
{
	mono_t end = mono_add(s->w->now, duration(s, 1));

	judge_world(s->w);
	while (!sees_master(s, 2) && s->w->judge.failure[0] == '\0') {
		if (!world_step(s->w, end)) {
			tell_who(s, "not in time");
			return;
		}
	}
}

static void
do_for(struct script *s)
{
	mono_t end = mono_add(s->w->now, duration(s, 1));

	do {
		if (!sees_master(s, 2)) {
			tell_who(s, "not all the time");
			return;
		}
	} while (s->w->judge.failure[0] == '\0' && world_step(s->w, end));
	world_run(s->w, end);
}

static void
do_role(struct script *s)
{
	const char *role = vrrp_role_str(router(s, 1)->state.role);

	if (!is(s, 2, role))
		judge_fail(s->w, "%s is %s", s->words[1], role);
}

static void
do_holders(struct script *s)
{
	for (unsigned k = 0; k < s->w->n_routers; k++) {
		const struct router *r = &s->w->routers[k];
		bool named = false;

		for (unsigned i = 1; i < s->n_words; i++)
			named |= find(s, i) == r;
		if (named != r->vip)
			tell_who(s, "other holders");
	}
}

static void
do_count(struct script *s)
{
	judge_world(s->w);
	judge_count(s->w);
}

static void
do_moves(struct script *s)
{
	bool most = is(s, 1, "at") && is(s, 2, "most");

	if (most ? s->w->judge.moves > number(s, 3) : s->w->judge.moves != number(s, 1))
		judge_fail(s->w, "%u moves", s->w->judge.moves);
}

static void
do_overlap(struct script *s)
{
	judge_world(s->w);
	if (s->w->judge.overlap_us > duration(s, 1))
		judge_fail(
		    s->w, "two had it for %.4f s", (double)s->w->judge.overlap_us / (double)SECOND);
}

static void
do_outage(struct script *s)
{
	judge_world(s->w);
	if (s->w->judge.outage_us > duration(s, 1))
		judge_fail(s->w, "nobody had it for %.4f s",
		    (double)s->w->judge.outage_us / (double)SECOND);
}

static void
do_calm(struct script *s)
{
	s->w->judge.calm_since = mono_add(s->w->now, -s->w->judge.settle_us - 1);
}

/* ---- reading ---- */

static const struct {
	const char *name;
	void (*act)(struct script *);
	bool needs_routers;
} statements[] = {
	{ "groups", do_groups, false },
	{ "version", do_version, false },
	{ "interval", do_interval, false },
	{ "preempt", do_preempt, false },
	{ "option", do_option, false },
	{ "delay", do_delay, false },
	{ "alone", do_alone, false },
	{ "router", do_router, false },
	{ "lan", do_lan, false },
	{ "verdicts", do_verdicts, false },
	{ "sweep", do_sweep, false },
	{ "start", do_start, true },
	{ "verdict", do_verdict, true },
	{ "stop", do_stop, true },
	{ "crash", do_crash, true },
	{ "respawn", do_respawn, true },
	{ "restart", do_restart, true },
	{ "stall", do_stall, true },
	{ "fault", do_fault, true },
	{ "clear", do_clear, true },
	{ "priority", do_priority, true },
	{ "witness", do_witness, true },
	{ "unaddress", do_unaddress, true },
	{ "release", do_release, true },
	{ "resume", do_resume, true },
	{ "path", do_path, true },
	{ "cut", do_cut, true },
	{ "join", do_join, true },
	{ "run", do_run, true },
	{ "within", do_within, true },
	{ "for", do_for, true },
	{ "role", do_role, true },
	{ "holders", do_holders, true },
	{ "count", do_count, true },
	{ "moves", do_moves, true },
	{ "overlap", do_overlap, true },
	{ "outage", do_outage, true },
	{ "calm", do_calm, true },
};

static void
split(struct script *s, char *line)
{
	char *save = NULL;

	line[strcspn(line, "#\n")] = '\0';
	s->n_words = 0;
	for (char *w = strtok_r(line, " \t", &save); w != NULL && s->n_words < WORDS_MAX;
	     w = strtok_r(NULL, " \t", &save))
		s->words[s->n_words++] = w;
}

static void
obey(struct script *s)
{
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		if (!is(s, 0, statements[i].name))
			continue;
		if (statements[i].needs_routers && s->w->n_routers == 0)
			judge_fail(s->w, "no routers yet");
		else
			statements[i].act(s);
		return;
	}
	judge_fail(s->w, "'%s': no such statement", s->words[0]);
}

int
script_run(struct world *w, const char *path)
{
	bool verbose = w->verbose;
	struct script s = { .w = w,
		.params = {
		    .version = 3, .interval_us = SECOND, .down_adverts = 3, .preempt = true } };
	char line[256];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return -errno;
	world_init(w, 1);
	w->verbose = verbose;
	w->lan.delay_min_us = w->lan.delay_max_us = MSEC;
	w->sweep_us = 400 * MSEC;
	while (w->judge.failure[0] == '\0' && fgets(line, sizeof(line), f) != NULL) {
		w->judge.line++;
		if (verbose)
			printf("%s:%u: %s", path, w->judge.line, line);
		split(&s, line);
		if (s.n_words > 0)
			obey(&s);
	}
	fclose(f);
	return 0;
}
