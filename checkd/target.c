/*
 * target.c - see target.h.
 */
#include "checkd/target.h"

#include "checkd/plan.h"
#include "common/event.h"
#include "common/log.h"
#include "common/rng.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bus is told at least this often that a verdict is still young: consumers go by it when we
 * fall silent. */
#define REFRESH_US  USEC_PER_SEC

/* Processes may die hundreds of times a second: more looks than this are not worth their cost. */
#define WAKE_GAP_US (10 * USEC_PER_MSEC)

/* Whoever asks for a run gets one, but a check's own pace is its configuration's. */
#define ASK_GAP_US  (100 * USEC_PER_MSEC)
#define WAITERS_MAX 16

struct target {
	const struct check_conf *conf;
	struct probe_env *env;
	struct probe *probe;
	struct plan plan;
	struct loop_timer timer;
	struct turn_entry turn; /* waits: a run is due, and begins when others have begun */
	bool running;
	struct target_status status;
	mono_t began;	/* the last run */
	mono_t woken;	/* the last run out of turn, or the one to come; zero: none */
	mono_t told;	/* on_change last */
	struct rng rng; /* for jitter */
	TAILQ_HEAD(, target_waiter) waiters;
	unsigned n_waiters;
	struct target_events events;
};

static struct verdict_params
params_of(const struct check_conf *conf)
{
	return (struct verdict_params){
		.rise = conf->rise, .fall = conf->fall, .init_fail = conf->init_fail
	};
}

const struct check_conf *
target_conf(const struct target *t)
{
	return t->conf;
}

const struct target_status *
target_status(const struct target *t)
{
	return &t->status;
}

/* ---- telling ---- */

void
target_explain(const struct target *t, struct text *out)
{
	const struct admin *a = &t->status.admin;
	bool says = a->mode != ADMIN_AUTO;

	if (says)
		text_addf(out, "%s by an operator%s%s",
		    a->mode == ADMIN_PAUSED ? "paused" : "forced",
		    a->comment[0] != '\0' ? ": " : "", a->comment);
	if (a->mode != ADMIN_FORCED_UP && a->mode != ADMIN_FORCED_DOWN)
		text_addf(
		    out, "%s%s", says && t->status.detail[0] != '\0' ? "; " : "", t->status.detail);
}

static void
log_state(const struct target *t, enum check_state before)
{
	const struct target_status *s = &t->status;
	int level = s->state == CHECK_DOWN ? LOG_WARNING : LOG_NOTICE;
	struct text why = { 0 };

	target_explain(t, &why);
	const char *const fields[] = { "check", t->conf->name, "state", check_state_str(s->state),
		"before", check_state_str(before), "reason", check_reason_str(s->verdict.reason),
		"administrative", admin_mode_str(s->admin.mode), "detail", text_str(&why), NULL };
	event_emit(level, "", fields, "check %s is %s%s%s", t->conf->name,
	    check_state_str(s->state), why.length > 0 ? ": " : "", text_str(&why));
	text_done(&why);
}

static void
log_admin(const struct target *t, const char *who)
{
	const struct admin *a = &t->status.admin;
	const char *const fields[] = { "check", t->conf->name, "administrative",
		admin_mode_str(a->mode), "by", who, "comment", a->comment, NULL };

	event_emit(LOG_NOTICE, "", fields, "check %s is set to %s: %s%s%s", t->conf->name,
	    admin_mode_str(a->mode), who, a->comment[0] != '\0' ? ": " : "", a->comment);
}

/* A failure that does not change the verdict yet: "2 of 3". */
static void
log_failure(const struct target *t)
{
	log_info("check %s failed, %u of %u: %s", t->conf->name, t->status.verdict.failures,
	    t->conf->fall, t->status.detail);
}

static void
tell(struct target *t, mono_t now, bool matters)
{
	t->told = now;
	t->events.on_change(t->events.aux, t, matters);
}

/* ---- who waits ---- */

static void
answer(struct target *t, struct target_waiter *w, const struct target *with)
{
	TAILQ_REMOVE(&t->waiters, w, entry);
	t->n_waiters--;
	w->on_verdict(w, with);
}

/* Those of the run that has ended; who asked while it was on waits for the next one. */
static void
answer_begun(struct target *t)
{
	struct target_waiter *w;

	while ((w = TAILQ_FIRST(&t->waiters)) != NULL && w->begun)
		answer(t, w, t);
}

/* When the next run begins; MONO_NEVER while one is on, or none is wanted. */
static mono_t
run_due(const struct target *t)
{
	if (t->running || t->turn.waits || t->status.admin.mode == ADMIN_PAUSED)
		return MONO_NEVER;
	return t->n_waiters > 0 ? mono_min(t->plan.due, mono_add(t->began, ASK_GAP_US))
				: t->plan.due;
}

static void
arm(struct target *t)
{
	loop_timer_at(&t->timer, mono_min(run_due(t), admin_end(&t->status.admin)));
}

int
target_ask(struct target *t, struct target_waiter *w)
{
	if (t->status.admin.mode != ADMIN_AUTO)
		return -EALREADY;
	if (t->n_waiters >= WAITERS_MAX)
		return -EBUSY;
	w->begun = false;
	TAILQ_INSERT_TAIL(&t->waiters, w, entry);
	t->n_waiters++;
	arm(t);
	return 0;
}

void
target_forget(struct target *t, struct target_waiter *w)
{
	TAILQ_REMOVE(&t->waiters, w, entry);
	t->n_waiters--;
}

/* ---- results ---- */

/* A paused one's verdict does not grow old: somebody wants it as it is. */
static mono_t
validity(const struct target *t, mono_t now)
{
	if (t->status.admin.mode == ADMIN_PAUSED)
		return MONO_NEVER;
	return mono_add(now, 2 * (t->conf->interval_us + t->conf->jitter_us) + t->conf->timeout_us);
}

static void
note_result(struct target *t, const struct probe_result *r, mono_t now)
{
	struct target_status *s = &t->status;

	s->checked = now;
	s->valid_until = validity(t, now);
	s->duration_us = r->duration_us;
	snprintf(s->detail, sizeof(s->detail), "%s", r->detail);
	s->runs++;
	if (r->reason != REASON_OK)
		s->failed_runs++;
}

/* Does somebody wait for the run that is on?  Then he is also told how young the verdict is. */
static bool
is_awaited(const struct target *t)
{
	const struct target_waiter *first = TAILQ_FIRST(&t->waiters);

	return first != NULL && first->begun;
}

/* What consumers are told follows from verdict and operator; false: it is the same as before. */
static bool
set_state(struct target *t, mono_t now)
{
	struct target_status *s = &t->status;
	enum check_state before = s->state;

	s->state = admin_state(&s->admin, s->verdict.state); /* the only assignment but restore */
	if (s->state == before)
		return false;
	s->changed = now;
	loop_wallclock(s->changed_at);
	if (before != CHECK_UNKNOWN)
		flap_note(&s->flap, now);
	log_state(t, before);
	return true;
}

/* True: it is another one.  Runs that find none keep it until they have made the check down. */
static bool
set_value(struct target *t, const struct probe_result *r)
{
	struct target_status *s = &t->status;
	bool had = s->has_value;
	int32_t before = s->value;

	if (r->has_value) {
		s->has_value = true;
		s->value = r->value;
	} else if (s->verdict.state == CHECK_DOWN) {
		s->has_value = false;
	}
	return s->has_value != had || (had && s->value != before);
}

static void
set_verdict(struct target *t, struct verdict next, const struct probe_result *r, mono_t now)
{
	struct verdict before = t->status.verdict;
	bool changed, valued;

	t->status.verdict = next; /* the only assignment, beside init and restore */
	valued = set_value(t, r);
	changed = set_state(t, now) || valued;
	if (!changed && next.reason != REASON_OK && next.state == CHECK_UP)
		log_failure(t);
	if (changed || next.reason != before.reason || mono_until(t->told, now) >= REFRESH_US ||
	    is_awaited(t))
		tell(t, now, changed);
}

static void
on_result(void *aux, const struct probe_result *r)
{
	struct target *t = aux;
	const struct verdict_params params = params_of(t->conf);
	mono_t now = loop_now();

	t->running = false;
	histogram_note(&t->env->took[t->conf->kind], r->duration_us);
	t->plan = plan_ended(t->plan, now);
	if (t->conf->jitter_us > 0)
		t->plan.due = mono_add(t->plan.due, rng_between(&t->rng, 0, t->conf->jitter_us));
	if (t->status.admin.mode != ADMIN_PAUSED) { /* it was on when an operator said so */
		note_result(t, r, now);
		set_verdict(t, verdict_step(&params, t->status.verdict, r->reason), r, now);
		answer_begun(t);
	}
	arm(t);
}

/* ---- the operator ---- */

/* Who waits for a run learns the word instead. */
static void
answer_all(struct target *t, const struct target *with)
{
	struct target_waiter *w;

	while ((w = TAILQ_FIRST(&t->waiters)) != NULL)
		answer(t, w, with);
}

void
target_keep_admin(struct target *t, const struct admin *admin)
{
	t->status.admin = *admin;
	t->status.state = admin_state(admin, t->status.verdict.state);
	arm(t);
}

void
target_set_admin(struct target *t, const struct admin *admin, const char *who)
{
	struct target_status *s = &t->status;
	bool was_paused = s->admin.mode == ADMIN_PAUSED;
	mono_t now = loop_now();

	s->admin = *admin;
	log_admin(t, who);
	if (was_paused != (admin->mode == ADMIN_PAUSED) && !mono_is_never(s->checked))
		s->valid_until = validity(t, now);
	if (was_paused && !t->running)
		t->plan.due = now; /* what it missed */
	set_state(t, now);
	tell(t, now, true);
	if (admin->mode != ADMIN_AUTO)
		answer_all(t, t);
	if (admin->mode == ADMIN_PAUSED)
		turn_forget(&t->env->turn, &t->turn);
	arm(t);
}

/* ---- runs ---- */

static void
run(struct turn_entry *turn)
{
	struct target *t = CONTAINER_OF(turn, struct target, turn);
	struct target_waiter *w;

	TAILQ_FOREACH (w, &t->waiters, entry)
		w->begun = true;
	t->running = true;
	t->began = loop_now();
	if (!mono_before(t->began, t->plan.due)) /* else somebody asked */
		histogram_note(&t->env->late, mono_until(t->plan.due, t->began));
	t->plan = plan_began(t->plan);
	arm(t);
	probe_start(t->probe);
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct target *t = CONTAINER_OF(timer, struct target, timer);

	if (!mono_before(now, admin_end(&t->status.admin)))
		target_set_admin(t, &(struct admin){ 0 }, "its time is over");
	if (!mono_before(now, run_due(t)))
		turn_take(&t->env->turn, &t->turn);
	else
		arm(t);
}

static void
on_wake(void *aux)
{
	struct target *t = aux;
	mono_t now = loop_now();

	if (t->running || t->turn.waits)
		return;
	t->woken = mono_max(now, mono_add(t->woken, WAKE_GAP_US));
	t->plan.due = mono_min(t->plan.due, t->woken);
	if (mono_before(now, run_due(t)))
		arm(t);
	else
		turn_take(&t->env->turn, &t->turn);
}

/* ---- life ---- */

struct target *
target_new(struct probe_env *env, const struct check_conf *conf, size_t index, size_t n,
    const struct target_events *events)
{
	const struct verdict_params params = params_of(conf);
	struct target *t = xcalloc(1, sizeof(*t));
	const struct probe_events probe_events = {
		.on_result = on_result, .on_wake = on_wake, .aux = t
	};
	mono_t now = loop_now();

	t->conf = conf;
	t->env = env;
	t->events = *events;
	TAILQ_INIT(&t->waiters);
	t->turn.begin = run;
	rng_seed(&t->rng, (uint64_t)now.us + index);
	t->status.verdict = verdict_init(&params);
	t->status.state = t->status.verdict.state;
	t->status.checked = t->status.valid_until = MONO_NEVER;
	t->status.changed = t->told = now;
	loop_wallclock(t->status.changed_at);
	t->plan = plan_begin(conf->interval_us, index, n, now);
	loop_timer_init(env->loop, &t->timer, on_due);
	loop_timer_at(&t->timer, t->plan.due);
	t->probe = probe_new(env, conf, &probe_events);
	return t;
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct target, timer));
}

void
target_free(struct target *t)
{
	if (t == NULL)
		return;
	answer_all(t, NULL);
	turn_forget(&t->env->turn, &t->turn);
	probe_free(t->probe);
	loop_timer_close(&t->timer, on_timer_closed);
}

void
target_rebind(struct target *t, const struct check_conf *conf)
{
	t->conf = conf;
	probe_rebind(t->probe, conf);
	t->plan = plan_change(t->plan, conf->interval_us, loop_now());
	arm(t);
}

void
target_restore(struct target *t, const struct target_status *status)
{
	t->status = *status;
	target_keep_admin(t, &status->admin);
}
