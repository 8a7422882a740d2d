/*
 * agenda.h - who is due when, of many that each have one deadline: a heap whose
 * entries carry their times, so that a thousand of them lie in a few pages and are not
 * looked for all over the memory.  Those that are due at once come in the order in
 * which they were added.
 *
 * A deadline that moves away leaves its entry where it is, to be put right when it
 * comes up: a backup's deadline moves with every advert heard.  One that comes nearer
 * leaves a stale entry behind; there are never more entries than twice the items.
 */
#ifndef VRRPD_AGENDA_H
#define VRRPD_AGENDA_H

#include "common/mono.h"

#include <stddef.h>

struct agenda_item {	 /* embedded by its owner */
	mono_t deadline; /* MONO_NEVER: none */
	mono_t entered;	 /* its entry's time, not after the deadline; MONO_NEVER: there is none */
	uint32_t rank, turn; /* whose is older; the entry that counts has this one */
};

struct agenda_entry {
	mono_t at;
	uint32_t rank, turn;
	struct agenda_item *item;
};

struct agenda { /* zeroed: empty */
	struct agenda_entry *entries;
	size_t n, room;
	size_t n_items;
	uint32_t next_rank;
};

void agenda_done(struct agenda *); /* every item was removed before */

/* Without a deadline; borrowed until agenda_remove. */
void agenda_add(struct agenda *, struct agenda_item *);
void agenda_remove(struct agenda *, struct agenda_item *);

void agenda_set(struct agenda *, struct agenda_item *, mono_t deadline);

/* The earliest deadline; MONO_NEVER: nobody has one. */
mono_t agenda_next(struct agenda *);

/* The next one whose deadline is not after 'now', which is MONO_NEVER from now on; or NULL. */
struct agenda_item *agenda_take(struct agenda *, mono_t now);

#endif
