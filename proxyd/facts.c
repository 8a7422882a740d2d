/*
 * facts.c - see facts.h.
 */
#include "proxyd/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define USEC 1000000

struct out {
	char *at, *end;
	bool escape;
};

static void
put(struct out *o, const char *text, size_t n)
{
	if (n > (size_t)(o->end - o->at))
		n = (size_t)(o->end - o->at);
	memcpy(o->at, text, n);
	o->at += n;
}

static void
put_value(struct out *o, const char *text, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!o->escape) {
		put(o, text, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		char code[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

		if (c < 32 || c > 126 || c == '"' || c == '\\')
			put(o, code, sizeof(code));
		else
			put(o, text + i, 1);
	}
}

/* nginx writes "-" for what there is not, in a log. */
static void
put_text(struct out *o, const char *text)
{
	if (text[0] == '\0' && o->escape)
		text = "-";
	put_value(o, text, strlen(text));
}

static void
put_addr(struct out *o, const struct addr *a)
{
	char text[ADDR_STRLEN];

	put_text(o, addr_format(a, text));
}

static void
put_port(struct out *o, const struct endpoint *e)
{
	char text[8] = "";

	if (e->addr.family != AF_UNSPEC)
		snprintf(text, sizeof(text), "%u", e->port);
	put_text(o, text);
}

static void
put_number(struct out *o, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	put_text(o, text);
}

/* Seconds with milliseconds; negative: there is none. */
static void
put_seconds(struct out *o, int64_t us)
{
	char text[32] = "";

	if (us >= 0)
		snprintf(text, sizeof(text), "%" PRId64 ".%03" PRId64, us / USEC, us % USEC / 1000);
	put_text(o, text);
}

/* "21/Nov/2026:23:59:01 +0100", or "2026-11-21T23:59:01+01:00". */
static void
put_time(struct out *o, const struct facts *f, bool iso)
{
	time_t t = (time_t)(f->wall_us / USEC + f->utc_offset_s);
	long offset = f->utc_offset_s < 0 ? -f->utc_offset_s : f->utc_offset_s;
	char date[40], text[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), iso ? "%Y-%m-%dT%H:%M:%S" : "%d/%b/%Y:%H:%M:%S ", &tm);
	snprintf(text, sizeof(text), "%s%c%02ld%s%02ld", date, f->utc_offset_s < 0 ? '-' : '+',
	    offset / 3600, iso ? ":" : "", offset / 60 % 60);
	put_text(o, text);
}

static void
put_early(struct out *o, const struct facts *f, enum stream_variable v)
{
	switch (v) {
	case VAR_BINARY_REMOTE_ADDR:
		put_value(o, (const char *)f->client.addr.bytes, addr_size(&f->client.addr));
		break;
	case VAR_CONNECTION:
		put_number(o, f->connection);
		break;
	case VAR_HOSTNAME:
		put_text(o, f->hostname);
		break;
	case VAR_MSEC:
		put_seconds(o, f->wall_us);
		break;
	case VAR_PID:
		put_number(o, (uint64_t)f->pid);
		break;
	case VAR_PROTOCOL:
		put_text(o, f->udp ? "UDP" : "TCP");
		break;
	case VAR_PROXY_PROTOCOL_ADDR:
		put_addr(o, &f->proxied.addr);
		break;
	case VAR_PROXY_PROTOCOL_PORT:
		put_port(o, &f->proxied);
		break;
	case VAR_REALIP_REMOTE_ADDR:
		put_addr(o, &f->peer.addr);
		break;
	case VAR_REALIP_REMOTE_PORT:
		put_port(o, &f->peer);
		break;
	case VAR_REMOTE_ADDR:
		put_addr(o, &f->client.addr);
		break;
	case VAR_REMOTE_PORT:
		put_port(o, &f->client);
		break;
	case VAR_SERVER_ADDR:
		put_addr(o, &f->local.addr);
		break;
	case VAR_SERVER_PORT:
		put_port(o, &f->local);
		break;
	default:
		put_time(o, f, v == VAR_TIME_ISO8601);
		break;
	}
}

static void
put_late(struct out *o, const struct facts *f, enum stream_variable v)
{
	switch (v) {
	case VAR_BYTES_RECEIVED:
	case VAR_UPSTREAM_BYTES_SENT:
		put_number(o, f->bytes[0]);
		break;
	case VAR_BYTES_SENT:
	case VAR_UPSTREAM_BYTES_RECEIVED:
		put_number(o, f->bytes[1]);
		break;
	case VAR_CLOSE_REASON:
		put_text(o, f->close_reason);
		break;
	case VAR_SESSION_TIME:
		put_seconds(o, f->session_us);
		break;
	case VAR_STATUS:
		put_number(o, f->status);
		break;
	case VAR_UPSTREAM_ADDR:
		put_text(o, f->upstream_addrs);
		break;
	default: /* VAR_UPSTREAM_CONNECT_TIME */
		put_seconds(o, f->connect_us);
		break;
	}
}

size_t
facts_render(
    const struct stream_template *t, const struct facts *f, char *buf, size_t size, bool escape)
{
	struct out o = { buf, buf + size, escape };

	for (size_t i = 0; i < t->n; i++) {
		enum stream_variable v = t->parts[i].variable;

		if (v == VAR_LITERAL)
			put(&o, t->parts[i].text, strlen(t->parts[i].text));
		else if (v == VAR_UNKNOWN)
			put_text(&o, "");
		else if (stream_variable_is_early(v))
			put_early(&o, f, v);
		else
			put_late(&o, f, v);
	}
	return (size_t)(o.at - buf);
}
