/*
 * recorder.c - see recorder.h.
 */
#include "checkd/recorder.h"

#include "checkd/record.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

/* Counters of runs are written down this often, a state or an operator's word as good as at once;
 * ten thousand checks must not be written every second. */
#define WRITE_US	   USEC_PER_SEC
#define WRITE_US_PER_CHECK (10 * USEC_PER_MSEC)
#define SOON_US_PER_CHECK  50

/* In one turn of the loop: a fraction of a millisecond. */
#define CHECKS_PER_TURN	   50

struct recorder {
	char *path;
	const struct checks *checks;
	struct loop_timer due;
	uv_idle_t turns; /* while a file is being written */
	struct record_writer writer;
	bool writing, failed;
	void (*on_written)(void *aux);
	void *aux;
	unsigned open_handles;
};

static void
end(struct recorder *r, int err)
{
	uv_idle_stop(&r->turns);
	r->writing = false;
	if (err < 0 && !r->failed)
		log_warn("%s: %s: a restart will begin without what is known now", r->path,
		    strerror(-err));
	r->failed = err < 0;
	r->on_written(r->aux);
}

static void
begin(struct recorder *r)
{
	int err = record_begin(&r->writer, r->path, r->checks);

	r->writing = err == 0;
	if (err < 0)
		end(r, err);
}

/* False: it is over. */
static bool
go_on(struct recorder *r)
{
	int more;

	if (r->writer.generation != checks_generation(r->checks)) {
		record_end(&r->writer, r->path, -ECANCELED);
		begin(r);
		return r->writing;
	}
	more = record_more(&r->writer, r->checks, CHECKS_PER_TURN);
	if (more <= 0)
		end(r, record_end(&r->writer, r->path, more));
	return more > 0;
}

static void
on_turn(uv_idle_t *turns)
{
	go_on(CONTAINER_OF(turns, struct recorder, turns));
}

static int64_t
soon(const struct recorder *r)
{
	return (int64_t)checks_count(r->checks) * SOON_US_PER_CHECK;
}

static void
on_due(struct loop_timer *t, mono_t now)
{
	struct recorder *r = CONTAINER_OF(t, struct recorder, due);

	if (r->writing) { /* what has changed may have been passed already */
		loop_timer_at(t, mono_add(now, MAX(soon(r), USEC_PER_MSEC)));
		return;
	}
	begin(r);
	if (r->writing)
		uv_idle_start(&r->turns, on_turn);
}

void
recorder_note(struct recorder *r, bool matters)
{
	int64_t n = (int64_t)checks_count(r->checks);
	mono_t at = mono_add(loop_now(), matters ? soon(r) : MAX(WRITE_US, n * WRITE_US_PER_CHECK));

	if (mono_before(at, r->due.deadline))
		loop_timer_at(&r->due, at);
}

/* ---- life ---- */

struct recorder *
recorder_new(uv_loop_t *loop, const char *path, const struct checks *checks,
    void (*on_written)(void *aux), void *aux)
{
	struct recorder *r = xcalloc(1, sizeof(*r));

	r->path = xstrdup(path);
	r->checks = checks;
	r->on_written = on_written;
	r->aux = aux;
	loop_timer_init(loop, &r->due, on_due);
	uv_idle_init(loop, &r->turns);
	uv_unref((uv_handle_t *)&r->turns);
	r->open_handles = 2;
	return r;
}

static void
handle_closed(struct recorder *r)
{
	if (--r->open_handles > 0)
		return;
	free(r->path);
	free(r);
}

static void
on_timer_closed(struct loop_timer *t)
{
	handle_closed(CONTAINER_OF(t, struct recorder, due));
}

static void
on_idle_closed(uv_handle_t *h)
{
	handle_closed(CONTAINER_OF((uv_idle_t *)h, struct recorder, turns));
}

void
recorder_finish(struct recorder *r)
{
	if (r->writing) /* from the beginning: of what it has there may be newer */
		record_end(&r->writer, r->path, -ECANCELED);
	begin(r);
	while (r->writing && go_on(r))
		;
	loop_timer_close(&r->due, on_timer_closed);
	uv_close((uv_handle_t *)&r->turns, on_idle_closed);
}
