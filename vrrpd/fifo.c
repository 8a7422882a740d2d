/*
 * fifo.c - see fifo.h.
 */
#include "vrrpd/fifo.h"

#include "common/event.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "vrrpd/owed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_US   USEC_PER_SEC		      /* a FIFO that is not there, a reader that ended */
#define READING_US (24 * 3600 * USEC_PER_SEC) /* the runner's longest; then it is started again */

struct fifo {
	TAILQ_ENTRY(fifo) entry;
	struct fifo_set *set;
	char *path;
	int fd;		 /* -1: cannot be opened yet */
	uv_poll_t *poll; /* waits for room; NULL: not needed */
	struct owed owed;
	uint64_t written;
	bool wanted;
	size_t script; /* that reads it; SIZE_MAX: none */
	char *command; /* ... as words; NULL: not started */
	uint64_t running;
	mono_t again; /* when to try what did not work */
	struct log_limit limit;
};

struct fifo_set {
	uv_loop_t *loop;
	const struct conf *conf;
	struct runner_client *runner;
	bool learning; /* it has not answered yet */
	char digest[17];
	struct loop_timer timer;
	TAILQ_HEAD(, fifo) fifos;
};

static void open_and_write(struct fifo *);

/* ---- writing ---- */

static void
on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
stop_waiting(struct fifo *f)
{
	if (f->poll == NULL)
		return;
	uv_close((uv_handle_t *)f->poll, on_poll_closed);
	f->poll = NULL;
}

static void
close_fifo(struct fifo *f)
{
	stop_waiting(f);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void
retry_later(struct fifo *f)
{
	f->again = mono_add(loop_now(), RETRY_US);
	loop_timer_at(&f->set->timer, mono_min(f->set->timer.deadline, f->again));
}

static void
on_room(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	open_and_write(poll->data);
}

static void
wait_for_room(struct fifo *f)
{
	if (f->poll != NULL)
		return;
	log_limited(&f->limit, loop_now(), LOG_WARNING,
	    "FIFO %s is full: nobody reads it; the last line of each instance waits", f->path);
	f->poll = xcalloc(1, sizeof(*f->poll));
	f->poll->data = f;
	if (uv_poll_init(f->set->loop, f->poll, f->fd) != 0) {
		free(f->poll);
		f->poll = NULL;
		retry_later(f);
		return;
	}
	uv_poll_start(f->poll, UV_WRITABLE, on_room);
}

/* As much as it takes.  A line of up to PIPE_BUF bytes goes in whole or not at all (pipe(7)). */
static void
write_owed(struct fifo *f)
{
	const char *line;

	while ((line = owed_next(&f->owed)) != NULL) {
		ssize_t n = write(f->fd, line, strlen(line));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_for_room(f);
			return;
		}
		if (n < 0) {
			log_limited(&f->limit, loop_now(), LOG_WARNING, "FIFO %s: %s", f->path,
			    strerror(errno));
			close_fifo(f);
			retry_later(f);
			return;
		}
		f->written++;
		owed_paid(&f->owed);
	}
	stop_waiting(f);
}

static int
open_fifo(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		return fd;
	close(fd);
	return -ENOSTR;
}

static void
open_and_write(struct fifo *f)
{
	if (f->fd < 0 && (f->fd = open_fifo(f->path)) < 0) {
		int err = -f->fd;

		f->fd = -1;
		if (f->set->learning)
			return; /* the runner may be about to make it */
		/* In a directory of ours we can. */
		if (err == ENOENT && mkfifo(f->path, 0660) == 0) {
			open_and_write(f);
			return;
		}
		log_limited(&f->limit, loop_now(), LOG_WARNING, "cannot write to FIFO %s: %s",
		    f->path, err == ENOSTR ? "it is none" : strerror(err));
		retry_later(f);
		return;
	}
	write_owed(f);
}

static void
tell(struct fifo *f, const char *key, const char *line)
{
	owed_add(&f->owed, key, line);
	if (f->fd >= 0 && f->poll == NULL)
		open_and_write(f);
}

static struct fifo *
find(const struct fifo_set *set, const char *path)
{
	struct fifo *f;

	TAILQ_FOREACH (f, &set->fifos, entry)
		if (strcmp(f->path, path) == 0)
			return f;
	return NULL;
}

static bool
names(const struct fifo_conf *conf, const struct fifo *f)
{
	return conf->path != NULL && strcmp(conf->path, f->path) == 0;
}

void
fifo_tell(struct fifo_set *set, const struct fifo_conf *own, const struct fifo_news *news)
{
	char *line, *key;
	struct fifo *f;

	if (TAILQ_EMPTY(&set->fifos))
		return;
	line = xasprintf("%s \"%s\" %s %u\n", news->type, news->name, news->state, news->priority);
	key = xasprintf("%s %s %s", news->type, news->is_state ? "" : news->state, news->name);
	TAILQ_FOREACH (f, &set->fifos, entry) {
		bool wants = names(own, f);

		for (size_t i = 0; i < ARRAY_LEN(set->conf->fifos); i++)
			wants |= names(&set->conf->fifos[i], f);
		if (wants && strlen(line) <= PIPE_BUF)
			tell(f, key, line);
		else if (wants)
			f->owed.lost++;
	}
	free(key);
	free(line);
}

/* ---- who reads ---- */

static void start_reader(struct fifo *);

static void
on_reader_ended(void *aux, const struct runner_result *result)
{
	struct fifo *f = aux;

	f->running = 0;
	log_limited(&f->limit, loop_now(), LOG_WARNING,
	    "the script that reads FIFO %s has ended (%s %d%s%s): it is started again", f->path,
	    result->outcome == RUNNER_EXITED ? "exit" : "not in order,", result->code,
	    result->reason[0] != '\0' ? ": " : "", result->reason);
	retry_later(f);
}

static void
start_reader(struct fifo *f)
{
	const char *args[] = { f->path, NULL };

	if (f->script == SIZE_MAX || f->running != 0 || f->set->runner == NULL)
		return;
	f->running = runner_run(f->set->runner, &(struct runner_request){ .digest = f->set->digest,
						    .script = f->script,
						    .args = args,
						    .timeout_us = READING_US,
						    .on_result = on_reader_ended,
						    .aux = f });
}

/* The runner knows the configuration now, and has made what it could. */
static void
on_learnt(void *aux, const struct runner_result *result)
{
	struct fifo_set *set = aux;
	struct fifo *f;

	(void)result;
	set->learning = false;
	TAILQ_FOREACH (f, &set->fifos, entry) {
		open_and_write(f);
		start_reader(f);
	}
}

static void
on_timer(struct loop_timer *t, mono_t now)
{
	struct fifo_set *set = CONTAINER_OF(t, struct fifo_set, timer);
	struct fifo *f;

	TAILQ_FOREACH (f, &set->fifos, entry) {
		if (mono_before(now, f->again))
			continue;
		f->again = MONO_NEVER;
		open_and_write(f);
		start_reader(f);
	}
	TAILQ_FOREACH (f, &set->fifos, entry)
		if (!mono_is_never(f->again))
			loop_timer_at(&set->timer, mono_min(set->timer.deadline, f->again));
}

/* ---- configuration ---- */

struct fifo_set *
fifo_set_new(uv_loop_t *loop)
{
	struct fifo_set *set = xcalloc(1, sizeof(*set));

	set->loop = loop;
	loop_timer_init(loop, &set->timer, on_timer);
	TAILQ_INIT(&set->fifos);
	return set;
}

static void
want(struct fifo_set *set, const struct fifo_conf *conf)
{
	struct fifo *f = conf->path != NULL ? find(set, conf->path) : NULL;

	if (conf->path == NULL)
		return;
	if (f == NULL) {
		f = xcalloc(1, sizeof(*f));
		f->set = set;
		f->path = xstrdup(conf->path);
		f->fd = -1;
		f->script = SIZE_MAX;
		f->again = MONO_NEVER;
		owed_init(&f->owed);
		TAILQ_INSERT_TAIL(&set->fifos, f, entry);
	}
	f->wanted = true;
	if (f->script == SIZE_MAX)
		f->script = conf->script;
}

static void
drop(struct fifo_set *set, struct fifo *f)
{
	TAILQ_REMOVE(&set->fifos, f, entry);
	if (f->running != 0)
		runner_forget(set->runner, f->running); /* it reads the end */
	close_fifo(f);
	owed_done(&f->owed);
	free(f->command);
	free(f->path);
	free(f);
}

/* Does another script read it from now on? */
static void
note_reader(struct fifo *f, const struct conf *conf)
{
	const struct conf_script *script = f->script != SIZE_MAX ? &conf->scripts[f->script] : NULL;
	struct text command = { 0 };

	for (size_t i = 0; script != NULL && i < script->argc; i++)
		text_addf(&command, "%s%s", i > 0 ? " " : "", script->argv[i]);
	if (f->running != 0 && strcmp(f->command, text_str(&command)) != 0) {
		runner_forget(f->set->runner, f->running);
		f->running = 0;
	}
	free(f->command);
	f->command = text_take(&command);
}

void
fifo_set_prune(struct fifo_set *set)
{
	struct fifo *f, *next;

	for (f = TAILQ_FIRST(&set->fifos); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (!f->wanted)
			drop(set, f);
	}
}

void
fifo_set_apply(struct fifo_set *set, const struct conf *conf, struct runner_client *runner)
{
	struct fifo *f;

	set->conf = conf;
	set->runner = runner;
	memcpy(set->digest, conf->digest, sizeof(set->digest));
	TAILQ_FOREACH (f, &set->fifos, entry) {
		f->wanted = false;
		f->script = SIZE_MAX;
	}
	for (size_t i = 0; i < ARRAY_LEN(conf->fifos); i++)
		want(set, &conf->fifos[i]);
	for (size_t i = 0; i < conf->n_instances; i++)
		want(set, &conf->instances[i].fifo);
	for (size_t i = 0; i < conf->n_groups; i++)
		want(set, &conf->groups[i].fifo);
	if (TAILQ_EMPTY(&set->fifos) || runner == NULL)
		return;
	set->learning = true;
	TAILQ_FOREACH (f, &set->fifos, entry) {
		note_reader(f, conf);
		open_and_write(f);
	}
	runner_run(runner, &(struct runner_request){ .digest = set->digest,
			       .script = RUNNER_LEARN,
			       .timeout_us = 10 * USEC_PER_SEC,
			       .again = true,
			       .on_result = on_learnt,
			       .aux = set });
}

void
fifo_set_finish(struct fifo_set *set)
{
	struct fifo *f;

	TAILQ_FOREACH (f, &set->fifos, entry) {
		open_and_write(f);
		if (f->owed.n > 0)
			log_warn("FIFO %s: %zu lines are not written: nobody reads it", f->path,
			    f->owed.n);
	}
	loop_timer_stop(&set->timer);
}

void
fifo_each(const struct fifo_set *set,
    void (*found)(void *aux, const char *path, uint64_t written, uint64_t lost), void *aux)
{
	const struct fifo *f;

	TAILQ_FOREACH (f, &set->fifos, entry)
		found(aux, f->path, f->written, f->owed.lost);
}
