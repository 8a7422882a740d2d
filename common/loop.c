/*
 * loop.c - see loop.h.
 */
#include "common/loop.h"

#include "common/util.h"

#include <stdio.h>
#include <time.h>

mono_t
loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (mono_t){ ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000 };
}

const char *
loop_wallclock(char buf[static LOOP_STAMP_STRLEN])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, LOOP_STAMP_STRLEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, LOOP_STAMP_STRLEN - n, ".%03ldZ", ts.tv_nsec / 1000000);
	return buf;
}

static void on_uv_timer(uv_timer_t *);

/* libuv counts in whole milliseconds from its own cached now: round up, so as not to wake early. */
static void
arm(struct loop_timer *t, mono_t now)
{
	int64_t us = mono_until(now, t->deadline);

	uv_update_time(t->uv.loop);
	uv_timer_start(
	    &t->uv, on_uv_timer, us <= 0 ? 0 : (uint64_t)((us + 999) / USEC_PER_MSEC), 0);
}

static void
on_uv_timer(uv_timer_t *uv)
{
	struct loop_timer *t = CONTAINER_OF(uv, struct loop_timer, uv);
	mono_t now = loop_now();

	if (mono_before(now, t->deadline)) {
		arm(t, now);
		return;
	}
	t->deadline = MONO_NEVER;
	t->on_due(t, now);
}

void
loop_timer_init(uv_loop_t *loop, struct loop_timer *t, void (*on_due)(struct loop_timer *, mono_t))
{
	uv_timer_init(loop, &t->uv);
	uv_unref((uv_handle_t *)&t->uv);
	t->on_due = on_due;
	t->deadline = MONO_NEVER;
}

void
loop_timer_at(struct loop_timer *t, mono_t deadline)
{
	t->deadline = deadline;
	if (mono_is_never(deadline))
		uv_timer_stop(&t->uv);
	else
		arm(t, loop_now());
}

void
loop_timer_stop(struct loop_timer *t)
{
	loop_timer_at(t, MONO_NEVER);
}

static void
on_uv_close(uv_handle_t *uv)
{
	struct loop_timer *t = CONTAINER_OF((uv_timer_t *)uv, struct loop_timer, uv);
	void (*on_closed)(struct loop_timer *) = (void (*)(struct loop_timer *))uv->data;

	if (on_closed != NULL)
		on_closed(t);
}

void
loop_timer_close(struct loop_timer *t, void (*on_closed)(struct loop_timer *))
{
	t->uv.data = (void *)on_closed;
	uv_close((uv_handle_t *)&t->uv, on_uv_close);
}
