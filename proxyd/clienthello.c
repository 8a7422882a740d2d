/*
 * clienthello.c - see clienthello.h.
 *
 * A hello may be cut into records anywhere, so that it is read byte by byte
 * through a cursor that passes over their heads.  Every vector is read through a
 * window of its announced length: what reaches beyond is no hello.
 */
#include "proxyd/clienthello.h"

#include <stdbool.h>
#include <string.h>

enum { RECORD_HEAD = 5, RECORD_HANDSHAKE = 22, RECORD_MAX = 16384 };
enum { HELLO = 1, EXT_SERVER_NAME = 0, EXT_ALPN = 16, EXT_VERSIONS = 43 };

struct cursor {
	const uint8_t *at, *end;
	size_t in_record; /* bytes left of this record */
	bool more, bad;	  /* it went on behind the end; it is none */
};

/* The next byte; 0 when there is none, which more or bad says. */
static uint8_t
next_byte(struct cursor *c)
{
	while (c->in_record == 0 && !c->more && !c->bad) {
		size_t have = (size_t)(c->end - c->at);

		if ((have > 0 && c->at[0] != RECORD_HANDSHAKE) || (have > 1 && c->at[1] != 3)) {
			c->bad = true;
		} else if (have < RECORD_HEAD) {
			c->more = true;
		} else {
			c->in_record = (size_t)c->at[3] << 8 | c->at[4];
			c->bad = c->in_record == 0 || c->in_record > RECORD_MAX;
			c->at += RECORD_HEAD;
		}
	}
	if (c->at == c->end)
		c->more = true;
	if (c->more || c->bad)
		return 0;
	c->in_record--;
	return *c->at++;
}

static bool
failed(const struct cursor *c)
{
	return c->more || c->bad;
}

/* A number of n bytes, out of what is left in *window. */
static uint32_t
number(struct cursor *c, size_t n, size_t *window)
{
	uint32_t v = 0;

	if (*window < n) {
		c->bad = true;
		return 0;
	}
	*window -= n;
	while (n-- > 0)
		v = v << 8 | next_byte(c);
	return v;
}

/* The length of a vector that lies in *window, which is then behind it. */
static size_t
vector(struct cursor *c, size_t n, size_t *window)
{
	size_t size = number(c, n, window);

	if (size > *window) {
		c->bad |= !c->more;
		return 0;
	}
	*window -= size;
	return failed(c) ? 0 : size;
}

static void
skip(struct cursor *c, size_t n)
{
	while (n-- > 0 && !failed(c))
		next_byte(c);
}

/* ---- extensions ---- */

/* Printable, without what ends or quotes a word anywhere. */
static bool
is_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("\"'\\/", text[i]) != NULL)
			return false;
	return n > 0;
}

static void
server_name(struct cursor *c, size_t window, struct clienthello *h)
{
	size_t list = vector(c, 2, &window);

	while (list > 0 && !failed(c)) {
		uint32_t type = number(c, 1, &list);
		size_t n = vector(c, 2, &list);
		bool wanted = type == 0 && n < sizeof(h->server_name) && h->server_name[0] == '\0';
		char name[CLIENTHELLO_NAME];

		for (size_t i = 0; i < n && !failed(c); i++) {
			char byte = (char)next_byte(c);

			if (wanted)
				name[i] = byte;
		}
		if (!wanted || failed(c) || !is_name(name, n))
			continue;
		memcpy(h->server_name, name, n);
		h->server_name[n] = '\0';
	}
	skip(c, window);
}

/* Bytes that would look like two protocols, or like no text, make none. */
static void
alpn(struct cursor *c, size_t window, struct clienthello *h)
{
	size_t list = vector(c, 2, &window), used = 0;

	while (list > 0 && !failed(c)) {
		size_t n = vector(c, 1, &list), comma = used > 0;
		bool fits = used + comma + n < sizeof(h->alpn);
		char name[256] = { 0 };

		for (size_t i = 0; i < n && !failed(c); i++)
			name[i] = (char)next_byte(c);
		if (!fits || failed(c) || n == 0 || memchr(name, ',', n) != NULL ||
		    memchr(name, '\0', n) != NULL)
			continue;
		if (comma)
			h->alpn[used++] = ',';
		memcpy(h->alpn + used, name, n);
		used += n;
		h->alpn[used] = '\0';
	}
	skip(c, window);
}

/* The newest of those there are; what clients put in to try us (GREASE) is none. */
static uint32_t
versions(struct cursor *c, size_t window, uint32_t version)
{
	size_t list = vector(c, 1, &window);
	uint32_t newest = 0;

	while (list > 0 && !failed(c)) {
		uint32_t v = number(c, 2, &list);

		if (v >= 0x0300 && v <= 0x0304 && v > newest)
			newest = v;
	}
	skip(c, window);
	return newest > 0 ? newest : version;
}

static uint32_t
extensions(struct cursor *c, size_t window, struct clienthello *h, uint32_t version)
{
	while (window > 0 && !failed(c)) {
		uint32_t type = number(c, 2, &window);
		size_t n = vector(c, 2, &window);

		if (failed(c))
			break;
		if (type == EXT_SERVER_NAME && n > 0)
			server_name(c, n, h);
		else if (type == EXT_ALPN)
			alpn(c, n, h);
		else if (type == EXT_VERSIONS)
			version = versions(c, n, version);
		else
			skip(c, n);
	}
	return version;
}

/* ---- the whole ---- */

static const char *
protocol_str(uint32_t version)
{
	static const char *const names[] = { "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3" };

	if (version == 2)
		return "SSLv2";
	return version >= 0x0300 && version <= 0x0304 ? names[version - 0x0300] : "";
}

static void
hello(struct cursor *c, struct clienthello *h)
{
	size_t window = 4, size;
	uint32_t version;

	if (number(c, 1, &window) != HELLO && !failed(c))
		c->bad = true;
	size = number(c, 3, &window);
	if (failed(c))
		return;
	window = size;
	version = number(c, 2, &window);
	if (window < 32) {
		c->bad |= !c->more;
		return;
	}
	window -= 32;
	skip(c, 32);			/* random */
	skip(c, vector(c, 1, &window)); /* session id */
	skip(c, vector(c, 2, &window)); /* cipher suites */
	skip(c, vector(c, 1, &window)); /* compression methods */
	if (window > 0 && !failed(c)) {
		size = vector(c, 2, &window);
		version = extensions(c, size, h, version);
	}
	skip(c, window);
	h->protocol = protocol_str(version);
}

/*
 * SSL 2's hello, by which old clients offer newer versions: two bytes of length
 * of which the highest bit is set, its kind, the version.
 */
static bool
is_old_hello(const uint8_t *b, size_t n, enum clienthello_found *ret, struct clienthello *h)
{
	if (n == 0 || (b[0] & 0x80) == 0)
		return false;
	if (n < 5) {
		*ret = n > 2 && b[2] != HELLO ? CLIENTHELLO_NO : CLIENTHELLO_MORE;
		return true;
	}
	*ret = b[2] == HELLO && (b[3] == 0 || b[3] == 3) ? CLIENTHELLO_YES : CLIENTHELLO_NO;
	if (*ret == CLIENTHELLO_YES)
		*h = (struct clienthello){ .protocol = protocol_str((uint32_t)b[3] << 8 | b[4]) };
	return true;
}

enum clienthello_found
clienthello_parse(const uint8_t *bytes, size_t size, struct clienthello *ret)
{
	struct cursor c = { .at = bytes, .end = bytes + size };
	struct clienthello h = { .protocol = "" };
	enum clienthello_found found;

	if (is_old_hello(bytes, size, &found, ret))
		return found;
	hello(&c, &h);
	if (c.bad)
		return CLIENTHELLO_NO;
	if (c.more)
		return CLIENTHELLO_MORE;
	*ret = h;
	return CLIENTHELLO_YES;
}
