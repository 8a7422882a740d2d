/*
 * handover.c - see handover.h: what arrives, sorted; the order of things.
 */
#include "proxyd/handover.h"

#include "common/fdstore.h"
#include "common/log.h"
#include "proxyd/handover_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RESERVE 8

const char *
handover_refusal_str(enum handover_refusal refusal)
{
	static const char *const names[HANDOVER_REFUSALS] = {
		[HANDOVER_CORRUPT] = "corrupt",
		[HANDOVER_VERSION] = "version",
		[HANDOVER_RECORD] = "record",
		[HANDOVER_UNWANTED] = "unwanted",
		[HANDOVER_RESOURCES] = "resources",
		[HANDOVER_INCOMPLETE] = "incomplete",
	};

	return names[refusal];
}

void
handover_refuse(struct handover *h, enum handover_refusal refusal)
{
	h->counts.refused[refusal]++;
}

enum handover_refusal
handover_refusal_of(int error)
{
	switch (error) {
	case -EPROTONOSUPPORT:
		return HANDOVER_VERSION;
	case -EMFILE:
		return HANDOVER_RESOURCES;
	}
	return HANDOVER_CORRUPT;
}

void
handover_copy(char to[static PARCEL_NAME_SIZE], const char *from)
{
	snprintf(to, PARCEL_NAME_SIZE, "%s", from);
}

static const char *const set_names[HANDOVER_SETS] = { "listeners-a", "listeners-b", "listeners-c" };

const char *
handover_set_name(unsigned set)
{
	return set_names[set];
}

int
handover_set_of(const char *name)
{
	for (int i = 0; i < HANDOVER_SETS; i++)
		if (strcmp(name, set_names[i]) == 0)
			return i;
	return -1;
}

struct handover *
handover_new(struct proxy *p)
{
	struct handover *h = xcalloc(1, sizeof(*h));

	h->proxy = p;
	h->is_changed = true;
	return h;
}

static void
free_messages(struct handover *h)
{
	for (size_t i = 0; i < h->n_messages; i++)
		post_message_done(&h->messages[i]);
	free(h->messages);
	h->messages = NULL;
	h->n_messages = 0;
}

void
handover_free(struct handover *h)
{
	if (h == NULL)
		return;
	handover_close_listeners(h);
	free_messages(h);
	free(h);
}

const struct handover_counts *
handover_counts(const struct handover *h)
{
	return &h->counts;
}

/* ---- at start ---- */

/* Keep the messages that are ours and whole; descriptors stay in them. */
static void
read_sessions(struct handover *h, int box)
{
	struct parcel_reader reader;
	struct parcel_head head;
	struct post_message m;
	int rc;

	while ((rc = post_read(box, false, &m)) != -EAGAIN) {
		h->n_came++;
		if (rc == 0)
			rc = parcel_open(m.bytes, m.size, m.n_fds, &reader, &head);
		else
			m = (struct post_message){ 0 };
		if (rc < 0) {
			handover_refuse(h, handover_refusal_of(rc));
			post_message_done(&m);
			continue;
		}
		h->stamp_us = MAX(h->stamp_us, head.stamp_us);
		h->n_announced = MAX(h->n_announced, head.total);
		h->messages = xreallocarray(h->messages, h->n_messages + 1, sizeof(*h->messages));
		h->messages[h->n_messages++] = m;
	}
}

static void
count_missing(struct handover *h)
{
	for (size_t i = h->n_came; i < h->n_announced; i++)
		handover_refuse(h, HANDOVER_INCOMPLETE);
}

static bool
is_sessions(const struct fdstore_entry *e)
{
	return strcmp(e->name, HANDOVER_SESSIONS) == 0;
}

/*
 * The word to the manager comes first.  It hears it before it learns of our end,
 * however soon that is: both systemd and trivet run read what a process said
 * before they look at what became of it.
 */
static void
leave_store(struct handover *h, const struct fdstore_entry *entries, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		int set = handover_set_of(entries[i].name);

		if (set >= 0)
			h->stored[set] = true; /* until they are replaced */
		else if (is_sessions(&entries[i]))
			any = true;
		else
			fdstore_remove(entries[i].name);
	}
	if (any)
		fdstore_remove(HANDOVER_SESSIONS);
}

/*
 * With fewer descriptors than sessions were left the listeners come first, and
 * some are kept free, for what the start needs itself.
 */
static void
hold_reserve(int reserve[static RESERVE])
{
	for (size_t i = 0; i < RESERVE; i++)
		reserve[i] = eventfd(0, EFD_CLOEXEC);
}

static void
free_reserve(const int reserve[static RESERVE])
{
	for (size_t i = 0; i < RESERVE; i++)
		if (reserve[i] >= 0)
			close(reserve[i]);
}

static bool
is_listeners(const struct fdstore_entry *e)
{
	return handover_set_of(e->name) >= 0;
}

static void
read_entries(struct handover *h, const struct fdstore_entry *entries, size_t n)
{
	int reserve[RESERVE];

	for (size_t i = 0; i < n; i++)
		if (is_listeners(&entries[i]))
			handover_read_listeners(h, entries[i].fd);
	hold_reserve(reserve);
	for (size_t i = 0; i < n; i++)
		if (is_sessions(&entries[i]))
			read_sessions(h, entries[i].fd);
	free_reserve(reserve);
	count_missing(h);
}

static void
refuse_foreign(struct handover *h, const struct fdstore_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_listeners(&entries[i]) || is_sessions(&entries[i]))
			continue;
		log_warn(
		    "\"%s\" in the service manager's store is not ours: closed", entries[i].name);
		handover_refuse(h, HANDOVER_CORRUPT);
	}
}

void
handover_receive(struct handover *h)
{
	struct fdstore_entry *entries;
	size_t n = fdstore_take(&entries);

	if (n == 0)
		return;
	leave_store(h, entries, n);
	read_entries(h, entries, n);
	refuse_foreign(h, entries, n);
	fdstore_free(entries, n);
}
