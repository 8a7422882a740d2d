/*
 * node.c - see node.h: reading the answers, and what is wrong with them.
 */
#include "ctl/node.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FLAPPING 10 /* changes within an hour: more than work on it makes */

const char *
node_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

int64_t
node_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool
node_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

json_t *
node_find(const json_t *array, const char *key, const char *value)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		if (strcmp(node_str(item, key), value) == 0)
			return item;
	}
	return NULL;
}

/* ECMA-48: C0 and DEL, and C1, which UTF-8 writes as c2 80 .. c2 9f. */
static void
blank_controls(json_t *string)
{
	size_t n = json_string_length(string);
	char *s = xstrndup(json_string_value(string), n);
	bool changed = false;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		unsigned char next = i + 1 < n ? (unsigned char)s[i + 1] : 0;

		if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
			s[i] = s[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f)
			s[i] = '?';
		else
			continue;
		changed = true;
	}
	if (changed)
		json_string_setn(string, s, n);
	free(s);
}

void
node_make_printable(json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		blank_controls(value);
	json_array_foreach (value, i, item) {
		node_make_printable(item);
	}
	json_object_foreach (value, key, item) {
		node_make_printable(item);
	}
}

void
node_age(struct text *out, int64_t us)
{
	int64_t s = MAX(us, 0) / USEC_PER_SEC;

	if (s < 10)
		text_addf(out, "%.1f s", (double)MAX(us, 0) / USEC_PER_SEC);
	else if (s < 60)
		text_addf(out, "%d s", (int)s);
	else if (s < 3600)
		text_addf(out, "%d min %d s", (int)(s / 60), (int)(s % 60));
	else if (s < 48 * 3600)
		text_addf(out, "%d h %d min", (int)(s / 3600), (int)(s / 60 % 60));
	else
		text_addf(out, "%lld d %d h", (long long)(s / 86400), (int)(s / 3600 % 24));
}

char *
node_upper(const char *s)
{
	char *copy = xstrdup(s);

	for (char *p = copy; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

bool
node_silent(const json_t *node)
{
	const char *name;
	json_t *daemon;

	json_object_foreach (json_object_get(node, "daemons"), name, daemon) {
		if (node_true(daemon, "running"))
			return false;
	}
	return true;
}

/* ---- what is wrong ---- */

/* Worst first: critical ones go before the first warning. */
static void
problem(json_t *problems, bool critical, const char *subject, char *message)
{
	json_t *one = json_pack("{s:s, s:s, s:s}", "severity", critical ? "critical" : "warning",
	    "subject", subject, "message", message);
	size_t at = json_array_size(problems), i;
	json_t *other;

	if (critical)
		json_array_foreach (problems, i, other) {
			if (strcmp(node_str(other, "severity"), "critical") != 0) {
				at = i;
				break;
			}
		}
	json_array_insert_new(problems, at, one);
	free(message);
}

static void
health_problems(json_t *problems, const char *name, const json_t *status)
{
	bool failed = strcmp(node_str(status, "health"), "failed") == 0;
	const char *reload_error = node_str(status, "lastReloadError");
	bool told = reload_error[0] == '\0';
	json_t *reason;
	size_t i;

	json_array_foreach (json_object_get(status, "healthReasons"), i, reason) {
		const char *words = json_string_value(reason);

		if (words == NULL)
			continue;
		told |= strstr(words, reload_error) != NULL;
		problem(problems, failed, name, xstrdup(words));
	}
	if (!told)
		problem(problems, false, name,
		    xasprintf("the last reload was refused: %s", reload_error));
}

/* One file for all: whoever runs another text was left out of a reload. */
static void
digest_problems(json_t *problems, const json_t *daemons)
{
	const char *name, *first = NULL, *first_name = NULL;
	json_t *daemon;

	json_object_foreach ((json_t *)daemons, name, daemon) {
		const char *digest = node_str(json_object_get(daemon, "status"), "configDigest");

		if (digest[0] == '\0')
			continue;
		if (first != NULL && strcmp(first, digest) != 0)
			problem(problems, false, name,
			    xasprintf("runs another configuration than %s (%s, %s)", first_name,
				digest, first));
		if (first == NULL) {
			first = digest;
			first_name = name;
		}
	}
}

static void
daemon_problems(json_t *problems, const json_t *node)
{
	json_t *daemons = json_object_get(node, "daemons"), *daemon;
	const char *name;

	json_object_foreach (daemons, name, daemon) {
		if (node_true(daemon, "running"))
			health_problems(problems, name, json_object_get(daemon, "status"));
		else /* without checkd the last verdicts hold; without the others nobody serves */
			problem(problems, strcmp(name, "checkd") != 0, name,
			    xstrdup(node_str(daemon, "error")));
	}
	digest_problems(problems, daemons);
}

static void
address_problems(json_t *problems, const json_t *instance)
{
	const char *state = node_str(instance, "state"), *name = node_str(instance, "name");
	bool master = strcmp(state, "master") == 0;
	json_t *vip;
	size_t i;

	json_array_foreach (json_object_get(instance, "virtualAddresses"), i, vip) {
		bool present = node_true(vip, "present");
		const char *address = node_str(vip, "address");

		if (master && !present)
			problem(problems, true, name,
			    xasprintf("is MASTER, but %s is not on %s", address,
				node_str(vip, "device")));
		else if (!master && present)
			problem(problems, true, name,
			    xasprintf(
				"is %s, but %s is on %s", state, address, node_str(vip, "device")));
	}
}

/* A term that lowers the sum, unless its check is told of by checkd itself. */
static void
term_problems(json_t *problems, const json_t *node, const json_t *instance)
{
	json_t *checks = json_object_get(node, "checks"), *term;
	const char *name = node_str(instance, "name");
	size_t i;

	json_array_foreach (json_object_get(instance, "terms"), i, term) {
		const char *of = node_str(term, "name"), *evidence = node_str(term, "evidence");

		if (!json_is_false(json_object_get(term, "up")) || node_true(term, "fault") ||
		    node_find(checks, "name", of) != NULL)
			continue;
		problem(problems, false, name,
		    xasprintf("priority %+d: %s %s%s%s", (int)node_int(term, "contribution"),
			node_str(term, "kind"), of, evidence[0] != '\0' ? ": " : "", evidence));
	}
}

static void
instance_problems(json_t *problems, const json_t *node)
{
	json_t *instance, *words;
	size_t i, k;

	json_array_foreach (json_object_get(node, "instances"), i, instance) {
		const char *name = node_str(instance, "name");

		if (strcmp(node_str(instance, "state"), "fault") == 0)
			problem(problems, true, name,
			    xasprintf("FAULT: %s", node_str(instance, "reason")));
		address_problems(problems, instance);
		json_array_foreach (json_object_get(instance, "peerDiffers"), k, words) {
			problem(problems, false, name,
			    xasprintf("peer differs: %s", json_string_value(words)));
		}
		term_problems(problems, node, instance);
	}
}

static void
check_problems(json_t *problems, const json_t *node)
{
	json_t *check;
	size_t i;

	json_array_foreach (json_object_get(node, "checks"), i, check) {
		const char *administrative = node_str(check, "administrative");
		const char *detail = node_str(check, "lastDetail");

		if (detail[0] == '\0')
			detail = node_str(check, "lastReason");
		if (strcmp(node_str(check, "state"), "down") == 0)
			problem(problems, false, node_str(check, "name"),
			    xasprintf("check is down: %s", detail));
		if (administrative[0] != '\0' && strcmp(administrative, "auto") != 0)
			problem(problems, false, node_str(check, "name"),
			    xasprintf("check is %s by an operator", administrative));
		if (node_int(check, "changesLastHour") >= FLAPPING)
			problem(problems, false, node_str(check, "name"),
			    xasprintf("check changed %lld times within the hour",
				(long long)node_int(check, "changesLastHour")));
	}
}

static void
proxy_problems(json_t *problems, const json_t *node)
{
	json_t *listener, *upstream, *server;
	size_t i;

	json_array_foreach (json_object_get(node, "listeners"), i, listener) {
		if (strcmp(node_str(listener, "state"), "failed") == 0)
			problem(problems, true, node_str(listener, "name"),
			    xasprintf("does not listen: %s", node_str(listener, "error")));
	}
	json_array_foreach (json_object_get(node, "upstreams"), i, upstream) {
		if (node_int(upstream, "availableServers") == 0)
			problem(problems, true, node_str(upstream, "name"),
			    xasprintf("none of %d servers is available",
				(int)node_int(upstream, "totalServers")));
	}
	json_array_foreach (json_object_get(node, "servers"), i, server) {
		if (strcmp(node_str(server, "state"), "down") == 0)
			problem(problems, false, node_str(server, "upstream"),
			    xasprintf("server %s is down: %s", node_str(server, "name"),
				node_str(server, "reason")));
	}
}

json_t *
node_problems(const json_t *node)
{
	json_t *problems = json_array();

	daemon_problems(problems, node);
	instance_problems(problems, node);
	proxy_problems(problems, node);
	check_problems(problems, node);
	return problems;
}

/* ---- a monitoring plugin ---- */

static unsigned
count(const json_t *array, const char *key, const char *value)
{
	unsigned n = 0;
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item) {
		n += strcmp(node_str(item, key), value) == 0;
	}
	return n;
}

static void
add_perfdata(const json_t *node, struct text *out)
{
	static const struct {
		const char *label, *array, *state;
	} rows[] = {
		{ "masters", "instances", "master" },
		{ "backups", "instances", "backup" },
		{ "faults", "instances", "fault" },
		{ "checks_up", "checks", "up" },
		{ "checks_down", "checks", "down" },
		{ "servers_up", "servers", "up" },
		{ "servers_down", "servers", "down" },
	};
	json_t *listener;
	int64_t sessions = 0;
	size_t i;

	json_array_foreach (json_object_get(node, "listeners"), i, listener) {
		sessions += node_int(listener, "currentSessions");
	}
	for (i = 0; i < ARRAY_LEN(rows); i++)
		text_addf(out, "%s=%u ", rows[i].label,
		    count(json_object_get(node, rows[i].array), "state", rows[i].state));
	text_addf(out, "sessions=%lld\n", (long long)sessions);
}

/* The plugin's text ends at the first '|' and at the line's end. */
static void
add_plain(struct text *out, const char *s)
{
	for (; *s != '\0'; s++)
		text_add_n(out, *s == '|' || *s == '\n' ? " " : s, 1);
}

int
node_plugin(const json_t *node, struct text *out)
{
	static const char *const word[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	json_t *problems = json_object_get(node, "problems");
	json_t *worst = json_array_get(problems, 0);
	size_t n = json_array_size(problems);
	int code = 0;

	if (node_silent(node)) {
		text_add(out, "TRIVET UNKNOWN - no daemon answers\n");
		return 3;
	}
	if (worst != NULL)
		code = strcmp(node_str(worst, "severity"), "critical") == 0 ? 2 : 1;
	text_addf(out, "TRIVET %s - ", word[code]);
	if (worst == NULL) {
		text_add(out, "nothing is wrong");
	} else {
		add_plain(out, node_str(worst, "subject"));
		text_add(out, ": ");
		add_plain(out, node_str(worst, "message"));
		if (n > 1)
			text_addf(out, " (and %zu more)", n - 1);
	}
	text_add(out, " | ");
	add_perfdata(node, out);
	return code;
}
