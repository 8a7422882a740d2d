/*
 * probe_process.c - enough processes of a name run.
 *
 * Those found are held by pidfds, whose becoming readable is the exit: it is
 * noticed at once.  Whether another process has taken its place is then seen in
 * the table of processes (procs.h), which every run keeps young, so that only
 * who came since has to be read; while there are too few, the runs look again
 * at everybody.
 */
#include "checkd/probe.h"
#include "checkd/procs.h"
#include "common/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HELD_BESIDE 15	/* processes held beyond the quorum, so that one exit needs no scan */
#define HELD_MAX    256 /* descriptors one check may take */

struct held {
	LIST_ENTRY(held) entry;
	struct process_probe *owner;
	pid_t pid;
	int fd;
	uv_poll_t poll;
};

struct process_probe {
	struct probe probe;
	LIST_HEAD(, held) held;
	unsigned n_held;
	unsigned n_found;  /* by the look that is on */
	bool lost;	   /* the run is about an exit, which cannot wait */
	bool looked, good; /* what the last run said, if there was one */
	mono_t turned;	   /* since when it is otherwise; MONO_NEVER: it is not */
};

static struct process_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct process_probe, probe);
}

/* ---- holding ---- */

static void
on_held_closed(uv_handle_t *h)
{
	struct held *held = CONTAINER_OF((uv_poll_t *)h, struct held, poll);

	close(held->fd);
	free(held);
}

static void
let_go(struct held *held)
{
	LIST_REMOVE(held, entry);
	held->owner->n_held--;
	uv_close((uv_handle_t *)&held->poll, on_held_closed);
}

static void
on_exited(uv_poll_t *poll, int status, int events)
{
	struct held *held = CONTAINER_OF(poll, struct held, poll);
	struct process_probe *p = held->owner;

	(void)status;
	(void)events;
	let_go(held);
	p->lost = true;
	p->probe.events.on_wake(p->probe.events.aux);
}

static bool
is_held(const struct process_probe *p, pid_t pid)
{
	const struct held *held;

	LIST_FOREACH (held, &p->held, entry)
		if (held->pid == pid)
			return true;
	return false;
}

static bool
wants(const struct proc *proc, const void *conf)
{
	return proc_matches(proc, conf);
}

static bool
is_wanted(const struct process_probe *p, pid_t pid)
{
	return procs_is(pid, wants, &p->probe.conf->process);
}

/* False: it is gone, or another one.  Without a descriptor it counts, and is not held. */
static bool
hold(struct process_probe *p, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct held *held;

	if (fd < 0)
		return errno != ESRCH && is_wanted(p, pid);
	/* The number may have passed to another process before the pidfd held it. */
	if (!is_wanted(p, pid)) {
		close(fd);
		return false;
	}
	held = xcalloc(1, sizeof(*held));
	held->owner = p;
	held->pid = pid;
	held->fd = fd;
	LIST_INSERT_HEAD(&p->held, held, entry);
	p->n_held++;
	uv_poll_init(p->probe.env->loop, &held->poll, fd);
	uv_poll_start(&held->poll, UV_READABLE, on_exited);
	return true;
}

/* ---- looking ---- */

/* A process may take another name (execve) without ending. */
static void
check_held(struct process_probe *p)
{
	struct held *held, *next;

	for (held = LIST_FIRST(&p->held); held != NULL; held = next) {
		next = LIST_NEXT(held, entry);
		if (!is_wanted(p, held->pid))
			let_go(held);
	}
}

static void
on_found(void *aux, pid_t pid)
{
	struct process_probe *p = aux;

	if (is_held(p, pid)) {
		p->n_found++;
	} else if (p->n_held < MIN(p->probe.conf->process.quorum + HELD_BESIDE, HELD_MAX)) {
		p->n_found += hold(p, pid);
	} else {
		p->n_found += is_wanted(p, pid);
	}
}

/* How many run; not counted exactly once they are enough, unless they may be too many. */
static int
count(struct process_probe *p, unsigned *ret)
{
	const struct process_conf *conf = &p->probe.conf->process;
	struct procs *procs = p->probe.env->procs;
	bool lost = p->lost;
	int err;

	p->lost = false;
	check_held(p);
	*ret = p->n_held;
	if (conf->quorum_max == UINT_MAX && p->n_held >= conf->quorum) {
		procs_look(procs, PROCS_KEEP, loop_now());
		return 0; /* they were read themselves */
	}
	err = procs_look(procs, lost ? PROCS_NEW : PROCS_ALL, loop_now());
	p->n_found = 0;
	procs_each(procs, wants, conf, on_found, p);
	*ret = p->n_found;
	return err;
}

static void
describe(const struct process_conf *conf, unsigned n, char *buf, size_t size)
{
	if (n > conf->quorum_max)
		snprintf(buf, size, "%u processes named %s, %u at most", n, conf->name,
		    conf->quorum_max);
	else if (n == 0)
		snprintf(buf, size, "no process named %s", conf->name);
	else
		snprintf(buf, size, "%u of %u processes named %s", n, conf->quorum, conf->name);
}

/*
 * Enough and not too many, as it counts: what the first look found, and later
 * what has been so for its delay.
 */
static bool
counts_as_good(struct process_probe *p, bool good, mono_t now)
{
	const struct process_conf *conf = &p->probe.conf->process;

	if (!p->looked || good == p->good) {
		p->looked = true;
		p->good = good;
		p->turned = MONO_NEVER;
		return good;
	}
	if (mono_is_never(p->turned))
		p->turned = now;
	if (mono_until(p->turned, now) >= (good ? conf->fork_us : conf->terminate_us)) {
		p->good = good;
		p->turned = MONO_NEVER;
	}
	return p->good;
}

static void
start(struct probe *probe)
{
	struct process_probe *p = of(probe);
	const struct process_conf *conf = &probe->conf->process;
	struct probe_result result = { .reason = REASON_OK, .detail = "" };
	char buf[PROBE_DETAIL_MAX] = "";
	mono_t began = loop_now();
	unsigned n = 0;
	int err = count(p, &n);
	bool good = n >= conf->quorum && n <= conf->quorum_max;

	result.detail = buf;
	if (err < 0) {
		result.reason = REASON_SYSTEM;
		snprintf(buf, sizeof(buf), "/proc: %s", strerror(-err));
	} else if (!counts_as_good(p, good, began)) {
		result.reason = REASON_NO_PROCESS;
		if (good)
			snprintf(buf, sizeof(buf), "enough processes named %s, but not for long",
			    conf->name);
		else
			describe(conf, n, buf, sizeof(buf));
	} else if (!good) {
		describe(conf, n, buf, sizeof(buf)); /* it may come back within its delay */
	}
	result.duration_us = mono_until(began, loop_now());
	probe->events.on_result(probe->events.aux, &result);
}

static void
init(struct probe *probe)
{
	LIST_INIT(&of(probe)->held);
	of(probe)->turned = MONO_NEVER;
}

static void
done(struct probe *probe)
{
	struct held *held;

	while ((held = LIST_FIRST(&of(probe)->held)) != NULL)
		let_go(held);
}

const struct probe_class probe_process = {
	.size = sizeof(struct process_probe),
	.init = init,
	.start = start,
	.done = done,
};
