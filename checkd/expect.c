/*
 * expect.c - see expect.h.
 */
#include "checkd/expect.h"

#include "common/regex.h"
#include "common/util.h"

#include <string.h>

void
expect_init(struct expect *e, const char *want, size_t want_size)
{
	e->want = want;
	e->want_size = MIN(want_size, sizeof(e->window) / 2);
	e->is_regex = e->ignore_case = false;
	e->window_size = 0;
	e->total = 0;
	e->shown[0] = '\0';
}

void
expect_init_regex(struct expect *e, const char *want, bool ignore_case)
{
	expect_init(e, want, strlen(want));
	e->is_regex = true;
	e->ignore_case = ignore_case;
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

/* Where a match may begin is not known before: all of it is kept, as far as there is room. */
static enum expect_state
feed_regex(struct expect *e, const char *bytes, size_t size)
{
	size_t n = MIN(size, sizeof(e->window) - e->window_size);

	memcpy(e->window + e->window_size, bytes, n);
	e->window_size += n;
	switch (regex_search_once(
	    e->want, e->ignore_case ? REGEX_CASELESS : 0, e->window, e->window_size)) {
	case REGEX_YES:
		return EXPECT_FOUND;
	case REGEX_GIVEN_UP:
		return EXPECT_NEVER;
	case REGEX_NO:
		break;
	}
	return e->window_size == sizeof(e->window) ? EXPECT_NEVER : EXPECT_MORE;
}

enum expect_state
expect_feed(struct expect *e, const char *bytes, size_t size)
{
	show(e, bytes, size);
	e->total += size;
	if (e->is_regex)
		return feed_regex(e, bytes, size);
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
