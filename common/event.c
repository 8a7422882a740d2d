/*
 * event.c - see event.h.
 */
#include "common/event.h"

#include "common/log.h"
#include "common/message.h"
#include "common/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct event ring[EVENT_RING];
static uint64_t last_sequence;
static void (*observer)(void *);
static void *observer_aux;

static struct event *
slot(uint64_t sequence)
{
	return &ring[sequence % EVENT_RING];
}

static void
event_done(struct event *ev)
{
	free(ev->subject);
	free(ev->message);
	for (size_t i = 0; ev->fields != NULL && ev->fields[i] != NULL; i++)
		free(ev->fields[i]);
	free(ev->fields);
	*ev = (struct event){ 0 };
}

static char **
copy_fields(const char *const *fields)
{
	size_t n = 0;
	char **copy;

	if (fields == NULL)
		return NULL;
	while (fields[n] != NULL)
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(fields[i]);
	return copy;
}

static void
log_with_subject(int level, const char *subject, const char *const *fields, const char *message)
{
	char *line = subject[0] != '\0' ? xasprintf("(%s) %s", subject, message) : xstrdup(message);

	log_event(level, message_id(fields), fields, line);
	free(line);
}

void
event_emit(int level, const char *subject, const char *const *fields, const char *fmt, ...)
{
	struct event *ev = slot(++last_sequence);
	char message[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	log_with_subject(level, subject, fields, message);
	event_done(ev);
	ev->sequence = last_sequence;
	ev->at = loop_now();
	loop_wallclock(ev->stamp);
	ev->level = level;
	ev->subject = xstrdup(subject);
	ev->message = xstrdup(message);
	ev->fields = copy_fields(fields);
	if (observer != NULL)
		observer(observer_aux);
}

static uint64_t
oldest(void)
{
	return last_sequence > EVENT_RING ? last_sequence - EVENT_RING + 1 : 1;
}

const struct event *
event_next(uint64_t after)
{
	uint64_t sequence = MAX(after + 1, oldest());

	return sequence <= last_sequence ? slot(sequence) : NULL;
}

uint64_t
event_lost(uint64_t after)
{
	return after + 1 < oldest() ? oldest() - after - 1 : 0;
}

void
event_observe(void (*on_event)(void *), void *aux)
{
	observer = on_event;
	observer_aux = aux;
}
