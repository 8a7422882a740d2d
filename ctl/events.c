/*
 * events.c - `trivet events` (what happened, with its cause) and `trivet watch`
 * (status, again at each change).
 */
#include "common/loop.h"
#include "ctl/gather.h"
#include "ctl/node.h"
#include "ctl/streams.h"
#include "ctl/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- events ---- */

static enum table_style
style_of(const char *severity)
{
	if (strcmp(severity, "err") == 0)
		return TABLE_BAD;
	return strcmp(severity, "warning") == 0 ? TABLE_WARN : TABLE_PLAIN;
}

static void
print_event(const struct ctl *ctl, const char *daemon, json_t *event)
{
	struct text line = { 0 };
	const char *subject;

	if (ctl->json) { /* a line each, for programs that read a stream */
		json_object_set_new(event, "daemon", json_string(daemon));
		json_dumpf(event, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		return;
	}
	node_make_printable(event);
	subject = node_str(event, "subject");
	text_addf(&line, "%s %-6s ", node_str(event, "at"), daemon);
	if (subject[0] != '\0')
		text_addf(&line, "(%s) ", subject);
	table_styled(
	    &line, style_of(node_str(event, "severity")), ctl->colour, node_str(event, "message"));
	puts(text_str(&line));
	text_done(&line);
}

/*
 * After a reconnect the daemon tells all it keeps again; or it is another
 * process, which counts from 1.  So the reader knows what it has seen.
 */
static bool
is_new(struct stream *s, const json_t *reply, const json_t *event)
{
	const char *epoch = node_str(reply, "epoch");
	int64_t sequence = node_int(event, "sequence");

	if (strcmp(s->epoch, epoch) != 0) {
		snprintf(s->epoch, sizeof(s->epoch), "%s", epoch);
		s->seen = 0;
	}
	if (sequence <= s->seen)
		return false;
	if (sequence > s->seen + 1)
		fprintf(stderr, "trivet events: %s: %lld older ones are no longer kept\n",
		    s->daemon, (long long)(sequence - s->seen - 1));
	s->seen = sequence;
	return true;
}

/* One daemon's past, each with whose it is, into 'all'.  False: it is away. */
static bool
collect(const char *run_dir, struct stream *s, json_t *all)
{
	struct text why = { 0 };
	json_t *reply, *event;
	size_t i;

	if (gather_call(run_dir, s->daemon, s->method, NULL, &reply, &why) < 0) {
		fprintf(stderr, "trivet events: %s: %s\n", s->daemon, text_str(&why));
		text_done(&why);
		return false;
	}
	json_array_foreach (json_object_get(reply, "events"), i, event) {
		if (is_new(s, reply, event))
			json_array_append_new(
			    all, json_pack("{s:s, s:O}", "daemon", s->daemon, "event", event));
	}
	json_decref(reply);
	return true;
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = node_int(json_object_get(*(json_t *const *)a, "event"), "usec");
	int64_t y = node_int(json_object_get(*(json_t *const *)b, "event"), "usec");

	if (x == y) { /* one after the other in the same daemon */
		x = node_int(json_object_get(*(json_t *const *)a, "event"), "sequence");
		y = node_int(json_object_get(*(json_t *const *)b, "event"), "sequence");
	}
	return (x > y) - (x < y);
}

/* Three rings, one order. */
static void
print_past(const struct ctl *ctl, const json_t *all)
{
	size_t n = json_array_size(all);
	json_t **sorted = xcalloc(n + 1, sizeof(json_t *));

	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(all, i);
	qsort(sorted, n, sizeof(json_t *), by_time);
	for (size_t i = 0; i < n; i++)
		print_event(
		    ctl, node_str(sorted[i], "daemon"), json_object_get(sorted[i], "event"));
	free(sorted);
}

static void
follow(const struct ctl *ctl, struct stream *streams, size_t n)
{
	struct stream *from;
	json_t *reply, *event;
	size_t i;

	streams_open(ctl->run_dir, streams, n);
	while (streams_next(ctl->run_dir, streams, n, -1, &reply, &from) > 0) {
		json_array_foreach (json_object_get(reply, "events"), i, event) {
			if (is_new(from, reply, event))
				print_event(ctl, from->daemon, event);
		}
		json_decref(reply);
		fflush(stdout);
		if (ferror(stdout))
			return; /* whoever read us has gone */
	}
}

int
verb_events(const struct ctl *ctl, int argc, char **argv)
{
	struct stream streams[CTL_N_DAEMONS] = { 0 };
	json_t *all = json_array();
	bool follows = false;
	size_t there = 0;
	int c;

	while ((c = getopt(argc, argv, "f")) != -1) {
		if (c != 'f') {
			json_decref(all);
			return ctl_usage("events", "unknown option");
		}
		follows = true;
	}
	for (size_t i = 0; i < CTL_N_DAEMONS; i++) {
		streams[i].daemon = ctl_daemons[i];
		streams[i].method = "org.trivet.daemon.Events";
		there += collect(ctl->run_dir, &streams[i], all);
	}
	print_past(ctl, all);
	fflush(stdout);
	json_decref(all);
	if (follows)
		follow(ctl, streams, CTL_N_DAEMONS);
	return there > 0 || follows ? EXIT_OK : EXIT_FAILED;
}

/* ---- watch ---- */

enum {
	REDRAW_MS = 200,  /* changes come in bursts: one page for each */
	REFRESH_MS = 2000 /* ages and session counts go on without a change */
};

static void
draw(const struct ctl *ctl)
{
	json_t *node = gather_node(ctl->run_dir, NULL);
	struct text out = { 0 };
	char stamp[LOOP_STAMP_STRLEN];

	if (ctl->json) { /* a line each */
		json_dumpf(node, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		fflush(stdout);
		json_decref(node);
		return;
	}
	if (isatty(STDOUT_FILENO))
		text_add(&out, "\033[H\033[2J");
	text_addf(&out, "%s\n", loop_wallclock(stamp));
	node_make_printable(node);
	node_status(node, loop_now(), ctl->colour, &out);
	puts(text_str(&out));
	fflush(stdout);
	text_done(&out);
	json_decref(node);
}

/* Until 'ms' are over, read what comes and forget it: the next page asks anew. */
static void
swallow(const struct ctl *ctl, struct stream *streams, int ms)
{
	mono_t limit = mono_add(loop_now(), ms * USEC_PER_MSEC);
	struct stream *from;
	json_t *reply;
	int64_t left;

	while ((left = mono_until(loop_now(), limit) / USEC_PER_MSEC) > 0)
		if (streams_next(ctl->run_dir, streams, CTL_N_DAEMONS, (int)left, &reply, &from) >
		    0)
			json_decref(reply);
}

int
verb_watch(const struct ctl *ctl, int argc, char **argv)
{
	struct stream streams[CTL_N_DAEMONS] = {
		{ .daemon = "checkd", .method = "org.trivet.check.Monitor" },
		{ .daemon = "proxyd", .method = "org.trivet.proxy.Monitor" },
		{ .daemon = "vrrpd", .method = "org.trivet.vrrp.Monitor" },
	};
	struct stream *from;
	json_t *reply;

	if (argc > 1)
		return ctl_usage("watch", "unexpected argument '%s'", argv[1]);
	streams_open(ctl->run_dir, streams, CTL_N_DAEMONS);
	while (!ferror(stdout)) {
		draw(ctl);
		if (streams_next(ctl->run_dir, streams, CTL_N_DAEMONS, REFRESH_MS, &reply, &from) >
		    0) {
			json_decref(reply);
			swallow(ctl, streams, REDRAW_MS);
		}
	}
	streams_close(streams, CTL_N_DAEMONS);
	return EXIT_OK;
}
