/*
 * main.c - checkd: runs the checks, owns every verdict (design.md).
 * Holds no capability; scripts are run by trivet-runner.
 */
#include "checkd/checks.h"
#include "checkd/control.h"
#include "checkd/diag.h"
#include "checkd/fetch.h"
#include "checkd/poller.h"
#include "checkd/procs.h"
#include "checkd/record.h"
#include "checkd/recorder.h"
#include "common/daemon.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* For so long a start waits for proxyd to ask again for what it had us watch. */
#define REST_US (60 * USEC_PER_SEC)

struct checkd {
	struct daemon *daemon;
	struct probe_env env;
	struct control *control;
	struct checks *checks;
	struct recorder *recorder; /* NULL: still starting */
	struct record *rest;	   /* of the process before, about checks that are not back yet */
	mono_t started;
};

static void
show_status(const struct checkd *c)
{
	size_t down = 0, n = checks_count(c->checks);
	char line[96];

	for (size_t i = 0; i < n; i++)
		if (target_status(checks_at(c->checks, i))->state == CHECK_DOWN)
			down++;
	snprintf(line, sizeof(line), "%zu checks, %zu down", n, down);
	daemon_status(c->daemon, line);
}

static void
on_written(void *aux)
{
	struct checkd *c = aux;

	if (mono_until(c->started, loop_now()) >= REST_US) {
		record_free(c->rest);
		c->rest = NULL;
	}
	show_status(c);
}

static void
on_change(void *aux, const char *name, bool matters)
{
	struct checkd *c = aux;

	control_changed(c->control, name);
	if (c->recorder != NULL)
		recorder_note(c->recorder, matters);
}

static void
on_made(void *aux, struct target *t)
{
	struct checkd *c = aux;

	record_take(c->rest, t, loop_now());
}

/* A descriptor for each run that is on, and for each process that is held. */
static void
raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("RLIMIT_NOFILE: %s", strerror(errno));
}

static int
start(struct daemon *d)
{
	struct checkd *c = xcalloc(1, sizeof(*c));
	const struct checks_events events = {
		.on_change = on_change, .on_made = on_made, .aux = c
	};
	char *path;
	size_t n;
	int err;

	c->daemon = d;
	d->aux = c;
	raise_nofile();
	err = control_start(d, &c->control);
	if (err < 0)
		return err;
	c->env.loop = d->loop;
	c->env.runner = runner_client_new(d->loop, d->options.run_dir);
	c->env.diag = diag_new();
	c->env.procs = procs_new();
	c->env.poller = poller_new(d->loop);
	if (c->env.poller == NULL) {
		log_err("epoll: %s", strerror(errno));
		return -errno;
	}
	turn_init(&c->env.turn, d->loop);
	c->checks = checks_new(&c->env, d->conf, &events);
	c->started = loop_now();
	path = daemon_run_path(d, "state");
	n = record_read(path, c->checks, c->started, &c->rest);
	c->recorder = recorder_new(d->loop, path, c->checks, on_written, c);
	free(path);
	control_show(c->control, c->checks);
	log_info("%zu checks, %zu with a verdict from before", checks_count(c->checks), n);
	show_status(c);
	daemon_ready(d);
	return 0;
}

/* Every valid configuration can be gone over to. */
static int
reload(struct daemon *d, const struct conf *next, bool dry_run, struct text *why)
{
	struct checkd *c = d->aux;

	(void)why;
	if (dry_run)
		return 0;
	checks_reload(c->checks, next);
	control_reloaded(c->control);
	return 0;
}

/* Stop or restart: the same.  Who comes next takes the verdicts up if they are still young. */
static void
stop(struct daemon *d, enum daemon_stop how)
{
	struct checkd *c = d->aux;

	(void)how;
	recorder_finish(c->recorder);
	control_free(c->control);
	checks_free(c->checks);
	record_free(c->rest);
	runner_client_free(c->env.runner);
	diag_free(c->env.diag);
	procs_free(c->env.procs);
	turn_done(&c->env.turn);
	poller_free(c->env.poller);
	fetch_module_free(c->env.fetch);
	daemon_exit(d, EXIT_OK);
}

int
main(int argc, char **argv)
{
	static const struct daemon_class class = {
		.name = "checkd",
		.user = "_trivet-checkd",
		.parts = CONF_CHECK,
		.keep_caps = 0,
		.wants_runner = true,
		.start = start,
		.reload = reload,
		.stop = stop,
	};

	return daemon_main(&class, argc, argv);
}
