/*
 * sessions.c - `trivet sessions` (who is forwarded where) and `trivet close`
 * (end some of them).
 */
#include "common/text.h"
#include "ctl/ctl.h"
#include "ctl/gather.h"
#include "ctl/node.h"
#include "ctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- sessions ---- */

/* "12 s", "3 h": one unit is enough to see who is old. */
static void
cell_time(struct table *t, int64_t ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 } };

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (ms >= units[i].ms) {
			table_cellf(t, TABLE_PLAIN, "%lld %s", (long long)(ms / units[i].ms),
			    units[i].unit);
			return;
		}
	table_cellf(t, TABLE_PLAIN, "%lld ms", (long long)ms);
}

static void
print_sessions(const struct ctl *ctl, json_t *sessions)
{
	struct table t = { 0 };
	struct text out = { 0 };
	json_t *s;
	size_t i;

	json_array_foreach (sessions, i, s) {
		const char *server = node_str(s, "server");

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, node_str(s, "client"));
		table_cellf(&t, TABLE_PLAIN, "at %s", node_str(s, "listener"));
		table_cellf(&t, TABLE_PLAIN, "%s %s", node_str(s, "upstream"), server);
		table_cell(&t, TABLE_PLAIN, node_str(s, "state"));
		cell_time(&t, node_int(s, "ageMs"));
		table_cellf(&t, TABLE_DIM, "idle %lld ms", (long long)node_int(s, "idleMs"));
		table_cellf(&t, TABLE_PLAIN, "in %lld, out %lld bytes",
		    (long long)node_int(s, "bytesIn"), (long long)node_int(s, "bytesOut"));
		table_cell(&t, TABLE_DIM, node_str(s, "id"));
	}
	table_print(&t, "", ctl->colour, &out);
	fputs(text_str(&out), stdout);
	text_done(&out);
}

/* Takes 'parameters'.  The parts of the reply, all in 'all'.  0 or -errno; 'error': its own word.
 */
static int
collect(const struct ctl *ctl, json_t *parameters, json_t *all, struct text *error)
{
	struct varlink_reply reply;
	struct ipc_link *link;
	bool goes_on = true;
	int err = ipc_link_open(ctl->run_dir, "proxyd", &link);

	if (err < 0) {
		json_decref(parameters);
		return err;
	}
	err = ipc_link_send(link, "org.trivet.proxy.ListSessions", parameters, true);
	while (err == 0 && goes_on) {
		err = ipc_link_receive(link, GATHER_TIMEOUT_MS, &reply);
		if (err < 0)
			break;
		goes_on = reply.continues;
		if (reply.error != NULL)
			text_add(error, reply.error);
		else
			json_array_extend(all, json_object_get(reply.parameters, "sessions"));
		varlink_reply_done(&reply);
	}
	ipc_link_close(link);
	return err;
}

int
verb_sessions(const struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = { { "limit", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 } };
	json_t *p = json_object(), *all = json_array();
	struct text error = { 0 };
	long limit = 1000;
	int c, err;

	while ((c = getopt_long(argc, argv, "n:", longs, NULL)) != -1) {
		char *end = optarg;

		limit = c == 'n' ? strtol(optarg, &end, 10) : 0;
		if (c != 'n' || *end != '\0' || limit < 1 || limit > 65536) {
			json_decref(p);
			json_decref(all);
			return ctl_usage(
			    "sessions", c == 'n' ? "the limit is 1 to 65536" : "unknown option");
		}
	}
	json_object_set_new(p, "limit", json_integer(limit));
	if (optind < argc)
		json_object_set_new(p, "listener", json_string(argv[optind]));
	err = collect(ctl, p, all, &error);
	if (err < 0 || error.length > 0)
		ctl_fail(
		    "sessions", "proxyd: %s", err < 0 ? gather_strerror(err) : text_str(&error));
	else if (ctl->json)
		ctl_print_json(all);
	else {
		node_make_printable(all);
		print_sessions(ctl, all);
	}
	err = err < 0 || error.length > 0 ? EXIT_FAILED : EXIT_OK;
	text_done(&error);
	json_decref(all);
	return err;
}

/* ---- close ---- */

int
verb_close(const struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = { { "session", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 } };
	json_t *p = json_object(), *reply = NULL;
	struct text why = { 0 };
	int c, err;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c != 's') {
			json_decref(p);
			return ctl_usage("close", "unknown option");
		}
		json_object_set_new(p, "session", json_string(optarg));
	}
	if (optind < argc)
		json_object_set_new(p, "upstream", json_string(argv[optind++]));
	if (optind < argc)
		json_object_set_new(p, "server", json_string(argv[optind++]));
	if (optind < argc || json_object_size(p) == 0) {
		json_decref(p);
		return ctl_usage(
		    "close", optind < argc ? "unexpected argument" : "which sessions?");
	}
	err = gather_call(
	    ctl->run_dir, "proxyd", "org.trivet.proxy.control.CloseSessions", p, &reply, &why);
	if (err < 0)
		ctl_fail("close", "proxyd: %s", text_str(&why));
	else if (ctl->json)
		ctl_print_json(reply);
	else
		printf("%lld closed\n", (long long)node_int(reply, "closed"));
	text_done(&why);
	json_decref(reply);
	return err < 0 ? EXIT_FAILED : EXIT_OK;
}
