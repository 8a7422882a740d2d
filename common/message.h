/*
 * message.h - which events have a MESSAGE_ID of the journal (systemd.journal-fields(7)),
 * so that they can be asked for by what they are and not by their words, and
 * explained: packaging/trivet.catalog has a text for each (journalctl -x).  Pure.
 */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

#include <stddef.h>

struct message_kind {
	const char *key, *value; /* a field of the event, and what it is; NULL: whatever it is */
	const char *id;		 /* 32 hexadecimal digits; never used for something else again */
	const char *what;
};

/* The first row that matches counts. */
extern const struct message_kind message_kinds[];
extern const size_t message_n_kinds;

/* The id for an event with these fields (common/event.h), or NULL. */
const char *message_id(const char *const *fields);

#endif
