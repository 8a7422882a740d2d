/*
 * servers.c - `trivet drain`, `maintenance`, `ready`, `weight`: an operator's
 * word about a server of an upstream (org.trivet.proxy.control).
 */
#include "common/text.h"
#include "ctl/ctl.h"
#include "ctl/gather.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct line {
	const char *verb;
	int64_t hold_ms; /* 0: until he says otherwise */
	char **words;	 /* UPSTREAM SERVER ... */
	int n;
};

/* --for TIME, then from 'min' to 'max' words.  0, or the exit code. */
static int
read_line(struct line *line, int argc, char **argv, int min, int max)
{
	static const struct option longs[] = { { "for", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c != 'f' || max == min)
			return ctl_usage(line->verb, "unknown option");
		if (ctl_parse_time(optarg, &line->hold_ms) < 0)
			return ctl_usage(
			    line->verb, "'%s' is not a time, such as 90s or 2h", optarg);
	}
	line->words = argv + optind;
	line->n = argc - optind;
	if (line->n < min)
		return ctl_usage(line->verb, "which upstream, which server?");
	if (line->n > max)
		return ctl_usage(line->verb, "unexpected argument '%s'", line->words[max]);
	return 0;
}

static int
say(const struct ctl *ctl, const struct line *line, const char *method, json_t *p)
{
	struct text why = { 0 };
	json_t *reply;
	int err;

	json_object_set_new(p, "upstream", json_string(line->words[0]));
	json_object_set_new(p, "server", json_string(line->words[1]));
	err = gather_call(ctl->run_dir, "proxyd", method, p, &reply, &why);
	if (err < 0) {
		ctl_fail(line->verb, "%s %s: proxyd: %s", line->words[0], line->words[1],
		    text_str(&why));
		text_done(&why);
		return EXIT_FAILED;
	}
	if (ctl->json)
		ctl_print_json(reply);
	json_decref(reply);
	return EXIT_OK;
}

static int
set_state(const struct ctl *ctl, int argc, char **argv, const char *verb, const char *state)
{
	struct line line = { .verb = verb };
	bool ready = strcmp(state, "ready") == 0;
	int code = read_line(&line, argc, argv, 2, ready ? 2 : 64);
	struct text comment = { 0 };
	json_t *p;

	if (code != 0)
		return code;
	for (int i = 2; i < line.n; i++)
		text_addf(&comment, "%s%s", comment.length > 0 ? " " : "", line.words[i]);
	p = json_pack("{s:s}", "state", state);
	if (line.hold_ms > 0)
		json_object_set_new(p, "holdMs", json_integer(line.hold_ms));
	if (comment.length > 0)
		json_object_set_new(p, "comment", json_string(text_str(&comment)));
	text_done(&comment);
	return say(ctl, &line, "org.trivet.proxy.control.SetServerState", p);
}

int
verb_drain(const struct ctl *ctl, int argc, char **argv)
{
	return set_state(ctl, argc, argv, "drain", "drain");
}

int
verb_maintenance(const struct ctl *ctl, int argc, char **argv)
{
	return set_state(ctl, argc, argv, "maintenance", "maintenance");
}

int
verb_ready(const struct ctl *ctl, int argc, char **argv)
{
	return set_state(ctl, argc, argv, "ready", "ready");
}

int
verb_weight(const struct ctl *ctl, int argc, char **argv)
{
	struct line line = { .verb = "weight" };
	int code = read_line(&line, argc, argv, 3, 3);
	json_t *p = NULL;
	char *end;
	long weight;

	if (code != 0)
		return code;
	weight = strtol(line.words[2], &end, 10);
	if (strcmp(line.words[2], "auto") == 0)
		p = json_object();
	else if (end != line.words[2] && *end == '\0' && weight >= 1 && weight <= 1000000)
		p = json_pack("{s:i}", "weight", (int)weight);
	if (p == NULL)
		return ctl_usage("weight", "'%s' is neither 1 to 1000000 nor auto", line.words[2]);
	return say(ctl, &line, "org.trivet.proxy.control.SetServerWeight", p);
}
