/*
 * stream_client.c - nginx text: the words about those who connect
 * (client.h): set_real_ip_from, allow and deny, limit_conn, rates, the header
 * that servers get.
 *
 * As in nginx, a list of stream {} holds in a server that has none of its kind.
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static struct client_conf *
client_of(void *object)
{
	return ((struct server_draft *)object)->settings.client;
}

/* ---- who ---- */

/* "all", "unix:", "10.0.0.0/8".  False: said. */
static bool
parse_range(struct binder *b, const struct word *w, bool all, struct client_range *ret)
{
	struct client_range r = { .kind = CLIENT_NETWORK };
	const char *slash = strchr(w->text, '/');
	char network[ADDR_STRLEN];

	if (all && strcmp(w->text, "all") == 0)
		r.kind = CLIENT_ALL;
	else if (strcmp(w->text, "unix:") == 0)
		r.kind = CLIENT_UNIX;
	else if (addr_range_parse(w->text, &r.network) < 0) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is not an address, a network%s or unix:", w->text, all ? ", all" : "");
		return false;
	} else if (slash != NULL) {
		size_t length = strlen(addr_format(&r.network.addr, network));
		struct addr written;
		char *text = xstrndup(w->text, (size_t)(slash - w->text));

		addr_parse(text, &written);
		if (!addr_equal(&written, &r.network.addr))
			bind_say(b, CONF_WARNING, w->pos,
			    "the network of '%.64s' is %.*s%s: read as that", w->text, (int)length,
			    network, slash);
		free(text);
	}
	*ret = r;
	return true;
}

void
stream_bind_trusted(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct client_conf *c = client_of(object);
	struct client_range r;

	(void)d;
	if (!c->own_trusted)
		c->n_trusted = 0;
	c->own_trusted = true;
	if (!parse_range(b, &s->words[1], false, &r) ||
	    !bind_room(b, stmt_pos(s), c->n_trusted, CLIENT_RULES_MAX, "set_real_ip_from"))
		return;
	c->trusted = conf_grow(c->trusted, c->n_trusted, sizeof(*c->trusted));
	c->trusted[c->n_trusted++] = r;
}

/* A line that is wrong is no reason to let anybody in: the file is refused as a whole. */
void
stream_bind_rule(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct client_conf *c = client_of(object);
	struct access_rule rule = { .allow = strcmp(d->name, "allow") == 0 };

	if (!c->own_rules)
		c->n_rules = 0;
	c->own_rules = true;
	if (!parse_range(b, &s->words[1], true, &rule.who) ||
	    !bind_room(b, stmt_pos(s), c->n_rules, CLIENT_RULES_MAX, "allow and deny"))
		return;
	c->rules = conf_grow(c->rules, c->n_rules, sizeof(*c->rules));
	c->rules[c->n_rules++] = rule;
}

/* ---- how many ---- */

/* limit_conn_zone KEY zone=NAME:SIZE */
void
stream_bind_limit_zone(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	const char *value = stream_value_of(s->words[2].text, "zone"), *colon;
	struct limit_zone_conf z = { .pos = stmt_pos(s) };
	struct word size;
	int64_t bytes = 0;

	(void)d, (void)object;
	colon = value != NULL ? strrchr(value, ':') : NULL;
	if (colon == NULL || colon == value) {
		bind_say(b, CONF_ERROR, s->words[2].pos, "'%.64s' is not zone=NAME:SIZE",
		    s->words[2].text);
		return;
	}
	size = stream_part_of(&s->words[2], colon + 1);
	if (!value_nginx_size(b, &size, 8192, INT64_C(1) << 32, &bytes) ||
	    !bind_room(b, z.pos, b->conf->n_limit_zones, CONF_OBJECTS_MAX, "limit_conn_zone") ||
	    !stream_template(b, &s->words[1], true, &z.key))
		return;
	z.name = xstrndup(value, (size_t)(colon - value));
	z.size = (size_t)bytes;
	for (size_t i = 0; i < b->conf->n_limit_zones; i++)
		if (strcmp(b->conf->limit_zones[i].name, z.name) == 0)
			bind_say(b, CONF_ERROR, z.pos, "limit_conn_zone '%.64s' is defined twice",
			    z.name);
	b->conf->limit_zones = conf_grow(
	    b->conf->limit_zones, b->conf->n_limit_zones, sizeof(*b->conf->limit_zones));
	b->conf->limit_zones[b->conf->n_limit_zones++] = z;
}

/* limit_conn ZONE N */
void
stream_bind_limit(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct client_conf *c = client_of(object);
	int64_t max;

	(void)d;
	if (!c->own_limits) {
		for (size_t i = 0; i < c->n_limits; i++) {
			free(c->limits[i].zone);
			template_done(&c->limits[i].key);
		}
		c->n_limits = 0;
	}
	c->own_limits = true;
	if (!value_integer(b, &s->words[2], 1, 65535, &max) ||
	    !bind_room(b, stmt_pos(s), c->n_limits, CLIENT_LIMITS_MAX, "limit_conn in one block"))
		return;
	for (size_t i = 0; i < c->n_limits; i++)
		if (strcmp(c->limits[i].zone, s->words[1].text) == 0) {
			bind_say(b, CONF_ERROR, stmt_pos(s), "zone '%.64s' is limited twice here",
			    s->words[1].text);
			return;
		}
	c->limits[c->n_limits++] = (struct limit_conf){
		.zone = xstrdup(s->words[1].text), .max = (unsigned)max, .pos = s->words[1].pos
	};
}

void
stream_bind_limit_dry_run(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	value_on_off(b, &s->words[1], &client_of(object)->limit_dry_run);
}

void
stream_bind_limit_log(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = { { "info", LOG_INFO }, { "notice", LOG_NOTICE }, { "warn", LOG_WARNING },
		{ "error", LOG_ERR } };

	(void)d;
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(s->words[1].text, levels[i].name) == 0) {
			client_of(object)->limit_log_level = levels[i].level;
			return;
		}
	bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is none of info, notice, warn and error",
	    s->words[1].text);
}

/* ---- how fast ---- */

void
stream_bind_rate(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	bool up = strcmp(d->name, "proxy_upload_rate") == 0;
	int64_t rate;

	if (strchr(s->words[1].text, '$') != NULL)
		bind_say(b, CONF_ERROR, s->words[1].pos, "a rate is a number here, no variable");
	else if (value_nginx_size(b, &s->words[1], 0, INT64_C(1) << 40, &rate))
		client_of(object)->rates[up ? 0 : 1] = (uint64_t)rate;
}

/* ---- what servers are told ---- */

/* proxy_protocol on | off | v1 | v2 */
void
stream_bind_announce(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	static const char *const words[] = { "off", "on", "v2" };
	const char *text = strcmp(s->words[1].text, "v1") == 0 ? "on" : s->words[1].text;

	(void)d;
	for (unsigned v = 0; v < ARRAY_LEN(words); v++)
		if (strcmp(text, words[v]) == 0) {
			client_of(object)->announce = v;
			return;
		}
	bind_say(
	    b, CONF_ERROR, s->words[1].pos, "'%.64s' is none of on, off and v2", s->words[1].text);
}

void
stream_bind_header_timeout(
    struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t us;

	(void)d;
	if (!value_nginx_time(b, &s->words[1], &us))
		return;
	if (us == 0)
		bind_say(b, CONF_ERROR, s->words[1].pos, "no header comes in no time at all");
	else
		client_of(object)->header_timeout_us = us;
}

/* ---- when all is known ---- */

const struct limit_zone_conf *
limit_zone_conf_find(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_limit_zones; i++)
		if (strcmp(conf->limit_zones[i].name, name) == 0)
			return &conf->limit_zones[i];
	return NULL;
}

static void
say_no_zone(struct binder *b, const struct limit_conf *l)
{
	char *hint = bind_did_you_mean(b, l->zone, b->conf->limit_zones, b->conf->n_limit_zones,
	    sizeof(*b->conf->limit_zones));

	bind_say(b, CONF_ERROR, l->pos, "there is no limit_conn_zone '%.64s'%s", l->zone, hint);
	free(hint);
}

/* Servers that inherited a line point to the same place in the file: it is said once. */
static bool
is_first(const struct conf *conf, size_t before, const struct limit_conf *l)
{
	for (size_t i = 0; i < before; i++)
		for (size_t k = 0; k < conf->clients[i]->n_limits; k++) {
			const struct conf_pos *p = &conf->clients[i]->limits[k].pos;

			if (p->file == l->pos.file && p->line == l->pos.line &&
			    p->column == l->pos.column)
				return false;
		}
	return true;
}

void
stream_resolve_limits(struct binder *b)
{
	struct conf *conf = b->conf;

	for (size_t i = 0; i < conf->n_clients; i++)
		for (size_t k = 0; k < conf->clients[i]->n_limits; k++) {
			struct limit_conf *l = &conf->clients[i]->limits[k];
			const struct limit_zone_conf *z = limit_zone_conf_find(conf, l->zone);

			if (z != NULL) {
				template_copy(&z->key, &l->key);
				l->size = z->size;
			} else if (is_first(conf, i, l))
				say_no_zone(b, l);
		}
}

struct client_conf *
stream_client(struct binder *b, const struct client_conf *inherited)
{
	struct conf *conf = b->conf;
	struct client_conf *c = client_conf_new(inherited);

	conf->clients = xreallocarray(
	    conf->clients, conf->n_clients + 1, sizeof(struct client_conf *));
	conf->clients[conf->n_clients++] = c;
	return c;
}

/* What a listener cannot do. */
void
stream_check_client(struct binder *b, const struct listener_conf *l)
{
	const struct client_conf *c = l->client;

	if (l->udp && c->announce == 1)
		bind_say(b, CONF_ERROR, l->pos,
		    "proxy_protocol on: version 1 knows no datagrams; 'v2' does");
	if (l->udp && l->proxy_protocol)
		bind_say(b, CONF_ERROR, l->pos,
		    "proxy_protocol is read from connections, not from datagrams");
	if (!l->proxy_protocol && c->own_trusted)
		bind_say(b, CONF_NOTICE, l->pos,
		    "set_real_ip_from has no effect without 'proxy_protocol' of listen");
}

void
stream_clients_done(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_clients; i++)
		client_conf_unref(conf->clients[i]);
	free(conf->clients);
	for (size_t i = 0; i < conf->n_limit_zones; i++) {
		free(conf->limit_zones[i].name);
		template_done(&conf->limit_zones[i].key);
	}
	free(conf->limit_zones);
}
