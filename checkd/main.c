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
#include "common/daemon.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Counters of runs are written down this often, a state or an operator's word as good as at once;
 * ten thousand checks must not be written every second. */
#define WRITE_US	   USEC_PER_SEC
#define WRITE_US_PER_CHECK (10 * USEC_PER_MSEC)
#define SOON_US_PER_CHECK  50

/* For so long a start waits for proxyd to ask again for what it had us watch. */
#define REST_US		   (60 * USEC_PER_SEC)

struct checkd {
	struct daemon *daemon;
	struct probe_env env;
	struct control *control;
	struct checks *checks;
	char *state_path;
	struct loop_timer write;
	bool write_failed;
	struct record *rest; /* of the process before, about checks that are not back yet */
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
write_state(struct checkd *c)
{
	int err = record_write(c->state_path, c->checks);

	if (err < 0 && !c->write_failed)
		log_warn("%s: %s: a restart will begin without what is known now", c->state_path,
		    strerror(-err));
	c->write_failed = err < 0;
}

static void
on_write_due(struct loop_timer *t, mono_t now)
{
	struct checkd *c = CONTAINER_OF(t, struct checkd, write);

	if (mono_until(c->started, now) >= REST_US) {
		record_free(c->rest);
		c->rest = NULL;
	}
	write_state(c);
	show_status(c);
}

/* Several changes of one moment are one writing. */
static void
on_change(void *aux, const char *name, bool matters)
{
	struct checkd *c = aux;
	int64_t n;
	mono_t at;

	control_changed(c->control, name);
	if (c->checks == NULL)
		return;
	n = (int64_t)checks_count(c->checks);
	at = mono_add(
	    loop_now(), matters ? n * SOON_US_PER_CHECK : MAX(WRITE_US, n * WRITE_US_PER_CHECK));
	if (mono_before(at, c->write.deadline))
		loop_timer_at(&c->write, at);
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
	c->state_path = daemon_run_path(d, "state");
	loop_timer_init(d->loop, &c->write, on_write_due);
	c->checks = checks_new(&c->env, d->conf, &events);
	c->started = loop_now();
	n = record_read(c->state_path, c->checks, c->started, &c->rest);
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
	loop_timer_stop(&c->write);
	write_state(c);
	control_free(c->control);
	checks_free(c->checks);
	record_free(c->rest);
	runner_client_free(c->env.runner);
	diag_free(c->env.diag);
	procs_free(c->env.procs);
	turn_done(&c->env.turn);
	poller_free(c->env.poller);
	fetch_module_free(c->env.fetch);
	free(c->state_path);
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
