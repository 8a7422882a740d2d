/*
 * event.h - what happened, with its cause: one call makes the log line and the
 * event on the bus (org.trivet.daemon.Events), so that neither is forgotten.
 * A bounded ring; old events fall out and are counted.
 */
#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

#include "common/loop.h"
#include "common/util.h"

#define EVENT_RING 512 /* events kept; a person asks after the last hour, not the last year */

struct event {
	uint64_t sequence; /* from 1, one counter for the process */
	mono_t at;
	char stamp[LOOP_STAMP_STRLEN];
	int level;     /* LOG_ERR .. LOG_DEBUG */
	char *subject; /* the instance, check, listener ... it is about */
	char *message;
	char **fields; /* key, value, key, value ...; NULL-terminated; or NULL */
};

/*
 * Logs "(subject) message" at 'level' and keeps the event.  'fields' as in
 * struct event, copied; one of them is a row of message_kinds (common/message.h),
 * so that the event can be asked for.  subject "" is the daemon itself.
 */
void event_emit(int level, const char *subject, const char *const *fields, const char *fmt, ...)
    PRINTF_LIKE(4, 5) __attribute__((nonnull(3)));

/* The oldest event kept with a sequence above 'after', or NULL. */
const struct event *event_next(uint64_t after);

/* How many events after 'after' are no longer kept. */
uint64_t event_lost(uint64_t after);

/* Called after each event, from within event_emit; one observer (ipc/service.c). */
void event_observe(void (*on_event)(void *aux), void *aux);

#endif
