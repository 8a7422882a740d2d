/*
 * service_events.c - org.trivet.daemon.Events: the ring of common/event.h, and
 * then what happens.  The ring is the queue: a reader keeps only its place in
 * it, and one that is too slow is told how many it lost.
 */
#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "ipc/publish.h"
#include "ipc/service_priv.h"
#include "ipc/varlink.h"

#include <stdlib.h>
#include <sys/queue.h>

/* An event is some hundred bytes: the part stays below VARLINK_PART_MAX with the last one. */
#define EVENTS_PART (VARLINK_PART_MAX / 2)

struct reader {
	TAILQ_ENTRY(reader) entry;
	struct service_events *events;
	struct ipc_call *call;
	uint64_t after; /* the last one sent */
	int64_t heartbeat_us;
	mono_t sent_at;
	struct loop_timer timer;
};

struct service_events {
	uv_loop_t *loop;
	const char *epoch;
	TAILQ_HEAD(, reader) readers;
};

static json_t *
fields_object(char *const *fields)
{
	json_t *object = json_object();

	for (size_t i = 0; fields != NULL && fields[i] != NULL && fields[i + 1] != NULL; i += 2)
		json_object_set_new(object, fields[i], varlink_string(fields[i + 1]));
	return object;
}

static json_t *
event_object(const struct event *ev)
{
	return json_pack("{s:I, s:s, s:I, s:s, s:o, s:o, s:o}", "sequence",
	    (json_int_t)ev->sequence, "at", ev->stamp, "usec", (json_int_t)ev->at.us, "severity",
	    log_level_name(ev->level), "subject", varlink_string(ev->subject), "message",
	    varlink_string(ev->message), "fields", fields_object(ev->fields));
}

/* What is kept after *after, up to 'max' bytes; moves *after past what it says. */
static json_t *
events_message(const struct service_events *e, const char *kind, uint64_t *after, size_t max)
{
	uint64_t lost = event_lost(*after);
	json_t *array = json_array();
	const struct event *ev;
	size_t bytes = 0;

	while ((ev = event_next(*after)) != NULL && bytes < max) {
		json_t *object = event_object(ev);

		bytes += json_dumpb(object, NULL, 0, JSON_COMPACT) + 1;
		json_array_append_new(array, object);
		*after = ev->sequence;
	}
	return json_pack("{s:s, s:s, s:I, s:o}", "kind", kind, "epoch", e->epoch, "lost",
	    (json_int_t)lost, "events", array);
}

static void
rearm(struct reader *r)
{
	if (ipc_call_blocked(r->call))
		loop_timer_stop(&r->timer);
	else if (event_next(r->after) != NULL)
		loop_timer_at(&r->timer, loop_now());
	else
		loop_timer_at(&r->timer,
		    r->heartbeat_us > 0 ? mono_add(r->sent_at, r->heartbeat_us) : MONO_NEVER);
}

static void
say(struct reader *r, json_t *message)
{
	ipc_continue(r->call, message);
	r->sent_at = loop_now();
	rearm(r);
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct reader *r = CONTAINER_OF(timer, struct reader, timer);

	if (ipc_call_blocked(r->call))
		return; /* on_writable goes on */
	if (event_next(r->after) != NULL)
		say(r, events_message(r->events, "update", &r->after, EVENTS_PART));
	else if (r->heartbeat_us > 0 && !mono_before(now, mono_add(r->sent_at, r->heartbeat_us)))
		say(r, json_pack("{s:s, s:s}", "kind", "heartbeat", "epoch", r->events->epoch));
	else
		rearm(r);
}

static void
on_writable(void *aux)
{
	rearm(aux);
}

static void
on_timer_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct reader, timer));
}

static void
reader_free(struct reader *r)
{
	TAILQ_REMOVE(&r->events->readers, r, entry);
	loop_timer_close(&r->timer, on_timer_closed);
}

static void
on_gone(void *aux)
{
	reader_free(aux);
}

void
service_events_serve(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct service_events *e = aux;
	json_int_t after = json_integer_value(json_object_get(parameters, "after"));
	uint64_t place = (uint64_t)MAX(after, 0);
	struct reader *r;

	if (!ipc_call_more(call)) {
		ipc_reply(call, events_message(e, "snapshot", &place, SIZE_MAX));
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->events = e;
	r->call = call;
	r->after = place;
	r->heartbeat_us = ipc_heartbeat_us(json_object_get(parameters, "heartbeatMs"));
	loop_timer_init(e->loop, &r->timer, on_due);
	TAILQ_INSERT_TAIL(&e->readers, r, entry);
	ipc_call_watch(call, on_gone, on_writable, r);
	say(r, events_message(e, "snapshot", &r->after, EVENTS_PART));
}

static void
on_event(void *aux)
{
	struct service_events *e = aux;
	struct reader *r;

	TAILQ_FOREACH (r, &e->readers, entry)
		rearm(r);
}

struct service_events *
service_events_new(uv_loop_t *loop, const char *epoch)
{
	struct service_events *e = xcalloc(1, sizeof(*e));

	e->loop = loop;
	e->epoch = epoch;
	TAILQ_INIT(&e->readers);
	event_observe(on_event, e);
	return e;
}

void
service_events_free(struct service_events *e)
{
	struct reader *r;

	event_observe(NULL, NULL);
	while ((r = TAILQ_FIRST(&e->readers)) != NULL) {
		ipc_reply(r->call, json_pack("{s:s, s:s}", "kind", "heartbeat", "epoch", e->epoch));
		reader_free(r);
	}
	free(e);
}
