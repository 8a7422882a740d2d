/*
 * upstream_left.c - upstreams over a restart (upstream.h): what is written down
 * of a server, and what the next process makes of it.
 */
#include "common/text.h"
#include "proxyd/parcel.h"
#include "proxyd/upstream_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
copy(char to[static PARCEL_NAME_SIZE], const char *from)
{
	snprintf(to, PARCEL_NAME_SIZE, "%s", from);
}

void
server_describe(const struct server *s, struct parcel_server *ret)
{
	const struct pool_server *h = &s->health;

	*ret = (struct parcel_server){
		.endpoint = s->endpoint,
		.is_down = h->state == POOL_DOWN,
		.since_us = h->since.us,
		.probe_at_us = h->probe_at.us,
		.current = h->current,
		.transitions = s->transitions,
		.downtime_us = s->downtime_us,
	};
	copy(ret->upstream, s->up->name);
	copy(ret->name, s->name);
	copy(ret->source, pool_source_str(h->source));
	copy(ret->reason, h->reason);
	if (h->admin != POOL_READY) {
		copy(ret->admin, pool_state_str(pool_said(h).state));
		copy(ret->comment, h->comment);
		ret->admin_until_us = mono_is_never(h->admin_until) ? 0 : h->admin_until.us;
	}
	ret->weight_set = h->weight_set;
	copy(ret->changed_at, s->changed_at);
	ret->n_fails = (uint32_t)pool_server_fails(h, ret->fails_us, PARCEL_FAILS_MAX);
	tally_sum(s->tallies, s->up->all->n_tallies, &ret->tally);
}

/* ---- restoring ---- */

static bool
is_server(const struct server *s, const struct parcel_server *left)
{
	return strcmp(s->up->name, left->upstream) == 0 && strcmp(s->name, left->name) == 0 &&
	       endpoint_equal(&s->endpoint, &left->endpoint);
}

/* What the operator said stands until he takes it back, or its time is over. */
static void
restore_admin(struct server *s, const struct parcel_server *left, mono_t now)
{
	int64_t hold_us = left->admin_until_us > 0 ? left->admin_until_us - now.us : 0;
	bool over = left->admin_until_us > 0 && hold_us <= 0;
	enum pool_admin admin = strcmp(left->admin, pool_state_str(POOL_DRAINING)) == 0 ? POOL_DRAIN
				: strcmp(left->admin, pool_state_str(POOL_MAINTENANCE)) == 0
				    ? POOL_MAINTAIN
				    : POOL_READY;

	pthread_mutex_lock(&s->up->lock);
	if (admin != POOL_READY && !over)
		pool_server_administer(&s->health, admin, hold_us, left->comment, now);
	if (left->weight_set > 0) {
		pool_server_set_weight(&s->health, left->weight_set);
		pool_prepare(&s->up->pool);
	}
	pthread_mutex_unlock(&s->up->lock);
}

static void
restore_health(struct server *s, const struct parcel_server *left, mono_t now)
{
	const struct pool_left pool = {
		.state = left->is_down ? POOL_DOWN : POOL_UP,
		.reason = left->reason,
		.since = { left->since_us },
		.probe_at = { left->probe_at_us },
		.current = left->current,
		.fails_us = left->fails_us,
		.n_fails = left->n_fails,
	};

	bool by_check = strcmp(left->source, pool_source_str(POOL_CHECKD)) == 0;

	if (!by_check && strcmp(left->source, pool_source_str(POOL_PASSIVE)) != 0)
		return; /* the configuration's word, or the resolver's: they speak anew */
	pthread_mutex_lock(&s->up->lock);
	if (by_check && left->is_down)
		pool_server_checked(&s->health, left->reason, now);
	else
		pool_server_restore(&s->health, &pool, now);
	pthread_mutex_unlock(&s->up->lock);
}

/* The log and the bus heard of it from the process before. */
static void
restore_told(struct server *s, const struct parcel_server *left)
{
	s->told = pool_said(&s->health).state;
	s->told_since = s->health.since;
	s->told_source = pool_said(&s->health).source;
	free(s->told_reason);
	s->told_reason = xstrdup(pool_said(&s->health).reason);
	s->transitions = left->transitions;
	s->downtime_us = left->downtime_us;
	s->down_since = s->told == POOL_DOWN ? s->told_since : MONO_NEVER;
	snprintf(s->changed_at, sizeof(s->changed_at), "%.*s", (int)sizeof(s->changed_at) - 1,
	    left->changed_at);
}

static void
restore_server(struct server *s, const struct parcel_server *left, mono_t now)
{
	restore_health(s, left, now);
	restore_admin(s, left, now);
	restore_told(s, left);
	tally_sum(&left->tally, 1, &s->tallies[s->up->all->n_tallies - 1]);
}

/* The addresses that a name had: it need not be asked before clients are served. */
static void
restore_answer(struct spec *spec, const struct parcel_server *left, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(left[i].upstream, spec->up->name) != 0 ||
		    !upstream_is_of_line(left[i].name, spec->text) ||
		    left[i].endpoint.addr.family == AF_UNSPEC ||
		    (!spec->is_service && left[i].endpoint.port != spec->endpoint.port))
			continue;
		spec->targets = xreallocarray(
		    spec->targets, spec->n_targets + 1, sizeof(*spec->targets));
		spec->targets[spec->n_targets++] = (struct target){ .at = left[i].endpoint };
	}
}

static void
restore_answers(struct upstream *up, const struct parcel_server *left, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < up->n_specs; i++) {
		struct spec *spec = &up->specs[i];

		if (spec->host == NULL || spec->n_targets > 0)
			continue;
		restore_answer(spec, left, n);
		any |= spec->n_targets > 0;
	}
	if (any)
		upstream_rebuild(up);
}

void
upstreams_restore(struct upstreams *all, const struct parcel_server *left, size_t n)
{
	mono_t now = loop_now();
	struct upstream *up;

	TAILQ_FOREACH (up, &all->list, entry) {
		restore_answers(up, left, n);
		for (size_t i = 0; i < up->pool.n; i++)
			for (size_t k = 0; k < n; k++)
				if (is_server(server_of(up->pool.servers[i]), &left[k]))
					restore_server(
					    server_of(up->pool.servers[i]), &left[k], now);
		upstream_tell(up);
	}
}

/* ---- servers of sessions ---- */

static struct upstream *
find_upstream(struct upstreams *all, const char *name)
{
	struct upstream *up = upstreams_find(all, name);

	if (up != NULL)
		return up;
	TAILQ_FOREACH (up, &all->leaving, entry)
		if (strcmp(up->name, name) == 0)
			return up;
	up = upstream_new(all, name);
	TAILQ_REMOVE(&all->list, up, entry);
	TAILQ_INSERT_TAIL(&all->leaving, up, entry);
	return up;
}

/* A unix socket has no endpoint: its name is where it is. */
static bool
is_at(const struct server *s, const char *name, const struct endpoint *ep)
{
	return endpoint_equal(&s->endpoint, ep) &&
	       (ep->addr.family != AF_UNSPEC || strcmp(s->name, name) == 0);
}

/* The same line if it is there, else whoever has that address now. */
static struct server *
find_in_pool(const struct upstream *up, const char *name, const struct endpoint *ep)
{
	struct server *found = NULL;

	for (size_t i = 0; i < up->pool.n; i++) {
		struct server *s = server_of(up->pool.servers[i]);

		if (!is_at(s, name, ep))
			continue;
		if (strcmp(s->name, name) == 0)
			return s;
		if (found == NULL)
			found = s;
	}
	return found;
}

static struct server *
find_retired(const struct upstream *up, const char *name, const struct endpoint *ep)
{
	struct server *s;

	TAILQ_FOREACH (s, &up->all->retired, retired)
		if (s->up == up && is_at(s, name, ep))
			return s;
	return NULL;
}

struct server *
upstreams_server(
    struct upstreams *all, const char *upstream, const char *name, const struct endpoint *ep)
{
	static const struct pool_params params = { .weight = 1 };
	struct upstream *up = find_upstream(all, upstream);
	struct server *s = find_in_pool(up, name, ep);

	if (s == NULL)
		s = find_retired(up, name, ep);
	if (s != NULL)
		return s;
	s = upstream_server_new(up, &params, ep, name);
	s->name = xstrdup(name);
	TAILQ_INSERT_TAIL(&all->retired, s, retired);
	return s;
}
