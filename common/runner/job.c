/*
 * job.c - see job.h.
 */
#include "common/runner/job.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/runner/host.h"
#include "common/runner/run.h"
#include "common/runner/secure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define STOP_PATIENCE_US INT64_C(5000000) /* what notify scripts may still take when we stop */
#define NOTIFY_WAITING	 16 /* notify scripts of one number that wait for their turn */
#define CHECK_WAITING	 1

struct job {
	TAILQ_ENTRY(job) entry;
	struct jobs *jobs;
	void *asker; /* NULL: it has gone */
	uint64_t id;
	int64_t timeout_us;
	char *owner; /* conf_script.owner */
	char **argv, **env;
	bool is_notify, is_reader;
	struct cred cred;
	struct run *run; /* NULL: waits for its turn */
};

struct jobs {
	uv_loop_t *loop;
	struct jobs_events events;
	TAILQ_HEAD(, job) list;
	bool stopping;
	struct loop_timer idle, patience;
};

/* ---- one job ---- */

static char **
copy_words(const char *const *words, size_t n, size_t room)
{
	char **copy = xcalloc(n + room + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(words[i]);
	return copy;
}

static void
free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

static void
job_free(struct job *job)
{
	free(job->owner);
	free_words(job->argv);
	free_words(job->env);
	free(job);
}

static bool
same_words(char *const *a, char *const *b)
{
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == NULL && *b == NULL;
}

/* The same script over a reload too, where its number may be another one.  State words of a
 * notify script differ from run to run; its owner does not. */
static bool
same_script(const struct job *a, const struct job *b)
{
	return strcmp(a->owner, b->owner) == 0 && (a->is_notify || same_words(a->argv, b->argv));
}

static void
refuse(const struct job *job, const char *reason)
{
	const struct runner_answer a = { .id = job->id,
		.outcome = RUNNER_NOT_RUN,
		.reason = reason,
		.output = "",
		.last_line = "" };

	if (job->asker != NULL)
		job->jobs->events.on_answer(job->jobs->events.aux, job->asker, &a);
}

static void
check_idle(struct jobs *jobs)
{
	if (jobs->stopping && TAILQ_EMPTY(&jobs->list))
		loop_timer_at(&jobs->idle, loop_now());
}

/* ---- from start to end ---- */

static bool job_start(struct job *);

static void
on_answer(void *aux, const struct runner_answer *answer)
{
	struct job *job = aux;
	struct runner_answer a = *answer;

	a.id = job->id;
	log_debug("%s: %s %d after %.3f s%s%s", job->owner,
	    a.outcome == RUNNER_EXITED	   ? "exit"
	    : a.outcome == RUNNER_SIGNALED ? "signal"
	    : a.outcome == RUNNER_TIMEOUT  ? "timeout"
					   : "not run",
	    a.code, (double)a.duration_us / 1e6, a.reason[0] != '\0' ? ": " : "", a.reason);
	if (job->asker != NULL)
		job->jobs->events.on_answer(job->jobs->events.aux, job->asker, &a);
}

/* The next one that waits for the same script; NULL: none. */
static struct job *
waiting_for(const struct job *done)
{
	struct job *job;

	TAILQ_FOREACH (job, &done->jobs->list, entry)
		if (job->run == NULL && same_script(job, done))
			return job;
	return NULL;
}

static void
on_gone(void *aux)
{
	struct job *job = aux, *next;
	struct jobs *jobs = job->jobs;

	TAILQ_REMOVE(&jobs->list, job, entry);
	while ((next = waiting_for(job)) != NULL) {
		TAILQ_REMOVE(&jobs->list, next, entry);
		if (job_start(next))
			break;
	}
	job_free(job);
	check_idle(jobs);
}

/* What the kernel would say only after the fork, and what it would not say at all. */
static bool
check_path(const struct job *job, bool *ret_only_roots, struct text *why)
{
	const struct secure_host host = secure_host_real();
	bool as_root = geteuid() == 0 && job->cred.uid == 0;

	*ret_only_roots = secure_check(&host, job->argv[0], true, why) == 0;
	if (*ret_only_roots || as_root)
		return *ret_only_roots;
	text_done(why);
	return secure_check(&host, job->argv[0], false, why) == 0;
}

/* Takes the job, which is in no list.  False: it could not be started, that is answered. */
static bool
job_start(struct job *job)
{
	struct run_order order = {
		.argv = job->argv,
		.env = job->env,
		.cred = &job->cred,
		.timeout_us = job->timeout_us,
		.end_group = !job->is_notify || job->is_reader,
		.on_answer = on_answer,
		.on_gone = on_gone,
		.aux = job,
	};
	struct text why = { 0 };
	bool started = check_path(job, &order.only_roots, &why) &&
		       run_start(job->jobs->loop, &order, &job->run, &why) == 0;

	if (started) {
		TAILQ_INSERT_TAIL(&job->jobs->list, job, entry);
	} else {
		refuse(job, text_str(&why));
		job_free(job);
	}
	text_done(&why);
	return started;
}

/* Takes the job, which is in no list. */
static void
start_or_wait(struct job *job)
{
	unsigned before = 0;
	struct job *other;

	TAILQ_FOREACH (other, &job->jobs->list, entry) {
		if (!same_script(other, job))
			continue;
		before++;
		/* Who reads a FIFO is followed by the next: after a restart, or by another script.
		 */
		if (other->is_reader && other->run != NULL)
			run_end(other->run);
	}
	if (before == 0) {
		job_start(job);
	} else if (before > (job->is_notify ? NOTIFY_WAITING : CHECK_WAITING)) {
		refuse(job, "its run before has not ended yet");
		job_free(job);
	} else {
		TAILQ_INSERT_TAIL(&job->jobs->list, job, entry);
	}
}

/* A clean environment: nothing of ours, only what a script may count on. */
static char **
make_env(const struct cred *cred, const struct runner_ask *ask)
{
	static const char *const fixed[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"SHELL=/bin/sh",
		"LANG=C.UTF-8",
	};
	const size_t n = ARRAY_LEN(fixed);
	char **env = copy_words(fixed, n, 3 + ask->n_env);

	env[n] = xasprintf("HOME=%s", cred->home);
	env[n + 1] = xasprintf("USER=%s", cred->name);
	env[n + 2] = xasprintf("LOGNAME=%s", cred->name);
	for (size_t i = 0; i < ask->n_env; i++)
		env[n + 3 + i] = xstrdup(ask->env[i]);
	return env;
}

void
jobs_take(
    struct jobs *jobs, void *asker, const struct runner_ask *ask, const struct conf_script *script)
{
	struct job *job = xcalloc(1, sizeof(*job));
	struct text why = { 0 };

	job->jobs = jobs;
	job->asker = asker;
	job->id = ask->id;
	job->timeout_us = ask->timeout_us;
	if (cred_lookup(script, &job->cred, &why) < 0) {
		refuse(job, text_str(&why));
		text_done(&why);
		free(job);
		return;
	}
	job->owner = xstrdup(script->owner);
	job->is_notify = script->is_notify;
	job->is_reader = script->is_reader;
	job->argv = copy_words((const char *const *)script->argv, script->argc, ask->n_args);
	for (size_t i = 0; i < ask->n_args; i++)
		job->argv[script->argc + i] = xstrdup(ask->args[i]);
	job->env = make_env(&job->cred, ask);
	start_or_wait(job);
}

/* What runs is told to end; what waits for its turn is dropped, nobody listens for it. */
static void
end(struct job *job)
{
	if (job->run != NULL) {
		run_end(job->run);
		return;
	}
	TAILQ_REMOVE(&job->jobs->list, job, entry);
	job_free(job);
}

void
jobs_disown(struct jobs *jobs, const void *asker)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&jobs->list); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->asker != asker)
			continue;
		job->asker = NULL;
		if (!job->is_notify)
			end(job);
	}
}

/* ---- all of them ---- */

static void
on_idle_due(struct loop_timer *t, mono_t now)
{
	struct jobs *jobs = CONTAINER_OF(t, struct jobs, idle);

	(void)now;
	jobs->events.on_idle(jobs->events.aux);
}

static void
end_all(struct jobs *jobs, bool notify_too)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&jobs->list); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (!job->is_notify || notify_too)
			end(job);
	}
	check_idle(jobs);
}

static void
on_patience_over(struct loop_timer *t, mono_t now)
{
	(void)now;
	end_all(CONTAINER_OF(t, struct jobs, patience), true);
}

void
jobs_stop(struct jobs *jobs)
{
	struct job *job;

	jobs->stopping = true;
	/*
	 * How a check ends that we cut off says nothing about what it checks: no answer.
	 * The client asks again when the next runner is there.
	 */
	TAILQ_FOREACH (job, &jobs->list, entry)
		if (!job->is_notify)
			job->asker = NULL;
	loop_timer_at(&jobs->patience, mono_add(loop_now(), STOP_PATIENCE_US));
	end_all(jobs, false);
}

struct jobs *
jobs_new(uv_loop_t *loop, const struct jobs_events *events)
{
	struct jobs *jobs = xcalloc(1, sizeof(*jobs));

	jobs->loop = loop;
	jobs->events = *events;
	TAILQ_INIT(&jobs->list);
	loop_timer_init(loop, &jobs->idle, on_idle_due);
	loop_timer_init(loop, &jobs->patience, on_patience_over);
	return jobs;
}
