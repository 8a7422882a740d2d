/*
 * upstream_apply.c - which servers an upstream has: from the lines of the file
 * and the addresses behind names, over reloads and changing answers.
 *
 * A rebuild makes the wanted list anew and takes over every server that is
 * still the same (line and address) with its health and counters.  The rest
 * leaves the pool and lives on until its last session ends.
 */
#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "proxyd/balance.h"
#include "proxyd/probe.h"
#include "proxyd/resolve.h"
#include "proxyd/upstream_priv.h"

#include <stdlib.h>
#include <string.h>

static const struct balancer *const balancers[] = {
	[BALANCE_ROUND_ROBIN] = &balance_round_robin,
	[BALANCE_LEAST_CONN] = &balance_least_conn,
	[BALANCE_HASH] = &balance_hash,
	[BALANCE_KETAMA] = &balance_ketama,
	[BALANCE_RANDOM] = &balance_random,
	[BALANCE_RANDOM_TWO] = &balance_random_two,
};

#define PROBE_TIMEOUT_US (5 * USEC_PER_SEC) /* for an upstream no listener uses */

/* ---- servers ---- */

static void
server_free(struct server *s)
{
	probe_cancel(s->probe);
	pool_server_done(&s->health);
	free(s->tallies);
	free(s->told_reason);
	free(s->name);
	free(s);
}

void
upstream_tally(const struct upstream *up, struct tally *sum)
{
	const struct upstreams *all = up->all;
	const struct server *s;

	tally_sum(&up->gone, 1, sum);
	for (size_t i = 0; i < up->pool.n; i++)
		tally_sum(server_of(up->pool.servers[i])->tallies, all->n_tallies, sum);
	TAILQ_FOREACH (s, &all->retired, retired)
		if (s->up == up)
			tally_sum(s->tallies, all->n_tallies, sum);
}

struct server *
upstream_server_new(struct upstream *up, const struct pool_params *params,
    const struct endpoint *ep, const char *text)
{
	struct server *s = xcalloc(1, sizeof(*s));
	mono_t now = loop_now();

	s->up = up;
	s->endpoint = *ep;
	s->sockaddr_size = ep->addr.family != AF_UNSPEC ? endpoint_to_sockaddr(ep, &s->sockaddr)
							: unix_to_sockaddr(text, &s->sockaddr);
	s->tallies = tally_new(up->all->n_tallies);
	pool_server_init(&s->health, params, s->sockaddr_size > 0, now);
	s->health.slot = (uint8_t)up->next_slot++;
	s->told = s->health.state;
	s->told_since = now;
	s->told_source = s->health.source;
	s->told_reason = xstrdup(s->health.reason);
	s->close_at = MONO_NEVER;
	s->down_since = s->told == POOL_DOWN ? now : MONO_NEVER;
	loop_wallclock(s->changed_at);
	return s;
}

/* The whole name on the bus: a line's own text unless it stands for several. */
static char *
server_name(const struct spec *spec, const struct endpoint *ep)
{
	char buf[ENDPOINT_STRLEN];

	if (spec->n_targets < 2)
		return xstrdup(spec->text);
	return xasprintf("%s@%s", spec->text,
	    spec->is_service ? endpoint_format(ep, buf) : addr_format(&ep->addr, buf));
}

bool
upstream_is_of_line(const char *server, const char *text)
{
	size_t n = strlen(text);

	return strncmp(server, text, n) == 0 && (server[n] == '\0' || server[n] == '@');
}

/* A running server that is this one: the same line and address, not yet taken. */
static struct server *
find_server(const struct upstream *up, const char *text, const struct endpoint *ep)
{
	for (size_t i = 0; i < up->pool.n; i++) {
		struct server *s = server_of(up->pool.servers[i]);

		if (!s->keep && upstream_is_of_line(s->name, text) &&
		    endpoint_equal(&s->endpoint, ep))
			return s;
	}
	return NULL;
}

static void
rename_server(struct upstream *up, struct server *s, char *name)
{
	if (s->name != NULL && strcmp(s->name, name) == 0) {
		free(name);
		return;
	}
	if (s->name != NULL)
		up->all->events.on_server(up->all->events.aux, up, s, true);
	free(s->name);
	s->name = name;
}

/* ---- rebuilding a pool ---- */

struct rebuild {
	struct upstream *up;
	struct pool_server **list;
	size_t n;
};

static void
want(struct rebuild *rb, const struct spec *spec, const struct pool_params *params,
    const struct endpoint *ep)
{
	struct upstream *up = rb->up;
	struct server *s = find_server(up, spec->text, ep);

	if (s == NULL) {
		s = upstream_server_new(up, params, ep, spec->text);
		pool_server_set_line(&s->health, spec->text);
	} else {
		pthread_mutex_lock(&up->lock);
		pool_server_update(&s->health, params, loop_now());
		pthread_mutex_unlock(&up->lock);
	}
	s->keep = true;
	rename_server(up, s, server_name(spec, ep));
	rb->list = xreallocarray(rb->list, rb->n + 1, sizeof(struct pool_server *));
	rb->list[rb->n++] = &s->health;
}

/* SRV says the weights; who is a backup by the file is one whatever it says. */
static struct pool_params
params_of(const struct spec *spec, const struct target *t)
{
	struct pool_params params = spec->params;

	if (t->weight > 0)
		params.weight = t->weight;
	params.backup |= t->backup;
	return params;
}

static void
want_spec(struct rebuild *rb, const struct spec *spec)
{
	if (spec->host == NULL || spec->n_targets == 0) {
		want(rb, spec, &spec->params, &spec->endpoint);
		return;
	}
	for (size_t i = 0; i < spec->n_targets; i++) {
		struct pool_params params = params_of(spec, &spec->targets[i]);
		struct endpoint ep = spec_endpoint(spec, i);

		want(rb, spec, &params, &ep);
	}
}

static void
retire(struct upstream *up, struct server *s)
{
	if (up->configured) /* else that was said when it left */
		up->all->events.on_server(up->all->events.aux, up, s, true);
	probe_cancel(s->probe);
	s->probe = NULL;
	TAILQ_INSERT_TAIL(&up->all->retired, s, retired);
}

static void
swap_pool(struct upstream *up, struct rebuild *rb)
{
	struct pool old = up->pool;

	pthread_mutex_lock(&up->lock);
	up->pool.servers = rb->list;
	up->pool.n = rb->n;
	up->pool.balance = up->balance;
	pool_prepare(&up->pool);
	pthread_mutex_unlock(&up->lock);
	for (size_t i = 0; i < old.n; i++)
		if (!server_of(old.servers[i])->keep)
			retire(up, server_of(old.servers[i]));
	free(old.servers);
}

void
upstream_rebuild(struct upstream *up)
{
	struct rebuild rb = { .up = up };

	for (size_t i = 0; i < up->n_specs; i++)
		want_spec(&rb, &up->specs[i]);
	swap_pool(up, &rb);
	for (size_t i = 0; i < up->pool.n; i++) {
		struct server *s = server_of(up->pool.servers[i]);

		s->keep = false;
		up->all->events.on_server(up->all->events.aux, up, s, false);
	}
	up->all->events.on_upstream(up->all->events.aux, up, false);
	upstream_tell(up);
}

/* ---- names ---- */

static void
mark_unresolved(struct upstream *up, const struct spec *spec, const char *why)
{
	struct server *s = find_server(up, spec->text, &spec->endpoint);

	if (s == NULL)
		return;
	pthread_mutex_lock(&up->lock);
	pool_server_resolved(&s->health, why, loop_now());
	pthread_mutex_unlock(&up->lock);
	upstream_tell(up);
}

/* What to say of an answer: "10.0.0.1 10.0.0.2". */
static void
announce_answer(const struct spec *spec)
{
	enum { RESOLVES = 5 };
	const char *fields[] = { "upstream", spec->up->name, "server", spec->text, "resolves", "",
		NULL };
	struct text list = { 0 };
	char buf[ENDPOINT_STRLEN];

	for (size_t i = 0; i < spec->n_targets; i++) {
		const struct endpoint *at = &spec->targets[i].at;

		text_addf(&list, " %s",
		    spec->is_service ? endpoint_format(at, buf) : addr_format(&at->addr, buf));
	}
	if (list.length > 0)
		fields[RESOLVES] = text_str(&list) + 1;
	event_emit(LOG_NOTICE, "", fields, "upstream %s: server %s resolves to%s", spec->up->name,
	    spec->text, text_str(&list));
	text_done(&list);
}

static void
on_answer(void *aux, const struct answer *answer)
{
	struct spec *spec = aux;

	if (answer->n == 0) {
		mark_unresolved(spec->up, spec, answer->why);
		return;
	}
	free(spec->targets);
	spec->targets = xcalloc(answer->n, sizeof(*spec->targets));
	memcpy(spec->targets, answer->targets, answer->n * sizeof(*spec->targets));
	spec->n_targets = answer->n;
	announce_answer(spec);
	upstream_rebuild(spec->up);
}

size_t
upstream_found(const struct upstream *up, struct endpoint *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < up->n_specs; i++) {
		const struct spec *spec = &up->specs[i];

		for (size_t k = 0; k < spec->n_targets && !spec->params.down && n < max; k++)
			ret[n++] = spec_endpoint(spec, k);
	}
	return n;
}

/* ---- lines ---- */

static void
spec_done(struct spec *spec)
{
	resolve_free(spec->resolve);
	free(spec->targets);
	free(spec->text);
	free(spec->host);
}

static void
free_specs(struct spec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spec_done(&specs[i]);
	free(specs);
}

/* A name asked for before keeps its answer until the new question is answered. */
static void
inherit_answer(struct spec *spec, const struct spec *old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].n_targets == 0 || strcmp(old[i].text, spec->text) != 0)
			continue;
		spec->n_targets = old[i].n_targets;
		spec->targets = xcalloc(spec->n_targets, sizeof(*spec->targets));
		memcpy(spec->targets, old[i].targets, spec->n_targets * sizeof(*spec->targets));
		return;
	}
}

static void
spec_init(struct spec *spec, struct upstream *up, const struct upstream_conf *uc,
    const struct server_conf *sc)
{
	*spec = (struct spec){
		.up = up,
		.text = xstrdup(sc->text),
		.host = sc->host != NULL ? xstrdup(sc->host) : NULL,
		.endpoint = sc->endpoint,
		.again = sc->resolve,
		.is_service = sc->is_service,
		.params = { .weight = sc->weight,
		    .max_fails = sc->max_fails,
		    .max_conns = sc->max_conns,
		    .fail_timeout_us = sc->fail_timeout_us,
		    .slow_start_us = sc->slow_start_us,
		    .backup = sc->backup,
		    .down = sc->down,
		    .mandatory = uc->health != NULL && uc->health->mandatory },
	};
	if (spec->host != NULL)
		spec->endpoint.addr = (struct addr){ 0 };
}

static void
set_specs(struct upstream *up, const struct upstream_conf *uc)
{
	static const struct resolver_conf of_system; /* as nginx: what is asked for once */
	struct spec *old = up->specs;
	size_t n_old = up->n_specs;

	up->specs = xcalloc(uc->n_servers > 0 ? uc->n_servers : 1, sizeof(*up->specs));
	up->n_specs = uc->n_servers;
	for (size_t i = 0; i < uc->n_servers; i++) {
		struct spec *spec = &up->specs[i];

		spec_init(spec, up, uc, &uc->servers[i]);
		if (spec->host == NULL)
			continue;
		inherit_answer(spec, old, n_old);
		spec->resolve = resolve_new(up->all->loop, spec->host,
		    spec->again ? &uc->resolver : &of_system, spec->is_service, spec->again,
		    on_answer, spec);
	}
	free_specs(old, n_old);
}

/* ---- upstreams ---- */

void
upstreams_init(
    struct upstreams *all, uv_loop_t *loop, size_t n_tallies, const struct upstream_events *events)
{
	*all = (struct upstreams){ .loop = loop, .n_tallies = n_tallies, .events = *events };
	TAILQ_INIT(&all->list);
	TAILQ_INIT(&all->leaving);
	TAILQ_INIT(&all->retired);
}

struct upstream *
upstreams_find(struct upstreams *all, const char *name)
{
	struct upstream *up;

	TAILQ_FOREACH (up, &all->list, entry)
		if (strcmp(up->name, name) == 0)
			return up;
	return NULL;
}

struct upstream *
upstream_new(struct upstreams *all, const char *name)
{
	struct upstream *up = xcalloc(1, sizeof(*up));

	up->name = xstrdup(name);
	up->all = all;
	pthread_mutex_init(&up->lock, NULL);
	loop_timer_init(all->loop, &up->probe_timer, upstream_probe_due);
	rng_seed(&up->pool.rng, (uint64_t)loop_now().us ^ (uintptr_t)up);
	TAILQ_INSERT_TAIL(&all->list, up, entry);
	return up;
}

/* As patient as the most patient listener that uses it. */
static int64_t
probe_timeout(const struct conf *conf, const struct upstream_conf *uc)
{
	int64_t us = 0;

	for (size_t i = 0; i < conf->n_listeners; i++)
		if (conf->listeners[i].upstream == uc)
			us = MAX(us, conf->listeners[i].connect_timeout_us);
	return us > 0 ? us : PROBE_TIMEOUT_US;
}

/* A server that only datagrams are passed to need not listen for anything else. */
static enum probe_kind
probe_kind(const struct conf *conf, const struct upstream_conf *uc)
{
	enum probe_kind kind = PROBE_CONNECT;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].upstream != uc)
			continue;
		if (!conf->listeners[i].udp)
			return PROBE_CONNECT;
		kind = PROBE_DATAGRAM;
	}
	return kind;
}

/*
 * Out of the configuration: no questions, no probes, nothing on the bus.  It
 * still serves: a data thread may accept a few more clients before it hears of
 * its new route.
 */
static void
upstream_leave(struct upstream *up)
{
	const struct upstream_events *events = &up->all->events;

	up->configured = false;
	up->health = NULL;
	free_specs(up->specs, up->n_specs);
	up->specs = NULL;
	up->n_specs = 0;
	loop_timer_stop(&up->probe_timer);
	for (size_t i = 0; i < up->pool.n; i++) {
		struct server *s = server_of(up->pool.servers[i]);

		probe_cancel(s->probe);
		s->probe = NULL;
		events->on_server(events->aux, up, s, true);
	}
	events->on_upstream(events->aux, up, true);
	TAILQ_REMOVE(&up->all->list, up, entry);
	TAILQ_INSERT_TAIL(&up->all->leaving, up, entry);
}

void
upstreams_apply(struct upstreams *all, const struct conf *conf)
{
	struct upstream *up, *next;

	TAILQ_FOREACH (up, &all->list, entry)
		up->configured = false;
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		const struct upstream_conf *uc = &conf->upstreams[i];

		up = upstreams_find(all, uc->name);
		if (up == NULL)
			up = upstream_new(all, uc->name);
		up->configured = true;
		up->probe_kind = probe_kind(conf, uc);
		up->probe_timeout_us = probe_timeout(conf, uc);
		up->health = uc->health;
		up->on_down = uc->on_down;
		up->drain_us = uc->drain_us;
		up->balance = balancers[uc->balance];
		set_specs(up, uc);
		upstream_rebuild(up);
	}
	for (up = TAILQ_FIRST(&all->list); up != NULL; up = next) {
		next = TAILQ_NEXT(up, entry);
		if (!up->configured)
			upstream_leave(up);
	}
}

/* ---- the end of things ---- */

static void
on_timer_closed(struct loop_timer *timer)
{
	struct upstream *up = CONTAINER_OF(timer, struct upstream, probe_timer);

	pthread_mutex_destroy(&up->lock);
	pool_done(&up->pool);
	free(up->pool.servers);
	free(up->name);
	free(up);
}

/* A retired server still points to its upstream. */
static bool
has_retired(const struct upstreams *all, const struct upstream *up)
{
	const struct server *s;

	TAILQ_FOREACH (s, &all->retired, retired)
		if (s->up == up)
			return true;
	return false;
}

static void
empty_pool(struct upstream *up)
{
	struct rebuild none = { .up = up };

	swap_pool(up, &none);
}

static void
sweep_servers(struct upstreams *all)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&all->retired); s != NULL; s = next) {
		next = TAILQ_NEXT(s, retired);
		if (pool_sessions(&s->health) > 0)
			continue;
		TAILQ_REMOVE(&all->retired, s, retired);
		tally_sum(s->tallies, all->n_tallies, &s->up->gone);
		server_free(s);
	}
}

void
upstreams_sweep(struct upstreams *all)
{
	struct upstream *up, *next;

	TAILQ_FOREACH (up, &all->leaving, entry)
		if (__atomic_load_n(&up->refs, __ATOMIC_ACQUIRE) == 0 && up->pool.n > 0)
			empty_pool(up);
	sweep_servers(all);
	for (up = TAILQ_FIRST(&all->leaving); up != NULL; up = next) {
		next = TAILQ_NEXT(up, entry);
		if (up->pool.n > 0 || __atomic_load_n(&up->refs, __ATOMIC_ACQUIRE) > 0 ||
		    has_retired(all, up))
			continue;
		TAILQ_REMOVE(&all->leaving, up, entry);
		loop_timer_close(&up->probe_timer, on_timer_closed);
	}
}

void
upstreams_done(struct upstreams *all)
{
	struct upstream *up;

	while ((up = TAILQ_FIRST(&all->list)) != NULL)
		upstream_leave(up);
	upstreams_sweep(all); /* sessions and routes ended with their threads */
}
