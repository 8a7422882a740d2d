/*
 * gather.c - see gather.h.
 */
#include "ctl/gather.h"

#include "ctl/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *
gather_strerror(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "not running";
	case -EACCES:
		return "no permission to ask it (root, or the group " DAEMON_GROUP ")";
	case -EPERM:
		return "somebody else serves its socket";
	case -ETIMEDOUT:
		return "does not answer";
	default:
		return strerror(-err);
	}
}

/* One call on an open link; errors in words. */
static int
ask(struct ipc_link *link, const char *method, json_t *parameters, json_t **ret, struct text *why)
{
	struct varlink_reply reply;
	int err = ipc_link_call(link, method, parameters, GATHER_TIMEOUT_MS, &reply);

	if (err < 0) {
		text_add(why, gather_strerror(err));
		return -1;
	}
	if (reply.error != NULL) {
		const char *name = strrchr(reply.error, '.');

		text_addf(why, "%s refused: %s", method, name != NULL ? name + 1 : reply.error);
		varlink_reply_done(&reply);
		return -1;
	}
	*ret = json_incref(reply.parameters);
	varlink_reply_done(&reply);
	return 0;
}

int
gather_call(const char *run_dir, const char *daemon, const char *method, json_t *parameters,
    json_t **ret, struct text *why)
{
	struct ipc_link *link;
	int err = ipc_link_open(run_dir, daemon, &link);

	if (err < 0) {
		json_decref(parameters);
		text_add(why, gather_strerror(err));
		return -1;
	}
	err = ask(link, method, parameters, ret, why);
	ipc_link_close(link);
	return err;
}

/* What each daemon is asked beside its status, and which arrays come back. */
static const struct {
	const char *daemon, *method, *arrays[3];
} lists[] = {
	{ "checkd", "org.trivet.check.ListChecks", { "checks" } },
	{ "proxyd", "org.trivet.proxy.ListListeners", { "listeners" } },
	{ "proxyd", "org.trivet.proxy.ListUpstreams", { "upstreams", "servers" } },
	{ "vrrpd", "org.trivet.vrrp.ListInstances", { "instances" } },
};

static int
ask_lists(json_t *node, struct ipc_link *link, const char *daemon, struct text *why)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		json_t *reply;

		if (strcmp(lists[i].daemon, daemon) != 0)
			continue;
		if (ask(link, lists[i].method, NULL, &reply, why) < 0)
			return -1;
		for (size_t k = 0; k < 3 && lists[i].arrays[k] != NULL; k++)
			json_object_set(
			    node, lists[i].arrays[k], json_object_get(reply, lists[i].arrays[k]));
		json_decref(reply);
	}
	return 0;
}

static json_t *
ask_daemon(json_t *node, const char *run_dir, const char *daemon)
{
	struct text why = { 0 };
	json_t *status = NULL, *result;
	struct ipc_link *link;
	int err = ipc_link_open(run_dir, daemon, &link);

	if (err < 0)
		return json_pack("{s:b, s:s}", "running", 0, "error", gather_strerror(err));
	err = ask(link, "org.trivet.daemon.GetStatus", NULL, &status, &why);
	if (err == 0)
		err = ask_lists(node, link, daemon, &why);
	ipc_link_close(link);
	if (err == 0)
		result = json_pack("{s:b, s:O}", "running", 1, "status", status);
	else
		result = json_pack("{s:b, s:s}", "running", 0, "error", text_str(&why));
	json_decref(status);
	text_done(&why);
	return result;
}

json_t *
gather_node(const char *run_dir, const char *only)
{
	json_t *daemons = json_object(), *node = json_pack("{s:O}", "daemons", daemons);

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < 3 && lists[i].arrays[k] != NULL; k++)
			json_object_set_new(node, lists[i].arrays[k], json_array());
	for (size_t i = 0; i < CTL_N_DAEMONS; i++)
		if (ctl_among(only, ctl_daemons[i]))
			json_object_set_new(
			    daemons, ctl_daemons[i], ask_daemon(node, run_dir, ctl_daemons[i]));
	json_decref(daemons);
	json_object_set_new(node, "problems", node_problems(node));
	return node;
}
