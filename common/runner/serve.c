/*
 * serve.c - see serve.h.
 */
#include "common/runner/serve.h"

#include "common/caps.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/runner/job.h"
#include "common/runner/protocol.h"

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
#define SEND_BUFFER	  (1024 * 1024) /* answers of some hundred scripts that end together */

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
	struct jobs *jobs;
	TAILQ_HEAD(, connection) connections;
	unsigned n_connections;
	int listen_fd;
	uv_poll_t listen_poll;
	bool stopping;
};

static void connection_lose(struct connection *, const char *why);

static void
send_answer(struct connection *c, const struct runner_answer *a)
{
	char buf[RUNNER_MESSAGE_MAX];
	size_t size;

	if (runner_answer_encode(a, buf, &size) < 0)
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
on_answer(void *aux, void *asker, const struct runner_answer *a)
{
	(void)aux;
	send_answer(asker, a);
}

/* ---- requests ---- */

/* Nothing is run; reading the configuration has made its FIFOs (pipes.h). */
static void
say_learnt(struct connection *c, uint64_t id)
{
	const struct runner_answer a = {
		.id = id, .outcome = RUNNER_EXITED, .reason = "", .output = "", .last_line = ""
	};

	send_answer(c, &a);
}

static void
handle_ask(struct connection *c, const struct runner_ask *ask)
{
	const struct conf *conf = book_find(c->server->book, ask->digest, loop_now());
	const struct conf_script *script;

	if (conf == NULL) {
		refuse(c, ask->id, "the runner does not know this configuration");
		return;
	}
	if (ask->script == RUNNER_LEARN) {
		say_learnt(c, ask->id);
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
		jobs_take(c->server->jobs, c, ask, script);
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

static void
connection_lose(struct connection *c, const char *why)
{
	struct server *s = c->server;

	if (why != NULL)
		log_warn("connection closed: %s", why);
	TAILQ_REMOVE(&s->connections, c, entry);
	s->n_connections--;
	jobs_disown(s->jobs, c);
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

struct server *
server_new(uv_loop_t *loop, struct book *book, void (*on_idle)(void *), void *aux)
{
	struct server *s = xcalloc(1, sizeof(*s));
	const struct jobs_events events = {
		.on_answer = on_answer, .on_idle = on_idle, .aux = aux
	};

	s->loop = loop;
	s->book = book;
	s->listen_fd = -1;
	s->jobs = jobs_new(loop, &events);
	TAILQ_INIT(&s->connections);
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
	jobs_stop(s->jobs);
}
