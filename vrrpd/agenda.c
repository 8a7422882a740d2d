/*
 * agenda.c - see agenda.h.
 */
#include "vrrpd/agenda.h"

#include "common/text.h"
#include "common/util.h"

#include <stdlib.h>

#define ROOM_MIN 16

void
agenda_done(struct agenda *a)
{
	free(a->entries);
	*a = (struct agenda){ 0 };
}

static bool
comes_before(const struct agenda_entry *a, const struct agenda_entry *b)
{
	return a->at.us != b->at.us ? a->at.us < b->at.us : a->rank < b->rank;
}

static bool
is_stale(const struct agenda_entry *e)
{
	return e->turn != e->item->turn || mono_is_never(e->item->entered);
}

static void
sift_up(struct agenda *a, size_t i)
{
	struct agenda_entry e = a->entries[i];

	for (; i > 0 && comes_before(&e, &a->entries[(i - 1) / 2]); i = (i - 1) / 2)
		a->entries[i] = a->entries[(i - 1) / 2];
	a->entries[i] = e;
}

static void
sift_down(struct agenda *a, size_t i)
{
	struct agenda_entry e = a->entries[i];
	size_t child;

	for (; (child = 2 * i + 1) < a->n; i = child) {
		if (child + 1 < a->n && comes_before(&a->entries[child + 1], &a->entries[child]))
			child++;
		if (!comes_before(&a->entries[child], &e))
			break;
		a->entries[i] = a->entries[child];
	}
	a->entries[i] = e;
}

/* Without those that do not count, or count for 'gone'. */
static void
rebuild(struct agenda *a, const struct agenda_item *gone)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (a->entries[i].item != gone && !is_stale(&a->entries[i]))
			a->entries[n++] = a->entries[i];
	a->n = n;
	for (size_t i = n / 2; i-- > 0;)
		sift_down(a, i);
}

static void
enter(struct agenda *a, struct agenda_item *item)
{
	if (a->n >= 2 * a->n_items)
		rebuild(a, NULL);
	item->entered = item->deadline;
	a->entries[a->n] = (struct agenda_entry){ item->entered, item->rank, ++item->turn, item };
	sift_up(a, a->n++);
}

static void
drop_first(struct agenda *a)
{
	a->entries[0] = a->entries[--a->n];
	if (a->n > 0)
		sift_down(a, 0);
}

/* The deadline of this entry's item has moved away. */
static void
reenter_first(struct agenda *a)
{
	struct agenda_item *item = a->entries[0].item;

	drop_first(a);
	item->entered = MONO_NEVER;
	if (!mono_is_never(item->deadline))
		enter(a, item);
}

/* The first entry that counts and says when; NULL: none. */
static struct agenda_entry *
first(struct agenda *a)
{
	while (a->n > 0) {
		struct agenda_entry *e = &a->entries[0];

		if (is_stale(e))
			drop_first(a);
		else if (e->at.us != e->item->deadline.us)
			reenter_first(a);
		else
			return e;
	}
	return NULL;
}

void
agenda_add(struct agenda *a, struct agenda_item *item)
{
	*item = (struct agenda_item){ MONO_NEVER, MONO_NEVER, a->next_rank++, 0 };
	a->n_items++;
	if (2 * a->n_items <= a->room)
		return;
	a->room = MAX(2 * a->room, ROOM_MIN);
	a->entries = xreallocarray(a->entries, a->room, sizeof(*a->entries));
}

void
agenda_remove(struct agenda *a, struct agenda_item *item)
{
	rebuild(a, item);
	a->n_items--;
}

void
agenda_set(struct agenda *a, struct agenda_item *item, mono_t deadline)
{
	item->deadline = deadline;
	if (mono_before(deadline, item->entered))
		enter(a, item);
}

mono_t
agenda_next(struct agenda *a)
{
	const struct agenda_entry *e = first(a);

	return e != NULL ? e->at : MONO_NEVER;
}

struct agenda_item *
agenda_take(struct agenda *a, mono_t now)
{
	struct agenda_entry *e = first(a);
	struct agenda_item *item;

	if (e == NULL || mono_before(now, e->at))
		return NULL;
	item = e->item;
	drop_first(a);
	item->deadline = item->entered = MONO_NEVER;
	return item;
}
