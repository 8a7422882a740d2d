/*
 * notify.c - see notify.h.
 */
#include "common/notify.h"

#include "common/loop.h"
#include "common/systemd.h"
#include "common/text.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_US (250 * USEC_PER_MSEC) /* adverts go on meanwhile, but a stop must not wait */

/* One question under way; freed when its handles are closed. */
struct question {
	void (*on_answer)(void *, enum notify_job, const char *);
	void *aux;
	char *daemon; /* or, with systemd, the unit */
	bool answered;
	unsigned n_open; /* handles not closed yet */
	struct loop_timer limit;
	/* asking trivet run */
	uv_pipe_t pipe;
	uv_connect_t connect;
	uv_write_t write;
	char *request;
	char reply[32];
	size_t reply_size;
	/* asking systemd */
	sd_bus *bus;
	uv_poll_t poll;
};

void
notify_send(const char *state)
{
	const struct systemd *sd = systemd_if("NOTIFY_SOCKET");

	if (sd != NULL)
		sd->sd_notify(0, state);
}

uint64_t
notify_watchdog_us(void)
{
	const struct systemd *sd = systemd_if("WATCHDOG_USEC");
	uint64_t us;

	return sd != NULL && sd->sd_watchdog_enabled(0, &us) > 0 ? us / 2 : 0;
}

static void
release(struct question *q)
{
	if (--q->n_open > 0)
		return;
	if (q->bus != NULL)
		systemd()->sd_bus_close_unref(q->bus);
	free(q->daemon);
	free(q->request);
	free(q);
}

static void
on_limit_closed(struct loop_timer *t)
{
	release(CONTAINER_OF(t, struct question, limit));
}

static void
on_handle_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void
answer(struct question *q, enum notify_job job, const char *why)
{
	if (q->answered)
		return;
	q->answered = true;
	loop_timer_close(&q->limit, on_limit_closed);
	if (q->pipe.data != NULL)
		uv_close((uv_handle_t *)&q->pipe, on_handle_closed);
	if (q->poll.data != NULL)
		uv_close((uv_handle_t *)&q->poll, on_handle_closed);
	q->on_answer(q->aux, job, why);
}

static void
on_limit(struct loop_timer *t, mono_t now)
{
	(void)now;
	answer(CONTAINER_OF(t, struct question, limit), NOTIFY_JOB_UNKNOWN,
	    "the service manager did not answer in time");
}

/* ---- trivet run: "job NAME\n" -> "stop\n" or "restart\n" ---- */

static void
on_reply_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct question *q = handle->data;

	(void)suggested;
	*buf = uv_buf_init(
	    q->reply + q->reply_size, (unsigned)(sizeof(q->reply) - q->reply_size - 1));
}

static void
on_reply(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct question *q = stream->data;

	(void)buf;
	if (n > 0)
		q->reply_size += (size_t)n;
	q->reply[q->reply_size] = '\0';
	if (strcmp(q->reply, "restart\n") == 0)
		answer(q, NOTIFY_JOB_RESTART, "");
	else if (strcmp(q->reply, "stop\n") == 0)
		answer(q, NOTIFY_JOB_STOP, "");
	else if (n < 0)
		answer(q, NOTIFY_JOB_UNKNOWN, "the supervisor gave no answer");
}

static void
on_written(uv_write_t *req, int status)
{
	(void)req;
	(void)status; /* a failure shows in on_reply */
}

static void
on_connected(uv_connect_t *req, int status)
{
	struct question *q = CONTAINER_OF(req, struct question, connect);
	uv_buf_t buf;

	if (q->answered)
		return;
	if (status < 0) {
		answer(q, NOTIFY_JOB_UNKNOWN, "the supervisor cannot be reached");
		return;
	}
	q->request = xasprintf("job %s\n", q->daemon);
	buf = uv_buf_init(q->request, (unsigned)strlen(q->request));
	uv_write(&q->write, (uv_stream_t *)&q->pipe, &buf, 1, on_written);
	uv_read_start((uv_stream_t *)&q->pipe, on_reply_alloc, on_reply);
}

static void
ask_supervisor(uv_loop_t *loop, struct question *q, const char *path)
{
	uv_pipe_init(loop, &q->pipe, 0);
	q->pipe.data = q;
	q->n_open++;
	uv_pipe_connect(&q->connect, &q->pipe, path, on_connected);
}

/* ---- systemd: org.freedesktop.systemd1.Manager.ListJobs ---- */

/* a(usssoo): id, unit, type, state, job path, unit path. */
static int
on_jobs(sd_bus_message *m, void *aux, sd_bus_error *error)
{
	enum notify_job job = NOTIFY_JOB_UNKNOWN;
	const char *unit, *type, *state, *path, *unit_path;
	const struct systemd *sd = systemd();
	struct question *q = aux;
	uint32_t id;

	(void)error;
	if (sd->sd_bus_message_is_method_error(m, NULL) ||
	    sd->sd_bus_message_enter_container(m, 'a', "(usssoo)") < 0) {
		answer(q, NOTIFY_JOB_UNKNOWN, "systemd refused to list its jobs");
		return 0;
	}
	while (sd->sd_bus_message_read(
		   m, "(usssoo)", &id, &unit, &type, &state, &path, &unit_path) > 0) {
		if (strcmp(unit, q->daemon) != 0)
			continue;
		/* "start" queued behind our end: somebody wants us back (packaging notes). */
		job = strcmp(type, "restart") == 0 || strcmp(type, "start") == 0
			  ? NOTIFY_JOB_RESTART
			  : NOTIFY_JOB_STOP;
	}
	answer(q, job, job == NOTIFY_JOB_UNKNOWN ? "systemd has no job for this unit" : "");
	return 0;
}

static void on_bus_ready(uv_poll_t *, int status, int events);

/* sd-bus says which events it wants next. */
static void
watch_bus(struct question *q)
{
	int events = systemd()->sd_bus_get_events(q->bus);

	if (events < 0) {
		answer(q, NOTIFY_JOB_UNKNOWN, "the system bus went away");
		return;
	}
	uv_poll_start(
	    &q->poll, events & POLLOUT ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_bus_ready);
}

static void
on_bus_ready(uv_poll_t *poll, int status, int events)
{
	struct question *q = poll->data;
	int n;

	(void)status;
	(void)events;
	while (!q->answered && (n = systemd()->sd_bus_process(q->bus, NULL)) != 0) {
		if (n < 0) {
			answer(q, NOTIFY_JOB_UNKNOWN, "the system bus went away");
			return;
		}
	}
	if (!q->answered)
		watch_bus(q);
}

/*
 * The unit we run in, to be freed: the last word of our control group's path
 * that names one.  Not sd_pid_get_unit(3): it compares with process 1, which
 * ProtectProc=invisible hides from us.
 */
static char *
own_unit(const struct systemd *sd)
{
	static const char suffix[] = ".service";
	char *path = NULL, *unit = NULL, *word, *rest;

	if (sd->sd_pid_get_cgroup(0, &path) < 0)
		return NULL;
	for (word = strtok_r(path, "/", &rest); word != NULL; word = strtok_r(NULL, "/", &rest)) {
		size_t n = strlen(word);

		if (n > strlen(suffix) && strcmp(word + n - strlen(suffix), suffix) == 0)
			unit = word;
	}
	unit = unit != NULL ? xstrdup(unit) : NULL;
	free(path);
	return unit;
}

static void
ask_systemd(uv_loop_t *loop, const struct systemd *sd, struct question *q)
{
	char *unit = own_unit(sd);

	if (unit == NULL || sd->sd_bus_open_system(&q->bus) < 0 ||
	    sd->sd_bus_call_method_async(q->bus, NULL, "org.freedesktop.systemd1",
		"/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "ListJobs",
		on_jobs, q, "") < 0 ||
	    uv_poll_init(loop, &q->poll, sd->sd_bus_get_fd(q->bus)) < 0) {
		free(unit);
		answer(q, NOTIFY_JOB_UNKNOWN, "the system bus cannot be reached");
		return;
	}
	free(q->daemon);
	q->daemon = unit;
	q->poll.data = q;
	q->n_open++;
	watch_bus(q);
}

void
notify_ask_job(uv_loop_t *loop, const char *daemon,
    void (*on_answer)(void *aux, enum notify_job, const char *why), void *aux)
{
	const char *supervisor = getenv("TRIVET_SUPERVISOR");
	struct question *q = xcalloc(1, sizeof(*q));
	const struct systemd *sd;

	q->on_answer = on_answer;
	q->aux = aux;
	q->daemon = xstrdup(daemon);
	q->n_open = 1;
	loop_timer_init(loop, &q->limit, on_limit);
	loop_timer_at(&q->limit, mono_add(loop_now(), ANSWER_US));
	if (supervisor != NULL)
		ask_supervisor(loop, q, supervisor);
	else if ((sd = systemd_if("NOTIFY_SOCKET")) != NULL && sd->sd_booted() > 0)
		ask_systemd(loop, sd, q);
	else
		answer(q, NOTIFY_JOB_STOP, "there is no service manager");
}
