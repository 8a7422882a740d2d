/*
 * proxy.c - see proxy.h.
 */
#include "proxyd/proxy.h"

#include "common/event.h"
#include "common/log.h"
#include "proxyd/active.h"
#include "proxyd/control.h"
#include "proxyd/dial.h"
#include "proxyd/handover.h"
#include "proxyd/logfile.h"
#include "proxyd/lost.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FULL_SHOWN_US (10 * USEC_PER_SEC)

/* ---- listeners ---- */

static void
tell_listener(struct proxy *p, struct listener *l)
{
	char *key = xasprintf("listener %s", l->name);
	char *reason = l->state == LISTENER_FAILED ? xasprintf("listener %s: %s", l->name, l->error)
						   : NULL;

	daemon_set_degraded(p->daemon, key, reason);
	free(reason);
	free(key);
	control_listener_changed(p->control, l->name);
}

/* NULL: each session says itself where it goes, or goes nowhere. */
static struct upstream *
find_upstream(struct proxy *p, const struct listener_conf *lc)
{
	return lc->upstream != NULL ? upstreams_find(&p->upstreams, lc->upstream->name) : NULL;
}

struct route *
proxy_route_new(
    struct proxy *p, struct listener *l, const struct listener_conf *lc, unsigned thread)
{
	struct upstream *up = find_upstream(p, lc);
	struct route *r = xcalloc(1, sizeof(*r));

	if (up != NULL)
		upstream_ref(up);
	rules_ref(l->rules);
	dial_ref(l->dial);
	*r = (struct route){
		.listener = l,
		.up = up,
		.rules = l->rules,
		.dial = l->dial,
		.tally = &l->tallies[thread],
		.connect_timeout_us = lc->connect_timeout_us,
		.timeout_us = lc->timeout_us,
		.next_timeout_us = lc->next_upstream_timeout_us,
		.half_timeout_us = lc->half_timeout_us,
		.age_us = lc->age_us > 0 || lc->upstream == NULL ? lc->age_us
								 : lc->upstream->age_us,
		.age_jitter_us = lc->age_us > 0 || lc->upstream == NULL
				     ? lc->age_jitter_us
				     : lc->upstream->age_jitter_us,
		.tries = lc->next_upstream ? lc->next_upstream_tries : 1,
		.read_size = (uint32_t)MIN(
		    MAX(lc->buffer_size, WORKER_READ_SIZE), WORKER_READ_SIZE_MAX),
		.half_close = lc->half_close,
		.requests = lc->requests,
		.responses = lc->responses,
		.tcp_nodelay = lc->tcp_nodelay,
		.refs = 1,
	};
	return r;
}

/* Of a listener of this configuration. */
struct route *
proxy_route(struct proxy *p, struct listener *l, unsigned thread)
{
	const struct conf *conf = p->daemon->conf;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct listener_conf *lc = &conf->listeners[i];

		if (listener_matches(l, lc))
			return proxy_route_new(p, l, lc, thread);
	}
	return NULL;
}

/* Hand a command with a route of its own to each data thread. */
static void
send_routes(struct proxy *p, struct listener *l, const struct listener_conf *lc)
{
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_send(p->workers[i], &(struct command){ .kind = COMMAND_ROUTE,
					       .listener = l,
					       .route = proxy_route_new(p, l, lc, i) });
}

/* Says so when it changes for the better or the worse, not each second. */
static void
try_bind(struct proxy *p, struct listener *l, const struct listener_conf *lc)
{
	char *before = xstrdup(l->error != NULL ? l->error : "");
	int rc = listener_bind(l);
	const char *const fields[] = { "listener", l->name, "listening", rc == 0 ? "yes" : "no",
		NULL };

	if (rc == 0) {
		proxy_attach(p, l, lc);
		handover_listeners_changed(p->handover);
		event_emit(LOG_INFO, "", fields, "listener %s: listening, forwards to %s", l->name,
		    l->upstream);
		tell_listener(p, l);
	} else if (strcmp(before, l->error) != 0) {
		event_emit(LOG_ERR, "", fields, "listener %s: %s; trying again each second",
		    l->name, l->error);
		tell_listener(p, l);
	}
	free(before);
}

static struct listener *
find_listener(struct proxy *p, const struct listener_conf *lc)
{
	struct listener *l;

	TAILQ_FOREACH (l, &p->listeners, entry)
		if (listener_matches(l, lc))
			return l;
	return NULL;
}

static void
forget_listener(struct proxy *p, struct listener *l)
{
	TAILQ_REMOVE(&p->listeners, l, entry);
	control_listener_changed(p->control, l->name);
	listener_free(l);
}

/* Data threads take what is queued and let go; sessions go on. */
static void
drain_listener(struct proxy *p, struct listener *l)
{
	bool listening = l->state == LISTENER_LISTENING;

	if (l->state == LISTENER_DRAINING)
		return;
	listener_hide(l);
	l->state = LISTENER_DRAINING;
	handover_listeners_changed(p->handover);
	tell_listener(p, l);
	if (!listening) {
		l->n_detached = (unsigned)l->n_sockets;
		return;
	}
	for (size_t i = 0; i < p->n_workers; i++)
		worker_send(
		    p->workers[i], &(struct command){ .kind = COMMAND_DETACH, .listener = l });
}

/* Sockets nobody accepts from are closed; a listener without sessions is forgotten. */
void
proxy_sweep_listeners(struct proxy *p)
{
	struct listener *l, *next;

	for (l = TAILQ_FIRST(&p->listeners); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->state != LISTENER_DRAINING || !listener_is_detached(l))
			continue;
		listener_close(l);
		if (listener_sessions(l) == 0)
			forget_listener(p, l);
	}
}

void
proxy_drain_listeners(struct proxy *p, bool only_unconfigured)
{
	struct listener *l;

	TAILQ_FOREACH (l, &p->listeners, entry)
		if (!only_unconfigured || !l->configured)
			drain_listener(p, l);
}

/* ---- configuration ---- */

/*
 * The sockets were listening all the time; who queued there meanwhile is served
 * now, datagrams when the sessions they belong to are here (attach_late).
 */
static void
resume_listener(
    struct proxy *p, const struct conf *conf, struct listener *l, const struct listener_conf *lc)
{
	listener_update(l, lc);
	rules_aim(l->rules, conf, &p->upstreams);
	if (listener_grow(l, listener_sockets(l->n_sockets, p->n_active)))
		handover_listeners_changed(p->handover);
	if (!l->udp)
		proxy_attach(p, l, lc);
	tell_listener(p, l);
}

static void
attach_late(struct proxy *p, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		struct listener *l = find_listener(p, &conf->listeners[i]);

		if (l != NULL && l->state == LISTENER_LISTENING && !l->is_attached)
			proxy_attach(p, l, &conf->listeners[i]);
	}
}

static void
apply_listener(struct proxy *p, const struct conf *conf, const struct listener_conf *lc)
{
	struct listener *l = find_listener(p, lc);

	if (l != NULL) {
		listener_update(l, lc);
		rules_aim(l->rules, conf, &p->upstreams);
		l->configured = true;
		if (l->state == LISTENER_LISTENING) {
			send_routes(p, l, lc);
			proxy_share_out(p, l, lc);
		}
		tell_listener(p, l);
		return;
	}
	l = listener_new(lc, p->n_active, p->max_workers + 1);
	rules_aim(l->rules, conf, &p->upstreams);
	l->configured = true;
	TAILQ_INSERT_TAIL(&p->listeners, l, entry);
	if (handover_take_listener(p->handover, l))
		resume_listener(p, conf, l, lc);
	else
		try_bind(p, l, lc);
}

static void
say_status(struct proxy *p)
{
	const struct listener *l;
	size_t listening = 0, failed = 0;
	char limit[40] = "", *line;

	TAILQ_FOREACH (l, &p->listeners, entry) {
		listening += l->state == LISTENER_LISTENING;
		failed += l->state == LISTENER_FAILED;
	}
	if (p->crowd.max > 0)
		snprintf(limit, sizeof(limit), "; at most %u sessions", p->crowd.max);
	line = xasprintf("%zu listening, %zu cannot bind; %zu data threads%s", listening, failed,
	    p->n_active, limit);
	if (p->status == NULL || strcmp(line, p->status) != 0)
		daemon_status(p->daemon, line);
	free(p->status);
	p->status = line;
}

/* worker_connections and worker_rlimit_nofile: what there are descriptors for is the unit's affair.
 */
static void
limit_sessions(struct proxy *p, const struct conf *conf)
{
	uint64_t wanted = MAX(conf->nofile, (uint64_t)conf->connections * p->n_active);
	struct rlimit limit;

	crowd_limit(&p->crowd, conf->connections, (unsigned)p->n_active);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && wanted > limit.rlim_cur)
		log_warn("%s: %llu descriptors, and %llu are allowed (LimitNOFILE= of the unit)",
		    conf->nofile == wanted ? "worker_rlimit_nofile" : "worker_connections",
		    (unsigned long long)wanted, (unsigned long long)limit.rlim_cur);
}

static void
apply(struct proxy *p, const struct conf *conf)
{
	struct listener *l;

	proxy_set_threads(p, conf);
	limit_sessions(p, conf);
	upstreams_apply(&p->upstreams, conf);
	handover_restore_upstreams(p->handover);
	TAILQ_FOREACH (l, &p->listeners, entry)
		l->configured = false;
	for (size_t i = 0; i < conf->n_listeners; i++)
		apply_listener(p, conf, &conf->listeners[i]);
	proxy_drain_listeners(p, true);
	proxy_sweep_listeners(p);
	say_status(p);
}

bool
proxy_is_transparent(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners; i++)
		if (conf->listeners[i].client->transparent)
			return true;
	return false;
}

int
proxy_reload(struct daemon *d, const struct conf *next, bool dry_run, struct text *why)
{
	struct proxy *p = d->aux;

	/* Else nothing can be refused: what cannot bind is shown and tried again. */
	if (proxy_is_transparent(next) && !p->may_be_transparent) {
		text_add(why, "needs restart: proxy_bind transparent takes CAP_NET_ADMIN, which "
			      "was given away at the start");
		return -EPERM;
	}
	if (dry_run)
		return 0;
	apply(p, next);
	handover_keep_listeners(p->handover);
	return 0;
}

void
proxy_reopen(struct daemon *d)
{
	(void)d;
	log_notice("opening log files anew");
	logfiles_reopen();
}

/* ---- housekeeping ---- */

static void
retry_binds(struct proxy *p)
{
	const struct conf *conf = p->daemon->conf;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		struct listener *l = find_listener(p, &conf->listeners[i]);

		if (l != NULL && l->state == LISTENER_FAILED)
			try_bind(p, l, &conf->listeners[i]);
	}
}

/* It may come and go many times in a second: status says it while it lasts. */
static void
watch_crowd(struct proxy *p, mono_t now)
{
	uint64_t n = crowd_full(&p->crowd);
	char *reason = NULL;

	if (n != p->n_full || crowd_waits(&p->crowd))
		p->full_until = mono_add(now, FULL_SHOWN_US);
	p->n_full = n;
	if (mono_before(now, p->full_until))
		reason = xasprintf(
		    "%u worker_connections are not enough: new clients wait", p->crowd.connections);
	daemon_set_degraded(p->daemon, "worker_connections", reason);
	free(reason);
}

static void
on_second(struct loop_timer *timer, mono_t now)
{
	struct proxy *p = CONTAINER_OF(timer, struct proxy, second);

	loop_timer_at(timer, mono_add(now, USEC_PER_SEC));
	if (!p->daemon->stopping)
		retry_binds(p);
	proxy_sweep_listeners(p);
	upstreams_sweep(&p->upstreams);
	handover_keep_listeners(p->handover);
	watch_crowd(p, now);
	say_status(p);
}

static void
on_news(uv_async_t *async)
{
	struct proxy *p = async->data;

	upstreams_tell(&p->upstreams);
	rolls_finish(&p->rolls);
	proxy_sweep_listeners(p);
}

void
proxy_wake(void *aux)
{
	struct proxy *p = aux;

	uv_async_send(&p->news);
}

/* ---- upstream events ---- */

static void
on_server(void *aux, struct upstream *up, struct server *s, bool gone)
{
	struct proxy *p = aux;

	if (!gone)
		active_server(p->active, s);
	control_server_changed(p->control, up->name, s->name, gone);
}

/* on_server_down: those that are open with it end. */
static void
on_close_server(void *aux, struct server *s)
{
	struct proxy *p = aux;
	struct roll *r = roll_new(s, NULL, NULL);

	r->reason = s->told == POOL_MAINTENANCE ? FLOW_DRAIN : FLOW_SERVER_DOWN;
	r->only_open = true;
	roll_send(&p->rolls, r, p->workers, p->n_workers);
}

static void
on_upstream(void *aux, struct upstream *up, bool gone)
{
	struct proxy *p = aux;
	char *key = xasprintf("upstream %s", up->name);
	char *reason = NULL;

	if (p->active != NULL)
		active_upstream(p->active, up, gone);
	if (!gone && pool_total(&up->pool) > 0 && upstream_available(up) == 0)
		reason = xasprintf("upstream %s: no server is up", up->name);
	daemon_set_degraded(p->daemon, key, reason);
	free(reason);
	free(key);
	control_upstream_changed(p->control, up->name, gone);
}

/* ---- addresses ---- */

static void
on_lost(void *aux, const struct addr *addr)
{
	struct proxy *p = aux;
	char text[ADDR_STRLEN];

	log_notice("%s left this node: what is open on it is closed", addr_format(addr, text));
	for (size_t i = 0; i < p->n_workers; i++)
		worker_send(
		    p->workers[i], &(struct command){ .kind = COMMAND_LOST, .addr = *addr });
}

static void
watch_addresses(struct proxy *p)
{
	int rc = lost_new(p->daemon->loop, on_lost, p, &p->lost);

	if (rc < 0)
		log_warn("rtnetlink: %s: sessions whose address leaves this node stay open",
		    strerrordesc_np(-rc));
}

/* ---- start ---- */

/* Two descriptors for each session: take all that the unit's LimitNOFILE allows. */
static void
raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("setrlimit: %s", strerrordesc_np(errno));
}

int
proxy_start(struct daemon *d)
{
	struct proxy *p = xcalloc(1, sizeof(*p));
	struct upstream_events events = { .wake = proxy_wake,
		.on_server = on_server,
		.on_upstream = on_upstream,
		.close_server = on_close_server,
		.aux = p };
	int rc;

	d->aux = p;
	p->daemon = d;
	p->may_be_transparent = proxy_is_transparent(d->conf);
	TAILQ_INIT(&p->listeners);
	TAILQ_INIT(&p->rolls);
	raise_nofile();
	/* The bus first: a second proxyd learns there that it is one, before it takes connections.
	 */
	rc = control_start(p, &p->control);
	if (rc < 0)
		return rc;
	uv_async_init(d->loop, &p->news, on_news);
	uv_unref((uv_handle_t *)&p->news);
	p->news.data = p;
	rc = proxy_start_threads(p);
	if (rc < 0)
		return rc;
	p->handover = handover_new(p);
	handover_receive(p->handover);
	upstreams_init(&p->upstreams, d->loop, p->max_workers + 1, &events);
	p->active = active_new(d->loop, d->options.run_dir, &p->upstreams);
	loop_timer_init(d->loop, &p->second, on_second);
	loop_timer_at(&p->second, mono_add(loop_now(), USEC_PER_SEC));
	apply(p, d->conf);
	handover_take_sessions(p->handover);
	attach_late(p, d->conf);
	watch_addresses(p);
	handover_keep_listeners(p->handover);
	daemon_ready(d);
	return 0;
}
