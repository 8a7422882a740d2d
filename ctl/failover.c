/*
 * failover.c - `trivet failover`, `trivet priority`: an operator's word about an
 * election (org.trivet.vrrp.control).
 */
#include "common/loop.h"
#include "common/text.h"
#include "ctl/ctl.h"
#include "ctl/gather.h"
#include "ctl/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_NS 20000000L

/* What stands on the line: the words that are none of the options, and these. */
struct line {
	const char *verb;
	const char *words[2];
	size_t n_words;
	bool force;
	int64_t hold_ms; /* 0: until further notice */
};

/* By hand, because -20 is a word here.  0, or the exit code. */
static int
read_line(struct line *line, int argc, char **argv, bool may_force)
{
	for (int i = 1; i < argc; i++) {
		if (may_force && strcmp(argv[i], "--force") == 0) {
			line->force = true;
		} else if (strcmp(argv[i], "--for") == 0) {
			if (++i == argc || ctl_parse_time(argv[i], &line->hold_ms) < 0)
				return ctl_usage(line->verb,
				    "'%s' is not a time, such as 90s or 2h",
				    i < argc ? argv[i] : "");
		} else if (strncmp(argv[i], "--", 2) == 0) {
			return ctl_usage(line->verb, "unknown option '%s'", argv[i]);
		} else if (line->n_words == ARRAY_LEN(line->words)) {
			return ctl_usage(line->verb, "unexpected argument '%s'", argv[i]);
		} else {
			line->words[line->n_words++] = argv[i];
		}
	}
	return line->n_words > 0 ? 0 : ctl_usage(line->verb, "which instance?");
}

static json_t *
parameters(const struct line *line)
{
	json_t *p = json_pack("{s:s}", "name", line->words[0]);

	if (line->hold_ms > 0)
		json_object_set_new(p, "holdMs", json_integer(line->hold_ms));
	return p;
}

/* 'p' is taken.  The reply, or NULL, and said. */
static json_t *
ask(const struct ctl *ctl, const struct line *line, const char *method, json_t *p)
{
	struct text why = { 0 };
	json_t *reply = NULL;

	if (gather_call(ctl->run_dir, "vrrpd", method, p, &reply, &why) < 0) {
		ctl_fail(line->verb, "%s: vrrpd: %s", line->words[0], text_str(&why));
		reply = NULL;
	}
	text_done(&why);
	return reply;
}

/* The instance as it is now; new reference, or NULL, and said. */
static json_t *
look(const struct ctl *ctl, const struct line *line)
{
	json_t *reply = ask(
	    ctl, line, "org.trivet.vrrp.ListInstances", json_pack("{s:s}", "name", line->words[0]));
	json_t *in = json_incref(json_array_get(json_object_get(reply, "instances"), 0));

	json_decref(reply);
	return in;
}

/* ---- failover ---- */

/* Two master-down intervals, and a second for those that keep them. */
static int64_t
patience_us(const json_t *in)
{
	return (8 * node_int(in, "advertisementIntervalMs") + 3000) * USEC_PER_MSEC;
}

/* Another master heard, or we again: then the story is over. */
static bool
is_settled(const json_t *in)
{
	return strcmp(node_str(in, "state"), "master") == 0 ||
	       node_str(in, "masterAddress")[0] != '\0';
}

static int
tell(const struct line *line, const json_t *in, int64_t took_us)
{
	if (strcmp(node_str(in, "state"), "master") == 0)
		return ctl_fail(line->verb, "%s: %s: this node has taken it back", line->words[0],
		    node_str(in, "reason"));
	if (node_str(in, "masterAddress")[0] == '\0')
		return ctl_fail(line->verb, "%s: nobody took over yet; it is released%s",
		    line->words[0],
		    line->force ? " until `trivet resume`, or its time is over" : "");
	printf("%s: %s has taken over, after %.1f s\n", line->words[0],
	    node_str(in, "masterAddress"), (double)took_us / USEC_PER_SEC);
	return EXIT_OK;
}

static int
follow(const struct ctl *ctl, const struct line *line)
{
	const struct timespec nap = { .tv_nsec = LOOK_EVERY_NS };
	mono_t began = loop_now();
	json_t *in;
	int code;

	while ((in = look(ctl, line)) != NULL && !is_settled(in) &&
	       mono_until(began, loop_now()) < patience_us(in)) {
		json_decref(in);
		nanosleep(&nap, NULL);
	}
	if (in == NULL)
		return EXIT_FAILED;
	code = tell(line, in, mono_until(began, loop_now()));
	json_decref(in);
	return code;
}

int
verb_failover(const struct ctl *ctl, int argc, char **argv)
{
	struct line line = { .verb = "failover" };
	int code = read_line(&line, argc, argv, true);
	json_t *p, *reply;

	if (code != 0)
		return code;
	if (line.n_words > 1)
		return ctl_usage(line.verb, "unexpected argument '%s'", line.words[1]);
	p = parameters(&line);
	if (line.force)
		json_object_set_new(p, "force", json_true());
	reply = ask(ctl, &line, "org.trivet.vrrp.control.Release", p);
	if (reply == NULL)
		return EXIT_FAILED;
	if (ctl->json)
		ctl_print_json(reply);
	json_decref(reply);
	return ctl->json ? EXIT_OK : follow(ctl, &line);
}

/* ---- priority ---- */

/* "+20", "-20", "none". */
static bool
parse_delta(const char *word, long *ret)
{
	char *end;

	if (strcmp(word, "none") == 0) {
		*ret = 0;
		return true;
	}
	if (word[0] != '+' && word[0] != '-')
		return false;
	*ret = strtol(word, &end, 10);
	return end > word + 1 && *end == '\0' && labs(*ret) <= 255;
}

int
verb_priority(const struct ctl *ctl, int argc, char **argv)
{
	struct line line = { .verb = "priority" };
	int code = read_line(&line, argc, argv, false);
	json_t *p, *reply;
	long delta;

	if (code != 0)
		return code;
	if (line.n_words < 2 || !parse_delta(line.words[1], &delta))
		return ctl_usage(line.verb, "by how much? +N, -N (up to 255) or none");
	p = parameters(&line);
	json_object_set_new(p, "delta", delta != 0 ? json_integer(delta) : json_null());
	reply = ask(ctl, &line, "org.trivet.vrrp.control.AdjustPriority", p);
	if (reply == NULL)
		return EXIT_FAILED;
	if (ctl->json)
		ctl_print_json(reply);
	json_decref(reply);
	return EXIT_OK;
}

/* ---- resume ---- */

int
failover_resume(const struct ctl *ctl, const char *name)
{
	struct text why = { 0 };
	json_t *reply = NULL;
	int r = gather_call(ctl->run_dir, "vrrpd", "org.trivet.vrrp.control.Resume",
	    json_pack("{s:s}", "name", name), &reply, &why);

	text_done(&why);
	if (r < 0)
		return -ENOENT;
	if (ctl->json)
		ctl_print_json(reply);
	json_decref(reply);
	return 0;
}
