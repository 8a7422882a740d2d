/*
 * stream_health.c - health_check lines and match blocks: how the servers of an
 * upstream are asked.  nginx has the line in the server block that passes to the
 * upstream; here it may stand in the upstream as well, where it belongs.
 */
#include "common/conf/stream.h"
#include "common/regex.h"

#include <stdlib.h>
#include <string.h>

#define EXCHANGE_MAX 4096 /* what is sent or waited for */
#define DAY_US	     (86400 * US_PER_S)

/* ---- match ---- */

static int
hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* \xHH is a byte, as in nginx; *ret_size bytes, to be freed. */
static char *
decode_bytes(const char *text, size_t *ret_size)
{
	char *bytes = xstrdup(text);
	size_t n = 0;

	for (const char *p = text; *p != '\0'; n++) {
		if (p[0] == '\\' && p[1] == 'x' && hex_value(p[2]) >= 0 && hex_value(p[3]) >= 0) {
			bytes[n] = (char)(hex_value(p[2]) << 4 | hex_value(p[3]));
			p += 4;
		} else {
			bytes[n] = *p++;
		}
	}
	bytes[n] = '\0';
	*ret_size = n;
	return bytes;
}

static bool
has_good_length(struct binder *b, const struct word *w, const char *what)
{
	size_t n = strlen(w->text);

	if (n > 0 && n <= EXCHANGE_MAX)
		return true;
	bind_say(b, CONF_ERROR, w->pos, "'%s' takes 1 to %d bytes", what, EXCHANGE_MAX);
	return false;
}

static void
bind_send(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct match_conf *m = object;

	if (has_good_length(b, &s->words[1], d->name) && m->send == NULL)
		m->send = decode_bytes(s->words[1].text, &m->send_size);
}

static void
check_regex(struct binder *b, const struct word *w, const struct match_conf *m)
{
	char *why = regex_fault(w->text, m->ignore_case ? REGEX_CASELESS : 0);

	if (why != NULL)
		bind_say(b, CONF_ERROR, w->pos, "'%.64s': %s", w->text, why);
	free(why);
}

/* expect TEXT; expect ~ REGEX; expect ~* REGEX */
static void
bind_expect(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct match_conf *m = object;
	const struct word *w = &s->words[s->n_words - 1];

	if (m->expect != NULL || !has_good_length(b, w, d->name))
		return;
	if (s->n_words == 2) {
		m->expect = decode_bytes(w->text, &m->expect_size);
		return;
	}
	m->is_regex = true;
	m->ignore_case = strcmp(s->words[1].text, "~*") == 0;
	if (!m->ignore_case && strcmp(s->words[1].text, "~") != 0) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is neither ~ nor ~*",
		    s->words[1].text);
		return;
	}
	check_regex(b, w, m);
	m->expect = xstrdup(w->text);
	m->expect_size = strlen(m->expect);
}

static const struct directive match_rows[] = {
	{ "send", 1, 1, 0, bind_send, 0, 0, 0, NULL },
	{ "expect", 1, 2, 0, bind_expect, 0, 0, 0, NULL },
};

void
stream_bind_match(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct conf *conf = b->conf;
	struct match_conf m = { .name = xstrdup(s->words[1].text), .pos = s->words[1].pos };
	struct context in = { .kind = "match",
		.name = m.name,
		.part = CONF_STREAM,
		.rows = match_rows,
		.n_rows = ARRAY_LEN(match_rows) };
	const struct match_conf *other = conf_match(conf, m.name);

	(void)d, (void)object;
	if (!bind_room(b, m.pos, conf->n_matches, CONF_NAMES_MAX, "match blocks")) {
		match_conf_done(&m);
		return;
	}
	bind_block(b, s, &in, &m);
	if (other != NULL)
		bind_say(b, CONF_ERROR, m.pos, "there is a match '%s' already, in line %u", m.name,
		    other->pos.line);
	conf->matches = conf_grow(conf->matches, conf->n_matches, sizeof(*conf->matches));
	conf->matches[conf->n_matches++] = m;
}

/* ---- health_check ---- */

static bool
health_time(struct binder *b, const struct word *w, const char *name, int64_t low, int64_t *to)
{
	const char *value = stream_value_of(w->text, name);
	struct word part;
	int64_t v;

	if (value == NULL)
		return false;
	part = stream_part_of(w, value);
	if (!value_nginx_time(b, &part, &v))
		return true;
	if (v < low || v > DAY_US)
		bind_say(b, CONF_ERROR, part.pos, "'%s' is out of range: %s to 1d", part.text,
		    low > 0 ? "10ms" : "0");
	else
		*to = v;
	return true;
}

static bool
health_number(struct binder *b, const struct word *w, const char *name, int64_t high, int64_t *to)
{
	const char *value = stream_value_of(w->text, name);
	struct word part;

	if (value == NULL)
		return false;
	part = stream_part_of(w, value);
	value_integer(b, &part, 1, high, to);
	return true;
}

static void
health_match(struct binder *b, const struct word *w, const char *name, struct health_conf *h)
{
	h->match = conf_match(b->conf, name);
	if (h->match == NULL)
		bind_say(b, CONF_ERROR, w->pos, "there is no match '%.64s'", name);
}

/* A check of the file, asked at each server's address: one that asks a peer. */
static void
health_take_check(struct binder *b, const struct word *w, const char *name, struct health_conf *h)
{
	h->check = conf_check(b->conf, name);
	if (h->check == NULL)
		bind_say(b, CONF_ERROR, w->pos, "there is no check '%.64s'", name);
	else if (h->check->kind == CHECK_PROCESS || h->check->kind == CHECK_PORT)
		bind_say(b, CONF_ERROR, w->pos,
		    "check '%.64s' is of type %s, which asks this node and no server", name,
		    check_kind_str(h->check->kind));
}

static void
health_option(struct binder *b, const struct word *w, struct health_conf *h)
{
	static const char *const names[] = { "interval=", "jitter=", "fails=", "passes=", "port=",
		"mandatory", "match=", "check=", "udp" };
	int64_t fails = h->fails, passes = h->passes, port = h->port;
	const char *value;
	char *hint;

	if (health_time(b, w, "interval", 10 * US_PER_MS, &h->interval_us) ||
	    health_time(b, w, "jitter", 0, &h->jitter_us))
		return;
	if (health_number(b, w, "fails", 1000, &fails) ||
	    health_number(b, w, "passes", 1000, &passes) ||
	    health_number(b, w, "port", 65535, &port)) {
		h->fails = (unsigned)fails;
		h->passes = (unsigned)passes;
		h->port = (uint16_t)port;
	} else if ((value = stream_value_of(w->text, "match")) != NULL) {
		health_match(b, w, value, h);
	} else if ((value = stream_value_of(w->text, "check")) != NULL) {
		health_take_check(b, w, value, h);
	} else if (strcmp(w->text, "mandatory") == 0) {
		h->mandatory = true;
	} else if (strcmp(w->text, "udp") == 0) {
		h->udp = true;
	} else if (strcmp(w->text, "persistent") == 0) {
		bind_say(b, CONF_NOTICE, w->pos, "verdicts are kept over reloads anyway");
	} else {
		hint = bind_did_you_mean(b, w->text, names, ARRAY_LEN(names), sizeof(*names));
		bind_say(b, CONF_ERROR, w->pos, "unknown option '%.64s' of health_check%s", w->text,
		    hint);
		free(hint);
	}
}

static struct health_conf *
read_health(struct binder *b, const struct stmt *s, int64_t timeout_us)
{
	struct health_conf *h = xcalloc(1, sizeof(*h));

	*h = (struct health_conf){ .interval_us = 5 * US_PER_S,
		.timeout_us = timeout_us > 0 ? timeout_us : 5 * US_PER_S,
		.fails = 1,
		.passes = 1,
		.pos = stmt_pos(s) };
	for (size_t i = 1; i < s->n_words; i++)
		health_option(b, &s->words[i], h);
	if (h->match != NULL && h->check != NULL)
		bind_say(b, CONF_ERROR, stmt_pos(s), "either match= or check=, not both");
	return h;
}

void
stream_refer_health(
    struct binder *b, const struct stmt *s, int64_t timeout_us, bool of_listener, size_t object)
{
	b->healths = conf_grow(b->healths, b->n_healths, sizeof(*b->healths));
	b->healths[b->n_healths++] = (struct health_reference){ s, timeout_us, of_listener,
		object };
}

static void
resolve_one(struct binder *b, const struct health_reference *r)
{
	struct conf *conf = b->conf;
	const struct upstream_conf *up = r->of_listener ? conf->listeners[r->object].upstream
							: &conf->upstreams[r->object];
	struct health_conf *h;

	if (up == NULL)
		return; /* proxy_pass was wrong, which was said */
	h = read_health(b, r->stmt, r->timeout_us > 0 ? r->timeout_us : b->health_timeout_us);
	if (up->health == NULL) {
		conf->upstreams[up - conf->upstreams].health = h;
		return;
	}
	if (up->health->pos.line != h->pos.line || up->health->pos.file != h->pos.file)
		bind_say(b, CONF_WARNING, h->pos,
		    "upstream '%s' has a health_check already, in line %u, and that one holds",
		    up->name, up->health->pos.line);
	free(h);
}

void
stream_resolve_health(struct binder *b)
{
	static const struct context in = { .kind = "stream", .part = CONF_STREAM };
	const struct context *outer = b->in;

	b->in = &in;
	for (size_t i = 0; i < b->n_healths; i++) /* the upstreams' own lines first */
		if (!b->healths[i].of_listener)
			resolve_one(b, &b->healths[i]);
	for (size_t i = 0; i < b->n_healths; i++)
		if (b->healths[i].of_listener)
			resolve_one(b, &b->healths[i]);
	b->in = outer;
}
