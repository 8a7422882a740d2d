/*
 * view.c - see view.h.  The connection's life is here: connecting, backing off,
 * noticing that the socket appeared, silence.  What the messages mean for the
 * objects is in mirror.c.
 */
#include "ipc/view.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "common/util.h"
#include "ipc/inbox.h"
#include "ipc/socket.h"
#include "ipc/varlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ipc.md 3: at once, then 100 ms doubling to 5 s, give or take a fifth. */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS	 5000
#define SETTLED_US	 (10 * USEC_PER_SEC) /* live for so long: the next attempt is at once */
#define SILENT_BEATS	 3
#define READS_PER_WAKE	 4

/* One connection.  Its memory goes when libuv has let go of the handle. */
struct link {
	uv_poll_t poll;
	struct ipc_view *view;
	int fd;
	struct ipc_inbox inbox;
};

/* A directory in which the socket may appear. */
struct watch {
	uv_fs_event_t uv;
	char *path;
	dev_t dev;
	ino_t ino; /* 0: not watched now */
};

struct ipc_view {
	struct ipc_view_config config;
	char *daemon, *run_dir, *path, *interface;
	struct ipc_trust trust;
	uv_loop_t *loop;
	enum ipc_view_state state;
	struct ipc_mirror *mirror;
	struct link *link;	 /* NULL while down */
	struct loop_timer timer; /* down: the next attempt; else: when silence is too long */
	struct watch watches[2]; /* RUN_DIR, RUN_DIR/DAEMON */
	unsigned handles;
	unsigned backoff_ms; /* of the next attempt */
	mono_t live_since, last_message;
	uint64_t attempts_up; /* connections made */
	char *last_error;
	struct log_limit complaints;
};

const char *
ipc_view_state_str(enum ipc_view_state state)
{
	static const char *const names[] = {
		[IPC_VIEW_DOWN] = "down",
		[IPC_VIEW_STALE] = "stale",
		[IPC_VIEW_LIVE] = "live",
	};

	return names[state];
}

static void attempt(struct ipc_view *);

static void
set_state(struct ipc_view *v, enum ipc_view_state state, const char *why)
{
	if (v->state == state)
		return;
	v->state = state;
	v->live_since = state == IPC_VIEW_LIVE ? loop_now() : MONO_NEVER;
	if (v->config.on_state != NULL)
		v->config.on_state(v->config.aux, state, why);
}

/* ---- waiting ---- */

/* Give or take a fifth, so that siblings do not come in step. */
static int64_t
jittered_us(unsigned ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = UINT32_MAX / 2;
	return (int64_t)ms * (800 + random % 401);
}

static void
schedule_attempt(struct ipc_view *v)
{
	loop_timer_at(&v->timer, mono_add(loop_now(), jittered_us(v->backoff_ms)));
	v->backoff_ms = v->backoff_ms == 0 ? BACKOFF_FIRST_MS
					   : MIN(v->backoff_ms * 2, BACKOFF_MAX_MS);
}

static mono_t
silence_ends(const struct ipc_view *v)
{
	if (v->config.heartbeat_ms == 0)
		return MONO_NEVER;
	return mono_add(
	    v->last_message, (int64_t)v->config.heartbeat_ms * SILENT_BEATS * USEC_PER_MSEC);
}

static void
remember_error(struct ipc_view *v, const char *why)
{
	char *copy = xstrdup(why); /* 'why' may be the old one */

	free(v->last_error);
	v->last_error = copy;
}

static void
on_link_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF((uv_poll_t *)handle, struct link, poll));
}

static void
close_link(struct ipc_view *v)
{
	struct link *link = v->link;

	if (link == NULL)
		return;
	v->link = NULL;
	uv_close((uv_handle_t *)&link->poll, on_link_closed);
	close(link->fd);
	ipc_inbox_done(&link->inbox);
}

/* The connection is lost, or was not worth keeping.  The objects stay. */
static void
go_down(struct ipc_view *v, const char *why)
{
	if (v->state == IPC_VIEW_LIVE && mono_until(v->live_since, loop_now()) >= SETTLED_US)
		v->backoff_ms = 0;
	remember_error(v, why);
	close_link(v);
	ipc_mirror_disconnected(v->mirror);
	schedule_attempt(v);
	set_state(v, IPC_VIEW_DOWN, v->last_error);
}

/* A sibling that speaks nonsense is disconnected, not believed. */
static void
reject(struct ipc_view *v, const char *why)
{
	log_limited(&v->complaints, loop_now(), LOG_WARNING, "bus: %s: %s", v->path, why);
	go_down(v, why);
}

/* ---- messages ---- */

static void
take_reply(struct ipc_view *v, const struct varlink_reply *reply)
{
	const char *nonsense;
	char *why;

	if (reply->error != NULL) {
		why = xasprintf("%s answered %s", v->config.method, reply->error);
		reject(v, why);
		free(why);
		return;
	}
	nonsense = ipc_mirror_apply(v->mirror, reply->parameters);
	if (v->config.on_applied != NULL)
		v->config.on_applied(v->config.aux);
	if (nonsense != NULL) {
		reject(v, nonsense);
		return;
	}
	if (ipc_mirror_is_complete(v->mirror))
		set_state(v, IPC_VIEW_LIVE, "snapshot complete");
	if (!reply->continues)
		go_down(v, "it ended the stream");
}

static void
take_messages(struct ipc_view *v)
{
	struct varlink_reply reply;
	const char *bytes;
	size_t size;

	while (v->link != NULL && ipc_inbox_next(&v->link->inbox, &bytes, &size)) {
		if (varlink_reply_parse(bytes, size, &reply) < 0) {
			reject(v, "not a Varlink reply");
			return;
		}
		v->last_message = loop_now();
		take_reply(v, &reply);
		varlink_reply_done(&reply);
	}
	if (v->link != NULL)
		loop_timer_at(&v->timer, silence_ends(v));
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct link *link = CONTAINER_OF(poll, struct link, poll);
	struct ipc_view *v = link->view;
	int n = 1;

	(void)events;
	if (status < 0) {
		go_down(v, "connection reset");
		return;
	}
	for (int i = 0; i < READS_PER_WAKE && n > 0 && v->link == link; i++) {
		n = ipc_inbox_read(&link->inbox, link->fd);
		if (n > 0)
			take_messages(v);
	}
	if (v->link != link || n > 0 || n == -EAGAIN)
		return;
	if (n == -EMSGSIZE)
		reject(v, "a message longer than 8 MiB");
	else
		go_down(v, n == 0 ? "it closed the connection" : strerror(-n));
}

/* ---- connecting ---- */

/* The call is small and the socket new: the kernel takes it whole or something is wrong. */
static int
send_call(const struct ipc_view *v, int fd)
{
	json_t *parameters = v->config.parameters != NULL ? json_copy(v->config.parameters)
							  : json_object();
	size_t size;
	ssize_t n;
	char *bytes;

	if (v->config.heartbeat_ms > 0)
		json_object_set_new(
		    parameters, "heartbeatMs", json_integer(v->config.heartbeat_ms));
	bytes = varlink_call_encode(v->config.method, parameters, true, &size);
	n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(bytes);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EAGAIN;
}

static void
connected(struct ipc_view *v, int fd)
{
	struct link *link = xcalloc(1, sizeof(*link));

	link->view = v;
	link->fd = fd;
	uv_poll_init(v->loop, &link->poll, fd);
	uv_unref((uv_handle_t *)&link->poll);
	uv_poll_start(&link->poll, UV_READABLE, on_readable);
	v->link = link;
	v->attempts_up++;
	v->last_message = loop_now(); /* silence counts from here */
	loop_timer_at(&v->timer, silence_ends(v));
	set_state(v, IPC_VIEW_STALE, "connected, waiting for its snapshot");
}

static int
try_connect(struct ipc_view *v, int *ret_fd)
{
	int fd, error = ipc_socket_connect(v->path, &fd);
	uid_t uid;

	if (error < 0)
		return error;
	error = ipc_trust_check(&v->trust, fd, &uid);
	if (error == -EPERM)
		log_limited(&v->complaints, loop_now(), LOG_WARNING,
		    "bus: %s is served by uid %u, a stranger: not believed", v->path,
		    (unsigned)uid);
	if (error == 0)
		error = send_call(v, fd);
	if (error < 0) {
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static void watch_renew(struct ipc_view *, struct watch *);

/* Watches first: what appears between the attempt and the watch would be missed. */
static void
attempt(struct ipc_view *v)
{
	int fd, error;

	for (size_t i = 0; i < ARRAY_LEN(v->watches); i++)
		watch_renew(v, &v->watches[i]);
	error = try_connect(v, &fd);
	if (error == 0) {
		connected(v, fd);
		return;
	}
	remember_error(v, strerror(-error));
	schedule_attempt(v);
}

static void
on_due(struct loop_timer *timer, mono_t now)
{
	struct ipc_view *v = CONTAINER_OF(timer, struct ipc_view, timer);

	if (v->link == NULL)
		attempt(v);
	else if (mono_before(now, silence_ends(v)))
		loop_timer_at(&v->timer, silence_ends(v));
	else
		set_state(v, IPC_VIEW_STALE, "silent for three heartbeats");
}

/* ---- the socket appears ---- */

static bool
concerns(const struct ipc_view *v, const struct watch *w, const char *name)
{
	size_t n = strlen(v->daemon);

	if (w == &v->watches[1])
		return strcmp(name, "bus") == 0;
	return strncmp(name, v->daemon, n) == 0 &&
	       (name[n] == '\0' || strcmp(name + n, ".sock") == 0);
}

/* An attempt of its own: it does not count for the back-off. */
static void
on_directory(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct watch *w = CONTAINER_OF(uv, struct watch, uv);
	struct ipc_view *v = uv->data;
	int fd;

	(void)events;
	if (status < 0 || v->link != NULL || (name != NULL && !concerns(v, w, name)))
		return;
	watch_renew(v, &v->watches[1]);
	if (try_connect(v, &fd) == 0)
		connected(v, fd);
}

/* Watch the directory that has the name now, if it is not the one watched already. */
static void
watch_renew(struct ipc_view *v, struct watch *w)
{
	struct stat st;

	if (stat(w->path, &st) == 0 && w->ino == st.st_ino && w->dev == st.st_dev)
		return;
	uv_fs_event_stop(&w->uv);
	w->ino = 0;
	if (uv_fs_event_start(&w->uv, on_directory, w->path, 0) < 0)
		return; /* not there, or not ours to read: the back-off goes on */
	w->uv.data = v;
	if (stat(w->path, &st) == 0) {
		w->dev = st.st_dev;
		w->ino = st.st_ino;
	}
}

static void
watch_init(struct ipc_view *v, struct watch *w, char *path)
{
	uv_fs_event_init(v->loop, &w->uv);
	uv_unref((uv_handle_t *)&w->uv);
	w->uv.data = v;
	w->path = path;
}

/* ---- life ---- */

struct ipc_view *
ipc_view_new(uv_loop_t *loop, const struct ipc_view_config *config)
{
	struct ipc_view *v = xcalloc(1, sizeof(*v));
	const char *dot = strrchr(config->method, '.');

	v->config = *config;
	json_incref(v->config.parameters);
	v->loop = loop;
	v->daemon = xstrdup(config->daemon);
	v->run_dir = xstrdup(config->run_dir);
	v->path = ipc_socket_path(config->run_dir, config->daemon);
	v->interface = xstrndup(config->method, (size_t)(dot - config->method));
	v->trust = ipc_trust_daemon(config->daemon);
	v->live_since = v->last_message = MONO_NEVER;
	v->mirror = ipc_mirror_new(config->arrays, config->n_arrays, config->aux);
	loop_timer_init(loop, &v->timer, on_due);
	watch_init(v, &v->watches[0], xstrdup(config->run_dir));
	watch_init(v, &v->watches[1], xasprintf("%s/%s", config->run_dir, config->daemon));
	v->handles = 1 + ARRAY_LEN(v->watches);
	schedule_attempt(v); /* at once, but never from within this call */
	return v;
}

static void
release(struct ipc_view *v)
{
	if (--v->handles > 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(v->watches); i++)
		free(v->watches[i].path);
	ipc_mirror_free(v->mirror);
	json_decref(v->config.parameters);
	free(v->daemon);
	free(v->run_dir);
	free(v->path);
	free(v->interface);
	free(v->last_error);
	free(v);
}

static void
on_timer_closed(struct loop_timer *timer)
{
	release(CONTAINER_OF(timer, struct ipc_view, timer));
}

static void
on_watch_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void
ipc_view_free(struct ipc_view *v)
{
	if (v == NULL)
		return;
	close_link(v);
	loop_timer_close(&v->timer, on_timer_closed);
	for (size_t i = 0; i < ARRAY_LEN(v->watches); i++)
		uv_close((uv_handle_t *)&v->watches[i].uv, on_watch_closed);
}

enum ipc_view_state
ipc_view_state(const struct ipc_view *v)
{
	return v->state;
}

json_t *
ipc_view_describe(const struct ipc_view *v)
{
	json_t *link = json_pack("{s:s, s:o, s:s}", "interface", v->interface, "address",
	    varlink_string(v->path), "state", ipc_view_state_str(v->state));
	bool heard = !mono_is_never(v->last_message);

	ipc_mirror_describe(v->mirror, link); /* epoch, sequence */
	json_object_set_new(link, "lastMessageUsec",
	    heard ? json_integer((json_int_t)v->last_message.us) : json_null());
	json_object_set_new(link, "reconnects",
	    json_integer((json_int_t)(v->attempts_up > 0 ? v->attempts_up - 1 : 0)));
	json_object_set_new(link, "lastError", varlink_string(v->last_error));
	return link;
}
