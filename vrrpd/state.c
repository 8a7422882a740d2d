/*
 * state.c - see state.h.
 */
#include "vrrpd/state.h"

#include "common/log.h"
#include "vrrpd/adopt.h"
#include "vrrpd/beats.h"
#include "vrrpd/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define STATE_MODE   0600
#define SPACING_US   (20 * USEC_PER_MSEC) /* a thousand instances change one after another */

struct state {
	struct vrrpd *vrrpd;
	char *path;
	struct beats *beats;
	struct record last; /* of the process before; its adoptions are carried on */
	bool has_last;
	char boot_id[sizeof(((struct record *)0)->boot_id)];
	struct loop_timer soon;
	mono_t written, written_monotonic; /* both clocks at the last writing */
	mono_t looked;			   /* at them, by state_live */
	struct log_limit limit;
};

static void
on_soon(struct loop_timer *t, mono_t now)
{
	(void)now;
	state_write(CONTAINER_OF(t, struct state, soon), false);
}

static void
read_boot_id(struct state *s)
{
	int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, s->boot_id, sizeof(s->boot_id) - 1);
	close(fd);
	s->boot_id[n > 0 ? n : 0] = '\0';
}

static void
read_last(struct state *s)
{
	char *text;
	size_t size;
	int r = daemon_read_file(s->path, RECORD_SIZE_MAX, &text, &size);

	if (r == -ENOENT)
		return; /* the first start */
	if (r == 0) {
		r = record_decode(text, size, &s->last);
		free(text);
	}
	s->has_last = r == 0;
	if (r != 0)
		log_warn("%s: %s: starting without it", s->path,
		    r == -EBADMSG ? "damaged" : strerror(-r));
}

/* What was written down at the last change of a role is older than the last advert. */
static void
read_beats(struct state *s)
{
	char *path = daemon_run_path(s->vrrpd->daemon, "beats");

	s->beats = beats_new(path);
	free(path);
	for (size_t i = 0; s->has_last && i < s->last.n_instances; i++) {
		struct record_instance *in = &s->last.instances[i];

		if (in->role == VRRP_MASTER)
			in->advert_at = mono_max(in->advert_at,
			    beats_last(s->beats, in->family, in->vrid, in->interface));
	}
}

struct state *
state_new(struct vrrpd *v)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->vrrpd = v;
	s->path = daemon_run_path(v->daemon, "state");
	loop_timer_init(v->daemon->loop, &s->soon, on_soon);
	read_boot_id(s);
	read_last(s);
	read_beats(s);
	return s;
}

struct record *
state_last(struct state *s)
{
	return s->has_last ? &s->last : NULL;
}

const char *
state_boot_id(const struct state *s)
{
	return s->boot_id;
}

void
state_changed(struct state *s)
{
	if (mono_is_never(s->soon.deadline))
		loop_timer_at(&s->soon, mono_max(loop_now(), mono_add(s->written, SPACING_US)));
}

static mono_t
monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){ ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000 };
}

void
state_live(struct state *s, mono_t now)
{
	const struct record written = { .stamp = s->written, .monotonic = s->written_monotonic };

	if (mono_until(s->looked, now) < USEC_PER_SEC)
		return;
	s->looked = now;
	if (adopt_slept(&written, &(struct adopt_clock){ now, monotonic() }))
		state_changed(s);
}

static void
describe(const struct instance *in, struct record_instance *ret)
{
	const struct vrrp_release *release = in->state.role == VRRP_INIT ? &in->left
									 : &in->state.release;

	ret->family = in->conf->family;
	ret->vrid = in->conf->vrid;
	ret->role = in->state.role;
	ret->priority = in->state.priority;
	strncpy(ret->interface, in->conf->interface, sizeof(ret->interface) - 1);
	if (in->state.role == VRRP_MASTER)
		ret->advert_at = in->advert_at;
	ret->released = release->on && release->force;
	ret->released_until = release->until;
	trackers_record(&in->trackers, ret);
}

static struct record
record_of(const struct state *s, bool handover)
{
	struct record rec = { .stamp = loop_now(), .handover = handover };
	const struct instance *in;

	rec.monotonic = monotonic();
	memcpy(rec.boot_id, s->boot_id, sizeof(rec.boot_id));
	memcpy(rec.adoptions, s->last.adoptions, sizeof(rec.adoptions));
	rec.n_adoptions = s->last.n_adoptions;
	TAILQ_FOREACH (in, &s->vrrpd->instances, entry)
		rec.n_instances++;
	rec.instances = xcalloc(MAX(rec.n_instances, 1), sizeof(*rec.instances));
	rec.n_instances = 0;
	TAILQ_FOREACH (in, &s->vrrpd->instances, entry)
		describe(in, &rec.instances[rec.n_instances++]);
	return rec;
}

void
state_beat(struct state *s, const struct instance *in, mono_t now)
{
	beats_write(s->beats, in->beat, now);
}

void
state_flush_beats(struct state *s)
{
	beats_flush(s->beats);
}

uint32_t
state_beat_take(struct state *s, const struct vrrp_conf *conf)
{
	return beats_take(s->beats, conf->family, conf->vrid, conf->interface);
}

void
state_beat_give_back(struct state *s, uint32_t beat)
{
	beats_give_back(s->beats, beat);
}

void
state_write(struct state *s, bool handover)
{
	struct record rec = record_of(s, handover);
	struct text text = { 0 };
	int r;

	s->written = rec.stamp;
	s->written_monotonic = rec.monotonic;
	record_encode(&rec, &text);
	r = daemon_write_file(s->path, text_str(&text), text.length, STATE_MODE);
	if (r != 0)
		log_limited(
		    &s->limit, rec.stamp, LOG_ERR, "cannot write %s: %s", s->path, strerror(-r));
	text_done(&text);
	record_done(&rec);
}
