/*
 * busd.c - a toy for test_bus.py: the real server, publisher, service and view
 * around a handful of objects, without a configuration.
 *
 *   busd serve RUN_DIR [ADMIN_GROUP]     the daemon "toyd"
 *   busd watch RUN_DIR DAEMON HEARTBEAT  a view of its toys, a line for each callback
 *   busd call RUN_DIR DAEMON METHOD JSON TIMEOUT_MS [COUNT]
 *                                        one call (COUNT: replies of a stream), printed
 */
#include "common/daemon.h"
#include "common/event.h"
#include "common/log.h"
#include "common/loop.h"
#include "ipc/call.h"
#include "ipc/publish.h"
#include "ipc/service.h"
#include "ipc/view.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ipc_model toy_model = { "org.trivet.test",
	"# What test_bus.py plays with.\n"
	"interface org.trivet.test\n"
	"\n"
	"type Toy (name: string, value: int, text: string, note: ?string)\n"
	"type Mixed (b: bool, i: int, f: float, s: string, o: object, e: (one, two),\n"
	"  list: []int, map: [string]int, set: [string](), inner: (deep: ?[]string), maybe: ?int)\n"
	"\n"
	"method List(name: ?string) -> (epoch: string, sequence: int, toys: []Toy)\n"
	"# [Supports 'more' flag]\n"
	"method Monitor(names: ?[]string, heartbeatMs: ?int) -> (kind: string, epoch: string,\n"
	"  sequence: int, complete: ?bool, toys: ?[]Toy, removed: ?[]string)\n"
	"method Put(name: string, value: int, text: ?string) -> (sequence: int)\n"
	"method Remove(name: string) -> (sequence: int)\n"
	"method Fill(count: int, size: int) -> (sequence: int)\n"
	"method Echo(mixed: Mixed) -> (mixed: Mixed)\n"
	"# Answers after so long.\n"
	"method Later(ms: int) -> (ms: int)\n"
	"# [Requires 'more' flag]\n"
	"method Count(to: int) -> (n: int)\n"
	"method Emit(message: string) -> ()\n"
	"method Unserved() -> ()\n"
	"error NoSuchToy (name: string)\n" };

static const struct ipc_model control_model = { "org.trivet.test.control",
	"interface org.trivet.test.control\n"
	"method Poke(fail: ?bool) -> (pokes: int)\n"
	"error Failed ()\n" };

static struct {
	json_t *toys; /* name -> Toy */
	struct ipc_publisher *publisher;
	struct service *service;
	struct daemon daemon;
	int pokes;
} toyd;

static json_t *
toy_render(void *aux, const char *key)
{
	(void)aux;
	return json_incref(json_object_get(toyd.toys, key));
}

static void
toy_each(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	const char *key;
	json_t *toy;

	(void)aux;
	json_object_foreach (toyd.toys, key, toy)
		found(found_aux, key);
}

static const struct ipc_collection toys = {
	.array = "toys",
	.prefix = "toy/",
	.render = toy_render,
	.each = toy_each,
};

static void
reply_sequence(struct ipc_call *call, uint64_t sequence)
{
	ipc_reply(call, json_pack("{s:I}", "sequence", (json_int_t)sequence));
}

static uint64_t
put(const char *name, json_int_t value, const char *text)
{
	json_object_set_new(toyd.toys, name,
	    json_pack("{s:s, s:I, s:s, s:n}", "name", name, "value", value, "text", text, "note"));
	return ipc_changed(toyd.publisher, &toys, name);
}

static void
do_put(struct ipc_call *call, json_t *parameters, void *aux)
{
	const char *text = json_string_value(json_object_get(parameters, "text"));

	(void)aux;
	reply_sequence(call, put(json_string_value(json_object_get(parameters, "name")),
				 json_integer_value(json_object_get(parameters, "value")),
				 text != NULL ? text : ""));
}

static void
do_remove(struct ipc_call *call, json_t *parameters, void *aux)
{
	const char *name = json_string_value(json_object_get(parameters, "name"));

	(void)aux;
	if (json_object_del(toyd.toys, name) < 0)
		ipc_error(call, "org.trivet.test.NoSuchToy", json_pack("{s:s}", "name", name));
	else
		reply_sequence(call, ipc_changed(toyd.publisher, &toys, name));
}

static void
do_fill(struct ipc_call *call, json_t *parameters, void *aux)
{
	json_int_t count = json_integer_value(json_object_get(parameters, "count"));
	size_t size = (size_t)json_integer_value(json_object_get(parameters, "size"));
	char *text = xcalloc(size + 1, 1);

	(void)aux;
	memset(text, 'x', size);
	for (json_int_t i = 0; i < count; i++) {
		char *name = xasprintf("fill%04d", (int)i);

		put(name, i, text);
		free(name);
	}
	free(text);
	reply_sequence(call, ipc_sequence(toyd.publisher));
}

static void
do_list(struct ipc_call *call, json_t *parameters, void *aux)
{
	const char *name = json_string_value(json_object_get(parameters, "name"));
	json_t *list = ipc_publish_list(toyd.publisher, &toys, name);

	(void)aux;
	if (list != NULL)
		ipc_reply(call, list);
	else
		ipc_error(call, "org.trivet.test.NoSuchToy", json_pack("{s:s}", "name", name));
}

static void
do_monitor(struct ipc_call *call, json_t *parameters, void *aux)
{
	(void)aux;
	ipc_publish_monitor(toyd.publisher, call, json_object_get(parameters, "names"),
	    json_object_get(parameters, "heartbeatMs"));
}

static void
do_echo(struct ipc_call *call, json_t *parameters, void *aux)
{
	(void)aux;
	ipc_reply(call, json_incref(parameters));
}

/* A call that answers later; 'call' NULL when its caller has gone. */
struct later {
	struct loop_timer timer;
	struct ipc_call *call;
	json_int_t ms;
};

static void
later_closed(struct loop_timer *timer)
{
	free(CONTAINER_OF(timer, struct later, timer));
}

static void
later_due(struct loop_timer *timer, mono_t now)
{
	struct later *later = CONTAINER_OF(timer, struct later, timer);

	(void)now;
	ipc_reply(later->call, json_pack("{s:I}", "ms", later->ms));
	loop_timer_close(timer, later_closed);
}

static void
later_gone(void *aux)
{
	struct later *later = aux;

	event_emit(LOG_INFO, "later", (const char *const[]){ "key", "later", NULL },
	    "gone after waiting for %d", (int)later->ms);
	loop_timer_close(&later->timer, later_closed);
}

/* An even number of milliseconds watches its caller, an odd one answers into the void. */
static void
do_later(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct later *later = xcalloc(1, sizeof(*later));

	(void)aux;
	later->call = call;
	later->ms = json_integer_value(json_object_get(parameters, "ms"));
	loop_timer_init(toyd.daemon.loop, &later->timer, later_due);
	loop_timer_at(&later->timer, mono_add(loop_now(), later->ms * USEC_PER_MSEC));
	if (later->ms % 2 == 0)
		ipc_call_watch(call, later_gone, NULL, later);
}

static void
do_count(struct ipc_call *call, json_t *parameters, void *aux)
{
	json_int_t to = json_integer_value(json_object_get(parameters, "to"));

	(void)aux;
	for (json_int_t i = 1; i < to; i++)
		ipc_continue(call, json_pack("{s:I}", "n", i));
	ipc_reply(call, json_pack("{s:I}", "n", to));
}

static void
do_emit(struct ipc_call *call, json_t *parameters, void *aux)
{
	static const char *const fields[] = { "key", "value", NULL };

	(void)aux;
	event_emit(LOG_INFO, "toy", fields, "%s",
	    json_string_value(json_object_get(parameters, "message")));
	ipc_reply(call, NULL);
}

static void
do_poke(struct ipc_call *call, json_t *parameters, void *aux)
{
	(void)aux;
	if (json_is_true(json_object_get(parameters, "fail")))
		ipc_error(call, "org.trivet.test.control.Failed", NULL);
	else
		ipc_reply(call, json_pack("{s:i}", "pokes", ++toyd.pokes));
}

static const struct ipc_method methods[] = {
	{ "org.trivet.test.List", do_list, NULL },
	{ "org.trivet.test.Monitor", do_monitor, NULL },
	{ "org.trivet.test.Put", do_put, NULL },
	{ "org.trivet.test.Remove", do_remove, NULL },
	{ "org.trivet.test.Fill", do_fill, NULL },
	{ "org.trivet.test.Echo", do_echo, NULL },
	{ "org.trivet.test.Later", do_later, NULL },
	{ "org.trivet.test.Count", do_count, NULL },
	{ "org.trivet.test.Emit", do_emit, NULL },
	{ "org.trivet.test.control.Poke", do_poke, NULL },
};

static void
toy_metrics(void *aux, struct service_metrics *m)
{
	static const char *const odd[] = { "label", "a \"quoted\" \\ line\nbreak", NULL };

	(void)aux;
	service_metric(
	    m, "toyd_toys", "How many there are.", NULL, (double)json_object_size(toyd.toys));
	service_metric(m, "toyd_pokes_total", NULL, odd, toyd.pokes);
	service_metric(m, "toyd_toys", "How many there are.", odd, 0.5);
}

static void
toy_peers(void *aux, json_t *array)
{
	(void)aux;
	json_array_append_new(
	    array, json_pack("{s:s, s:s, s:s, s:n, s:n, s:n, s:i, s:n}", "interface",
		       "org.trivet.check", "address", "/nowhere/checkd.sock", "state", "down",
		       "epoch", "sequence", "lastMessageUsec", "reconnects", 0, "lastError"));
}

static void
on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

/* Ends cleanly, so that the sanitizers may say what was forgotten. */
static void
run(uv_loop_t *loop)
{
	static uv_signal_t term; /* closed after we have returned */

	signal(SIGPIPE, SIG_IGN);
	uv_signal_init(loop, &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&term, NULL);
}

static void
close_loop(uv_loop_t *loop)
{
	while (uv_run(loop, UV_RUN_NOWAIT) != 0)
		;
	if (uv_loop_close(loop) != 0)
		fprintf(stderr, "busd: a handle is still open\n");
}

static void
make_directories(const char *run_dir)
{
	char *dir = xasprintf("%s/toyd", run_dir), *link = xasprintf("%s/toyd.sock", run_dir);

	mkdir(dir, 0755);
	if (symlink("toyd/bus", link) < 0 && errno != EEXIST)
		perror(link);
	free(dir);
	free(link);
}

static void
start_daemon(uv_loop_t *loop, const char *run_dir)
{
	static const struct daemon_class class = { .name = "toyd" };
	struct daemon *d = &toyd.daemon;
	uint64_t random = 0;

	d->class = &class;
	d->options.run_dir = run_dir;
	d->loop = loop;
	d->generation = 1;
	d->started = loop_now();
	loop_wallclock(d->loaded_at);
	loop_wallclock(d->started_at);
	TAILQ_INIT(&d->degraded);
	if (getrandom(&random, sizeof(random), 0) < 0)
		abort();
	snprintf(d->epoch, sizeof(d->epoch), "%016llx", (unsigned long long)random);
}

static int
serve(const char *run_dir, const char *admin_group)
{
	struct service_config config = {
		.daemon = &toyd.daemon,
		.metrics = toy_metrics,
		.peers = toy_peers,
		.admin_group = admin_group,
	};
	uv_loop_t *loop = uv_default_loop();
	struct ipc_server *server;

	make_directories(run_dir);
	start_daemon(loop, run_dir);
	if (service_start(&config, &toyd.service) < 0)
		return EXIT_FAILED;
	server = service_server(toyd.service);
	ipc_server_describe(server, &toy_model);
	ipc_server_describe(server, &control_model);
	ipc_server_add(server, methods, ARRAY_LEN(methods));
	toyd.toys = json_object();
	toyd.publisher = ipc_publisher_new(loop, toyd.daemon.epoch, &toys, 1);
	run(loop);
	ipc_publisher_free(toyd.publisher);
	service_free(toyd.service);
	close_loop(loop);
	json_decref(toyd.toys);
	return EXIT_OK;
}

/* ---- the consumer ---- */

static const char *
toy_key(const json_t *object, char *buf, size_t size)
{
	(void)buf;
	(void)size;
	return json_string_value(json_object_get(object, "name"));
}

static void
on_toy(void *aux, const char *key, const json_t *object)
{
	(void)aux;
	if (object == NULL)
		printf("gone %s\n", key);
	else
		printf("toy %s %lld\n", key,
		    (long long)json_integer_value(json_object_get(object, "value")));
}

static void
on_state(void *aux, enum ipc_view_state state, const char *why)
{
	(void)aux;
	printf("state %s: %s\n", ipc_view_state_str(state), why);
}

static int
watch(const char *run_dir, const char *daemon, unsigned heartbeat_ms)
{
	static const struct ipc_view_array arrays[] = {
		{ "toys", toy_key, "toy/", on_toy },
	};
	const struct ipc_view_config config = {
		.daemon = daemon,
		.run_dir = run_dir,
		.method = "org.trivet.test.Monitor",
		.heartbeat_ms = heartbeat_ms,
		.arrays = arrays,
		.n_arrays = ARRAY_LEN(arrays),
		.on_state = on_state,
	};
	uv_loop_t *loop = uv_default_loop();
	struct ipc_view *view;
	json_t *link;

	setvbuf(stdout, NULL, _IOLBF, 0);
	view = ipc_view_new(loop, &config);
	run(loop);
	link = ipc_view_describe(view);
	printf("link ");
	json_dumpf(link, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(link);
	ipc_view_free(view);
	close_loop(loop);
	return EXIT_OK;
}

/* ---- the caller ---- */

static int
print_reply(int error, struct varlink_reply *reply)
{
	if (error < 0) {
		printf("errno %s\n", strerror(-error));
		return EXIT_FAILED;
	}
	printf("%s ", reply->error != NULL ? reply->error : reply->continues ? "more" : "final");
	json_dumpf(reply->parameters, stdout, JSON_COMPACT);
	printf("\n");
	varlink_reply_done(reply);
	return EXIT_OK;
}

static int
call(char **argv, int count)
{
	json_t *parameters = json_loads(argv[3], 0, NULL);
	int timeout_ms = atoi(argv[4]), error, rc = EXIT_OK;
	struct varlink_reply reply;
	struct ipc_link *link;

	error = ipc_link_open(argv[0], argv[1], &link);
	if (error < 0) {
		json_decref(parameters);
		return print_reply(error, NULL);
	}
	if (count == 0) {
		error = ipc_link_call(link, argv[2], parameters, timeout_ms, &reply);
		rc = print_reply(error, &reply);
	} else {
		error = ipc_link_send(link, argv[2], parameters, true);
	}
	for (; count > 0 && rc == EXIT_OK; count--) {
		if (error == 0)
			error = ipc_link_receive(link, timeout_ms, &reply);
		rc = print_reply(error, &reply);
	}
	ipc_link_close(link);
	return rc;
}

int
main(int argc, char **argv)
{
	log_init("busd", LOG_DEBUG);
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]); /* NULL after the last */
	if (argc == 5 && strcmp(argv[1], "watch") == 0)
		return watch(argv[2], argv[3], (unsigned)atoi(argv[4]));
	if (argc >= 7 && strcmp(argv[1], "call") == 0)
		return call(argv + 2, argc > 7 ? atoi(argv[7]) : 0);
	fprintf(stderr, "usage: busd serve|watch|call ...; see the head of busd.c\n");
	return EXIT_USAGE;
}
