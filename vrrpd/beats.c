/*
 * beats.c - see beats.h.
 */
#include "vrrpd/beats.h"

#include "common/daemon.h"
#include "common/log.h"
#include "vrrpd/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEATS_MODE 0600

/* One in the file; all zero: nothing.  The same machine reads it within seconds. */
struct beat {
	int64_t at_us; /* on the loop's clock (CLOCK_BOOTTIME) */
	uint8_t family, vrid;
	char interface[sizeof(((struct record_instance *)0)->interface)]; /* padded with NULs */
	uint8_t reserved[6];
};

struct beats {
	int fd; /* -1: cannot be written */
	struct beat *last;
	size_t n_last;
	bool taken[RECORD_INSTANCES_MAX];
	struct log_limit limit;
};

static bool
is_of(const struct beat *b, uint8_t family, uint8_t vrid, const char *interface)
{
	return b->family == family && b->vrid == vrid &&
	       strncmp(b->interface, interface, sizeof(b->interface)) == 0;
}

struct beats *
beats_new(const char *path)
{
	struct beats *bs = xcalloc(1, sizeof(*bs));
	size_t size = 0;
	char *bytes = NULL;
	int r;

	if (daemon_read_file(path, RECORD_INSTANCES_MAX * sizeof(struct beat), &bytes, &size) ==
	    0) {
		bs->n_last = size / sizeof(struct beat);
		bs->last = xcalloc(MAX(bs->n_last, 1), sizeof(struct beat));
		memcpy(bs->last, bytes, bs->n_last * sizeof(struct beat));
		free(bytes);
	}
	r = daemon_write_file(path, "", 0, BEATS_MODE);
	bs->fd = r == 0 ? open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (bs->fd < 0)
		log_warn("cannot write %s: %s", path, strerror(r != 0 ? -r : errno));
	return bs;
}

mono_t
beats_last(const struct beats *bs, uint8_t family, uint8_t vrid, const char *interface)
{
	for (size_t i = 0; i < bs->n_last; i++)
		if (is_of(&bs->last[i], family, vrid, interface))
			return (mono_t){ bs->last[i].at_us };
	return (mono_t){ 0 };
}

static void
put(struct beats *bs, uint32_t slot, const struct beat *b, mono_t now)
{
	ssize_t n;

	if (bs->fd < 0 || slot == BEATS_NO_SLOT)
		return;
	n = pwrite(bs->fd, b, sizeof(*b), (off_t)slot * (off_t)sizeof(*b));
	if (n != sizeof(*b))
		log_limited(&bs->limit, now, LOG_ERR,
		    "cannot write down when an advert was sent: %s",
		    n < 0 ? strerror(errno) : "the disk is full");
}

uint32_t
beats_take(struct beats *bs)
{
	for (uint32_t i = 0; i < RECORD_INSTANCES_MAX; i++)
		if (!bs->taken[i]) {
			bs->taken[i] = true;
			return i;
		}
	return BEATS_NO_SLOT;
}

void
beats_give_back(struct beats *bs, uint32_t slot)
{
	if (slot == BEATS_NO_SLOT)
		return;
	put(bs, slot, &(struct beat){ 0 }, loop_now());
	bs->taken[slot] = false;
}

void
beats_write(struct beats *bs, uint32_t slot, uint8_t family, uint8_t vrid, const char *interface,
    mono_t now)
{
	struct beat b = { .at_us = now.us, .family = family, .vrid = vrid };

	strncpy(b.interface, interface, sizeof(b.interface) - 1);
	put(bs, slot, &b, now);
}
