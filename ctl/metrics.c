/*
 * metrics.c - `trivet metrics`: the counters of all daemons in one text, for
 * node_exporter's textfile collector and its like.
 */
#include "ctl/gather.h"
#include "ctl/node.h"

#include <stdio.h>
#include <string.h>

/* A daemon that is away has one metric left. */
static void
print_absent(const char *daemon, const char *prefix, const char *why)
{
	char name[32];

	fprintf(stderr, "trivet metrics: %s: %s\n", daemon, why);
	snprintf(name, sizeof(name), "%s_up", daemon);
	if (prefix == NULL || strncmp(name, prefix, strlen(prefix)) == 0)
		printf("# TYPE %s gauge\n%s 0\n", name, name);
}

static json_t *
parameters(const char *prefix)
{
	return prefix != NULL ? json_pack("{s:s}", "prefix", prefix) : NULL;
}

static int
print_text(const struct ctl *ctl, const char *prefix)
{
	size_t there = 0;

	for (size_t i = 0; i < CTL_N_DAEMONS; i++) {
		struct text why = { 0 };
		json_t *reply;

		if (gather_call(ctl->run_dir, ctl_daemons[i], "org.trivet.daemon.FormatMetrics",
			parameters(prefix), &reply, &why) < 0) {
			print_absent(ctl_daemons[i], prefix, text_str(&why));
		} else {
			fputs(node_str(reply, "text"), stdout);
			json_decref(reply);
			there++;
		}
		text_done(&why);
	}
	return there > 0 ? EXIT_OK : EXIT_FAILED;
}

static int
print_json(const struct ctl *ctl, const char *prefix)
{
	json_t *all = json_object();
	size_t there = 0;

	for (size_t i = 0; i < CTL_N_DAEMONS; i++) {
		struct text why = { 0 };
		json_t *reply;

		if (gather_call(ctl->run_dir, ctl_daemons[i], "org.trivet.daemon.ListMetrics",
			parameters(prefix), &reply, &why) < 0) {
			ctl_fail("metrics", "%s: %s", ctl_daemons[i], text_str(&why));
		} else {
			json_object_set(all, ctl_daemons[i], json_object_get(reply, "metrics"));
			json_decref(reply);
			there++;
		}
		text_done(&why);
	}
	ctl_print_json(all);
	json_decref(all);
	return there > 0 ? EXIT_OK : EXIT_FAILED;
}

int
verb_metrics(const struct ctl *ctl, int argc, char **argv)
{
	const char *prefix = argc > 1 ? argv[1] : NULL;

	if (argc > 2 || (prefix != NULL && prefix[0] == '-'))
		return ctl_usage("metrics", "unexpected argument '%s'", argv[argc - 1]);
	return ctl->json ? print_json(ctl, prefix) : print_text(ctl, prefix);
}
