/*
 * probe_file.c - the number in a file: keepalived's track_file, fail-closed.
 *
 * The file's directory is watched (inotify), because a file that is replaced by
 * rename is another file: a change, a rename, a deletion wake a run at once.
 * `echo 1 > file` empties it first, so an empty one is looked at twice.
 * What no watch tells (a directory that comes later, a symbolic link's target,
 * a network file system) is seen by the run that comes anyway.
 */
#include "checkd/number.h"
#include "checkd/probe.h"
#include "common/log.h"
#include "common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between emptying and writing: so long after the last that was heard of it, and no longer than
 * the timeout. */
#define EMPTY_US (50 * USEC_PER_MSEC)

/* Apart from the probe, because libuv closes it later. */
struct watch {
	uv_fs_event_t uv;
	struct loop_timer again; /* armed while a run waits for an empty file */
	struct probe *probe;
	dev_t dev;
	ino_t ino; /* 0: nothing is watched now */
	unsigned open_handles;
};

struct file_probe {
	struct probe probe;
	struct watch *watch;
	char *directory;
	const char *name; /* in it */
	mono_t began;
};

static struct file_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct file_probe, probe);
}

static void look(struct probe *, bool last);

/* ---- the watch ---- */

static bool
is_waiting(const struct file_probe *f)
{
	return !mono_is_never(f->watch->again.deadline);
}

static void
on_directory(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct watch *w = CONTAINER_OF(uv, struct watch, uv);
	struct probe *p = w->probe;

	(void)events;
	if (status < 0 || (name != NULL && strcmp(name, of(p)->name) != 0))
		return;
	if (is_waiting(of(p)))
		look(p, false);
	else
		p->events.on_wake(p->events.aux);
}

/* The directory that has the path now, which may be another one than before. */
static void
watch_renew(struct file_probe *f)
{
	struct watch *w = f->watch;
	struct stat st;
	bool there = stat(f->directory, &st) == 0;

	if (there && w->ino == st.st_ino && w->dev == st.st_dev)
		return;
	uv_fs_event_stop(&w->uv);
	w->ino = 0;
	if (!there || uv_fs_event_start(&w->uv, on_directory, f->directory, 0) < 0)
		return; /* the runs go on without it */
	w->dev = st.st_dev;
	w->ino = st.st_ino;
}

/* ---- looking ---- */

/* What is wrong, or NULL.  A FIFO or a device would hold us up; *ret_failed: the kernel's words. */
static const char *
read_number(int fd, int32_t *ret_value, bool *ret_failed)
{
	char buf[NUMBER_BYTES_MAX + 32];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return "is not a regular file";
	n = read(fd, buf, sizeof(buf));
	*ret_failed = n < 0;
	return n < 0 ? strerror(errno) : number_parse(buf, (size_t)n, ret_value);
}

/* Not the 'last' look: an empty file gets one more. */
static void
look(struct probe *p, bool last)
{
	struct file_probe *f = of(p);
	const struct check_conf *conf = p->conf;
	char detail[PROBE_DETAIL_MAX];
	struct probe_result result = { .reason = REASON_FILE, .detail = detail };
	const char *wrong;
	bool failed;
	int fd;

	fd = open(conf->file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	failed = fd < 0;
	wrong = failed ? strerror(errno) : read_number(fd, &result.value, &failed);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		result.reason = REASON_SYSTEM;
	if (fd >= 0)
		close(fd);
	if (wrong == number_empty && !last) {
		loop_timer_at(&f->watch->again,
		    mono_min(mono_add(loop_now(), EMPTY_US), mono_add(f->began, conf->timeout_us)));
		return;
	}
	loop_timer_stop(&f->watch->again);
	if (wrong != NULL) {
		snprintf(
		    detail, sizeof(detail), "%.400s%s %s", conf->file, failed ? ":" : "", wrong);
	} else {
		result.has_value = true;
		/* With a weight the number is no failure, it is multiplied. */
		result.reason = result.value == 0 || conf->weight != 0 ? REASON_OK : REASON_VALUE;
		snprintf(detail, sizeof(detail), "value %d", result.value);
	}
	result.duration_us = mono_until(f->began, loop_now());
	p->events.on_result(p->events.aux, &result);
}

static void
on_again(struct loop_timer *t, mono_t now)
{
	(void)now;
	look(CONTAINER_OF(t, struct watch, again)->probe, true);
}

static void
start(struct probe *p)
{
	of(p)->began = loop_now();
	watch_renew(of(p)); /* first: what happens between it and the reading is told */
	look(p, false);
}

/* ---- life ---- */

/* init_file: keepalived does it as root, we as who we are. */
static void
write_first(const struct check_conf *conf)
{
	int flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	char text[16];
	int fd, n;

	fd = open(conf->file, flags | (conf->init_overwrite ? O_TRUNC : O_EXCL), 0644);
	if (fd < 0) {
		if (errno != EEXIST || conf->init_overwrite)
			log_warn(
			    "check %s: init_file: %s: %s", conf->name, conf->file, strerror(errno));
		return;
	}
	n = snprintf(text, sizeof(text), "%d\n", conf->init_value);
	if (write(fd, text, (size_t)n) != n)
		log_warn("check %s: init_file: %s: %s", conf->name, conf->file, strerror(errno));
	close(fd);
}

static void
init(struct probe *p)
{
	struct file_probe *f = of(p);
	const char *path = p->conf->file, *slash = strrchr(path, '/');

	f->directory = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
	f->name = slash + 1;
	f->watch = xcalloc(1, sizeof(*f->watch));
	f->watch->probe = p;
	uv_fs_event_init(p->env->loop, &f->watch->uv);
	uv_unref((uv_handle_t *)&f->watch->uv);
	loop_timer_init(p->env->loop, &f->watch->again, on_again);
	f->watch->open_handles = 2;
	if (p->conf->init_file)
		write_first(p->conf);
}

/* The path is the same, in another place of memory. */
static void
rebind(struct probe *p)
{
	of(p)->name = strrchr(p->conf->file, '/') + 1;
}

static void
handle_closed(struct watch *w)
{
	if (--w->open_handles == 0)
		free(w);
}

static void
on_watch_closed(uv_handle_t *h)
{
	handle_closed(CONTAINER_OF((uv_fs_event_t *)h, struct watch, uv));
}

static void
on_timer_closed(struct loop_timer *t)
{
	handle_closed(CONTAINER_OF(t, struct watch, again));
}

static void
done(struct probe *p)
{
	free(of(p)->directory);
	uv_close((uv_handle_t *)&of(p)->watch->uv, on_watch_closed);
	loop_timer_close(&of(p)->watch->again, on_timer_closed);
}

const struct probe_class probe_file = {
	.size = sizeof(struct file_probe),
	.init = init,
	.start = start,
	.rebind = rebind,
	.done = done,
};
