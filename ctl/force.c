/*
 * force.c - `trivet pause`, `resume`, `force`: an operator's word about a check
 * (org.trivet.check.control).
 */
#include "common/text.h"
#include "ctl/ctl.h"
#include "ctl/gather.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *verb; /* ours, for what is said */
	const char *administrative;
	int64_t hold_ms; /* 0: until he says otherwise */
	char *comment;
};

/* What is left of the line, as one comment, to be freed. */
static char *
join(char **words)
{
	struct text line = { 0 };

	for (; *words != NULL; words++)
		text_addf(&line, "%s%s", line.length > 0 ? " " : "", *words);
	return text_take(&line);
}

static json_t *
parameters(const char *check, const struct word *w)
{
	json_t *p = json_pack("{s:s, s:s}", "name", check, "administrative", w->administrative);

	if (w->hold_ms > 0)
		json_object_set_new(p, "holdMs", json_integer(w->hold_ms));
	if (w->comment != NULL && w->comment[0] != '\0')
		json_object_set_new(p, "comment", json_string(w->comment));
	return p;
}

static int
say(const struct ctl *ctl, const char *check, const struct word *w)
{
	struct text why = { 0 };
	json_t *reply;
	int err = gather_call(ctl->run_dir, "checkd", "org.trivet.check.control.SetAdministrative",
	    parameters(check, w), &reply, &why);

	if (err < 0) {
		ctl_fail(w->verb, "%s: checkd: %s", check, text_str(&why));
		text_done(&why);
		return EXIT_FAILED;
	}
	if (ctl->json)
		ctl_print_json(reply);
	json_decref(reply);
	return EXIT_OK;
}

/* --for TIME, then at least 'n' words.  0, or the exit code. */
static int
read_line(struct word *w, int argc, char **argv, int n)
{
	static const struct option longs[] = { { "for", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c != 'f')
			return ctl_usage(w->verb, "unknown option");
		if (ctl_parse_time(optarg, &w->hold_ms) < 0)
			return ctl_usage(w->verb, "'%s' is not a time, such as 90s or 2h", optarg);
	}
	return argc - optind < n ? ctl_usage(w->verb, "which check?") : 0;
}

int
verb_pause(const struct ctl *ctl, int argc, char **argv)
{
	struct word w = { .verb = "pause", .administrative = "paused" };
	int code = read_line(&w, argc, argv, 1);

	if (code != 0)
		return code;
	w.comment = join(argv + optind + 1);
	code = say(ctl, argv[optind], &w);
	free(w.comment);
	return code;
}

int
verb_resume(const struct ctl *ctl, int argc, char **argv)
{
	const struct word w = { .verb = "resume", .administrative = "auto" };

	if (argc < 2 || argv[1][0] == '-')
		return ctl_usage("resume", "which check or instance?");
	if (argc > 2)
		return ctl_usage("resume", "unexpected argument '%s'", argv[2]);
	return failover_resume(ctl, argv[1]) == 0 ? EXIT_OK : say(ctl, argv[1], &w);
}

int
verb_force(const struct ctl *ctl, int argc, char **argv)
{
	static const char *const words[][2] = { { "up", "forcedUp" }, { "down", "forcedDown" },
		{ "auto", "auto" } };
	struct word w = { .verb = "force" };
	int code = read_line(&w, argc, argv, 1);

	if (code != 0)
		return code;
	for (size_t i = 0; argc - optind >= 2 && i < ARRAY_LEN(words); i++)
		if (strcmp(argv[optind + 1], words[i][0]) == 0)
			w.administrative = words[i][1];
	if (w.administrative == NULL)
		return ctl_usage("force", "up, down or auto?");
	w.comment = join(argv + optind + 2);
	code = say(ctl, argv[optind], &w);
	free(w.comment);
	return code;
}
