/*
 * supervise.c - see supervise.h.
 */
#include "ctl/supervise.h"

#include "common/util.h"

static const char *const PHASE_NAME[] = {
	[SUPERVISE_IDLE] = "idle",
	[SUPERVISE_STARTING] = "starting",
	[SUPERVISE_READY] = "ready",
	[SUPERVISE_ENDING] = "ending",
	[SUPERVISE_ABORTING] = "aborting",
	[SUPERVISE_WAITING] = "waiting",
	[SUPERVISE_REFUSED] = "refused",
	[SUPERVISE_DONE] = "done",
};

const char *
supervise_phase_str(enum supervise_phase phase)
{
	return PHASE_NAME[phase];
}

bool
supervise_alive(const struct supervise_state *s)
{
	switch (s->phase) {
	case SUPERVISE_STARTING:
	case SUPERVISE_READY:
	case SUPERVISE_ENDING:
	case SUPERVISE_ABORTING:
		return true;
	case SUPERVISE_IDLE:
	case SUPERVISE_WAITING:
	case SUPERVISE_REFUSED:
	case SUPERVISE_DONE:
		break;
	}
	return false;
}

/*
 * One crash is an accident, and its successor may be ready before anybody above
 * starts; two in a row are a loop, which must not keep the others waiting.
 */
bool
supervise_settled(const struct supervise_state *s)
{
	return s->phase == SUPERVISE_READY || s->phase == SUPERVISE_REFUSED ||
	       s->phase == SUPERVISE_DONE || s->crashes >= 2;
}

bool
supervise_may_start(
    const struct supervise_params *params, const struct supervise_state *states, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (params[k].rank < params[i].rank && !supervise_settled(&states[k]))
			return false;
	return true;
}

bool
supervise_may_stop(
    const struct supervise_params *params, const struct supervise_state *states, size_t n, size_t i)
{
	for (size_t k = 0; k < n; k++)
		if (params[k].rank > params[i].rank && supervise_alive(&states[k]))
			return false;
	return true;
}

/* ---- the phases ---- */

static struct supervise_outcome
act(struct supervise_state s, unsigned actions)
{
	return (struct supervise_outcome){ s, actions };
}

static struct supervise_outcome
stay(struct supervise_state s)
{
	return act(s, 0);
}

static struct supervise_outcome
rest(struct supervise_state s, enum supervise_phase phase)
{
	s.phase = phase;
	s.deadline = MONO_NEVER;
	return stay(s);
}

static struct supervise_outcome
spawn(struct supervise_state s, mono_t now)
{
	if (s.phase != SUPERVISE_IDLE)
		s.restarts++;
	s.phase = SUPERVISE_STARTING;
	s.again = s.killed = false;
	s.spawned = now;
	s.deadline = mono_add(now, SUPERVISE_START_US);
	return act(s, SUPERVISE_SPAWN);
}

static struct supervise_outcome
terminate(struct supervise_state s, bool again, mono_t now)
{
	s.phase = SUPERVISE_ENDING;
	s.again = again;
	s.deadline = mono_add(now, SUPERVISE_STOP_US);
	return act(s, SUPERVISE_TERM);
}

/*
 * Ended without being asked to: again after a while that grows with each crash in a row.
 * The first of one that did its work is no loop yet: at once, which a vrrpd at 10 ms
 * needs to be back before its peers count it out.
 */
static struct supervise_outcome
back_off(const struct supervise_params *p, struct supervise_state s, mono_t now)
{
	int64_t wait = p->backoff_us;

	s.crashes = mono_until(s.spawned, now) >= SUPERVISE_STEADY_US ? 1 : s.crashes + 1;
	if (s.crashes == 1 && s.phase == SUPERVISE_READY)
		wait = 0;
	for (unsigned i = 1; i < s.crashes && wait < SUPERVISE_BACKOFF_MAX_US; i++)
		wait *= 2;
	s.phase = SUPERVISE_WAITING;
	s.deadline = mono_add(now, MIN(wait, SUPERVISE_BACKOFF_MAX_US));
	return stay(s);
}

/* Due every watchdog_us at the latest, counted from the last sign of life. */
static struct supervise_outcome
alive(const struct supervise_params *p, struct supervise_state s, mono_t now)
{
	s.deadline = p->watchdog_us > 0 ? mono_add(now, p->watchdog_us) : MONO_NEVER;
	return stay(s);
}

static struct supervise_outcome
on_exit_event(const struct supervise_params *p, struct supervise_state s, bool refused, mono_t now)
{
	if (s.phase == SUPERVISE_ENDING && s.again) {
		s.crashes = 0;
		return spawn(s, now);
	}
	if (s.phase == SUPERVISE_ENDING)
		return rest(s, SUPERVISE_DONE);
	if (refused)
		return rest(s, SUPERVISE_REFUSED);
	return back_off(p, s, now);
}

/*
 * A deadline long past means that nobody ran, we included (a suspend, a stopped
 * machine): silence proves nothing then, and the child gets its time again.
 */
static struct supervise_outcome
on_silence(const struct supervise_params *p, struct supervise_state s, mono_t now)
{
	if (mono_until(s.deadline, now) > p->watchdog_us)
		return alive(p, s, now);
	s.phase = SUPERVISE_ABORTING;
	s.deadline = mono_add(now, SUPERVISE_ABORT_US);
	return act(s, SUPERVISE_ABORT);
}

static struct supervise_outcome
kill_it(struct supervise_state s)
{
	s.killed = true;
	s.deadline = MONO_NEVER;
	return act(s, SUPERVISE_KILL);
}

static struct supervise_outcome
on_timer(const struct supervise_params *p, struct supervise_state s, mono_t now)
{
	if (mono_before(now, s.deadline))
		return stay(s); /* woken early */
	switch (s.phase) {
	case SUPERVISE_STARTING:
	case SUPERVISE_ENDING:
	case SUPERVISE_ABORTING:
		return kill_it(s);
	case SUPERVISE_READY:
		return on_silence(p, s, now);
	case SUPERVISE_WAITING:
		return spawn(s, now);
	case SUPERVISE_IDLE:
	case SUPERVISE_REFUSED:
	case SUPERVISE_DONE:
		break;
	}
	return stay(s);
}

static struct supervise_outcome
on_stop(struct supervise_state s, mono_t now)
{
	if (!supervise_alive(&s))
		return rest(s, SUPERVISE_DONE);
	if (s.phase == SUPERVISE_ENDING) { /* a restart becomes a stop: it asks us which */
		s.again = false;
		return stay(s);
	}
	return terminate(s, false, now);
}

static struct supervise_outcome
on_restart(struct supervise_state s, mono_t now)
{
	switch (s.phase) {
	case SUPERVISE_STARTING:
	case SUPERVISE_READY:
		return terminate(s, true, now);
	case SUPERVISE_WAITING:
	case SUPERVISE_REFUSED:
		return spawn(s, now);
	case SUPERVISE_IDLE:	 /* its turn comes */
	case SUPERVISE_ENDING:	 /* on its way already */
	case SUPERVISE_ABORTING: /* likewise */
	case SUPERVISE_DONE:
		break;
	}
	return stay(s);
}

struct supervise_outcome
supervise_step(const struct supervise_params *p, struct supervise_state s,
    struct supervise_event ev, mono_t now)
{
	switch (ev.kind) {
	case SUPERVISE_EV_START:
		return s.phase == SUPERVISE_IDLE ? spawn(s, now) : stay(s);
	case SUPERVISE_EV_READY:
		if (s.phase == SUPERVISE_STARTING)
			s.phase = SUPERVISE_READY;
		return s.phase == SUPERVISE_READY ? alive(p, s, now) : stay(s);
	case SUPERVISE_EV_ALIVE:
		return s.phase == SUPERVISE_READY ? alive(p, s, now) : stay(s);
	case SUPERVISE_EV_EXIT:
		return supervise_alive(&s) ? on_exit_event(p, s, ev.refused, now) : stay(s);
	case SUPERVISE_EV_TIMER:
		return on_timer(p, s, now);
	case SUPERVISE_EV_STOP:
		return on_stop(s, now);
	case SUPERVISE_EV_RESTART:
		return on_restart(s, now);
	case SUPERVISE_EV_RETRY:
		return s.phase == SUPERVISE_REFUSED ? spawn(s, now) : stay(s);
	}
	return stay(s);
}
