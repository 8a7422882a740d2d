/*
 * control.c - see control.h: objects for the bus.  Metrics are in metrics.c.
 */
#include "proxyd/control.h"

#include "proxyd/active.h"

#include "common/text.h"
#include "ipc/publish.h"
#include "ipc/service.h"
#include "proxyd/balance.h"
#include "proxyd/control_priv.h"
#include "proxyd/operator.h"
#include "proxyd/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LISTENERS, UPSTREAMS, SERVERS, N_COLLECTIONS };

struct control {
	struct proxy *proxy;
	struct service *service;
	struct ipc_publisher *publisher;
	struct operator* operator;
	struct ipc_collection collections[N_COLLECTIONS];
};

/* ---- objects ---- */

static json_t *
close_reasons(const struct tally *t)
{
	json_t *reasons = json_object();

	for (int r = FLOW_CLIENT_FIN; r < FLOW_REASON_MAX; r++)
		if (t->reasons[r] > 0)
			json_object_set_new(reasons, flow_reason_str((enum flow_reason)r),
			    json_integer((json_int_t)t->reasons[r]));
	return reasons;
}

static json_t *
counters(const struct tally *t)
{
	return json_pack("{sI sI sI sI sI sI so}", "sessions", (json_int_t)t->sessions, "bytesIn",
	    (json_int_t)t->bytes_in, "bytesOut", (json_int_t)t->bytes_out, "connectionErrors",
	    (json_int_t)t->connection_errors, "timeouts", (json_int_t)t->timeouts,
	    "datagramsDropped", (json_int_t)t->dropped, "closeReasons", close_reasons(t));
}

static json_t *
listener_object(const struct listener *l)
{
	struct tally sum = { 0 };
	char address[ADDR_STRLEN];

	tally_sum(l->tallies, l->n_tallies, &sum);
	return json_pack("{ss ss si ss ss ss? ss sI so}", "name", l->name, "address",
	    addr_format(&l->endpoint.addr, address), "port", l->endpoint.port, "protocol",
	    l->udp ? "udp" : "tcp", "state", listener_state_str(l->state), "error",
	    l->state == LISTENER_FAILED ? l->error : NULL, "upstream", l->upstream,
	    "currentSessions", (json_int_t)(sum.sessions - tally_ended(&sum)), "counters",
	    counters(&sum));
}

static json_t *
connect_time(const struct tally *t)
{
	return t->connects > 0 ? json_integer((json_int_t)(t->connect_us / t->connects))
			       : json_null();
}

static json_t *
server_object(const struct upstream *up, const struct server *s)
{
	const struct pool_server *h = &s->health;
	struct tally sum = { 0 };
	char address[ADDR_STRLEN];

	tally_sum(s->tallies, up->all->n_tallies, &sum);
	return json_pack("{ss ss ss si ss ss ss sb sI sI so ss so}", "upstream", up->name, "name",
	    s->name, "address", addr_format(&s->endpoint.addr, address), "port", s->endpoint.port,
	    "state", pool_state_str(s->told), "stateSource", pool_source_str(s->told_source),
	    "reason", s->told_reason, "backup", h->params.backup, "weight",
	    (json_int_t)pool_weight(h), "currentSessions", (json_int_t)pool_sessions(h),
	    "connectTimeUsec", connect_time(&sum), "lastChangeAt", s->changed_at, "counters",
	    counters(&sum));
}

static size_t
upstream_sessions(const struct upstream *up)
{
	size_t n = 0;

	for (size_t i = 0; i < up->pool.n; i++)
		n += pool_sessions(up->pool.servers[i]);
	return n;
}

static json_t *
upstream_object(const struct upstream *up)
{
	size_t available = upstream_available(up);
	struct tally sum = { 0 };

	upstream_tally(up, &sum);
	return json_pack("{ss ss ss sI sI sI so}", "name", up->name, "state",
	    available > 0 ? "up" : "down", "balance", up->balance->name, "availableServers",
	    (json_int_t)available, "totalServers", (json_int_t)pool_total(&up->pool),
	    "currentSessions", (json_int_t)upstream_sessions(up), "counters", counters(&sum));
}

/* ---- collections ---- */

static json_t *
render_listener(void *aux, const char *key)
{
	const struct control *c = aux;
	const struct listener *l, *found = NULL;

	/* A new listener of the name goes before one that is still draining. */
	TAILQ_FOREACH (l, &c->proxy->listeners, entry)
		if (strcmp(l->name, key) == 0 && (found == NULL || l->state != LISTENER_DRAINING))
			found = l;
	return found != NULL ? listener_object(found) : NULL;
}

static void
each_listener(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	const struct control *c = aux;
	const struct listener *l;

	TAILQ_FOREACH (l, &c->proxy->listeners, entry)
		found(found_aux, l->name);
}

static json_t *
render_upstream(void *aux, const char *key)
{
	const struct control *c = aux;
	const struct upstream *up = upstreams_find(&c->proxy->upstreams, key);

	return up != NULL ? upstream_object(up) : NULL;
}

static void
each_upstream(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	const struct control *c = aux;
	const struct upstream *up;

	TAILQ_FOREACH (up, &c->proxy->upstreams.list, entry)
		found(found_aux, up->name);
}

struct server_search {
	const char *key;
	json_t *object;
	void (*found)(void *, const char *);
	void *found_aux;
};

/* Every server with its key UPSTREAM/NAME: render the one asked for, or report them all. */
static void
walk_servers(const struct control *c, struct server_search *search)
{
	const struct upstream *up;

	TAILQ_FOREACH (up, &c->proxy->upstreams.list, entry)
		for (size_t i = 0; i < up->pool.n; i++) {
			const struct server *s = server_of(up->pool.servers[i]);
			char *key = xasprintf("%s/%s", up->name, s->name);

			if (search->found != NULL)
				search->found(search->found_aux, key);
			else if (search->object == NULL && strcmp(key, search->key) == 0)
				search->object = server_object(up, s);
			free(key);
		}
}

static json_t *
render_server(void *aux, const char *key)
{
	struct server_search search = { .key = key };

	walk_servers(aux, &search);
	return search.object;
}

static void
each_server(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	struct server_search search = { .found = found, .found_aux = found_aux };

	walk_servers(aux, &search);
}

/* ---- methods ---- */

/* NULL for absent and for null. */
static const char *
parameter_string(json_t *parameters, const char *name)
{
	return json_string_value(json_object_get(parameters, name));
}

static void
no_such(struct ipc_call *call, const char *error, const char *name)
{
	ipc_error(call, error, json_pack("{ss}", "name", name));
}

static void
list_listeners(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = parameter_string(parameters, "name");
	json_t *reply = ipc_publish_list(c->publisher, &c->collections[LISTENERS], name);

	if (reply == NULL)
		no_such(call, "org.trivet.proxy.NoSuchListener", name);
	else
		ipc_reply(call, reply);
}

static void
list_upstreams(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = parameter_string(parameters, "name");
	json_t *reply = ipc_publish_list(c->publisher, &c->collections[UPSTREAMS], name);
	json_t *servers;

	if (reply == NULL) {
		no_such(call, "org.trivet.proxy.NoSuchUpstream", name);
		return;
	}
	servers = ipc_publish_list(c->publisher, &c->collections[SERVERS], name);
	if (servers != NULL)
		json_object_set(reply, "servers", json_object_get(servers, "servers"));
	else
		json_object_set_new(reply, "servers", json_array());
	json_decref(servers);
	ipc_reply(call, reply);
}

static void
monitor(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;

	ipc_publish_monitor(c->publisher, call, json_object_get(parameters, "upstreams"),
	    json_object_get(parameters, "heartbeatMs"));
}

/* ---- changes ---- */

void
control_listener_changed(struct control *c, const char *name)
{
	ipc_changed(c->publisher, &c->collections[LISTENERS], name);
}

void
control_upstream_changed(struct control *c, const char *name, bool gone)
{
	(void)gone; /* render_upstream no longer finds it when it is asked */
	ipc_changed(c->publisher, &c->collections[UPSTREAMS], name);
}

void
control_server_changed(struct control *c, const char *upstream, const char *name, bool gone)
{
	char *key = xasprintf("%s/%s", upstream, name);

	(void)gone;
	ipc_changed(c->publisher, &c->collections[SERVERS], key);
	free(key);
}

/* ---- start ---- */

static void
collect_metrics(void *aux, struct service_metrics *metrics)
{
	const struct control *c = aux;

	metrics_collect(c->proxy, metrics);
}

static void
collect_peers(void *aux, json_t *peers)
{
	const struct control *c = aux;
	json_t *peer = c->proxy->active != NULL ? active_describe(c->proxy->active) : NULL;

	if (peer != NULL)
		json_array_append_new(peers, peer);
}

int
control_start(struct proxy *p, struct control **ret)
{
	static struct ipc_method methods[] = {
		{ "org.trivet.proxy.ListListeners", list_listeners, NULL },
		{ "org.trivet.proxy.ListUpstreams", list_upstreams, NULL },
		{ "org.trivet.proxy.Monitor", monitor, NULL },
	};
	struct control *c = xcalloc(1, sizeof(*c));
	struct service_config config = {
		.daemon = p->daemon, .metrics = collect_metrics, .peers = collect_peers, .aux = c
	};
	int rc;

	c->proxy = p;
	c->collections[LISTENERS] = (struct ipc_collection){ "listeners", "listener/",
		render_listener, each_listener, c };
	c->collections[UPSTREAMS] = (struct ipc_collection){ "upstreams", "upstream/",
		render_upstream, each_upstream, c };
	c->collections[SERVERS] = (struct ipc_collection){ "servers", "server/", render_server,
		each_server, c };
	rc = service_start(&config, &c->service);
	if (rc < 0) {
		free(c);
		return rc;
	}
	c->publisher = ipc_publisher_new(
	    p->daemon->loop, p->daemon->epoch, c->collections, N_COLLECTIONS);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		methods[i].aux = c;
	ipc_server_add(service_server(c->service), methods, ARRAY_LEN(methods));
	c->operator= operator_new(p, service_server(c->service), c->publisher);
	*ret = c;
	return 0;
}

void
control_free(struct control *c)
{
	operator_free(c->operator);
	ipc_publisher_free(c->publisher);
	service_free(c->service);
	free(c);
}
