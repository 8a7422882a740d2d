/*
 * service_metrics.c - a daemon's numbers: those every daemon has, its own, and
 * the two text formats that monitors read.
 */
#include "common/text.h"
#include "ipc/service_priv.h"
#include "ipc/varlink.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct service_metrics {
	const char *daemon; /* "vrrpd": the first word of the common names */
	const char *prefix; /* only names that begin so */
	json_t *array;	    /* of Metric */
};

static bool
has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcmp(s + n - m, suffix) == 0;
}

void
service_metric(struct service_metrics *m, const char *name, const char *help,
    const char *const *labels, double value)
{
	json_t *object;

	if (strncmp(name, m->prefix, strlen(m->prefix)) != 0 || !isfinite(value))
		return;
	object = json_object();
	for (size_t i = 0; labels != NULL && labels[i] != NULL && labels[i + 1] != NULL; i += 2)
		json_object_set_new(object, labels[i], varlink_string(labels[i + 1]));
	json_array_append_new(
	    m->array, json_pack("{s:s, s:s, s:o, s:o, s:f}", "name", name, "kind",
			  has_suffix(name, "_total") ? "counter" : "gauge", "help",
			  varlink_string(help), "labels", object, "value", value));
}

/* ---- what every daemon counts ---- */

/* DAEMON_SUFFIX */
static void
common_metric(struct service_metrics *m, const char *suffix, const char *help,
    const char *const *labels, double value)
{
	char *name = xasprintf("%s_%s", m->daemon, suffix);

	service_metric(m, name, help, labels, value);
	free(name);
}

/* Our own stamps (loop_wallclock) back to seconds since 1970; 0 when there is none. */
static double
stamp_seconds(const char *stamp)
{
	struct tm tm = { 0 };
	const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm);

	return rest != NULL ? (double)timegm(&tm) + strtod(rest, NULL) : 0;
}

/* ".../checkd.sock" is "checkd". */
static char *
peer_name(const json_t *link)
{
	const char *address = json_string_value(json_object_get(link, "address"));
	const char *slash = address != NULL ? strrchr(address, '/') : NULL;
	const char *base = slash != NULL ? slash + 1 : address != NULL ? address : "";

	return xstrndup(base, has_suffix(base, ".sock") ? strlen(base) - 5 : strlen(base));
}

/* One series for each state, 1 where it is so: no state names as values. */
static void
peer_metrics(struct service_metrics *m, const struct service *s)
{
	static const char *const states[] = { "live", "stale", "down" };
	json_t *peers = service_peers(s), *link;
	size_t i;

	json_array_foreach (peers, i, link) {
		const char *state = json_string_value(json_object_get(link, "state"));
		char *name = peer_name(link);

		for (size_t k = 0; k < ARRAY_LEN(states) && state != NULL; k++) {
			const char *const labels[] = { "peer", name, "state", states[k], NULL };

			common_metric(m, "ipc_peer_state", "1 for the state a sibling is in.",
			    labels, strcmp(state, states[k]) == 0);
		}
		free(name);
	}
	json_decref(peers);
}

static void
ipc_metrics(struct service_metrics *m, const struct ipc_server_stats *stats)
{
	common_metric(m, "ipc_connections", "Connections to the bus socket.", NULL,
	    (double)stats->connections);
	common_metric(
	    m, "ipc_subscribers", "Streams that run on them.", NULL, (double)stats->subscribers);
	common_metric(m, "ipc_slow_subscribers_total",
	    "Connections closed because nothing was read for 30 s.", NULL,
	    (double)stats->slow_closed);
	common_metric(m, "ipc_malformed_total",
	    "Connections closed because what they sent was no Varlink call.", NULL,
	    (double)stats->malformed);
	common_metric(
	    m, "ipc_refused_total", "Connections refused: too many.", NULL, (double)stats->refused);
}

static void
common_metrics(struct service_metrics *m, const struct service *s)
{
	const struct daemon *d = s->config.daemon;
	const struct ipc_server_stats stats = ipc_server_stats(s->server);
	const char *const version[] = { "version", TRIVET_VERSION, NULL };

	common_metric(m, "up", "The daemon answers.", NULL, 1);
	common_metric(m, "build_info", "Always 1; the version is a label.", version, 1);
	common_metric(m, "start_time_seconds", "When it started, since 1970.", NULL,
	    stamp_seconds(d->started_at));
	common_metric(m, "config_last_reload_successful",
	    "1: the last configuration read is the one that runs.", NULL, d->reload_error == NULL);
	common_metric(m, "config_last_reload_success_timestamp_seconds",
	    "When the configuration that runs was read, since 1970.", NULL,
	    stamp_seconds(d->loaded_at));
	peer_metrics(m, s);
	ipc_metrics(m, &stats);
}

static json_t *
collect(const struct service *s, json_t *parameters)
{
	const char *prefix = json_string_value(json_object_get(parameters, "prefix"));
	struct service_metrics m = {
		.daemon = s->config.daemon->class->name,
		.prefix = prefix != NULL ? prefix : "",
		.array = json_array(),
	};

	common_metrics(&m, s);
	if (s->config.metrics != NULL)
		s->config.metrics(s->config.aux, &m);
	return m.array;
}

void
service_list_metrics(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct service *s = aux;

	ipc_reply(call, json_pack("{s:s, s:o}", "epoch", s->config.daemon->epoch, "metrics",
			    collect(s, parameters)));
}

/* ---- the text formats ---- */

/* Backslash and newline are escaped in both places, quotes in label values only. */
static void
add_escaped(struct text *out, const char *s, bool quotes)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			text_add(out, "\\n");
		else if (*s == '\\' || (quotes && *s == '"'))
			text_addf(out, "\\%c", *s);
		else
			text_add_n(out, s, 1);
	}
}

static void
add_labels(struct text *out, json_t *labels)
{
	const char *name, *before = "{";
	json_t *value;

	json_object_foreach (labels, name, value) {
		text_addf(out, "%s%s=\"", before, name);
		add_escaped(out, json_string_value(value), true);
		text_add(out, "\"");
		before = ",";
	}
	if (json_object_size(labels) > 0)
		text_add(out, "}");
}

/* Whole numbers as such: counters of bytes must not become 1.2e+10. */
static void
add_value(struct text *out, double value)
{
	if (value == floor(value) && fabs(value) < 1e15)
		text_addf(out, " %.0f\n", value);
	else
		text_addf(out, " %.17g\n", value);
}

static const char *
member(const json_t *metric, const char *key)
{
	return json_string_value(json_object_get(metric, key));
}

/* OpenMetrics names the family of a counter without "_total". */
static void
add_family(struct text *out, const json_t *metric, bool openmetrics)
{
	const char *name = member(metric, "name"), *help = member(metric, "help");
	size_t length = strlen(name);

	if (openmetrics && has_suffix(name, "_total"))
		length -= strlen("_total");
	if (help != NULL) {
		text_addf(out, "# HELP %.*s ", (int)length, name);
		add_escaped(out, help, openmetrics);
		text_add(out, "\n");
	}
	text_addf(out, "# TYPE %.*s %s\n", (int)length, name, member(metric, "kind"));
}

static void
add_sample(struct text *out, const json_t *metric)
{
	text_add(out, member(metric, "name"));
	add_labels(out, json_object_get(metric, "labels"));
	add_value(out, json_number_value(json_object_get(metric, "value")));
}

/* Both formats want the samples of one name together: grouped by first appearance. */
static void
add_all(struct text *out, json_t *metrics, bool openmetrics)
{
	json_t *families = json_object(), *family, *metric;
	const char *name;
	size_t i;

	json_array_foreach (metrics, i, metric) {
		name = member(metric, "name");
		family = json_object_get(families, name);
		if (family == NULL)
			json_object_set_new(families, name, family = json_array());
		json_array_append(family, metric);
	}
	json_object_foreach (families, name, family) {
		add_family(out, json_array_get(family, 0), openmetrics);
		json_array_foreach (family, i, metric)
			add_sample(out, metric);
	}
	json_decref(families);
	if (openmetrics)
		text_add(out, "# EOF\n");
}

void
service_format_metrics(struct ipc_call *call, json_t *parameters, void *aux)
{
	const struct service *s = aux;
	const char *format = json_string_value(json_object_get(parameters, "format"));
	bool openmetrics = format != NULL && strcmp(format, "openmetrics") == 0;
	struct text out = { 0 };
	json_t *metrics;

	if (format != NULL && !openmetrics && strcmp(format, "prometheus") != 0) {
		ipc_error(
		    call, "org.trivet.daemon.UnknownFormat", json_pack("{s:s}", "format", format));
		return;
	}
	metrics = collect(s, parameters);
	add_all(&out, metrics, openmetrics);
	json_decref(metrics);
	ipc_reply(
	    call, json_pack("{s:s, s:s}", "contentType",
		      openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				  : "text/plain; version=0.0.4; charset=utf-8",
		      "text", text_str(&out)));
	text_done(&out);
}
