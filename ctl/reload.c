/*
 * reload.c - `trivet reload`: one act on one file.  A dry run on every daemon
 * that runs, all of the same text; if one of them objects, nobody changes.
 */
#include "ctl/gather.h"
#include "ctl/node.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELOAD_TIMEOUT_MS 15000 /* reading names may take a resolver's time */

struct reload {
	const struct ctl *ctl;
	struct ipc_link *links[CTL_N_DAEMONS]; /* NULL: not running */
	char *digest;			       /* of the text that the first one read */
	json_t *told;	/* diagnostics printed already: three daemons read one file */
	json_t *result; /* --json */
};

/* ---- what is said ---- */

static void
print_diagnostics(struct reload *r, const json_t *diagnostics)
{
	json_t *one;
	size_t i;

	json_array_foreach (diagnostics, i, one) {
		char *line = xasprintf("%s:%lld:%lld: %s: %s", node_str(one, "file"),
		    (long long)node_int(one, "line"), (long long)node_int(one, "column"),
		    node_str(one, "severity"), node_str(one, "message"));

		if (json_object_get(r->told, line) == NULL && !r->ctl->json)
			fprintf(stderr, "%s\n", line);
		json_object_set_new(r->told, line, json_true());
		free(line);
	}
}

/* An error reply in words, diagnostics above it. */
static void
print_refusal(struct reload *r, const char *daemon, const struct varlink_reply *reply)
{
	const char *dot = strrchr(reply->error, '.');
	const char *error = dot != NULL ? dot + 1 : reply->error;

	if (strcmp(error, "ConfigInvalid") == 0) {
		print_diagnostics(r, json_object_get(reply->parameters, "diagnostics"));
		ctl_fail("reload", "%s refuses the file", daemon);
	} else if (strcmp(error, "DigestDiffers") == 0) {
		ctl_fail("reload", "%s reads another text than the others (%s, not %s)", daemon,
		    node_str(reply->parameters, "found"), r->digest);
	} else if (strcmp(error, "ReloadInProgress") == 0) {
		ctl_fail("reload", "%s: another reload is under way", daemon);
	} else if (strcmp(error, "PermissionDenied") == 0) {
		ctl_fail("reload", "%s: permission denied: be root", daemon);
	} else {
		ctl_fail("reload", "%s: %s", daemon, error);
	}
}

static void
print_changes(const struct reload *r, const char *daemon, bool dry_run, const json_t *reply)
{
	json_t *changes = json_object_get(reply, "changes"), *line;
	size_t i;

	if (r->ctl->json)
		return;
	if (!dry_run)
		printf("%s: reloaded (generation %lld)\n", daemon,
		    (long long)node_int(reply, "configGeneration"));
	json_array_foreach (changes, i, line) {
		printf("%s: %s%s\n", daemon, dry_run ? "would change: " : "  ",
		    json_string_value(line));
	}
	if (dry_run && json_array_size(changes) == 0)
		printf("%s: nothing would change\n", daemon);
}

/* ---- what is done ---- */

static json_t *
parameters(const struct reload *r, bool dry_run)
{
	json_t *p = json_pack("{s:b}", "dryRun", dry_run);

	if (r->digest != NULL)
		json_object_set_new(p, "digest", json_string(r->digest));
	return p;
}

static int
reload_one(struct reload *r, size_t i, bool dry_run, bool shows)
{
	struct varlink_reply reply;
	int err = ipc_link_call(r->links[i], "org.trivet.daemon.control.Reload",
	    parameters(r, dry_run), RELOAD_TIMEOUT_MS, &reply);

	if (err < 0)
		return ctl_fail("reload", "%s: %s", ctl_daemons[i], gather_strerror(err));
	if (reply.error != NULL) {
		bool invalid = strstr(reply.error, "ConfigInvalid") != NULL;

		print_refusal(r, ctl_daemons[i], &reply);
		json_object_set(r->result, ctl_daemons[i], reply.parameters);
		varlink_reply_done(&reply);
		return invalid ? EXIT_CONFIG : EXIT_FAILED;
	}
	if (r->digest == NULL)
		r->digest = xstrdup(node_str(reply.parameters, "configDigest"));
	print_diagnostics(r, json_object_get(reply.parameters, "diagnostics"));
	if (shows)
		print_changes(r, ctl_daemons[i], dry_run, reply.parameters);
	json_object_set(r->result, ctl_daemons[i], reply.parameters);
	varlink_reply_done(&reply);
	return EXIT_OK;
}

/* In the order checkd, proxyd, vrrpd; the first that objects ends it. */
static int
reload_each(struct reload *r, bool dry_run, bool shows)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < CTL_N_DAEMONS && code == EXIT_OK; i++)
		if (r->links[i] != NULL)
			code = reload_one(r, i, dry_run, shows);
	return code;
}

static int
reload_all(struct reload *r, bool dry_run)
{
	int code = reload_each(r, true, dry_run);

	if (code != EXIT_OK) {
		fprintf(stderr, "trivet reload: nothing was changed\n");
		return code;
	}
	if (dry_run)
		return EXIT_OK;
	code = reload_each(r, false, true);
	if (code != EXIT_OK)
		fprintf(stderr, "trivet reload: the daemons may differ now; see trivet status\n");
	return code;
}

/* Returns how many run, or -1 after saying which could not be asked. */
static int
open_links(struct reload *r)
{
	int n = 0;

	for (size_t i = 0; i < CTL_N_DAEMONS; i++) {
		int err = ipc_link_open(r->ctl->run_dir, ctl_daemons[i], &r->links[i]);

		if (err == 0) {
			n++;
			continue;
		}
		r->links[i] = NULL;
		ctl_fail("reload", "%s: %s", ctl_daemons[i], gather_strerror(err));
		if (strcmp(gather_strerror(err), "not running") != 0)
			return -1;
	}
	return n;
}

static void
done(struct reload *r)
{
	for (size_t i = 0; i < CTL_N_DAEMONS; i++)
		if (r->links[i] != NULL)
			ipc_link_close(r->links[i]);
	free(r->digest);
	json_decref(r->told);
	json_decref(r->result);
}

int
verb_reload(const struct ctl *ctl, int argc, char **argv)
{
	static const struct option longs[] = { { "dry-run", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 } };
	struct reload r = { .ctl = ctl, .told = json_object(), .result = json_object() };
	int c, code = EXIT_FAILED;
	bool dry_run = false;

	while ((c = getopt_long(argc, argv, "n", longs, NULL)) != -1) {
		if (c != 'n') {
			done(&r);
			return ctl_usage("reload", "unknown option");
		}
		dry_run = true;
	}
	if (open_links(&r) > 0)
		code = reload_all(&r, dry_run);
	if (ctl->json)
		ctl_print_json(r.result);
	done(&r);
	return code;
}
