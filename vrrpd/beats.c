/*
 * beats.c - see beats.h.
 */
#include "vrrpd/beats.h"

#include "common/daemon.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "vrrpd/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
	struct beat *now; /* the file, once what is dirty is written */
	uint32_t n_now, dirty_from, dirty_end;
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

void
beats_flush(struct beats *bs)
{
	size_t size = (bs->dirty_end - bs->dirty_from) * sizeof(struct beat);
	ssize_t n;

	if (size == 0)
		return;
	n = bs->fd >= 0 ? pwrite(bs->fd, bs->now + bs->dirty_from, size,
			      (off_t)(bs->dirty_from * sizeof(struct beat)))
			: (ssize_t)size;
	bs->dirty_from = bs->dirty_end = 0;
	if (n != (ssize_t)size)
		log_limited(&bs->limit, loop_now(), LOG_ERR,
		    "cannot write down when an advert was sent: %s",
		    n < 0 ? strerror(errno) : "the disk is full");
}

static void
touch(struct beats *bs, uint32_t slot)
{
	if (bs->dirty_end == 0) {
		bs->dirty_from = slot;
		bs->dirty_end = slot + 1;
	}
	bs->dirty_from = MIN(bs->dirty_from, slot);
	bs->dirty_end = MAX(bs->dirty_end, slot + 1);
}

uint32_t
beats_take(struct beats *bs, uint8_t family, uint8_t vrid, const char *interface)
{
	uint32_t slot = 0;
	struct beat *b;

	while (slot < bs->n_now && bs->now[slot].family != AF_UNSPEC)
		slot++;
	if (slot == RECORD_INSTANCES_MAX)
		return BEATS_NO_SLOT;
	if (slot == bs->n_now)
		bs->now = xreallocarray(bs->now, ++bs->n_now, sizeof(*bs->now));
	b = &bs->now[slot];
	*b = (struct beat){ .family = family, .vrid = vrid };
	strncpy(b->interface, interface, sizeof(b->interface) - 1);
	return slot;
}

void
beats_give_back(struct beats *bs, uint32_t slot)
{
	if (slot == BEATS_NO_SLOT)
		return;
	bs->now[slot] = (struct beat){ 0 };
	touch(bs, slot);
	beats_flush(bs);
}

void
beats_write(struct beats *bs, uint32_t slot, mono_t now)
{
	if (slot == BEATS_NO_SLOT)
		return;
	bs->now[slot].at_us = now.us;
	touch(bs, slot);
}
