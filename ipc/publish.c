/*
 * publish.c - see publish.h.
 */
#include "ipc/publish.h"

#include "common/loop.h"
#include "common/text.h"
#include "ipc/varlink.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HEARTBEAT_MIN_MS 100
#define HEARTBEAT_MAX_MS 60000
#define PART_BYTES	 (VARLINK_PART_MAX - 1024) /* of objects: the rest is the message around */

struct ipc_stream {
	TAILQ_ENTRY(ipc_stream) entry;
	struct ipc_publisher *publisher;
	struct ipc_call *call;
	json_t *filter; /* a set of names; NULL: all */
	json_t **dirty; /* by collection: an object used as an ordered set of keys */
	bool in_snapshot;
	uint64_t sequence;    /* everything up to here has been sent */
	int64_t heartbeat_us; /* 0: none asked for */
	mono_t sent_at;
	struct loop_timer timer;
	void (*on_end)(void *aux); /* NULL: nobody is told */
	void *aux;
};

struct ipc_publisher {
	uv_loop_t *loop;
	const char *epoch;
	const struct ipc_collection *collections;
	size_t n_collections;
	uint64_t sequence;
	TAILQ_HEAD(, ipc_stream) subscribers;
};

/* ---- which keys ---- */

/* NAME is the key NAME and every key NAME/...: each part before a '/' is looked for. */
static bool
filter_passes(const json_t *filter, const char *key)
{
	const char *slash = key;

	if (filter == NULL || json_object_get(filter, key) != NULL)
		return true;
	while ((slash = strchr(slash, '/')) != NULL) {
		char *name = xstrndup(key, (size_t)(slash - key));
		bool passes = json_object_get(filter, name) != NULL;

		free(name);
		if (passes)
			return true;
		slash++;
	}
	return false;
}

/* From an array of names, or NULL. */
static json_t *
new_filter(const json_t *names)
{
	json_t *filter;

	if (!json_is_array(names))
		return NULL;
	filter = json_object();
	for (size_t i = 0; i < json_array_size(names); i++)
		json_object_set_new(
		    filter, json_string_value(json_array_get(names, i)), json_true());
	return filter;
}

struct key_search {
	const json_t *filter;
	json_t *keys;
};

static void
collect_key(void *aux, const char *key)
{
	struct key_search *search = aux;

	if (filter_passes(search->filter, key))
		json_object_set_new(search->keys, key, json_true());
}

/* The keys there are now, as an ordered set. */
static json_t *
all_keys(const struct ipc_collection *c, const json_t *filter)
{
	struct key_search search = { .filter = filter, .keys = json_object() };

	c->each(c->aux, collect_key, &search);
	return search.keys;
}

static bool
is_clean(const struct ipc_stream *s)
{
	for (size_t i = 0; i < s->publisher->n_collections; i++)
		if (json_object_size(s->dirty[i]) > 0)
			return false;
	return true;
}

/* ---- messages ---- */

static json_t *
new_message(const struct ipc_publisher *p, const char *kind)
{
	return json_pack("{s:s, s:s}", "kind", kind, "epoch", p->epoch);
}

static void
set_sequence(json_t *message, uint64_t sequence)
{
	json_object_set_new(message, "sequence", json_integer((json_int_t)sequence));
}

/* One part being filled, up to 'max' bytes; the first object always fits. */
struct part {
	json_t *message, *removed;
	size_t bytes, max;
	bool full;
};

/* False: no room, ask again with the next part. */
static bool
part_add_key(struct part *part, const struct ipc_collection *c, json_t *array, const char *key)
{
	json_t *object = c->render(c->aux, key);
	char *name;
	size_t size;

	if (object == NULL) {
		name = xasprintf("%s%s", c->prefix, key);
		json_array_append_new(part->removed, varlink_string(name));
		part->bytes += strlen(name) + 3;
		free(name);
		return true;
	}
	size = json_dumpb(object, NULL, 0, JSON_COMPACT) + 1;
	if (part->bytes > 0 && part->bytes + size > part->max) {
		json_decref(object);
		return false;
	}
	part->bytes += size;
	json_array_append_new(array, object);
	return true;
}

/* Moves keys from 'dirty' into the part. */
static void
part_add(struct part *part, const struct ipc_collection *c, json_t *dirty)
{
	json_t *array = json_array(), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(dirty, next, key, value)
	{
		part->full = part->bytes >= part->max || !part_add_key(part, c, array, key);
		if (part->full)
			break;
		json_object_del(dirty, key);
	}
	json_object_set_new(part->message, c->array, array);
}

/* Arrays without objects say nothing in an update; in a snapshot they say "none". */
static void
part_trim(const struct part *part, const struct ipc_publisher *p)
{
	for (size_t i = 0; i < p->n_collections; i++) {
		const char *name = p->collections[i].array;

		if (json_array_size(json_object_get(part->message, name)) == 0)
			json_object_del(part->message, name);
	}
}

static json_t *
next_part(struct ipc_stream *s, size_t max)
{
	const struct ipc_publisher *p = s->publisher;
	struct part part = { .max = max, .removed = json_array() };
	bool last;

	part.message = new_message(p, s->in_snapshot ? "snapshot" : "update");
	for (size_t i = 0; i < p->n_collections && !part.full; i++)
		part_add(&part, &p->collections[i], s->dirty[i]);
	last = is_clean(s);
	if (last)
		s->sequence = p->sequence;
	set_sequence(part.message, s->sequence);
	if (s->in_snapshot)
		json_object_set_new(part.message, "complete", json_boolean(last));
	else
		part_trim(&part, p);
	if (json_array_size(part.removed) > 0)
		json_object_set(part.message, "removed", part.removed);
	json_decref(part.removed);
	s->in_snapshot = s->in_snapshot && !last;
	return part.message;
}

/* ---- subscribers ---- */

/* All it holds but its own memory. */
static void
stream_done(struct ipc_stream *s)
{
	for (size_t i = 0; i < s->publisher->n_collections; i++)
		json_decref(s->dirty[i]);
	free(s->dirty);
	json_decref(s->filter);
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct ipc_stream, timer));
}

/* What refers to the publisher goes at once, the timer's memory when libuv allows. */
static void
unsubscribe(struct ipc_stream *s)
{
	TAILQ_REMOVE(&s->publisher->subscribers, s, entry);
	stream_done(s);
	loop_timer_close(&s->timer, on_timer_closed);
	if (s->on_end != NULL)
		s->on_end(s->aux);
}

static void
on_gone(void *aux)
{
	unsubscribe(aux);
}

/* Something to say: in the next turn.  Else when the heartbeat is due. */
static void
rearm(struct ipc_stream *s)
{
	if (ipc_call_blocked(s->call))
		loop_timer_stop(&s->timer);
	else if (s->in_snapshot || !is_clean(s))
		loop_timer_at(&s->timer, loop_now());
	else
		loop_timer_at(&s->timer,
		    s->heartbeat_us > 0 ? mono_add(s->sent_at, s->heartbeat_us) : MONO_NEVER);
}

static void
say(struct ipc_stream *s, json_t *message)
{
	ipc_continue(s->call, message);
	s->sent_at = loop_now();
	rearm(s);
}

static void
say_heartbeat(struct ipc_stream *s)
{
	json_t *message = new_message(s->publisher, "heartbeat");

	s->sequence = s->publisher->sequence; /* nothing waits: what changed is not of its filter */
	set_sequence(message, s->sequence);
	say(s, message);
}

/* One part a turn: the other handles of the loop come first. */
static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct ipc_stream *s = CONTAINER_OF(timer, struct ipc_stream, timer);

	if (ipc_call_blocked(s->call))
		return; /* on_writable goes on */
	if (s->in_snapshot || !is_clean(s))
		say(s, next_part(s, PART_BYTES));
	else if (s->heartbeat_us > 0 && !mono_before(now, mono_add(s->sent_at, s->heartbeat_us)))
		say_heartbeat(s);
	else
		rearm(s);
}

static void
on_writable(void *aux)
{
	rearm(aux);
}

int64_t
ipc_heartbeat_us(const json_t *heartbeat_ms)
{
	json_int_t ms;

	if (!json_is_integer(heartbeat_ms))
		return 0;
	ms = json_integer_value(heartbeat_ms);
	return MAX(HEARTBEAT_MIN_MS, MIN(ms, HEARTBEAT_MAX_MS)) * USEC_PER_MSEC;
}

/* Registered, with every key to be sent; what is not there yet comes by ipc_changed(). */
static struct ipc_stream *
stream_new(struct ipc_publisher *p, struct ipc_call *call, json_t *filter)
{
	struct ipc_stream *s = xcalloc(1, sizeof(*s));

	s->publisher = p;
	s->call = call;
	s->filter = new_filter(filter);
	s->in_snapshot = true;
	s->dirty = xcalloc(p->n_collections, sizeof(json_t *));
	for (size_t i = 0; i < p->n_collections; i++)
		s->dirty[i] = all_keys(&p->collections[i], s->filter);
	return s;
}

void
ipc_publish_monitor(
    struct ipc_publisher *p, struct ipc_call *call, json_t *filter, json_t *heartbeat_ms)
{
	struct ipc_stream *s;

	if (ipc_call_more(call)) {
		ipc_publish_stream(p, call, filter, heartbeat_ms, NULL, NULL);
		return;
	}
	s = stream_new(p, call, filter);
	ipc_reply(call, next_part(s, SIZE_MAX)); /* one reply: whole, or too large */
	stream_done(s);
	free(s);
}

struct ipc_stream *
ipc_publish_stream(struct ipc_publisher *p, struct ipc_call *call, json_t *filter,
    json_t *heartbeat_ms, void (*on_end)(void *aux), void *aux)
{
	struct ipc_stream *s = stream_new(p, call, filter);

	s->on_end = on_end;
	s->aux = aux;
	s->heartbeat_us = ipc_heartbeat_us(heartbeat_ms);
	loop_timer_init(p->loop, &s->timer, on_due);
	TAILQ_INSERT_TAIL(&p->subscribers, s, entry);
	ipc_call_watch(call, on_gone, on_writable, s);
	say(s, next_part(s, PART_BYTES));
	return s;
}

/* Without "continues": there is no more. */
void
ipc_stream_end(struct ipc_stream *s)
{
	json_t *message = new_message(s->publisher, "heartbeat");

	set_sequence(message, s->sequence);
	ipc_reply(s->call, message);
	unsubscribe(s);
}

json_t *
ipc_publish_list(struct ipc_publisher *p, const struct ipc_collection *c, const char *name)
{
	json_t *filter = name != NULL ? json_pack("{sb}", name, 1) : NULL;
	json_t *keys = all_keys(c, filter), *array = json_array(), *unused;
	const char *key;

	json_decref(filter);
	json_object_foreach (keys, key, unused) {
		json_t *object = c->render(c->aux, key);

		if (object != NULL)
			json_array_append_new(array, object);
	}
	json_decref(keys);
	if (name != NULL && json_array_size(array) == 0) {
		json_decref(array);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:o}", "epoch", p->epoch, "sequence", (json_int_t)p->sequence,
	    c->array, array);
}

/* ---- life ---- */

struct ipc_publisher *
ipc_publisher_new(uv_loop_t *loop, const char *epoch, const struct ipc_collection *collections,
    size_t n_collections)
{
	struct ipc_publisher *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->epoch = epoch;
	p->collections = collections;
	p->n_collections = n_collections;
	TAILQ_INIT(&p->subscribers);
	return p;
}

void
ipc_publisher_free(struct ipc_publisher *p)
{
	struct ipc_stream *s;

	if (p == NULL)
		return;
	while ((s = TAILQ_FIRST(&p->subscribers)) != NULL)
		ipc_stream_end(s);
	free(p);
}

uint64_t
ipc_changed(struct ipc_publisher *p, const struct ipc_collection *c, const char *key)
{
	size_t i = (size_t)(c - p->collections);
	struct ipc_stream *s;

	assert(i < p->n_collections);
	p->sequence++;
	TAILQ_FOREACH (s, &p->subscribers, entry) {
		if (!filter_passes(s->filter, key))
			continue;
		json_object_set_new(s->dirty[i], key, json_true());
		rearm(s);
	}
	return p->sequence;
}

uint64_t
ipc_sequence(const struct ipc_publisher *p)
{
	return p->sequence;
}
