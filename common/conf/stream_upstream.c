/*
 * stream_upstream.c - upstream blocks: servers, how one is chosen among them.
 * Defaults are nginx's where config.md section 4 does not say otherwise.
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>

/*
 * "10.0.0.1:80", "[::1]:80", "name:80", "unix:/run/x" (an endpoint of nowhere).
 * False and said when it is none; 'host' is the name to resolve, or NULL.
 */
bool
stream_parse_server(struct binder *b, const struct word *w, struct endpoint *ret, char **ret_host)
{
	const char *colon = strrchr(w->text, ':'), *path;
	int64_t port;
	struct addr a;

	if (endpoint_parse(w->text, ret) == 0) {
		*ret_host = NULL;
		return true;
	}
	path = stream_unix_path(b, w);
	if (path != NULL) {
		*ret = (struct endpoint){ 0 };
		*ret_host = NULL;
		return *path != '\0';
	}
	if (colon == NULL || w->text[strlen(w->text) - 1] == ']' || addr_parse(w->text, &a) == 0) {
		bind_say(b, CONF_ERROR, w->pos, "no port in '%.64s'", w->text);
		return false;
	}
	if (colon == w->text || !parse_integer(colon + 1, &port) || port < 1 || port > 65535 ||
	    strchr("+-", colon[1]) != NULL) {
		bind_say(
		    b, CONF_ERROR, w->pos, "'%.64s' is not ADDRESS:PORT or NAME:PORT", w->text);
		return false;
	}
	for (const char *p = w->text; p < colon; p++)
		if (strchr("[]:/ \t", *p) != NULL) {
			bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not ADDRESS:PORT or NAME:PORT",
			    w->text);
			return false;
		}
	*ret = (struct endpoint){ .port = (uint16_t)port };
	*ret_host = xstrndup(w->text, (size_t)(colon - w->text));
	return true;
}

/* The value of "name=value", or NULL. */
const char *
stream_value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* A word that is the value inside another, for the parsers of values. */
struct word
stream_part_of(const struct word *w, const char *value)
{
	struct word part = *w;
	size_t skip = (size_t)(value - w->text);

	part.text = w->text + skip;
	if (!w->quoted && skip < w->pos.length) {
		part.pos.column += (uint32_t)skip;
		part.pos.length = (uint16_t)(w->pos.length - skip);
	}
	return part;
}

static bool
server_number(struct binder *b, const struct word *w, const char *name, int64_t low, unsigned *to)
{
	const char *value = stream_value_of(w->text, name);
	struct word part;
	int64_t v;

	if (value == NULL)
		return false;
	part = stream_part_of(w, value);
	if (value_integer(b, &part, low, 1000000, &v))
		*to = (unsigned)v;
	return true;
}

/*
 * service=NAME: SRV records are asked for, by nginx's rule: a name without a dot
 * is a service over TCP, "http" is _http._tcp.HOST; one with a dot stands before
 * the host as it is.
 */
static bool
bind_service(struct binder *b, const struct stmt *s, const char *service, struct server_conf *ret)
{
	const struct word *host = &s->words[1];
	bool resolve = false;

	for (size_t i = 2; i < s->n_words; i++)
		resolve |= strcmp(s->words[i].text, "resolve") == 0;
	if (!resolve)
		bind_say(b, CONF_ERROR, host->pos, "service= needs 'resolve' beside it");
	else if (*service == '\0' || strpbrk(service, " :/[]") != NULL)
		bind_say(b, CONF_ERROR, host->pos, "'%.64s' is no service", service);
	else if (strpbrk(host->text, " :/[]") != NULL)
		bind_say(b, CONF_ERROR, host->pos,
		    "'%.64s' is no host name; with service= the ports come from SRV records",
		    host->text);
	else
		ret->host = strchr(service, '.') != NULL
				? xasprintf("%s.%s", service, host->text)
				: xasprintf("_%s._tcp.%s", service, host->text);
	ret->is_service = true;
	return ret->host != NULL;
}

static const char *
service_of(const struct stmt *s)
{
	const char *service = NULL;

	for (size_t i = 2; i < s->n_words && service == NULL; i++)
		service = stream_value_of(s->words[i].text, "service");
	return service;
}

static void
server_option(struct binder *b, const struct word *w, struct server_conf *s)
{
	static const char *const http[] = { "route=", "drain" };
	static const char *const names[] = { "weight=", "max_fails=", "max_conns=", "fail_timeout=",
		"backup", "down", "slow_start=", "resolve", "service=" };
	const char *value = stream_value_of(w->text, "fail_timeout");
	char *hint;

	if (server_number(b, w, "weight", 1, &s->weight) ||
	    server_number(b, w, "max_fails", 0, &s->max_fails) ||
	    server_number(b, w, "max_conns", 0, &s->max_conns))
		return;
	if (value != NULL) {
		struct word part = stream_part_of(w, value);

		value_nginx_time(b, &part, &s->fail_timeout_us);
		return;
	}
	value = stream_value_of(w->text, "slow_start");
	if (value != NULL) {
		struct word part = stream_part_of(w, value);

		value_nginx_time(b, &part, &s->slow_start_us);
		return;
	}
	if (strcmp(w->text, "backup") == 0) {
		s->backup = true;
		return;
	}
	if (strcmp(w->text, "down") == 0) {
		s->down = true;
		return;
	}
	if (strcmp(w->text, "resolve") == 0) {
		s->resolve = true;
		return;
	}
	if (stream_value_of(w->text, "service") != NULL)
		return; /* bind_service */
	for (size_t i = 0; i < ARRAY_LEN(http); i++)
		if (strncmp(w->text, http[i], strlen(http[i])) == 0) {
			bind_say(b, CONF_NOTICE, w->pos,
			    "'%.64s' is for sessions of http, and does nothing here", w->text);
			return;
		}
	hint = bind_did_you_mean(b, w->text, names, ARRAY_LEN(names), sizeof(*names));
	bind_say(b, CONF_ERROR, w->pos, "unknown option '%.64s' of a server%s", w->text, hint);
	free(hint);
}

void
stream_add_server(struct upstream_conf *u, const struct server_conf *s)
{
	u->servers = conf_grow(u->servers, u->n_servers, sizeof(*u->servers));
	u->servers[u->n_servers++] = *s;
}

#define SERVERS_MAX 1024 /* of one upstream */

static void
bind_upstream_server(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct upstream_conf *u = object;
	struct server_conf server = { .weight = 1,
		.max_fails = 1,
		.fail_timeout_us = 10 * US_PER_S,
		.pos = s->words[1].pos };

	const char *service = service_of(s);

	(void)d;
	if (service != NULL ? !bind_service(b, s, service, &server)
			    : !stream_parse_server(b, &s->words[1], &server.endpoint, &server.host))
		return;
	for (size_t i = 2; i < s->n_words; i++)
		server_option(b, &s->words[i], &server);
	server.text = xstrdup(service != NULL ? server.host : s->words[1].text);
	for (size_t i = 0; i < u->n_servers; i++)
		if (strcmp(u->servers[i].text, server.text) == 0)
			bind_say(b, CONF_WARNING, s->words[1].pos, "the server '%s' is here twice",
			    server.text);
	if (u->n_servers < SERVERS_MAX) {
		stream_add_server(u, &server);
		return;
	}
	bind_say(b, CONF_ERROR, s->words[1].pos, "more than %d servers", SERVERS_MAX);
	free(server.text);
	free(server.host);
}

/* ---- how one is chosen ---- */

static const char *const balance_names[] = {
	[BALANCE_ROUND_ROBIN] = "round robin",
	[BALANCE_LEAST_CONN] = "least_conn",
	[BALANCE_HASH] = "hash",
	[BALANCE_KETAMA] = "hash consistent",
	[BALANCE_RANDOM] = "random",
	[BALANCE_RANDOM_TWO] = "random two",
};

const char *
balance_kind_str(enum balance_kind kind)
{
	return balance_names[kind];
}

static void
set_balance(struct binder *b, const struct stmt *s, struct upstream_conf *u, enum balance_kind kind)
{
	if (u->balance != BALANCE_ROUND_ROBIN)
		bind_say(b, CONF_WARNING, stmt_pos(s), "'%s' takes the place of '%s'",
		    balance_kind_str(kind), balance_kind_str(u->balance));
	u->balance = kind;
}

static void
bind_least_conn(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	set_balance(b, s, object, BALANCE_LEAST_CONN);
}

/* hash KEY [consistent] */
static void
bind_hash(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct upstream_conf *u = object;
	bool consistent = s->n_words == 3 && strcmp(s->words[2].text, "consistent") == 0;
	struct stream_template key;

	(void)d;
	if (s->n_words == 3 && !consistent) {
		bind_say(b, CONF_ERROR, s->words[2].pos, "'%.64s' is not 'consistent'",
		    s->words[2].text);
		return;
	}
	if (!stream_template(b, &s->words[1], true, &key))
		return;
	template_done(&u->key);
	u->key = key;
	set_balance(b, s, u, consistent ? BALANCE_KETAMA : BALANCE_HASH);
}

/* random [two [least_conn]] */
static void
bind_random(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	static const char *const words[] = { "two", "least_conn" };

	(void)d;
	for (size_t i = 1; i < s->n_words; i++)
		if (strcmp(s->words[i].text, words[i - 1]) != 0) {
			bind_say(b, CONF_ERROR, s->words[i].pos, "'%.64s' is not '%s'",
			    s->words[i].text, words[i - 1]);
			return;
		}
	set_balance(b, s, object, s->n_words > 1 ? BALANCE_RANDOM_TWO : BALANCE_RANDOM);
}

#define DRAIN_US (60 * US_PER_S) /* without a time */

/* on_server_down keep | drain [TIME] | close */
static void
bind_on_server_down(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct upstream_conf *u = object;
	const char *word = s->words[1].text;

	(void)d;
	if (s->n_words == 3 && strcmp(word, "drain") != 0) {
		bind_say(b, CONF_ERROR, s->words[2].pos, "only 'drain' takes a time");
	} else if (strcmp(word, "keep") == 0) {
		u->on_down = DOWN_KEEP;
	} else if (strcmp(word, "close") == 0) {
		u->on_down = DOWN_CLOSE;
	} else if (strcmp(word, "drain") == 0) {
		u->on_down = DOWN_DRAIN;
		u->drain_us = DRAIN_US;
		if (s->n_words == 3)
			value_nginx_time(b, &s->words[2], &u->drain_us);
	} else {
		bind_say(
		    b, CONF_ERROR, s->words[1].pos, "'%.64s' is not keep, drain or close", word);
	}
}

static void
bind_session_age(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct upstream_conf *u = object;

	(void)d;
	stream_take_age(b, s, &u->age_us, &u->age_jitter_us);
}

/* ---- the block ---- */

/* A block while it is read. */
struct upstream_draft {
	struct upstream_conf u; /* first: the binders of one field reach into it */
	struct stmt *health;
	int64_t health_timeout_us;
};

#define D(field) offsetof(struct upstream_draft, field)

/* clang-format off */
static const struct directive upstream_rows[] = {
	{ "server", 1, MANY, D_REPEAT, bind_upstream_server, 0, 0, 0, NULL },
	{ "zone", 1, 2, 0, bind_accepted, 0, 0, 0, NULL },	/* state is always shared */
	{ "least_conn", 0, 0, 0, bind_least_conn, 0, 0, 0, NULL },
	{ "hash", 1, 2, 0, bind_hash, 0, 0, 0, NULL },
	{ "random", 0, 2, 0, bind_random, 0, 0, 0, NULL },
	{ "on_server_down", 1, 2, 0, bind_on_server_down, 0, 0, 0, NULL },
	NOTHING("least_time", "no time is measured, servers take turns; least_conn is near it"),
	{ "health_check", 0, MANY, 0, stream_bind_later, D(health), 0, 0, NULL },
	{ "health_check_timeout", 1, 1, 0, bind_nginx_time, D(health_timeout_us), 0, 0, NULL },
	{ "resolver", 1, MANY, 0, stream_bind_resolver, D(u.resolver), 0, 0, NULL },
	{ "resolver_timeout", 1, 1, 0, bind_nginx_time, D(u.resolver.timeout_us), 0, 0, NULL },
	NOTHING("state", "what is set at run time is kept in any case"),
	{ "max_session_age", 1, 2, 0, bind_session_age, 0, 0, 0, NULL },
	NOTHING("keepalive", "a session has a connection of its own"),
	NOTHING("ip_hash", "that is of http; here it is: hash $remote_addr"),
};
/* clang-format on */

void
stream_bind_upstream(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct conf *conf = b->conf;
	struct upstream_draft draft = { .u = { .name = xstrdup(s->words[1].text),
					    .pos = s->words[1].pos } };
	struct upstream_conf *u = &draft.u;
	struct context in = { .kind = "upstream",
		.name = u->name,
		.part = CONF_STREAM,
		.rows = upstream_rows,
		.n_rows = ARRAY_LEN(upstream_rows) };
	const struct upstream_conf *other = conf_upstream(conf, u->name);

	(void)d, (void)object;
	if (!bind_room(b, u->pos, conf->n_upstreams, CONF_NAMES_MAX, "upstreams")) {
		free(u->name);
		return;
	}
	bind_block(b, s, &in, &draft);
	if (other != NULL)
		bind_say(b, CONF_ERROR, u->pos, "there is an upstream '%s' already, in line %u",
		    u->name, other->pos.line);
	else if (u->n_servers == 0 && s->first == NULL)
		bind_say(b, CONF_ERROR, u->pos, "upstream '%s' has no server", u->name);
	if (draft.health != NULL)
		stream_refer_health(
		    b, draft.health, draft.health_timeout_us, false, conf->n_upstreams);
	conf->upstreams = conf_grow(conf->upstreams, conf->n_upstreams, sizeof(*conf->upstreams));
	conf->upstreams[conf->n_upstreams++] = *u;
}
