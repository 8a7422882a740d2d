/*
 * doctor.c - `trivet doctor`: looks at the running node and its networks, and
 * says what is wrong with them.  What is seen goes as facts to diagnose.h.
 */
#include "ctl/doctor.h"
#include "common/loop.h"
#include "common/text.h"
#include "ctl/diagnose.h"
#include "ctl/gather.h"
#include "ctl/node.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_MS 3500 /* an advert a second, and a little; a slower group's is not waited for */

/* ---- files of the kernel ---- */

/* The number in a file of one line; 0: there is none. */
static int
read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/* The stricter of the interface's and everybody's. */
static int
rp_filter(const char *device)
{
	char *path = xasprintf("/proc/sys/net/ipv4/conf/%s/rp_filter", device);
	int all = read_number("/proc/sys/net/ipv4/conf/all/rp_filter"), own = read_number(path);

	free(path);
	return all > own ? all : own;
}

/* CapEff of /proc/PID/status; NULL: it cannot be read. */
static json_t *
effective_caps(int pid)
{
	char *path = xasprintf("/proc/%d/status", pid), line[256];
	FILE *file = fopen(path, "re");
	unsigned long long caps;
	json_t *ret = NULL;

	free(path);
	if (file == NULL)
		return NULL;
	while (ret == NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			ret = json_integer((json_int_t)caps);
	fclose(file);
	return ret;
}

static json_t *
look_at_capabilities(const json_t *node)
{
	json_t *ret = json_object();

	for (size_t i = 0; i < CTL_N_DAEMONS; i++) {
		const json_t *daemon = json_object_get(
		    json_object_get(node, "daemons"), ctl_daemons[i]);
		int pid = (int)node_int(json_object_get(daemon, "status"), "pid");
		json_t *caps = pid > 0 ? effective_caps(pid) : NULL;

		if (caps != NULL)
			json_object_set_new(ret, ctl_daemons[i], caps);
	}
	return ret;
}

/* ---- clocks ---- */

static int64_t
seconds_of(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return ts.tv_sec;
}

/* How far the wall clock is from where it would be, had nobody set it since vrrpd began. */
static int64_t
step_since_start(const json_t *node)
{
	const json_t *vrrpd = json_object_get(json_object_get(node, "daemons"), "vrrpd");
	const json_t *status = json_object_get(vrrpd, "status");
	int64_t started = node_int(status, "startedUsec") / USEC_PER_SEC, step;
	struct tm tm = { 0 };

	if (strptime(node_str(status, "startedAt"), "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return 0;
	step = (seconds_of(CLOCK_REALTIME) - timegm(&tm)) - (seconds_of(CLOCK_BOOTTIME) - started);
	return step >= -2 && step <= 2 ? 0 : step; /* whole seconds, read one after the other */
}

static json_t *
look_at_clocks(const json_t *node)
{
	struct timex tx = { 0 };
	int64_t slept = seconds_of(CLOCK_BOOTTIME) - seconds_of(CLOCK_MONOTONIC);

	return json_pack("{s:I, s:I, s:b}", "suspendedSec", (json_int_t)(slept > 1 ? slept : 0),
	    "stepSec", (json_int_t)step_since_start(node), "synchronised",
	    adjtimex(&tx) >= 0 && (tx.status & STA_UNSYNC) == 0);
}

/* ---- the firewall ---- */

static json_t *
look_at_firewall(void)
{
	FILE *pipe = popen(
	    "PATH=/usr/sbin:/sbin:/usr/bin:/bin nft -j list ruleset 2>/dev/null", "re");
	json_t *ruleset = pipe != NULL ? json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL) : NULL;

	if (pipe != NULL)
		pclose(pipe);
	return ruleset;
}

/* ---- all of it ---- */

static void
set_if(json_t *facts, const char *key, json_t *value)
{
	if (value != NULL)
		json_object_set_new(facts, key, value);
}

static json_t *
look(const struct ctl *ctl, json_t *node)
{
	const json_t *daemons = json_object_get(node, "daemons");
	json_t *facts = json_object(), *instances = json_object_get(node, "instances");
	bool answers = node_true(json_object_get(daemons, "vrrpd"), "running");

	(void)ctl;
	json_object_set(facts, "daemons", json_object_get(node, "daemons"));
	if (answers)
		json_object_set(facts, "instances", instances);
	set_if(facts, "interfaces", doctor_interfaces(rp_filter));
	set_if(facts, "addresses", doctor_addresses());
	set_if(facts, "ruleset", look_at_firewall());
	set_if(facts, "capabilities", look_at_capabilities(node));
	set_if(facts, "clock", look_at_clocks(node));
	if (answers)
		doctor_listen(facts, instances, LISTEN_MS);
	return facts;
}

static void
print_findings(const struct ctl *ctl, json_t *findings)
{
	static const struct {
		const char *severity, *on;
	} colours[] = { { "critical", "\033[1;31m" }, { "warning", "\033[1;33m" } };
	json_t *one;
	size_t i;

	json_array_foreach (findings, i, one) {
		const char *severity = node_str(one, "severity"), *on = "";

		for (size_t c = 0; ctl->colour && c < ARRAY_LEN(colours); c++)
			if (strcmp(severity, colours[c].severity) == 0)
				on = colours[c].on;
		printf("%s%-8s%s  %s: %s\n", on, severity, on[0] != '\0' ? "\033[0m" : "",
		    node_str(one, "subject"), node_str(one, "message"));
	}
	if (json_array_size(findings) == 0)
		printf("nothing wrong was found\n");
}

static bool
is_bad(const json_t *findings)
{
	const json_t *one;
	size_t i;

	json_array_foreach (findings, i, one)
		if (strcmp(node_str(one, "severity"), "notice") != 0)
			return true;
	return false;
}

int
verb_doctor(const struct ctl *ctl, int argc, char **argv)
{
	json_t *node, *facts, *findings, *all;
	int code;

	(void)argv;
	if (argc > 1)
		return ctl_usage("doctor", "unexpected argument '%s'", argv[1]);
	if (geteuid() != 0)
		return ctl_fail("doctor", "needs root: it listens on interfaces, and reads the "
					  "firewall's rules");
	node = gather_node(ctl->run_dir, NULL);
	facts = look(ctl, node);
	findings = diagnose(facts);
	node_make_printable(findings);
	if (ctl->json) {
		all = json_pack("{s:O, s:O}", "findings", findings, "facts", facts);
		ctl_print_json(all);
		json_decref(all);
	} else {
		print_findings(ctl, findings);
	}
	code = is_bad(findings) ? EXIT_FAILED : EXIT_OK;
	json_decref(findings);
	json_decref(facts);
	json_decref(node);
	return code;
}
