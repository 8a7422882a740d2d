/*
 * service.c - see service.h: the socket of a daemon, GetStatus, Ping, and what
 * may be told to it.  Metrics and events are in files of their own.
 */
#include "ipc/service.h"

#include "common/caps.h"
#include "common/log.h"
#include "ipc/service_priv.h"
#include "ipc/varlink.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VENDOR "trivet"
#define URL    "https://varlink.org/" /* of the protocol: the interfaces describe themselves */

/* ---- org.trivet.daemon ---- */

json_t *
service_peers(const struct service *s)
{
	json_t *peers = json_array();

	if (s->config.peers != NULL)
		s->config.peers(s->config.aux, peers);
	return peers;
}

static const char *
health(const struct daemon *d)
{
	if (d->stopping)
		return "stopping";
	return TAILQ_EMPTY(&d->degraded) ? "ok" : "degraded";
}

static json_t *
health_reasons(const struct daemon *d)
{
	const struct daemon_degraded *item;
	json_t *reasons = json_array();

	TAILQ_FOREACH (item, &d->degraded, entry)
		json_array_append_new(reasons, varlink_string(item->reason));
	return reasons;
}

static void
get_status(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct service *s = aux;
	const struct daemon *d = s->config.daemon;
	json_t *status;

	(void)parameters;
	status = json_pack("{s:s, s:s, s:s, s:i, s:s, s:o}", "daemon", d->class->name, "version",
	    TRIVET_VERSION, "epoch", d->epoch, "pid", (int)getpid(), "health", health(d),
	    "healthReasons", health_reasons(d));
	json_object_update_new(status,
	    json_pack("{s:s, s:I, s:I, s:s, s:s, s:o}", "startedAt", d->started_at, "startedUsec",
		(json_int_t)d->started.us, "configGeneration", (json_int_t)d->generation,
		"configDigest", d->conf != NULL ? d->conf->digest : "", "configLoadedAt",
		d->loaded_at, "lastReloadError", varlink_string(d->reload_error)));
	json_object_update_new(status,
	    json_pack("{s:I, s:o}", "subscribers",
		(json_int_t)ipc_server_stats(s->server).subscribers, "peers", service_peers(s)));
	ipc_reply(call, status);
}

static void
ping(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct service *s = aux;

	ipc_reply(
	    call, json_pack("{s:O?, s:s, s:I}", "token", json_object_get(parameters, "token"),
		      "epoch", s->config.daemon->epoch, "nowUsec", (json_int_t)loop_now().us));
}

/* ---- org.trivet.daemon.control ---- */

static json_t *
diagnostic(
    const char *severity, const char *file, json_int_t line, json_int_t column, const char *message)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:o}", "severity", severity, "file",
	    varlink_string(file), "line", line, "column", column, "message",
	    varlink_string(message));
}

/* What the language said, and why the daemon itself refused, if it did. */
static json_t *
diagnostics(const struct daemon *d, const struct daemon_reload_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->diags.n; i++) {
		const struct conf_diag *diag = &result->diags.items[i];

		json_array_append_new(
		    array, diagnostic(conf_severity_str(diag->severity), diag->file, diag->pos.line,
			       diag->pos.column, diag->message));
	}
	if (result->why != NULL)
		json_array_append_new(
		    array, diagnostic("error", d->options.conf_path, 0, 0, result->why));
	return array;
}

static json_t *
changes(const struct daemon_reload_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->changes.n; i++)
		json_array_append_new(array, varlink_string(result->changes.lines[i]));
	return array;
}

static void
answer_reload(struct ipc_call *call, const struct daemon *d, int error,
    const struct daemon_reload_result *result)
{
	switch (error) {
	case 0:
		ipc_reply(
		    call, json_pack("{s:I, s:s, s:o, s:o}", "configGeneration",
			      (json_int_t)d->generation, "configDigest", result->digest, "changes",
			      changes(result), "diagnostics", diagnostics(d, result)));
		return;
	case -EBUSY:
		ipc_error(call, "org.trivet.daemon.control.ReloadInProgress", NULL);
		return;
	case -ESTALE:
		ipc_error(call, "org.trivet.daemon.control.DigestDiffers",
		    json_pack("{s:s}", "found", result->digest));
		return;
	default:
		ipc_error(call, "org.trivet.daemon.control.ConfigInvalid",
		    json_pack("{s:o}", "diagnostics", diagnostics(d, result)));
	}
}

static void
reload(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct service *s = aux;
	struct daemon_reload_result result = { 0 };
	const struct daemon_reload request = {
		.dry_run = json_is_true(json_object_get(parameters, "dryRun")),
		.digest = json_string_value(json_object_get(parameters, "digest")),
	};
	int error = daemon_reload(s->config.daemon, &request, &result);

	answer_reload(call, s->config.daemon, error, &result);
	daemon_reload_result_done(&result);
}

static void
set_log_level(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct service *s = aux;
	const char *name = json_string_value(json_object_get(parameters, "level"));
	int level = s->config.daemon->options.verbose ? LOG_DEBUG : LOG_INFO;

	if (name != NULL)
		level = log_level_parse(name);
	if (level < LOG_ERR) { /* quieter than errors is not offered, nor is nonsense */
		ipc_error_invalid(call, "level");
		return;
	}
	ipc_reply(call, json_pack("{s:s}", "previous", log_level_name(log_set_level(level))));
}

/* ---- life ---- */

static void
add_methods(struct service *s)
{
	const struct ipc_method methods[] = {
		{ "org.trivet.daemon.GetStatus", get_status, s },
		{ "org.trivet.daemon.Ping", ping, s },
		{ "org.trivet.daemon.ListMetrics", service_list_metrics, s },
		{ "org.trivet.daemon.FormatMetrics", service_format_metrics, s },
		{ "org.trivet.daemon.Events", service_events_serve, s->events },
		{ "org.trivet.daemon.control.Reload", reload, s },
		{ "org.trivet.daemon.control.SetLogLevel", set_log_level, s },
	};

	_Static_assert(sizeof(methods) == sizeof(s->methods), "one row each");
	memcpy(s->methods, methods, sizeof(methods));
	ipc_server_add(s->server, s->methods, ARRAY_LEN(s->methods));
}

/* Those that have a user on this node: the others cannot come anyway. */
static size_t
sibling_uids(uid_t uids[static 3])
{
	static const char *const users[] = { "_trivet-vrrpd", "_trivet-checkd", "_trivet-proxyd" };
	size_t n = 0;
	gid_t gid;

	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		n += caps_user(users[i], &uids[n], &gid) == 0;
	return n;
}

/* (gid_t)-1: there is none of that name. */
static gid_t
group_id(const char *name)
{
	const struct group *group = name != NULL ? getgrnam(name) : NULL;

	return group != NULL ? group->gr_gid : (gid_t)-1;
}

static int
open_server(const struct daemon *d, const char *admin_group, struct ipc_server **ret)
{
	char *path = daemon_run_path(d, "bus");
	uid_t uids[3];
	const struct ipc_server_config config = {
		.vendor = VENDOR,
		.product = d->class->name,
		.version = TRIVET_VERSION,
		.url = URL,
		.path = path,
		.group = group_id(DAEMON_GROUP),
		.admin_group = group_id(admin_group),
		.peer_uids = uids,
		.n_peer_uids = sibling_uids(uids),
	};
	int error = ipc_server_new(d->loop, &config, ret);

	if (error == -EADDRINUSE)
		log_err("%s: a running %s serves it already", path, d->class->name);
	else if (error < 0)
		log_err("%s: cannot serve: %s", path, strerror(-error));
	free(path);
	return error;
}

int
service_start(const struct service_config *config, struct service **ret)
{
	struct service *s = xcalloc(1, sizeof(*s));
	int error;

	s->config = *config;
	error = open_server(config->daemon, config->admin_group, &s->server);
	if (error < 0) {
		free(s);
		return error;
	}
	s->events = service_events_new(config->daemon->loop, config->daemon->epoch);
	add_methods(s);
	*ret = s;
	return 0;
}

struct ipc_server *
service_server(struct service *s)
{
	return s->server;
}

void
service_free(struct service *s)
{
	if (s == NULL)
		return;
	service_events_free(s->events);
	ipc_server_free(s->server);
	free(s);
}
