/*
 * trivet.c - the command: the table of verbs is dispatch and help at once.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const ctl_daemons[CTL_N_DAEMONS] = { "checkd", "proxyd", "vrrpd" };

/* clang-format off */
static const struct verb {
	const char *name;
	int (*run)(const struct ctl *, int argc, char **argv);
	const char *usage;
	const char *help;
} verbs[] = {
{ "status", verb_status, "[--plugin] [--only DAEMON,...]",
    "what runs, who holds which address, what is wrong" },
{ "why", verb_why, "[INSTANCE...]",
    "why an instance is in its state: the priority, term by term, and the evidence" },
{ "watch", verb_watch, "",
    "status, again at each change" },
{ "events", verb_events, "[-f]",
    "what happened, with its cause; -f goes on" },
{ "metrics", verb_metrics, "[PREFIX]",
    "counters and gauges, in Prometheus' format" },
{ "check", verb_check, "[-i ID] [--print] FILE... | [--keepalived FILE] [--nginx FILE]",
    "is the configuration good? several files: do they fit each other?" },
{ "reload", verb_reload, "[--dry-run]",
    "make the daemons read their configuration again: all of them or none" },
{ "restart", verb_restart, "DAEMON...",
    "restart daemons of trivet run" },
{ "failover", verb_failover, "[--force] [--for TIME] INSTANCE",
    "give an instance's addresses to another node" },
{ "priority", verb_priority, "[--for TIME] INSTANCE DELTA",
    "add DELTA to an instance's priority: +N, -N, none" },
{ "pause", verb_pause, "[--for TIME] CHECK [COMMENT...]",
    "do not run a check; its verdict stays as it is" },
{ "force", verb_force, "[--for TIME] CHECK up|down|auto [COMMENT...]",
    "let a check count as up or down, whatever it says" },
{ "resume", verb_resume, "NAME",
    "take back what was said of a check or an instance" },
{ "drain", verb_drain, "[--for TIME] UPSTREAM SERVER [COMMENT...]",
    "a server gets no new sessions" },
{ "maintenance", verb_maintenance, "[--for TIME] UPSTREAM SERVER [COMMENT...]",
    "the same, and it counts as down for the sessions it has" },
{ "ready", verb_ready, "UPSTREAM SERVER",
    "the end of drain and maintenance" },
{ "weight", verb_weight, "UPSTREAM SERVER N|auto",
    "another weight than the file's" },
{ "sessions", verb_sessions, "[--limit N] [LISTENER]",
    "who is forwarded where: ages, bytes" },
{ "close", verb_close, "--session ID | UPSTREAM [SERVER]",
    "end a session, or all of an upstream or a server" },
{ "doctor", verb_doctor, "",
    "look at the running node: network, firewall, who else has the addresses" },
{ "sync", verb_sync, "[--dry-run] [--dir DIR] [NODE...]",
    "the configuration to the other nodes: checked there before it is read" },
{ "run", verb_run, "[-v] [-c FILE] [-i ID] [--run-dir DIR] [--state-dir DIR] [--only DAEMON,...]",
    "run the daemons in the foreground, without systemd" },
};
/* clang-format on */

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void
help(FILE *out)
{
	fprintf(out, "usage: trivet [--run-dir DIR] [--json] VERB ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fprintf(out, "\nSee trivet(8); `trivet VERB --help` for one of them.\n");
}

static void
usage(FILE *out, const struct verb *verb)
{
	fprintf(out, "usage: trivet %s%s%s\n", verb->name, verb->usage[0] != '\0' ? " " : "",
	    verb->usage);
}

int
ctl_usage(const char *verb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "trivet %s: ", verb);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	usage(stderr, find_verb(verb));
	return EXIT_USAGE;
}

int
ctl_fail(const char *verb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "trivet %s: ", verb);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return EXIT_FAILED;
}

void
ctl_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', stdout);
}

bool
ctl_among(const char *words, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = words; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, length) == 0 && (p[length] == ',' || p[length] == '\0'))
			return true;
	}
	return words == NULL;
}

int
ctl_parse_time(const char *s, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60e3 }, { "h", 3600e3 },
		{ "d", 86400e3 } };
	char *unit;
	double number = strtod(s, &unit);

	if (unit == s || !isfinite(number) || number <= 0 || number > 1e12)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(unit, units[i].unit) != 0)
			continue;
		*ret_ms = (int64_t)ceil(number * units[i].ms);
		return 0;
	}
	return -EINVAL;
}

/*
 * --run-dir and --json stand before or after the verb, so they are taken out of
 * the line first; what is left is the verb and its own words.  Returns how many,
 * or -1 when --run-dir has no value.
 */
static int
take_globals(struct ctl *ctl, int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (i < argc)
				argv[n++] = argv[i++];
		} else if (strcmp(argv[i], "--json") == 0) {
			ctl->json = true;
		} else if (strncmp(argv[i], "--run-dir=", 10) == 0) {
			ctl->run_dir = argv[i] + 10;
		} else if (strcmp(argv[i], "--run-dir") == 0) {
			if (++i == argc)
				return -1;
			ctl->run_dir = argv[i];
		} else {
			argv[n++] = argv[i];
		}
	}
	argv[n] = NULL;
	return n;
}

/* https://no-color.org: set and not empty means none. */
static bool
wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static bool
asks_for(const char *word, const char *shorter, const char *longer)
{
	return strcmp(word, shorter) == 0 || strcmp(word, longer) == 0;
}

static int
run_verb(const struct ctl *ctl, int argc, char **argv)
{
	const struct verb *verb = find_verb(argv[0]);

	if (verb == NULL) {
		fprintf(stderr, "trivet: there is no verb '%s'\n", argv[0]);
		help(stderr);
		return EXIT_USAGE;
	}
	if (argc > 1 && asks_for(argv[1], "-h", "--help")) {
		usage(stdout, verb);
		printf("  %s\n", verb->help);
		return EXIT_OK;
	}
	return verb->run(ctl, argc, argv);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { .run_dir = DAEMON_RUN_DIR, .colour = wants_colour() };
	int n = take_globals(&ctl, argc, argv);

	if (n < 0) {
		fprintf(stderr, "trivet: --run-dir wants a directory\n");
		return EXIT_USAGE;
	}
	if (n == 0) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (asks_for(argv[0], "-h", "--help") || strcmp(argv[0], "help") == 0) {
		help(stdout);
		return EXIT_OK;
	}
	if (asks_for(argv[0], "-V", "--version")) {
		printf("trivet %s\n", TRIVET_VERSION);
		return EXIT_OK;
	}
	return run_verb(&ctl, n, argv);
}
