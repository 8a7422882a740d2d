/*
 * active.c - see active.h.  The objects are org.trivet.check's type Check.
 */
#include "proxyd/active.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "ipc/view.h"
#include "proxyd/lease.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARTBEAT_MS 1000
#define FOUND_MAX    1024		 /* addresses of one upstream that checkd takes */
#define HOLD_US	     (10 * USEC_PER_SEC) /* config.md section 2: hold */

struct word { /* checkd's of one check */
	TAILQ_ENTRY(word) entry;
	char *name;
	char *why; /* NULL: it is good */
	mono_t valid_until;
};

struct active {
	uv_loop_t *loop;
	const char *run_dir;
	struct upstreams *upstreams;
	struct ipc_view *view; /* NULL: no upstream asks for checks */
	bool away;
	TAILQ_HEAD(, word) words;
	void *by_name; /* the same, tsearch(3): there may be thousands */
	TAILQ_HEAD(, found) found;
	struct loop_timer lapse; /* the next word to lapse, while checkd is away */
};

/* The addresses behind the names of an upstream, which checkd has to be told. */
struct found {
	TAILQ_ENTRY(found) entry;
	struct active *active;
	struct lease *lease;
};

#define NAME_MAX_BYTES 320 /* an address, a port, and a name of the configuration */

/* The check that asks this server; false: none does. */
static bool
check_name(const struct server *s, char buf[static NAME_MAX_BYTES])
{
	const struct health_conf *h = s->up->health;
	struct endpoint at = s->endpoint;
	const char *question;
	char where[ENDPOINT_STRLEN];

	if (h == NULL || at.addr.family == AF_UNSPEC)
		return false;
	if (h->port != 0)
		at.port = h->port;
	question = h->match != NULL ? h->match->name : h->check != NULL ? h->check->name : NULL;
	snprintf(buf, NAME_MAX_BYTES, "%s%s%s", endpoint_format(&at, where),
	    question != NULL ? "/" : "", question != NULL ? question : "");
	return true;
}

static int
compare_words(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct word *
find(const struct active *a, const char *name)
{
	const struct word key = { .name = (char *)name };
	void *node = tfind(&key, &a->by_name, compare_words);

	return node != NULL ? *(struct word **)node : NULL;
}

static struct word *
word_new(struct active *a, const char *name)
{
	struct word *w = xcalloc(1, sizeof(*w));

	w->name = xstrdup(name);
	TAILQ_INSERT_TAIL(&a->words, w, entry);
	tsearch(w, &a->by_name, compare_words);
	return w;
}

static void
word_free(struct active *a, struct word *w)
{
	TAILQ_REMOVE(&a->words, w, entry);
	tdelete(w, &a->by_name, compare_words);
	free(w->name);
	free(w->why);
	free(w);
}

/* To every server that this check asks. */
static void
spread(struct active *a, const char *check, const struct word *w)
{
	char name[NAME_MAX_BYTES];
	struct upstream *up;

	TAILQ_FOREACH (up, &a->upstreams->list, entry)
		for (size_t i = 0; up->health != NULL && i < up->pool.n; i++) {
			struct server *s = server_of(up->pool.servers[i]);

			if (!check_name(s, name) || strcmp(name, check) != 0)
				continue;
			if (w != NULL)
				server_checked(s, w->why, loop_now());
			else
				server_unchecked(s, loop_now());
		}
}

/* ---- what comes ---- */

static const char *
text_of(const json_t *check, const char *key)
{
	const char *s = json_string_value(json_object_get(check, key));

	return s != NULL ? s : "";
}

/* True: it says something else than before. */
static bool
take(struct word *w, const json_t *check)
{
	const json_t *until = json_object_get(check, "validUntilUsec");
	const char *detail = text_of(check, "lastDetail");
	char *before = w->why;
	bool news;

	w->why = NULL;
	if (strcmp(text_of(check, "state"), "down") == 0)
		w->why = xasprintf("check %s: %s", w->name,
		    detail[0] != '\0' ? detail : text_of(check, "lastReason"));
	w->valid_until = json_is_integer(until) ? (mono_t){ json_integer_value(until) }
						: MONO_NEVER;
	news = before == NULL || w->why == NULL ? before != w->why : strcmp(before, w->why) != 0;
	free(before);
	return news;
}

/* Servers' checks only: people's own have names, not addresses. */
static bool
is_ours(const char *name)
{
	return strchr(name, ':') != NULL;
}

static void
hear(struct active *a, const char *name, const json_t *check)
{
	struct word *w;
	bool news;

	w = find(a, name);
	if (check == NULL) {
		if (w != NULL)
			word_free(a, w);
		spread(a, name, NULL);
		return;
	}
	/* A fresh checkd does not know yet: what the last one knew stands. */
	if (strcmp(text_of(check, "state"), "up") != 0 &&
	    strcmp(text_of(check, "state"), "down") != 0)
		return;
	news = w == NULL;
	if (w == NULL)
		w = word_new(a, name);
	news |= take(w, check);
	if (news)
		spread(a, name, w);
}

/*
 * Monitor shows the checks of leases too, but a fresh checkd does not have them
 * until it is asked again: of those, the lease is heard alone.
 */
static void
on_check(void *aux, const char *name, const json_t *check)
{
	struct active *a = aux;
	const struct found *f;

	if (!is_ours(name))
		return;
	TAILQ_FOREACH (f, &a->found, entry)
		if (lease_has(f->lease, name))
			return;
	hear(a, name, check);
}

/* Another lease may still speak of what this one does not any more. */
static void
on_lease_check(void *aux, const char *name, const json_t *check)
{
	struct active *a = ((struct found *)aux)->active;
	const struct found *f;

	if (check == NULL)
		TAILQ_FOREACH (f, &a->found, entry)
			if (f != aux && lease_has(f->lease, name))
				return;
	hear(a, name, check);
}

/* ---- silence ---- */

static void
arm(struct active *a)
{
	const struct word *w;
	mono_t next = MONO_NEVER;

	if (a->away)
		TAILQ_FOREACH (w, &a->words, entry)
			next = mono_min(next, mono_add(w->valid_until, HOLD_US));
	loop_timer_at(&a->lapse, next);
}

static void
on_lapse(struct loop_timer *timer, mono_t now)
{
	struct active *a = CONTAINER_OF(timer, struct active, lapse);
	struct word *w, *next;

	for (w = TAILQ_FIRST(&a->words); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (mono_before(now, mono_add(w->valid_until, HOLD_US)))
			continue;
		spread(a, w->name, NULL);
		word_free(a, w);
	}
	arm(a);
}

static bool
is_away(const struct active *a)
{
	const struct found *f;

	TAILQ_FOREACH (f, &a->found, entry)
		if (!lease_is_live(f->lease))
			return true;
	return a->view == NULL || ipc_view_state(a->view) != IPC_VIEW_LIVE;
}

static void
note_state(struct active *a, const char *why)
{
	bool away = is_away(a);

	if (away == a->away)
		return;
	a->away = away;
	if (away && !TAILQ_EMPTY(&a->words))
		event_emit(LOG_WARNING, "",
		    (const char *const[]){ "producer", "silent", "daemon", "checkd", NULL },
		    "checkd is silent (%s): what it said of servers is held", why);
	arm(a);
}

static void
on_state(void *aux, enum ipc_view_state state, const char *why)
{
	(void)state;
	note_state(aux, why);
}

static void
on_lease_live(void *aux, bool live, const char *why)
{
	(void)live;
	note_state(((struct found *)aux)->active, why);
}

/* ---- the addresses behind names ---- */

static struct found *
find_found(struct active *a, const char *upstream)
{
	struct found *f;

	TAILQ_FOREACH (f, &a->found, entry)
		if (strcmp(lease_upstream(f->lease), upstream) == 0)
			return f;
	return NULL;
}

static struct found *
found_new(struct active *a, const char *upstream)
{
	struct found *f = xcalloc(1, sizeof(*f));
	const struct lease_events events = {
		.on_check = on_lease_check, .on_live = on_lease_live, .aux = f
	};

	f->active = a;
	f->lease = lease_new(a->loop, a->run_dir, upstream, &events);
	TAILQ_INSERT_TAIL(&a->found, f, entry);
	return f;
}

static void
found_free(struct found *f)
{
	TAILQ_REMOVE(&f->active->found, f, entry);
	lease_free(f->lease);
	free(f);
}

/* ADDRESS:PORT of each. */
static json_t *
list_found(const struct upstream *up)
{
	struct endpoint found[FOUND_MAX];
	size_t n = upstream_found(up, found, FOUND_MAX);
	json_t *list = json_array();
	char where[ENDPOINT_STRLEN];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(endpoint_format(&found[i], where)));
	return list;
}

void
active_upstream(struct active *a, const struct upstream *up, bool gone)
{
	struct found *f = find_found(a, up->name);
	json_t *servers;

	if (gone || up->health == NULL) {
		if (f != NULL)
			found_free(f);
		return;
	}
	servers = list_found(up);
	if (f == NULL && json_array_size(servers) > 0)
		f = found_new(a, up->name);
	if (f != NULL)
		lease_set(f->lease, servers);
	json_decref(servers);
}

/* ---- life ---- */

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf, (void)size;
	return json_string_value(json_object_get(object, "name"));
}

struct active *
active_new(uv_loop_t *loop, const char *run_dir, struct upstreams *upstreams)
{
	struct active *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->run_dir = run_dir;
	a->upstreams = upstreams;
	a->away = true;
	TAILQ_INIT(&a->words);
	TAILQ_INIT(&a->found);
	loop_timer_init(loop, &a->lapse, on_lapse);
	return a;
}

/* Only once there is something to hear. */
static void
subscribe(struct active *a)
{
	static const struct ipc_view_array arrays[] = {
		{ .array = "checks", .key = name_of, .prefix = "", .on_object = on_check },
	};
	const struct ipc_view_config config = {
		.daemon = "checkd",
		.run_dir = a->run_dir,
		.method = "org.trivet.check.Monitor",
		.heartbeat_ms = HEARTBEAT_MS,
		.arrays = arrays,
		.n_arrays = ARRAY_LEN(arrays),
		.on_state = on_state,
		.aux = a,
	};

	if (a->view == NULL)
		a->view = ipc_view_new(a->loop, &config);
}

void
active_server(struct active *a, struct server *s)
{
	char name[NAME_MAX_BYTES];
	const struct word *w = check_name(s, name) ? find(a, name) : NULL;

	if (s->up->health != NULL)
		subscribe(a);
	if (w != NULL)
		server_checked(s, w->why, loop_now());
	else if (s->up->health == NULL)
		server_unchecked(s, loop_now());
}

json_t *
active_describe(const struct active *a)
{
	return a->view != NULL ? ipc_view_describe(a->view) : NULL;
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct active, lapse));
}

void
active_free(struct active *a)
{
	if (a == NULL)
		return;
	ipc_view_free(a->view);
	while (!TAILQ_EMPTY(&a->found))
		found_free(TAILQ_FIRST(&a->found));
	while (!TAILQ_EMPTY(&a->words))
		word_free(a, TAILQ_FIRST(&a->words));
	loop_timer_close(&a->lapse, on_timer_closed);
}
