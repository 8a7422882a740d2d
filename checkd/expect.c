/*
 * expect.c - see expect.h.
 */
#include "checkd/expect.h"

#include "common/util.h"

#include <string.h>

void
expect_init(struct expect *e, const char *want, size_t want_size)
{
	e->want = want;
	e->want_size = MIN(want_size, sizeof(e->window) / 2);
	e->window_size = 0;
	e->total = 0;
	e->shown[0] = '\0';
}

static void
show(struct expect *e, const char *bytes, size_t size)
{
	size_t at = strlen(e->shown);

	for (size_t i = 0; i < size && at < EXPECT_SHOWN_MAX; i++)
		e->shown[at++] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : ' ';
	e->shown[at] = '\0';
}

/* Only so much of the past is kept as may be the beginning of what is wanted. */
static void
slide(struct expect *e)
{
	size_t keep = MIN(e->want_size - 1, e->window_size);

	memmove(e->window, e->window + e->window_size - keep, keep);
	e->window_size = keep;
}

enum expect_state
expect_feed(struct expect *e, const char *bytes, size_t size)
{
	show(e, bytes, size);
	e->total += size;
	while (size > 0) {
		size_t n = MIN(size, sizeof(e->window) - e->window_size);

		memcpy(e->window + e->window_size, bytes, n);
		e->window_size += n;
		bytes += n;
		size -= n;
		if (memmem(e->window, e->window_size, e->want, e->want_size) != NULL)
			return EXPECT_FOUND;
		slide(e);
	}
	return e->total >= EXPECT_READ_MAX ? EXPECT_NEVER : EXPECT_MORE;
}
