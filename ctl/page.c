/*
 * page.c - a node on a page (node.h): what is wrong, then who is there and what
 * they hold, check, listen on and forward to.
 */
#include "ctl/node.h"
#include "ctl/table.h"

#include <stdlib.h>
#include <string.h>

struct page {
	const json_t *node;
	mono_t now;
	bool colour;
	struct text *out;
};

static void
heading(const struct page *p, const char *words)
{
	text_add(p->out, "\n");
	table_styled(p->out, TABLE_BOLD, p->colour, words);
	text_add(p->out, "\n");
}

static void
age_cell(
    struct table *t, const struct page *p, const char *before, int64_t since_us, const char *after)
{
	struct text age = { 0 };

	text_add(&age, before);
	if (since_us > 0)
		node_age(&age, p->now.us - since_us);
	text_add(&age, after);
	table_cell(t, TABLE_PLAIN, since_us > 0 ? text_str(&age) : "");
	text_done(&age);
}

static enum table_style
style_of(const char *state)
{
	static const struct {
		const char *state;
		enum table_style style;
	} rows[] = {
		{ "ok", TABLE_GOOD },
		{ "up", TABLE_GOOD },
		{ "master", TABLE_GOOD },
		{ "listening", TABLE_GOOD },
		{ "degraded", TABLE_WARN },
		{ "stopping", TABLE_WARN },
		{ "unknown", TABLE_WARN },
		{ "draining", TABLE_WARN },
		{ "maintenance", TABLE_WARN },
		{ "failed", TABLE_BAD },
		{ "fault", TABLE_BAD },
		{ "down", TABLE_BAD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].state, state) == 0)
			return rows[i].style;
	return TABLE_PLAIN;
}

static void
problems(const struct page *p)
{
	struct table t = { 0 };
	json_t *problem;
	size_t i;

	if (json_array_size(json_object_get(p->node, "problems")) == 0) {
		table_styled(p->out, TABLE_GOOD, p->colour, "Nothing is wrong.");
		text_add(p->out, "\n");
		return;
	}
	table_styled(p->out, TABLE_BOLD, p->colour, "Wrong");
	text_add(p->out, "\n");
	json_array_foreach (json_object_get(p->node, "problems"), i, problem) {
		const char *severity = node_str(problem, "severity");

		table_row(&t);
		table_cell(
		    &t, strcmp(severity, "critical") == 0 ? TABLE_BAD : TABLE_WARN, severity);
		table_cellf(&t, TABLE_PLAIN, "%s: %s", node_str(problem, "subject"),
		    node_str(problem, "message"));
	}
	table_print(&t, "  ", p->colour, p->out);
}

static void
daemons(const struct page *p)
{
	struct table t = { 0 };
	const char *name;
	json_t *daemon;

	heading(p, "Daemons");
	json_object_foreach (json_object_get(p->node, "daemons"), name, daemon) {
		json_t *status = json_object_get(daemon, "status");

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, name);
		if (!node_true(daemon, "running")) {
			table_cell(&t, TABLE_BAD, node_str(daemon, "error"));
			continue;
		}
		table_cell(&t, style_of(node_str(status, "health")), node_str(status, "health"));
		age_cell(&t, p, "up ", node_int(status, "startedUsec"), "");
		table_cellf(&t, TABLE_DIM, "pid %d, version %s, configuration %s",
		    (int)node_int(status, "pid"), node_str(status, "version"),
		    node_str(status, "configDigest"));
	}
	table_print(&t, "  ", p->colour, p->out);
}

/* "10.4.7.10/24 on eth0", a line each; those not there in parentheses. */
static char *
vip_words(const json_t *instance)
{
	struct text t = { 0 };
	json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(instance, "virtualAddresses"), i, vip) {
		bool present = node_true(vip, "present");

		text_addf(&t, "%s%s%s/%d%s", i > 0 ? " " : "", present ? "" : "(",
		    node_str(vip, "address"), (int)node_int(vip, "prefixLength"),
		    present ? "" : ")");
	}
	return text_take(&t);
}

/* "80 (100 -20 chk_nginx)": the base, and what changes it. */
static char *
priority_words(const json_t *instance)
{
	struct text t = { 0 };
	bool changed = false;
	json_t *term;
	size_t i;

	text_addf(&t, "%d", (int)node_int(instance, "effectivePriority"));
	json_array_foreach (json_object_get(instance, "terms"), i, term) {
		if (strcmp(node_str(term, "kind"), "base") == 0 ||
		    node_int(term, "contribution") == 0)
			continue;
		if (!changed)
			text_addf(&t, " (%d", (int)node_int(instance, "basePriority"));
		changed = true;
		text_addf(
		    &t, " %+d %s", (int)node_int(term, "contribution"), node_str(term, "name"));
	}
	if (changed)
		text_add(&t, ")");
	return text_take(&t);
}

static void
instances(const struct page *p)
{
	json_t *list = json_object_get(p->node, "instances"), *instance;
	struct table t = { 0 };
	size_t i;

	if (json_array_size(list) == 0)
		return;
	heading(p, "Instances");
	json_array_foreach (list, i, instance) {
		const char *state = node_str(instance, "state");
		char *words = node_upper(state), *vips = vip_words(instance);
		char *priority = priority_words(instance);

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, node_str(instance, "key"));
		table_cell(&t, style_of(state), words);
		age_cell(&t, p, "for ", node_int(instance, "lastTransitionUsec"), "");
		table_cellf(&t, TABLE_PLAIN, "priority %s", priority);
		table_cellf(&t, TABLE_PLAIN, "%s on %s", vips, node_str(instance, "device"));
		table_cell(&t, TABLE_DIM,
		    node_str(
			instance, node_str(instance, "barred")[0] != '\0' ? "barred" : "reason"));
		free(words);
		free(vips);
		free(priority);
	}
	table_print(&t, "  ", p->colour, p->out);
}

static void
checks(const struct page *p)
{
	json_t *list = json_object_get(p->node, "checks"), *check;
	struct table t = { 0 };
	size_t i;

	if (json_array_size(list) == 0)
		return;
	heading(p, "Checks");
	json_array_foreach (list, i, check) {
		const char *state = node_str(check, "state"), *why = node_str(check, "lastDetail");

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, node_str(check, "name"));
		table_cell(&t, style_of(state), state);
		age_cell(&t, p, "asked ", node_int(check, "lastCheckedUsec"), " ago");
		table_cellf(
		    &t, TABLE_PLAIN, "%s %s", node_str(check, "kind"), node_str(check, "target"));
		table_cell(&t, TABLE_DIM, why[0] != '\0' ? why : node_str(check, "lastReason"));
	}
	table_print(&t, "  ", p->colour, p->out);
}

static void
listeners(const struct page *p)
{
	json_t *list = json_object_get(p->node, "listeners"), *listener;
	struct table t = { 0 };
	size_t i;

	if (json_array_size(list) == 0)
		return;
	heading(p, "Listeners");
	json_array_foreach (list, i, listener) {
		const char *state = node_str(listener, "state");

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, node_str(listener, "name"));
		table_cell(&t, style_of(state), state);
		table_cellf(&t, TABLE_PLAIN, "to %s", node_str(listener, "upstream"));
		table_cellf(&t, TABLE_PLAIN, "%lld sessions, %lld in all",
		    (long long)node_int(listener, "currentSessions"),
		    (long long)node_int(json_object_get(listener, "counters"), "sessions"));
		table_cell(&t, TABLE_DIM, node_str(listener, "error"));
	}
	table_print(&t, "  ", p->colour, p->out);
}

static void
server_rows(struct table *t, const json_t *servers, const char *upstream)
{
	json_t *server;
	size_t i;

	json_array_foreach (servers, i, server) {
		const char *state = node_str(server, "state");

		if (strcmp(node_str(server, "upstream"), upstream) != 0)
			continue;
		table_row(t);
		table_cellf(t, TABLE_PLAIN, "  %s", node_str(server, "name"));
		table_cell(t, style_of(state), state);
		table_cellf(t, TABLE_PLAIN, "%lld sessions, %lld in all%s",
		    (long long)node_int(server, "currentSessions"),
		    (long long)node_int(json_object_get(server, "counters"), "sessions"),
		    node_true(server, "backup") ? ", backup" : "");
		table_cell(t, TABLE_DIM, node_str(server, "reason"));
	}
}

static void
upstreams(const struct page *p)
{
	json_t *list = json_object_get(p->node, "upstreams"), *upstream;
	struct table t = { 0 };
	size_t i;

	if (json_array_size(list) == 0)
		return;
	heading(p, "Upstreams");
	json_array_foreach (list, i, upstream) {
		int64_t available = node_int(upstream, "availableServers");
		int64_t total = node_int(upstream, "totalServers");

		table_row(&t);
		table_cell(&t, TABLE_PLAIN, node_str(upstream, "name"));
		table_cellf(&t,
		    available == 0	? TABLE_BAD
		    : available < total ? TABLE_WARN
					: TABLE_GOOD,
		    "%lld of %lld", (long long)available, (long long)total);
		table_cell(&t, TABLE_PLAIN, node_str(upstream, "balance"));
		server_rows(&t, json_object_get(p->node, "servers"), node_str(upstream, "name"));
	}
	table_print(&t, "  ", p->colour, p->out);
}

void
node_status(const json_t *node, mono_t now, bool colour, struct text *out)
{
	const struct page p = { node, now, colour, out };

	problems(&p);
	daemons(&p);
	instances(&p);
	checks(&p);
	listeners(&p);
	upstreams(&p);
}
