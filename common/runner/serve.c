/*
 * serve.c - see serve.h.
 *
 * A request becomes a job.  Only one job of the same script runs at a time:
 * after a timeout the answer is given at once while the script may need its two
 * seconds of grace, and the next run waits for that.
 */
#include "common/runner/serve.h"

#include "common/caps.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/runner/host.h"
#include "common/runner/run.h"
#include "common/runner/secure.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX	  16 /* two daemons, their successors, root's own tests */
#define MESSAGES_PER_TURN 32
#define STOP_PATIENCE_US  INT64_C(5000000) /* what notify scripts may still take when we stop */
#define NOTIFY_WAITING	  16 /* notify scripts of one number that wait for their turn */
#define CHECK_WAITING	  1
#define SEND_BUFFER	  (1024 * 1024) /* answers of some hundred scripts that end together */

struct job {
	TAILQ_ENTRY(job) entry;
	struct server *server;
	struct connection *connection; /* NULL: it has gone */
	uint64_t id;
	int64_t timeout_us;
	char *owner; /* conf_script.owner */
	char **argv, **env;
	bool is_notify;
	struct cred cred;
	struct run *run; /* NULL: waits for its turn */
};

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct server *server;
	int fd;
	uv_poll_t poll;
	unsigned allowed;
	struct log_limit limit;
	void (*on_lost)(void *);
	void *lost_aux;
};

struct server {
	uv_loop_t *loop;
	struct book *book;
	TAILQ_HEAD(, job) jobs;
	TAILQ_HEAD(, connection) connections;
	unsigned n_connections;
	int listen_fd;
	uv_poll_t listen_poll;
	bool stopping;
	struct loop_timer idle, patience;
	void (*on_idle)(void *);
	void *aux;
};

static bool job_start(struct job *);

/* ---- jobs ---- */

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

static void
check_idle(struct server *s)
{
	if (s->stopping && TAILQ_EMPTY(&s->jobs))
		loop_timer_at(&s->idle, loop_now());
}

static void
on_idle_due(struct loop_timer *t, mono_t now)
{
	struct server *s = CONTAINER_OF(t, struct server, idle);

	(void)now;
	s->on_idle(s->aux);
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

static void connection_lose(struct connection *, const char *why);

static void
send_answer(struct connection *c, const struct runner_answer *a)
{
	char buf[RUNNER_MESSAGE_MAX];
	size_t size;

	if (c == NULL || runner_answer_encode(a, buf, &size) < 0)
		return;
	if (send(c->fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		connection_lose(c, strerror(errno)); /* it does not read: it will ask again */
}

static void
refuse(struct connection *c, uint64_t id, const char *reason)
{
	const struct runner_answer a = {
		.id = id, .outcome = RUNNER_NOT_RUN, .reason = reason, .output = "", .last_line = ""
	};

	send_answer(c, &a);
}

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
	send_answer(job->connection, &a);
}

/* The next one that waits for the same script; NULL: none. */
static struct job *
waiting_for(const struct job *done)
{
	struct job *job;

	TAILQ_FOREACH (job, &done->server->jobs, entry)
		if (job->run == NULL && same_script(job, done))
			return job;
	return NULL;
}

static void
on_gone(void *aux)
{
	struct job *job = aux, *next;
	struct server *s = job->server;

	TAILQ_REMOVE(&s->jobs, job, entry);
	while ((next = waiting_for(job)) != NULL) {
		TAILQ_REMOVE(&s->jobs, next, entry);
		if (job_start(next))
			break;
	}
	job_free(job);
	check_idle(s);
}

/* What the kernel would say only after the fork, and what it would not say at all. */
static int
check_path(const struct job *job, struct text *why)
{
	const struct secure_host host = secure_host_real();
	bool as_root = geteuid() == 0 && job->cred.uid == 0;

	if (secure_check(&host, job->argv[0], as_root, why) == 0)
		return 0;
	return -EACCES;
}

/* Takes the job, which is in no list.  False: it could not be started, that is answered. */
static bool
job_start(struct job *job)
{
	const struct run_order order = {
		.argv = job->argv,
		.env = job->env,
		.cred = &job->cred,
		.timeout_us = job->timeout_us,
		.end_group = !job->is_notify,
		.on_answer = on_answer,
		.on_gone = on_gone,
		.aux = job,
	};
	struct text why = { 0 };
	bool started = check_path(job, &why) == 0 &&
		       run_start(job->server->loop, &order, &job->run, &why) == 0;

	if (started) {
		TAILQ_INSERT_TAIL(&job->server->jobs, job, entry);
	} else {
		refuse(job->connection, job->id, text_str(&why));
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

	TAILQ_FOREACH (other, &job->server->jobs, entry)
		if (same_script(other, job))
			before++;
	if (before == 0) {
		job_start(job);
	} else if (before > (job->is_notify ? NOTIFY_WAITING : CHECK_WAITING)) {
		refuse(job->connection, job->id, "its run before has not ended yet");
		job_free(job);
	} else {
		TAILQ_INSERT_TAIL(&job->server->jobs, job, entry);
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

static void
take_job(struct connection *c, const struct runner_ask *ask, const struct conf_script *script)
{
	struct job *job = xcalloc(1, sizeof(*job));
	struct text why = { 0 };

	if (cred_lookup(script, &job->cred, &why) < 0) {
		refuse(c, ask->id, text_str(&why));
		text_done(&why);
		free(job);
		return;
	}
	job->server = c->server;
	job->connection = c;
	job->id = ask->id;
	job->timeout_us = ask->timeout_us;
	job->owner = xstrdup(script->owner);
	job->is_notify = script->is_notify;
	job->argv = copy_words((const char *const *)script->argv, script->argc, ask->n_args);
	for (size_t i = 0; i < ask->n_args; i++)
		job->argv[script->argc + i] = xstrdup(ask->args[i]);
	job->env = make_env(&job->cred, ask);
	start_or_wait(job);
}

/* ---- requests ---- */

static void
handle_ask(struct connection *c, const struct runner_ask *ask)
{
	const struct conf *conf = book_find(c->server->book, ask->digest, loop_now());
	const struct conf_script *script;

	if (conf == NULL) {
		refuse(c, ask->id, "the runner does not know this configuration");
		return;
	}
	script = ask->script < conf->n_scripts ? &conf->scripts[ask->script] : NULL;
	if (script == NULL || script->argc == 0) {
		refuse(c, ask->id, "there is no such script in the configuration");
	} else if ((c->allowed & (script->is_notify ? SERVE_NOTIFY : SERVE_CHECKS)) == 0) {
		log_limited(&c->limit, loop_now(), LOG_WARNING,
		    "%s was asked for by a daemon that may not start it", script->owner);
		refuse(c, ask->id, "this daemon may not start it");
	} else if (!script->is_notify && ask->n_args > 0) {
		refuse(c, ask->id, "a check takes no further words");
	} else {
		take_job(c, ask, script);
	}
}

/* False when the connection is gone. */
static bool
handle_message(struct connection *c, const char *bytes, size_t size)
{
	struct runner_ask ask;
	int err = runner_ask_decode(bytes, size, &ask);

	if (err == -EBADMSG) {
		connection_lose(c, "malformed request");
		return false;
	}
	if (c->server->stopping)
		refuse(c, ask.id, "the runner is stopping");
	else if (err < 0)
		refuse(c, ask.id, "a word of the request is not allowed");
	else
		handle_ask(c, &ask);
	return true;
}

static bool
still_there(const struct server *s, const struct connection *c)
{
	const struct connection *other;

	TAILQ_FOREACH (other, &s->connections, entry)
		if (other == c)
			return true;
	return false;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct connection *c = CONTAINER_OF(poll, struct connection, poll);
	struct server *s = c->server;
	static char buf[RUNNER_MESSAGE_MAX];

	(void)events;
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		ssize_t n = status < 0 ? 0
				       : recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			connection_lose(c, NULL);
			return;
		}
		if ((size_t)n > sizeof(buf)) {
			connection_lose(c, "request too long");
			return;
		}
		if (!handle_message(c, buf, (size_t)n) || !still_there(s, c))
			return; /* answering may have closed it */
	}
}

/* ---- connections ---- */

static void
on_connection_closed(uv_handle_t *h)
{
	struct connection *c = CONTAINER_OF((uv_poll_t *)h, struct connection, poll);

	close(c->fd);
	free(c);
}

/* Its checks are nobody's now and end; notify scripts finish their work. */
static void
disown_jobs(struct server *s, const struct connection *c)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&s->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->connection != c)
			continue;
		job->connection = NULL;
		if (job->is_notify)
			continue;
		if (job->run != NULL) {
			run_end(job->run);
		} else {
			TAILQ_REMOVE(&s->jobs, job, entry);
			job_free(job);
		}
	}
}

static void
connection_lose(struct connection *c, const char *why)
{
	struct server *s = c->server;

	if (why != NULL)
		log_warn("connection closed: %s", why);
	TAILQ_REMOVE(&s->connections, c, entry);
	s->n_connections--;
	disown_jobs(s, c);
	if (c->on_lost != NULL)
		c->on_lost(c->lost_aux);
	uv_close((uv_handle_t *)&c->poll, on_connection_closed);
}

static struct connection *
connection_new(struct server *s, int fd, unsigned allowed)
{
	struct connection *c = xcalloc(1, sizeof(*c));
	int size = SEND_BUFFER;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	c->server = s;
	c->fd = fd;
	c->allowed = allowed;
	TAILQ_INSERT_TAIL(&s->connections, c, entry);
	s->n_connections++;
	uv_poll_init(s->loop, &c->poll, fd);
	uv_poll_start(&c->poll, UV_READABLE, on_readable);
	return c;
}

/* The one table of who may do what (design.md section 3). */
static unsigned
allowed_to(uid_t uid)
{
	static const struct {
		const char *user;
		unsigned allowed;
	} table[] = {
		{ "_trivet-checkd", SERVE_CHECKS },
		{ "_trivet-vrrpd", SERVE_NOTIFY },
	};
	uid_t id;
	gid_t gid;

	if (uid == 0 || uid == geteuid())
		return SERVE_ALL;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (caps_user(table[i].user, &id, &gid) == 0 && id == uid)
			return table[i].allowed;
	return 0;
}

static void
on_connect(uv_poll_t *poll, int status, int events)
{
	struct server *s = CONTAINER_OF(poll, struct server, listen_poll);
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	unsigned allowed;

	(void)status;
	(void)events;
	if (fd < 0)
		return;
	allowed = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? allowed_to(peer.uid)
									     : 0;
	if (allowed == 0 || s->n_connections >= CONNECTIONS_MAX) {
		log_warn("connection of uid %u pid %d refused%s", (unsigned)peer.uid, (int)peer.pid,
		    allowed == 0 ? "" : ": too many");
		close(fd);
		return;
	}
	connection_new(s, fd, allowed);
}

/* ---- life ---- */

static void
end_all(struct server *s, bool notify_too)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&s->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, entry);
		if (job->is_notify && !notify_too)
			continue;
		if (job->run != NULL) {
			run_end(job->run);
		} else {
			TAILQ_REMOVE(&s->jobs, job, entry);
			job_free(job); /* its asker sees the connection end */
		}
	}
	check_idle(s);
}

static void
on_patience_over(struct loop_timer *t, mono_t now)
{
	(void)now;
	end_all(CONTAINER_OF(t, struct server, patience), true);
}

struct server *
server_new(uv_loop_t *loop, struct book *book, void (*on_idle)(void *), void *aux)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->book = book;
	s->listen_fd = -1;
	s->on_idle = on_idle;
	s->aux = aux;
	TAILQ_INIT(&s->jobs);
	TAILQ_INIT(&s->connections);
	loop_timer_init(loop, &s->idle, on_idle_due);
	loop_timer_init(loop, &s->patience, on_patience_over);
	return s;
}

void
server_adopt(struct server *s, int fd, unsigned allowed, void (*on_lost)(void *), void *aux)
{
	struct connection *c = connection_new(s, fd, allowed);

	c->on_lost = on_lost;
	c->lost_aux = aux;
}

static bool
somebody_serves(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool serves = fd >= 0 && connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0;

	if (fd >= 0)
		close(fd);
	return serves;
}

/* Made beside and renamed over, so that at no moment it has the wrong owner or mode. */
static int
make_socket(const struct sockaddr_un *at)
{
	struct sockaddr_un tmp = *at;
	const struct group *group = geteuid() == 0 ? getgrnam(DAEMON_GROUP) : NULL;
	gid_t gid = group != NULL ? group->gr_gid : (gid_t)-1;
	int fd, err;

	if (strlen(at->sun_path) + sizeof(".new") > sizeof(tmp.sun_path))
		return -ENAMETOOLONG;
	strcat(tmp.sun_path, ".new");
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(tmp.sun_path);
	if (bind(fd, (struct sockaddr *)&tmp, sizeof(tmp)) < 0 || chmod(tmp.sun_path, 0660) < 0 ||
	    chown(tmp.sun_path, (uid_t)-1, gid) < 0 || listen(fd, 16) < 0 ||
	    rename(tmp.sun_path, at->sun_path) < 0) {
		err = -errno;
		close(fd);
		unlink(tmp.sun_path);
		return err;
	}
	return fd;
}

int
server_listen(struct server *s, const char *run_dir)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", run_dir, RUNNER_SOCKET);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	if (somebody_serves(&at))
		return -EADDRINUSE;
	fd = make_socket(&at);
	if (fd < 0)
		return fd;
	s->listen_fd = fd;
	uv_poll_init(s->loop, &s->listen_poll, fd);
	uv_poll_start(&s->listen_poll, UV_READABLE, on_connect);
	return 0;
}

void
server_stop(struct server *s)
{
	s->stopping = true;
	loop_timer_at(&s->patience, mono_add(loop_now(), STOP_PATIENCE_US));
	end_all(s, false);
}
