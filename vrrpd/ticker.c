/*
 * ticker.c - see ticker.h.  timerfd_create(2).
 */
#include "vrrpd/ticker.h"

#include "common/loop.h"
#include "common/text.h"
#include "common/util.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct ticker {
	struct agenda agenda;
	uv_poll_t poll;
	int fd;
	mono_t armed; /* not after the earliest deadline; MONO_NEVER: not armed */
	bool serving;
	void (*on_end)(void *aux, mono_t now);
	void *aux;
};

/* Armed too early is put right when it has fired: deadlines move away with each advert heard. */
static void
arm(struct ticker *t, mono_t at)
{
	struct itimerspec spec = { .it_value = {
				       at.us / USEC_PER_SEC, at.us % USEC_PER_SEC * 1000 } };

	if (!mono_before(at, t->armed))
		return;
	if (at.us <= 0)
		spec.it_value = (struct timespec){ 0, 1 }; /* all zero would disarm */
	t->armed = at;
	timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void
serve(struct ticker *t, mono_t now)
{
	struct agenda_item *item;
	size_t n = 0;

	/* One that is due again at once has its turn after all others. */
	for (; n < t->agenda.n_items && (item = agenda_take(&t->agenda, now)) != NULL; n++) {
		struct tick *tick = CONTAINER_OF(item, struct tick, item);

		tick->on_due(tick, now);
	}
	if (n > 0)
		t->on_end(t->aux, now);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct ticker *t = poll->data;
	uint64_t n;

	(void)status, (void)events;
	if (read(t->fd, &n, sizeof(n)) < 0)
		return; /* armed anew since */
	t->armed = MONO_NEVER;
	t->serving = true;
	serve(t, loop_now());
	t->serving = false;
	arm(t, agenda_next(&t->agenda));
}

int
ticker_new(uv_loop_t *loop, void (*on_end)(void *, mono_t), void *aux, struct ticker **ret)
{
	struct ticker *t = xcalloc(1, sizeof(*t));
	int r;

	t->on_end = on_end;
	t->aux = aux;
	t->armed = MONO_NEVER;
	t->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd < 0) {
		r = -errno;
		free(t);
		return r;
	}
	if ((r = uv_poll_init(loop, &t->poll, t->fd)) != 0) {
		close(t->fd);
		free(t);
		return r;
	}
	t->poll.data = t;
	uv_poll_start(&t->poll, UV_READABLE, on_readable);
	uv_unref((uv_handle_t *)&t->poll);
	*ret = t;
	return 0;
}

void
tick_init(struct tick *tick, struct ticker *t, void (*on_due)(struct tick *, mono_t))
{
	tick->ticker = t;
	tick->on_due = on_due;
	agenda_add(&t->agenda, &tick->item);
}

void
tick_done(struct tick *tick)
{
	agenda_remove(&tick->ticker->agenda, &tick->item);
}

void
tick_at(struct tick *tick, mono_t deadline)
{
	struct ticker *t = tick->ticker;

	agenda_set(&t->agenda, &tick->item, deadline);
	if (!t->serving)
		arm(t, deadline);
}
