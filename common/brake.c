/*
 * brake.c - see brake.h.
 */
#include "common/brake.h"

#include "common/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t
pause_of(unsigned level)
{
	return level == 0 ? 0 : BRAKE_FIRST_US << (level - 1);
}

static void
note_crash(struct brake *b, mono_t now)
{
	if (b->n == BRAKE_CRASHES) {
		memmove(b->crashes, b->crashes + 1, sizeof(b->crashes) - sizeof(b->crashes[0]));
		b->n--;
	}
	b->crashes[b->n++] = now;
}

/* Between the first and the last of them lie as many pauses as processes: not their own time. */
static bool
is_loop(const struct brake *b)
{
	int64_t paused = (BRAKE_CRASHES - 1) * pause_of(b->level);

	return b->n == BRAKE_CRASHES &&
	       mono_until(b->crashes[0], b->crashes[b->n - 1]) <= BRAKE_WINDOW_US + paused;
}

int64_t
brake_begin(struct brake *b, mono_t now)
{
	if (b->is_running) {
		note_crash(b, now);
		b->level = is_loop(b) ? MIN(b->level + 1, BRAKE_LEVEL_MAX) : 0;
	} else {
		*b = (struct brake){ 0 };
	}
	b->is_running = true;
	return pause_of(b->level);
}

void
brake_end(struct brake *b)
{
	*b = (struct brake){ 0 };
}

void
brake_encode(const struct brake *b, struct text *ret)
{
	text_addf(ret, "trivet starts 1 %s %u", b->is_running ? "running" : "ended", b->level);
	for (unsigned i = 0; i < b->n; i++)
		text_addf(ret, " %" PRId64, b->crashes[i].us);
	text_addf(ret, " end\n");
}

int
brake_decode(const char *text, struct brake *ret)
{
	struct brake b = { 0 };
	char how[8];
	int at = 0, more;

	if (sscanf(text, "trivet starts 1 %7s %u%n", how, &b.level, &at) != 2 ||
	    b.level > BRAKE_LEVEL_MAX)
		return -EBADMSG;
	b.is_running = strcmp(how, "running") == 0;
	while (b.n < BRAKE_CRASHES &&
	       sscanf(text + at, " %" SCNd64 "%n", &b.crashes[b.n].us, &more) == 1) {
		at += more;
		b.n++;
	}
	if (strcmp(text + at, " end\n") != 0)
		return -EBADMSG;
	*ret = b;
	return 0;
}
