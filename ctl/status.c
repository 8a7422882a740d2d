/*
 * status.c - `trivet status` and `trivet why`: what the daemons say, on a page.
 */
#include "common/loop.h"
#include "ctl/gather.h"
#include "ctl/node.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct options {
	bool plugin;
	const char *only;
};

/* Returns -1 to go on, or the exit code. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	enum { OPT_PLUGIN = 256, OPT_ONLY };
	static const struct option longs[] = {
		{ "plugin", no_argument, NULL, OPT_PLUGIN },
		{ "only", required_argument, NULL, OPT_ONLY },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == OPT_PLUGIN)
			o->plugin = true;
		else if (c == OPT_ONLY)
			o->only = optarg;
		else
			return ctl_usage("status", "unknown option");
	}
	return optind < argc ? ctl_usage("status", "unexpected argument '%s'", argv[optind]) : -1;
}

static int
print_plugin(json_t *node)
{
	struct text out = { 0 };
	int code;

	node_make_printable(node);
	code = node_plugin(node, &out);

	fputs(text_str(&out), stdout);
	text_done(&out);
	return code;
}

static void
print_page(const struct ctl *ctl, json_t *node)
{
	struct text out = { 0 };

	node_make_printable(node);
	node_status(node, loop_now(), ctl->colour, &out);
	fputs(text_str(&out), stdout);
	text_done(&out);
}

/* 2 when something is wrong (design.md section 2): scripts ask before they go on. */
static int
exit_code(const json_t *node)
{
	if (node_silent(node))
		return EXIT_FAILED;
	return json_array_size(json_object_get(node, "problems")) > 0 ? 2 : EXIT_OK;
}

int
verb_status(const struct ctl *ctl, int argc, char **argv)
{
	struct options o = { 0 };
	json_t *node;
	int code = parse_options(argc, argv, &o);

	if (code >= 0)
		return code;
	node = gather_node(ctl->run_dir, o.only);
	code = exit_code(node);
	if (o.plugin)
		code = print_plugin(node);
	else if (ctl->json)
		ctl_print_json(node);
	else
		print_page(ctl, node);
	json_decref(node);
	return code;
}

/* ---- why ---- */

static bool
named(const json_t *instance, const char *name)
{
	return strcmp(node_str(instance, "name"), name) == 0 ||
	       strcmp(node_str(instance, "key"), name) == 0;
}

/* The instances asked for; what is not found is said. */
static json_t *
select_instances(const json_t *node, int argc, char **argv, int *code)
{
	json_t *all = json_object_get(node, "instances"), *chosen = json_array(), *instance;
	size_t i;

	if (argc < 2)
		json_array_extend(chosen, all);
	for (int arg = 1; arg < argc; arg++) {
		size_t before = json_array_size(chosen);

		json_array_foreach (all, i, instance) {
			if (named(instance, argv[arg]))
				json_array_append(chosen, instance);
		}
		if (json_array_size(chosen) == before)
			*code = ctl_fail("why", "there is no instance '%s'", argv[arg]);
	}
	return chosen;
}

static void
print_why(const struct ctl *ctl, json_t *node, const json_t *chosen)
{
	struct text out = { 0 };
	json_t *instance;
	size_t i;

	node_make_printable(node);
	json_array_foreach (chosen, i, instance) {
		if (i > 0)
			text_add(&out, "\n");
		node_why(node, instance, loop_now(), ctl->colour, &out);
	}
	if (json_array_size(chosen) == 0 &&
	    json_array_size(json_object_get(node, "instances")) == 0)
		text_add(&out, "There are no instances here.\n");
	fputs(text_str(&out), stdout);
	text_done(&out);
}

int
verb_why(const struct ctl *ctl, int argc, char **argv)
{
	json_t *node, *vrrpd, *chosen;
	int code = EXIT_OK;

	if (argc > 1 && argv[1][0] == '-')
		return ctl_usage("why", "unknown option '%s'", argv[1]);
	node = gather_node(ctl->run_dir, NULL);
	vrrpd = json_object_get(json_object_get(node, "daemons"), "vrrpd");
	if (!node_true(vrrpd, "running")) {
		code = ctl_fail("why", "vrrpd: %s", node_str(vrrpd, "error"));
		json_decref(node);
		return code;
	}
	chosen = select_instances(node, argc, argv, &code);
	if (ctl->json)
		ctl_print_json(chosen);
	else
		print_why(ctl, node, chosen);
	json_decref(chosen);
	json_decref(node);
	return code;
}
