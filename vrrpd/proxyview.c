/*
 * proxyview.c - see proxyview.h.  The objects are org.trivet.proxy's types
 * Listener and Upstream; its servers are nothing to an election.
 */
#include "vrrpd/proxyview.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "ipc/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HEARTBEAT_MS 1000

enum entry_kind { LISTENER, UPSTREAM };

struct entry {
	TAILQ_ENTRY(entry) entry;
	enum entry_kind kind;
	char *name;
	struct proxyview_listener listener;
	struct proxyview_upstream upstream;
};

struct proxyview {
	struct ipc_view *view;
	bool has_answered;
	mono_t silent_since;
	char *silence;
	TAILQ_HEAD(, entry) entries;
	void (*on_heard)(void *aux);
	void *aux;
};

static struct entry *
find(const struct proxyview *v, enum entry_kind kind, const char *name)
{
	struct entry *e;

	TAILQ_FOREACH (e, &v->entries, entry)
		if (e->kind == kind && strcmp(e->name, name) == 0)
			return e;
	return NULL;
}

static struct entry *
add(struct proxyview *v, enum entry_kind kind, const char *name)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->kind = kind;
	e->name = xstrdup(name);
	TAILQ_INSERT_TAIL(&v->entries, e, entry);
	return e;
}

static void
drop(struct proxyview *v, struct entry *e)
{
	TAILQ_REMOVE(&v->entries, e, entry);
	free(e->listener.error);
	free(e->name);
	free(e);
}

mono_t
proxyview_silent_since(const struct proxyview *v)
{
	return v->silent_since;
}

const char *
proxyview_silence(const struct proxyview *v)
{
	return v->silence != NULL ? v->silence : "not connected yet";
}

bool
proxyview_has_answered(const struct proxyview *v)
{
	return v->has_answered;
}

const struct proxyview_listener *
proxyview_listener(const struct proxyview *v, const char *name)
{
	const struct entry *e = find(v, LISTENER, name);

	return e != NULL ? &e->listener : NULL;
}

const struct proxyview_upstream *
proxyview_upstream(const struct proxyview *v, const char *name)
{
	const struct entry *e = find(v, UPSTREAM, name);

	return e != NULL ? &e->upstream : NULL;
}

json_t *
proxyview_describe(const struct proxyview *v)
{
	return ipc_view_describe(v->view);
}

/* ---- what it says ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
take_listener(struct proxyview_listener *l, const json_t *object)
{
	const char *state = json_string_value(json_object_get(object, "state"));
	const char *error = json_string_value(json_object_get(object, "error"));
	bool listening = state != NULL && strcmp(state, "listening") == 0;
	bool news = listening != l->listening || !same_text(error, l->error);

	if (listening != l->listening || l->since.us == 0)
		l->since = loop_now();
	if (news) {
		free(l->error);
		l->error = error != NULL ? xstrdup(error) : NULL;
	}
	l->listening = listening;
	return news;
}

static unsigned
count_of(const json_t *object, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(object, name));

	return n > 0 && n < UINT32_MAX ? (unsigned)n : 0;
}

static bool
take_upstream(struct proxyview_upstream *u, const json_t *object)
{
	const struct proxyview_upstream now = { .available = count_of(object, "availableServers"),
		.total = count_of(object, "totalServers") };
	bool news = now.available != u->available || now.total != u->total;

	*u = now;
	return news;
}

static void
on_object(struct proxyview *v, enum entry_kind kind, const char *name, const json_t *object)
{
	struct entry *e = find(v, kind, name);
	bool news = e == NULL || object == NULL;

	if (object == NULL) {
		if (e == NULL)
			return;
		drop(v, e);
	} else {
		if (e == NULL)
			e = add(v, kind, name);
		news |= kind == LISTENER ? take_listener(&e->listener, object)
					 : take_upstream(&e->upstream, object);
	}
	if (news)
		v->on_heard(v->aux);
}

static void
on_listener(void *aux, const char *name, const json_t *object)
{
	on_object(aux, LISTENER, name, object);
}

static void
on_upstream(void *aux, const char *name, const json_t *object)
{
	on_object(aux, UPSTREAM, name, object);
}

/* ---- whether it says anything ---- */

/* A hang shows three heartbeats late: silence counts from the last word, not from then. */
static mono_t
last_word(const struct proxyview *v)
{
	json_t *link = ipc_view_describe(v->view);
	const json_t *at = json_object_get(link, "lastMessageUsec");
	mono_t now = loop_now(), heard = now;

	if (json_is_integer(at))
		heard.us = json_integer_value(at);
	json_decref(link);
	return mono_min(heard, now);
}

static void
on_state(void *aux, enum ipc_view_state state, const char *why)
{
	struct proxyview *v = aux;
	bool was_silent = !mono_is_never(v->silent_since);

	if (state == IPC_VIEW_LIVE) {
		v->silent_since = MONO_NEVER;
		v->has_answered = true;
		if (was_silent)
			event_emit(LOG_INFO, "",
			    (const char *const[]){
				"producer", "answers", "daemon", "proxyd", NULL },
			    "proxyd answers");
	} else {
		/* Connected again is not yet an answer: why it went stays the reason. */
		if (state == IPC_VIEW_DOWN || !was_silent) {
			char *copy = xstrdup(why);

			free(v->silence);
			v->silence = copy;
		}
		if (was_silent)
			return;
		v->silent_since = state == IPC_VIEW_STALE ? last_word(v) : loop_now();
		event_emit(LOG_WARNING, "",
		    (const char *const[]){ "producer", "silent", "daemon", "proxyd", NULL },
		    "proxyd is silent: %s", why);
	}
	v->on_heard(v->aux);
}

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf, (void)size;
	return json_string_value(json_object_get(object, "name"));
}

struct proxyview *
proxyview_new(uv_loop_t *loop, const char *run_dir, void (*on_heard)(void *), void *aux)
{
	static const struct ipc_view_array arrays[] = {
		{ .array = "listeners",
		    .key = name_of,
		    .prefix = "listener/",
		    .on_object = on_listener },
		{ .array = "upstreams",
		    .key = name_of,
		    .prefix = "upstream/",
		    .on_object = on_upstream },
	};
	struct proxyview *v = xcalloc(1, sizeof(*v));
	const struct ipc_view_config config = {
		.daemon = "proxyd",
		.run_dir = run_dir,
		.method = "org.trivet.proxy.Monitor",
		.heartbeat_ms = HEARTBEAT_MS,
		.arrays = arrays,
		.n_arrays = ARRAY_LEN(arrays),
		.on_state = on_state,
		.aux = v,
	};

	v->silent_since = loop_now();
	v->on_heard = on_heard;
	v->aux = aux;
	TAILQ_INIT(&v->entries);
	v->view = ipc_view_new(loop, &config);
	return v;
}

void
proxyview_free(struct proxyview *v)
{
	struct entry *e;

	if (v == NULL)
		return;
	ipc_view_free(v->view);
	while ((e = TAILQ_FIRST(&v->entries)) != NULL)
		drop(v, e);
	free(v->silence);
	free(v);
}
