/*
 * operator.c - see operator.h.
 *
 * A word about a server takes effect in its pool at once and is told as any
 * other change of state is.  A word about sessions goes round the data threads
 * (roll.h); the call waits, and its caller may leave meanwhile.
 */
#include "proxyd/operator.h"

#include "common/event.h"
#include "common/text.h"
#include "ipc/publish.h"
#include "ipc/server.h"
#include "proxyd/proxy.h"
#include "proxyd/roll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT	1000
#define SESSIONS_A_PART 256 /* of one reply: far below what one may hold */

struct operator
{
	struct proxy *proxy;
	struct ipc_publisher *publisher;
	struct ipc_method methods[4];
};

static const char *
string_of(json_t *parameters, const char *name)
{
	return json_string_value(json_object_get(parameters, name));
}

/* ---- servers ---- */

static bool
is_meant(const struct server *s, const char *name)
{
	return strcmp(s->name, name) == 0 ||
	       (s->health.line != NULL && strcmp(s->health.line, name) == 0);
}

static void
no_such_server(struct ipc_call *call, const char *upstream, const char *server)
{
	ipc_error(call, "org.trivet.proxy.control.NoSuchServer",
	    json_pack("{ss ss}", "upstream", upstream, "server", server));
}

/* The upstream of the call, or NULL and answered. */
static struct upstream *
upstream_of(const struct operator* o, struct ipc_call *call, json_t *parameters)
{
	const char *name = string_of(parameters, "upstream");
	struct upstream *up = upstreams_find(&o->proxy->upstreams, name);

	if (up == NULL)
		ipc_error(call, "org.trivet.proxy.control.NoSuchUpstream",
		    json_pack("{ss}", "name", name));
	return up;
}

static enum pool_admin
admin_of(const char *state)
{
	return strcmp(state, "drain") == 0	   ? POOL_DRAIN
	       : strcmp(state, "maintenance") == 0 ? POOL_MAINTAIN
						   : POOL_READY;
}

static void
set_server_state(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct operator* o = aux;
	struct upstream *up = upstream_of(o, call, parameters);
	const char *name = string_of(parameters, "server"),
		   *comment = string_of(parameters, "comment");
	int64_t hold_ms = json_integer_value(json_object_get(parameters, "holdMs"));
	size_t n = 0;

	if (up == NULL)
		return;
	if (hold_ms < 0 || hold_ms > INT64_C(31622400000)) {
		ipc_error_invalid(call, "holdMs");
		return;
	}
	pthread_mutex_lock(&up->lock);
	for (size_t i = 0; i < up->pool.n; i++)
		if (is_meant(server_of(up->pool.servers[i]), name)) {
			pool_server_administer(up->pool.servers[i],
			    admin_of(string_of(parameters, "state")), hold_ms * USEC_PER_MSEC,
			    comment != NULL ? comment : "", loop_now());
			n++;
		}
	pthread_mutex_unlock(&up->lock);
	if (n == 0) {
		no_such_server(call, up->name, name);
		return;
	}
	upstream_tell(up);
	ipc_reply(call, json_pack("{sI}", "sequence", (json_int_t)ipc_sequence(o->publisher)));
}

static void
set_server_weight(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct operator* o = aux;
	struct upstream *up = upstream_of(o, call, parameters);
	const char *name = string_of(parameters, "server");
	json_t *weight = json_object_get(parameters, "weight");
	int64_t v = json_integer_value(weight);
	size_t n = 0;

	if (up == NULL)
		return;
	if (json_is_integer(weight) && (v < 1 || v > 1000000)) {
		ipc_error_invalid(call, "weight");
		return;
	}
	pthread_mutex_lock(&up->lock);
	for (size_t i = 0; i < up->pool.n; i++)
		if (is_meant(server_of(up->pool.servers[i]), name)) {
			pool_server_set_weight(up->pool.servers[i], (unsigned)v);
			n++;
		}
	pool_prepare(&up->pool);
	pthread_mutex_unlock(&up->lock);
	if (n == 0) {
		no_such_server(call, up->name, name);
		return;
	}
	for (size_t i = 0; i < up->pool.n; i++)
		if (is_meant(server_of(up->pool.servers[i]), name))
			up->all->events.on_server(
			    up->all->events.aux, up, server_of(up->pool.servers[i]), false);
	ipc_reply(call, json_pack("{sI}", "sequence", (json_int_t)ipc_sequence(o->publisher)));
}

/* ---- sessions ---- */

static void
caller_left(void *aux)
{
	((struct roll *)aux)->call = NULL;
}

static void
ask_all(struct operator* o, struct roll *r, struct ipc_call *call, void (*on_done)(struct roll *))
{
	r->call = call;
	r->on_done = on_done;
	ipc_call_watch(call, caller_left, NULL, r);
	roll_send(&o->proxy->rolls, r, o->proxy->workers, o->proxy->n_workers);
}

static void
closed(struct roll *r)
{
	if (r->call != NULL)
		ipc_reply(r->call, json_pack("{sI}", "closed", (json_int_t)r->n_matched));
}

static bool
parse_id(const char *id, struct roll *r)
{
	int end = 0;

	r->one = sscanf(id, "%u-%u-%u%n", &r->thread, &r->index, &r->generation, &end) == 3 &&
		 id[end] == '\0';
	return r->one;
}

static struct server *
find_server(struct upstream *up, const char *name)
{
	for (size_t i = 0; i < up->pool.n; i++)
		if (strcmp(server_of(up->pool.servers[i])->name, name) == 0)
			return server_of(up->pool.servers[i]);
	return NULL;
}

static void
close_sessions(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct operator* o = aux;
	const char *id = string_of(parameters, "session"),
		   *server = string_of(parameters, "server");
	struct upstream *up = NULL;
	struct server *s = NULL;
	struct roll *r;

	if (string_of(parameters, "upstream") != NULL) {
		up = upstream_of(o, call, parameters);
		if (up == NULL)
			return;
	}
	if (up == NULL && (server != NULL || id == NULL)) {
		ipc_error_invalid(call, "upstream"); /* a server's name needs it; not all at once */
		return;
	}
	if (server != NULL && (s = find_server(up, server)) == NULL) {
		no_such_server(call, up->name, server);
		return;
	}
	r = roll_new(s, up, NULL);
	r->reason = FLOW_ADMINISTRATOR;
	if (id != NULL && !parse_id(id, r)) {
		r->limit = 0;
		r->one = true;
		r->thread = UINT32_MAX; /* no id of ours: nothing has it */
	}
	ask_all(o, r, call, closed);
}

static json_t *
session_object(const struct roll_entry *e)
{
	char id[48], client[ENDPOINT_STRLEN], server[ENDPOINT_STRLEN];

	snprintf(id, sizeof(id), "%u-%u-%u", e->thread, e->index, e->generation);
	return json_pack("{ss ss ss ss ss? sI sI sI sI ss}", "id", id, "listener", e->listener,
	    "client", endpoint_format(&e->client, client), "upstream", e->upstream, "server",
	    e->server.addr.family != AF_UNSPEC ? endpoint_format(&e->server, server) : NULL,
	    "ageMs", (json_int_t)(e->age_us / USEC_PER_MSEC), "idleMs",
	    (json_int_t)(e->idle_us / USEC_PER_MSEC), "bytesIn", (json_int_t)e->bytes[FLOW_CLIENT],
	    "bytesOut", (json_int_t)e->bytes[FLOW_SERVER], "state", e->state);
}

/* In parts; the last one is the reply. */
static void
listed(struct roll *r)
{
	json_t *part = json_array();

	for (size_t i = 0; i < r->n && r->call != NULL; i++) {
		json_array_append_new(part, session_object(&r->entries[i]));
		if (json_array_size(part) < SESSIONS_A_PART || i + 1 == r->n)
			continue;
		ipc_continue(r->call, json_pack("{so}", "sessions", part));
		part = json_array();
	}
	if (r->call != NULL)
		ipc_reply(r->call, json_pack("{so}", "sessions", part));
	else
		json_decref(part);
}

static void
list_sessions(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct operator* o = aux;
	json_t *limit = json_object_get(parameters, "limit");
	int64_t max = json_is_integer(limit) ? json_integer_value(limit) : LIST_LIMIT;
	struct roll *r;

	if (!ipc_call_more(call)) {
		ipc_error(call, "org.varlink.service.ExpectedMore", NULL);
		return;
	}
	if (max < 1 || max > ROLL_LIMIT_MAX) {
		ipc_error_invalid(call, "limit");
		return;
	}
	r = roll_new(NULL, NULL, string_of(parameters, "listener"));
	r->limit = (size_t)max;
	ask_all(o, r, call, listed);
}

/* ---- start ---- */

struct operator*
    operator_new(struct proxy *p, struct ipc_server *server, struct ipc_publisher *publisher)
{
	struct operator* o = xcalloc(1, sizeof(*o));
	const struct ipc_method methods[] = {
		{ "org.trivet.proxy.ListSessions", list_sessions, o },
		{ "org.trivet.proxy.control.SetServerState", set_server_state, o },
		{ "org.trivet.proxy.control.SetServerWeight", set_server_weight, o },
		{ "org.trivet.proxy.control.CloseSessions", close_sessions, o },
	};

	o->proxy = p;
	o->publisher = publisher;
	memcpy(o->methods, methods, sizeof(methods));
	ipc_server_add(server, o->methods, ARRAY_LEN(o->methods));
	return o;
}

void operator_free(struct operator* o)
{
	free(o);
}
