/*
 * facts.c - see facts.h.
 *
 * A variable of the file's own is worked out where it is used, each time; its
 * server's "set"s are looked through backwards from where the reader stands, so
 * that "set $a $b; set $b x" means what it says without a place to keep values.
 */
#include "proxyd/facts.h"

#include "proxyd/proxyproto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define USEC	  1000000
#define DEPTH_MAX 16 /* of variables in variables; circles are refused by the configuration */

struct out {
	char *at, *end;
};

/* One rendering. */
struct run {
	const struct facts *f;
	size_t n_sets;	/* assignments that have been carried out */
	bool at_accept; /* as it was when the client came: what "set" sees */
	unsigned depth;
	struct captures *captures;
};

static void
put(struct out *o, const char *text, size_t n)
{
	if (n > (size_t)(o->end - o->at))
		n = (size_t)(o->end - o->at);
	memcpy(o->at, text, n);
	o->at += n;
}

/* ---- values: false when there is none ---- */

static bool
put_text(struct out *o, const char *text)
{
	if (text == NULL)
		return false;
	put(o, text, strlen(text));
	return true;
}

static bool
put_addr(struct out *o, const struct addr *a)
{
	char text[ADDR_STRLEN];

	return a->family != AF_UNSPEC && put_text(o, addr_format(a, text));
}

static bool
put_number(struct out *o, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return put_text(o, text);
}

static bool
put_port(struct out *o, const struct endpoint *e)
{
	return e->addr.family != AF_UNSPEC && put_number(o, e->port);
}

/* Seconds with milliseconds; negative: there is none. */
static bool
put_seconds(struct out *o, int64_t us)
{
	char text[32];

	if (us < 0)
		return false;
	snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, us / USEC, us % USEC / 1000);
	return put_text(o, text);
}

/* "21/Nov/2026:23:59:01 +0100", or "2026-11-21T23:59:01+01:00". */
static bool
put_time(struct out *o, const struct facts *f, int64_t wall_us, bool iso)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)(wall_us / USEC + f->utc_offset_s);
	long offset = f->utc_offset_s < 0 ? -f->utc_offset_s : f->utc_offset_s;
	char sign = f->utc_offset_s < 0 ? '-' : '+', text[96];
	struct tm tm;

	gmtime_r(&t, &tm);
	if (iso)
		snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%c%02ld:%02ld",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    sign, offset / 3600, offset / 60 % 60);
	else
		snprintf(text, sizeof(text), "%02d/%.3s/%04d:%02d:%02d:%02d %c%02ld%02ld",
		    tm.tm_mday, months + 3 * (tm.tm_mon % 12), tm.tm_year + 1900, tm.tm_hour,
		    tm.tm_min, tm.tm_sec, sign, offset / 3600, offset / 60 % 60);
	return put_text(o, text);
}

/* ---- TLVs of a PROXY header ---- */

struct tlv {
	const uint8_t *value;
	size_t size;
};

static bool
find_tlv(const uint8_t *at, size_t size, unsigned type, struct tlv *ret)
{
	while (size >= 3) {
		size_t n = (size_t)at[1] << 8 | at[2];

		if (n > size - 3)
			return false;
		if (at[0] == type) {
			*ret = (struct tlv){ at + 3, n };
			return true;
		}
		at += 3 + n;
		size -= 3 + n;
	}
	return false;
}

/* Behind "proxy_protocol_tlv_": a name of nginx's, or 0x and the type. */
static bool
put_tlv(struct out *o, const struct facts *f, const char *name)
{
	static const struct {
		const char *name;
		unsigned type;
		bool in_ssl;
	} names[] = { { "alpn", PROXYPROTO_TLV_ALPN, false },
		{ "authority", PROXYPROTO_TLV_AUTHORITY, false },
		{ "unique_id", PROXYPROTO_TLV_UNIQUE_ID, false },
		{ "ssl", PROXYPROTO_TLV_SSL, false }, { "netns", PROXYPROTO_TLV_NETNS, false },
		{ "ssl_version", 0x21, true }, { "ssl_cn", 0x22, true },
		{ "ssl_cipher", 0x23, true }, { "ssl_sig_alg", 0x24, true },
		{ "ssl_key_alg", 0x25, true }, { "ssl_verify", 0, true } };
	unsigned type = 0;
	bool in_ssl = false;
	struct tlv v = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].name, name) == 0) {
			type = names[i].type;
			in_ssl = names[i].in_ssl;
		}
	for (const char *p = name; strncmp(name, "0x", 2) == 0 && *p != '\0' && type < 256; p++) {
		const char *digits = "0123456789abcdef", *d = strchr(digits, *p | 0x20);

		type = p < name + 2 ? 0 : type * 16 + (unsigned)(d != NULL ? d - digits : 0);
	}
	if (!find_tlv(f->tlvs, f->tlvs_size, in_ssl ? PROXYPROTO_TLV_SSL : type, &v))
		return false;
	if (in_ssl) { /* one byte of flags, four of the verification's result, then TLVs again */
		if (v.size < 5)
			return false;
		if (type == 0)
			return put_number(o, (uint32_t)v.value[1] << 24 |
						 (uint32_t)v.value[2] << 16 |
						 (uint32_t)v.value[3] << 8 | v.value[4]);
		if (!find_tlv(v.value + 5, v.size - 5, type, &v))
			return false;
	}
	put(o, (const char *)v.value, v.size);
	return true;
}

/* ---- one variable ---- */

/* Through a unix socket there is no address. */
static bool
put_client(struct out *o, const struct facts *f)
{
	return f->client.addr.family != AF_UNSPEC ? put_addr(o, &f->client.addr)
						  : put_text(o, "unix:");
}

static bool
put_early(struct out *o, const struct run *r, const struct template_part *p)
{
	const struct facts *f = r->f;
	int64_t wall_us = r->at_accept ? f->wall_us - f->session_us : f->wall_us;

	switch (p->variable) {
	case VAR_BINARY_REMOTE_ADDR:
		if (f->client.addr.family == AF_UNSPEC)
			return put_text(o, "unix:");
		put(o, (const char *)f->client.addr.bytes, addr_size(&f->client.addr));
		return true;
	case VAR_CONNECTION:
		return put_number(o, f->connection);
	case VAR_HOSTNAME:
		return put_text(o, f->hostname);
	case VAR_MSEC:
		return put_seconds(o, wall_us);
	case VAR_NGINX_VERSION:
		return put_text(o, f->version);
	case VAR_PID:
		return put_number(o, (uint64_t)f->pid);
	case VAR_PROTOCOL:
		return put_text(o, f->udp ? "UDP" : "TCP");
	case VAR_PROXY_PROTOCOL_ADDR:
		return put_addr(o, &f->proxied.addr);
	case VAR_PROXY_PROTOCOL_PORT:
		return put_port(o, &f->proxied);
	case VAR_PROXY_PROTOCOL_SERVER_ADDR:
		return put_addr(o, &f->proxied_to.addr);
	case VAR_PROXY_PROTOCOL_SERVER_PORT:
		return put_port(o, &f->proxied_to);
	case VAR_PROXY_PROTOCOL_TLV:
		return put_tlv(o, f, p->text);
	case VAR_REALIP_REMOTE_ADDR:
		return f->peer.addr.family != AF_UNSPEC ? put_addr(o, &f->peer.addr)
							: put_text(o, "unix:");
	case VAR_REALIP_REMOTE_PORT:
		return put_port(o, &f->peer) || put_text(o, "");
	case VAR_REMOTE_ADDR:
		return put_client(o, f);
	case VAR_REMOTE_PORT:
		return put_port(o, &f->client) || put_text(o, "");
	case VAR_SERVER_ADDR:
		return put_addr(o, &f->local.addr) || put_text(o, f->local_unix);
	case VAR_SERVER_PORT:
		return put_port(o, &f->local) || put_text(o, "");
	case VAR_SSL_PREREAD_ALPN_PROTOCOLS:
		return !r->at_accept && put_text(o, f->alpn);
	case VAR_SSL_PREREAD_PROTOCOL:
		return !r->at_accept && put_text(o, f->tls_protocol);
	case VAR_SSL_PREREAD_SERVER_NAME:
		return !r->at_accept && put_text(o, f->server_name);
	case VAR_TIME_ISO8601:
	case VAR_TIME_LOCAL:
		return put_time(o, f, wall_us, p->variable == VAR_TIME_ISO8601);
	default:
		return false;
	}
}

static bool
put_try(struct out *o, const struct facts *f, size_t i, enum stream_variable v)
{
	const struct facts_try *t = &f->tries[i];
	bool last = i + 1 == f->n_tries;
	char text[ENDPOINT_STRLEN];

	switch (v) {
	case VAR_UPSTREAM_ADDR:
		return put_text(o, t->server.addr.family != AF_UNSPEC
				       ? endpoint_format(&t->server, text)
				       : t->name);
	case VAR_UPSTREAM_BYTES_RECEIVED: /* only the last was ever passed anything */
		return put_number(o, last ? f->server_received : 0);
	case VAR_UPSTREAM_BYTES_SENT:
		return put_number(o, last ? f->server_sent : 0);
	case VAR_UPSTREAM_CONNECT_TIME:
		return put_seconds(o, t->connect_us);
	case VAR_UPSTREAM_FIRST_BYTE_TIME:
		return put_seconds(o, last ? f->first_byte_us : -1);
	default: /* VAR_UPSTREAM_SESSION_TIME */
		return put_seconds(o, t->session_us);
	}
}

/* Of each server tried: "10.0.0.1:80, 10.0.0.2:80". */
static bool
put_tries(struct out *o, const struct run *r, enum stream_variable v)
{
	if (r->f->n_tries == 0 || r->at_accept)
		return false;
	for (size_t i = 0; i < r->f->n_tries; i++) {
		if (i > 0)
			put(o, ", ", 2);
		if (!put_try(o, r->f, i, v))
			put(o, "-", 1);
	}
	return true;
}

static bool
put_late(struct out *o, const struct run *r, enum stream_variable v)
{
	const struct facts *f = r->f;
	bool early = r->at_accept;

	switch (v) {
	case VAR_BYTES_RECEIVED:
		return put_number(o, early ? 0 : f->received);
	case VAR_BYTES_SENT:
		return put_number(o, early ? 0 : f->sent);
	case VAR_CLOSE_REASON:
		return !early && put_text(o, f->close_reason);
	case VAR_LIMIT_CONN_STATUS:
		return !early && put_text(o, f->limit_conn_status);
	case VAR_SESSION_TIME:
		return put_seconds(o, early ? 0 : f->session_us);
	case VAR_STATUS:
		if (early || f->status == 0)
			return put_text(o, "000");
		return put_number(o, f->status);
	default:
		return put_tries(o, r, v);
	}
}

/* ---- the file's own ---- */

static bool put_value(struct out *, struct run *, const struct template_part *);

static void
put_template(struct out *o, struct run *r, const struct stream_template *t)
{
	if (t == NULL || r->depth == DEPTH_MAX)
		return;
	r->depth++;
	for (size_t i = 0; i < t->n; i++)
		put_value(o, r, &t->parts[i]);
	r->depth--;
}

/* What a word looks up, in a buffer of its own. */
static size_t
source_of(struct run *r, const struct stream_word *w, char *buf, size_t size)
{
	struct out o = { buf, buf + size };

	put_template(&o, r, &w->source);
	return (size_t)(o.at - buf);
}

static const char *
geo_value(struct run *r, const struct stream_word *w)
{
	char text[ADDR_STRLEN];
	struct addr a = { 0 };
	size_t n;

	if (w->source.n == 0)
		return geo_find(w->geo, &r->f->client.addr);
	n = source_of(r, w, text, sizeof(text) - 1);
	text[n] = '\0';
	addr_parse(text, &a);
	return geo_find(w->geo, &a);
}

static bool
put_defined(struct out *o, struct run *r, const struct stream_word *w)
{
	char source[CAPTURE_TEXT];
	size_t n;

	if (w->geo != NULL)
		return put_text(o, geo_value(r, w));
	if (w->map == NULL && w->split == NULL)
		return true; /* it is set elsewhere, perhaps */
	n = source_of(r, w, source, sizeof(source));
	if (w->split != NULL)
		return put_text(o, split_find(w->split, source, n));
	put_template(o, r, map_find(w->map, source, n, r->captures));
	return true;
}

static bool
put_word(struct out *o, struct run *r, size_t index)
{
	const struct server_words *words = r->f->words;
	struct run before = *r;

	if (words == NULL)
		return false;
	for (size_t i = r->n_sets; i-- > 0;)
		if (words->sets[i].word == index) {
			before.n_sets = i;
			before.at_accept = true;
			put_template(o, &before, &words->sets[i].value);
			return true;
		}
	return put_defined(o, r, &words->lexicon->words[index]);
}

static bool
put_capture(struct out *o, const struct run *r, const struct template_part *p)
{
	const char *text;
	size_t n;

	if (p->variable == VAR_CAPTURE ? !capture_numbered(r->captures, p->index, &text, &n)
				       : !capture_named(r->captures, p->text, &text, &n))
		return false;
	put(o, text, n);
	return true;
}

static bool
put_value(struct out *o, struct run *r, const struct template_part *p)
{
	switch (p->variable) {
	case VAR_LITERAL:
		put(o, p->text, p->length);
		return true;
	case VAR_UNKNOWN:
		return false;
	case VAR_WORD:
		return put_word(o, r, p->index);
	case VAR_CAPTURE:
	case VAR_NAMED:
		return put_capture(o, r, p);
	default:
		return stream_variable_is_early(p->variable) ? put_early(o, r, p)
							     : put_late(o, r, p->variable);
	}
}

/* ---- escapes ---- */

static void
put_hex(struct out *o, const char *prefix, unsigned char c)
{
	static const char upper[] = "0123456789ABCDEF";
	const char code[2] = { upper[c >> 4], upper[c & 15] };

	put(o, prefix, strlen(prefix));
	put(o, code, sizeof(code));
}

static void
put_json(struct out *o, unsigned char c)
{
	static const struct {
		unsigned char c;
		const char *code;
	} codes[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { '\n', "\\n" }, { '\r', "\\r" },
		{ '\t', "\\t" }, { '\b', "\\b" }, { '\f', "\\f" } };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].c == c) {
			put(o, codes[i].code, 2);
			return;
		}
	if (c < 32)
		put_hex(o, "\\u00", c);
	else
		put(o, (const char *)&c, 1);
}

static void
put_escaped(struct out *o, const char *text, size_t n, enum log_escape escape)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (escape == ESCAPE_JSON)
			put_json(o, c);
		else if (c < 32 || c > 126 || c == '"' || c == '\\')
			put_hex(o, "\\x", c);
		else
			put(o, text + i, 1);
	}
}

size_t
facts_render(const struct stream_template *t, const struct facts *f, char *buf, size_t size,
    enum log_escape escape)
{
	struct captures captures;
	struct run r = { .f = f, .captures = &captures };
	struct out o = { buf, buf + size };
	char value[FACTS_VALUE_MAX];

	captures.regex = NULL;
	r.n_sets = f->words != NULL ? f->words->n_sets : 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct template_part *p = &t->parts[i];
		struct out v = { value, value + sizeof(value) };

		if (p->variable == VAR_LITERAL || escape == ESCAPE_NONE)
			put_value(&o, &r, p);
		else if (put_value(&v, &r, p))
			put_escaped(&o, value, (size_t)(v.at - value), escape);
		else if (escape == ESCAPE_DEFAULT)
			put(&o, "-", 1);
	}
	return (size_t)(o.at - buf);
}

bool
facts_holds(const struct stream_template *t, const struct facts *f)
{
	char value[2];
	size_t n = facts_render(t, f, value, sizeof(value), ESCAPE_NONE);

	return n > 0 && !(n == 1 && value[0] == '0');
}
