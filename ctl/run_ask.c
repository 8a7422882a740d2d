/*
 * run_ask.c - RUN_DIR/supervisor.sock (run.h): a line asked, a line answered.
 *
 *   job NAME       "stop", "restart": under which job a child is ending.
 *   restart NAME   root only; when its successor is ready: "ok", else
 *                  "failed: REASON".
 *
 * Anything else is answered "unknown".
 */
#include "common/daemon.h"
#include "common/log.h"
#include "common/text.h"
#include "ctl/run.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ASKERS_MAX = 16,     /* three children and a few people */
	LINE_MAX_BYTES = 64, /* "restart trivet-runner\n" */
	PATIENCE_MS = 2000,  /* for the line to arrive */
};

struct run_asker {
	struct run_asker *next;
	struct run *run;
	uv_pipe_t pipe;
	uv_timer_t limit;
	unsigned n_open; /* handles not closed yet */
	uid_t uid;
	char line[LINE_MAX_BYTES];
	size_t length;
	struct run_child *awaited; /* restart: answered when this one is back */
	unsigned restarts;	   /* it had then */
	char *reply;
	uv_write_t write;
};

static void
forget(struct run_asker *a)
{
	struct run_asker **at = &a->run->askers;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->run->n_askers--;
	free(a->reply);
	free(a);
}

static void
on_closed(uv_handle_t *handle)
{
	struct run_asker *a = handle->data;

	if (--a->n_open == 0)
		forget(a);
}

static void
end(struct run_asker *a)
{
	a->awaited = NULL;
	if (!uv_is_closing((uv_handle_t *)&a->pipe))
		uv_close((uv_handle_t *)&a->pipe, on_closed);
	if (!uv_is_closing((uv_handle_t *)&a->limit))
		uv_close((uv_handle_t *)&a->limit, on_closed);
}

static void
on_written(uv_write_t *req, int status)
{
	(void)status;
	end(CONTAINER_OF(req, struct run_asker, write));
}

/* Takes 'reply'.  The connection ends when it is out. */
static void
answer(struct run_asker *a, char *reply)
{
	uv_buf_t buf;

	a->awaited = NULL;
	a->reply = reply;
	buf = uv_buf_init(reply, (unsigned)strlen(reply));
	uv_read_stop((uv_stream_t *)&a->pipe);
	if (uv_write(&a->write, (uv_stream_t *)&a->pipe, &buf, 1, on_written) < 0)
		end(a);
}

/* ---- job ---- */

/*
 * A child that ends although nobody here asked it to is started again, so what
 * it should leave standing is the same as at a restart.
 */
static const char *
job_of(const struct run *run, const struct run_child *c)
{
	if (run->stopping || c->state.phase == SUPERVISE_DONE)
		return "stop\n";
	if (c->state.phase == SUPERVISE_ENDING && !c->state.again)
		return "stop\n";
	return "restart\n";
}

/* ---- restart ---- */

static char *
refusal(const struct run_asker *a)
{
	if (a->uid != 0)
		return xstrdup("failed: only root may restart\n");
	if (a->run->stopping)
		return xstrdup("failed: everything is being stopped\n");
	return NULL;
}

static void
restart(struct run_asker *a, struct run_child *c)
{
	char *refused = refusal(a);

	if (refused != NULL) {
		answer(a, refused);
		return;
	}
	uv_timer_stop(&a->limit); /* supervise.h bounds what follows */
	a->awaited = c;
	a->restarts = c->state.restarts;
	run_child_event(c, SUPERVISE_EV_RESTART);
}

void
run_ask_changed(struct run *run, const struct run_child *c)
{
	for (struct run_asker *a = run->askers; a != NULL; a = a->next) {
		if (a->awaited != c)
			continue;
		if (c->state.phase == SUPERVISE_READY && c->state.restarts != a->restarts)
			answer(a, xstrdup("ok\n"));
		else if (c->state.phase == SUPERVISE_REFUSED)
			answer(a, xstrdup("failed: its configuration is refused\n"));
		else if (c->state.phase == SUPERVISE_WAITING && c->state.restarts != a->restarts)
			answer(a, xstrdup("failed: it ended before it was ready\n"));
		else if (c->state.phase == SUPERVISE_DONE)
			answer(a, xstrdup("failed: everything is being stopped\n"));
	}
}

/* ---- a line ---- */

static void
on_line(struct run_asker *a)
{
	char *space = strchr(a->line, ' ');
	struct run_child *c = NULL;

	if (space != NULL) {
		*space = '\0';
		c = run_find(a->run, space + 1);
	}
	if (c != NULL && strcmp(a->line, "job") == 0)
		answer(a, xstrdup(job_of(a->run, c)));
	else if (c != NULL && strcmp(a->line, "restart") == 0)
		restart(a, c);
	else
		answer(a, xstrdup("unknown\n"));
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct run_asker *a = handle->data;

	(void)suggested;
	*buf = uv_buf_init(a->line + a->length, (unsigned)(LINE_MAX_BYTES - a->length - 1));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct run_asker *a = stream->data;
	char *newline;

	(void)buf;
	if (n < 0) { /* gone, or a line too long (UV_ENOBUFS) */
		end(a);
		return;
	}
	a->length += (size_t)n;
	a->line[a->length] = '\0';
	newline = strchr(a->line, '\n');
	if (newline == NULL || a->awaited != NULL)
		return;
	*newline = '\0';
	on_line(a);
}

static void
on_limit(uv_timer_t *timer)
{
	end(timer->data);
}

/* ---- the socket ---- */

static uid_t
peer_uid(uv_pipe_t *pipe)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(cred);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)pipe, &fd) == 0)
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	return cred.uid;
}

static void
on_connection(uv_stream_t *server, int status)
{
	struct run *run = server->data;
	struct run_asker *a;

	if (status < 0)
		return;
	a = xcalloc(1, sizeof(*a));
	a->run = run;
	a->next = run->askers;
	run->askers = a;
	run->n_askers++;
	a->n_open = 2;
	uv_pipe_init(run->loop, &a->pipe, 0);
	uv_timer_init(run->loop, &a->limit);
	a->pipe.data = a->limit.data = a;
	if (uv_accept(server, (uv_stream_t *)&a->pipe) < 0 || run->n_askers > ASKERS_MAX) {
		end(a);
		return;
	}
	a->uid = peer_uid(&a->pipe);
	uv_timer_start(&a->limit, on_limit, PATIENCE_MS, 0);
	uv_read_start((uv_stream_t *)&a->pipe, on_alloc, on_read);
}

/* Root and the daemons' group may connect.  The mode is set before the name can be found. */
static int
make_socket(const char *path)
{
	const struct group *group = getgrnam(DAEMON_GROUP);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *tmp = xasprintf("%s.new", path);
	int fd = -1, err = 0;

	if (strlen(tmp) >= sizeof(sun.sun_path)) {
		free(tmp);
		return -ENAMETOOLONG;
	}
	strcpy(sun.sun_path, tmp);
	unlink(tmp);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(tmp, 0660) < 0 ||
	    (geteuid() == 0 && group != NULL && chown(tmp, 0, group->gr_gid) < 0) ||
	    rename(tmp, path) < 0)
		err = -errno;
	if (err < 0 && fd >= 0)
		close(fd);
	free(tmp);
	return err < 0 ? err : fd;
}

int
run_ask_open(struct run *run)
{
	int fd, err;

	run->ask_path = xasprintf("%s/supervisor.sock", run->options.run_dir);
	fd = make_socket(run->ask_path);
	if (fd < 0) {
		log_err("%s: %s", run->ask_path, strerror(-fd));
		return fd;
	}
	uv_pipe_init(run->loop, &run->ask, 0);
	run->ask.data = run;
	err = uv_pipe_open(&run->ask, fd);
	if (err == 0)
		err = uv_listen((uv_stream_t *)&run->ask, ASKERS_MAX, on_connection);
	uv_unref((uv_handle_t *)&run->ask);
	if (err < 0)
		log_err("%s: %s", run->ask_path, uv_strerror(err));
	return err;
}

void
run_ask_close(struct run *run)
{
	for (struct run_asker *a = run->askers; a != NULL; a = a->next)
		end(a);
	uv_close((uv_handle_t *)&run->ask, NULL);
	unlink(run->ask_path);
	free(run->ask_path);
	run->ask_path = NULL;
}
