/*
 * upstream.c - see upstream.h: what data threads call, and what keeps the world
 * informed.  How the set of servers comes about is in upstream_apply.c.
 */
#include "proxyd/upstream.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "proxyd/probe.h"
#include "proxyd/upstream_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- data threads ---- */

struct server *
upstream_pick(struct upstream *up, const struct pick_ask *ask)
{
	struct pool_server *s;

	pthread_mutex_lock(&up->lock);
	s = pick_server(&up->pool, ask);
	if (s != NULL) {
		pool_session_begin(s);
		pick_tried_add(ask->tried, s);
	}
	pthread_mutex_unlock(&up->lock);
	return s != NULL ? server_of(s) : NULL;
}

static void
wake(struct upstream *up)
{
	__atomic_store_n(&up->news, true, __ATOMIC_RELEASE);
	up->all->events.wake(up->all->events.aux);
}

void
server_failed(struct server *s, const char *what, mono_t now)
{
	bool changed;

	pthread_mutex_lock(&s->up->lock);
	changed = pool_server_failed(&s->health, what, now);
	pthread_mutex_unlock(&s->up->lock);
	if (changed)
		wake(s->up);
}

void
server_connected(struct server *s, mono_t now)
{
	bool changed;

	if (__atomic_load_n(&s->health.state, __ATOMIC_RELAXED) == POOL_UP)
		return; /* as nearly always: no lock */
	pthread_mutex_lock(&s->up->lock);
	changed = pool_server_connected(&s->health, now);
	pthread_mutex_unlock(&s->up->lock);
	if (changed)
		wake(s->up);
}

void
server_checked(struct server *s, const char *why, mono_t now)
{
	bool changed;

	pthread_mutex_lock(&s->up->lock);
	changed = pool_server_checked(&s->health, why, now);
	pthread_mutex_unlock(&s->up->lock);
	if (changed)
		wake(s->up);
}

void
server_unchecked(struct server *s, mono_t now)
{
	bool changed;

	pthread_mutex_lock(&s->up->lock);
	changed = pool_server_unchecked(&s->health, now);
	pthread_mutex_unlock(&s->up->lock);
	if (changed)
		wake(s->up);
}

/* ---- probes ---- */

static void arm_probes(struct upstream *);

static void
on_probed(void *aux, int error)
{
	struct server *s = aux;
	const char *kind = s->up->probe_kind == PROBE_DATAGRAM ? "udp" : "connect";
	char *what = error != 0 ? xasprintf("%s: %s", kind, strerrordesc_np(-error)) : NULL;

	s->probe = NULL;
	pthread_mutex_lock(&s->up->lock);
	if (error == 0 && s->up->probe_kind == PROBE_DATAGRAM)
		pool_probe_unrefused(&s->health, loop_now());
	else
		pool_probe_end(&s->health, what, loop_now());
	pthread_mutex_unlock(&s->up->lock);
	free(what);
	upstream_tell(s->up);
	arm_probes(s->up);
}

static void
start_probe(struct server *s)
{
	pool_probe_begin(&s->health);
	if (s->probe == NULL)
		s->probe = probe_start(s->up->all->loop, s->up->probe_kind, &s->sockaddr,
		    s->up->probe_timeout_us, on_probed, s);
}

static void
arm_probes(struct upstream *up)
{
	mono_t next;

	pthread_mutex_lock(&up->lock);
	pool_hurry(&up->pool, loop_now());
	next = pool_next_due(&up->pool);
	pthread_mutex_unlock(&up->lock);
	for (size_t i = 0; i < up->pool.n; i++)
		next = mono_min(next, server_of(up->pool.servers[i])->close_at);
	loop_timer_at(&up->probe_timer, next);
}

/* Sessions of servers that are down for long enough (on_server_down). */
static void
close_due(struct upstream *up, mono_t now)
{
	for (size_t i = 0; i < up->pool.n; i++) {
		struct server *s = server_of(up->pool.servers[i]);

		if (mono_before(now, s->close_at))
			continue;
		s->close_at = MONO_NEVER;
		up->all->events.close_server(up->all->events.aux, s);
	}
}

void
upstream_probe_due(struct loop_timer *timer, mono_t now)
{
	struct upstream *up = CONTAINER_OF(timer, struct upstream, probe_timer);

	pthread_mutex_lock(&up->lock);
	for (size_t i = 0; i < up->pool.n; i++) {
		pool_server_expire(up->pool.servers[i], now);
		if (!mono_before(now, up->pool.servers[i]->probe_at))
			start_probe(server_of(up->pool.servers[i]));
	}
	pthread_mutex_unlock(&up->lock);
	close_due(up, now);
	upstream_tell(up); /* arms the timer again */
}

/* ---- telling ---- */

struct news { /* a copy of what is told, taken under the lock */
	enum pool_state state;
	enum pool_source source;
	char reason[POOL_REASON_MAX];
	mono_t since;
};

static void
copy_reason(char to[static POOL_REASON_MAX], const char *from)
{
	size_t n = strnlen(from, POOL_REASON_MAX - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

static void
take_news(struct upstream *up, const struct pool_server *h, struct news *news)
{
	struct pool_said said;

	pthread_mutex_lock(&up->lock);
	said = pool_said(h);
	news->state = said.state;
	news->source = said.source;
	copy_reason(news->reason, said.reason);
	news->since = h->since;
	pthread_mutex_unlock(&up->lock);
}

/* The lines that people grep for (design.md section 8). */
static void
announce(const struct server *s, const struct news *news)
{
	const char *up = s->up->name, *state = pool_state_str(news->state);
	const char *const fields[] = { "upstream", up, "server", s->name, "state", state, "reason",
		news->reason, NULL };

	event_emit(news->state == POOL_DOWN ? LOG_WARNING : LOG_NOTICE, "", fields,
	    "upstream %s: server %s is %s (%s)", up, s->name, state, news->reason);
}

static void
note_transition(struct server *s, const struct news *news)
{
	s->transitions++;
	loop_wallclock(s->changed_at);
	if (news->state == POOL_DOWN && mono_is_never(s->down_since))
		s->down_since = news->since;
	else if (news->state == POOL_UP && !mono_is_never(s->down_since)) {
		s->downtime_us += mono_until(s->down_since, news->since);
		s->down_since = MONO_NEVER;
	}
}

/* on_server_down: at once, after a while, or not at all; not if it comes back before. */
static void
plan_close(const struct upstream *up, struct server *s, const struct news *news)
{
	bool down = news->state == POOL_DOWN || news->state == POOL_MAINTENANCE;

	if (!down || up->on_down == DOWN_KEEP)
		s->close_at = MONO_NEVER;
	else if (mono_is_never(s->close_at))
		s->close_at = mono_add(loop_now(), up->on_down == DOWN_DRAIN ? up->drain_us : 0);
}

static void
tell_server(struct upstream *up, struct server *s)
{
	struct news news;

	take_news(up, &s->health, &news);
	if (news.state == s->told && strcmp(news.reason, s->told_reason) == 0)
		return;
	if (news.state != s->told) {
		note_transition(s, &news);
		plan_close(up, s, &news);
		announce(s, &news);
	}
	s->told = news.state;
	s->told_since = news.since;
	s->told_source = news.source;
	free(s->told_reason);
	s->told_reason = xstrdup(news.reason);
	up->all->events.on_server(up->all->events.aux, up, s, false);
}

size_t
upstream_available(const struct upstream *up)
{
	size_t n = 0;

	for (size_t i = 0; i < up->pool.n; i++)
		n += server_of(up->pool.servers[i])->told == POOL_UP;
	return n;
}

void
upstream_tell(struct upstream *up)
{
	size_t available;

	__atomic_store_n(&up->news, false, __ATOMIC_RELAXED);
	for (size_t i = 0; i < up->pool.n; i++)
		tell_server(up, server_of(up->pool.servers[i]));
	available = upstream_available(up);
	if (available != up->told_available) {
		up->told_available = available;
		up->all->events.on_upstream(up->all->events.aux, up, false);
	}
	arm_probes(up);
}

void
upstreams_tell(struct upstreams *all)
{
	struct upstream *up;

	TAILQ_FOREACH (up, &all->list, entry)
		if (__atomic_load_n(&up->news, __ATOMIC_ACQUIRE))
			upstream_tell(up);
}
