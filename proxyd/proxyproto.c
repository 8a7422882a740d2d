/*
 * proxyproto.c - see proxyproto.h; "the text" is proxy-protocol.txt of HAProxy.
 */
#include "proxyd/proxyproto.h"

#include "common/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Version 2: signature 12, version and command 1, family and transport 1, length 2. */
enum { SIGNATURE_SIZE = 12, HEAD_SIZE = 16, INET_SIZE = 12, INET6_SIZE = 36, UNIX_SIZE = 216 };
enum { COMMAND_LOCAL, COMMAND_PROXY };
enum { FAMILY_NONE, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX };
enum { TRANSPORT_NONE, TRANSPORT_STREAM, TRANSPORT_DGRAM };

static const uint8_t SIGNATURE[SIGNATURE_SIZE] = "\r\n\r\n\0\r\nQUIT\n";
static const char V1_BEGIN[] = "PROXY ";

const char *
proxyproto_error_str(enum proxyproto_error e)
{
	static const char *const names[PROXYPROTO_ERRORS] = {
		[PROXYPROTO_OK] = "well",
		[PROXYPROTO_NONE] = "no PROXY header",
		[PROXYPROTO_TOO_LONG] = "longer than a header may be",
		[PROXYPROTO_LINE] = "a line that is no header",
		[PROXYPROTO_ADDRESS] = "an address or port that is none",
		[PROXYPROTO_VERSION] = "neither version 1 nor 2",
		[PROXYPROTO_COMMAND] = "an unknown command",
		[PROXYPROTO_FAMILY] = "an unknown address family",
		[PROXYPROTO_SHORT] = "too short for its addresses",
		[PROXYPROTO_TLV] = "a TLV beyond its end",
		[PROXYPROTO_CHECKSUM] = "a wrong checksum",
	};

	return names[e];
}

static int
refuse(enum proxyproto_error *ret, enum proxyproto_error e)
{
	*ret = e;
	return -EBADMSG;
}

/* ---- version 1 ---- */

/* The next word of the line, ended by one space or the line's end; NULL: there is none. */
static char *
next_word(char **line)
{
	char *word = *line, *end;

	if (word == NULL || *word == '\0' || *word == ' ')
		return NULL;
	end = strchr(word, ' ');
	*line = end != NULL ? end + 1 : NULL;
	if (end != NULL)
		*end = '\0';
	return word;
}

/* Digits without leading zeros, 0..65535. */
static bool
parse_port(const char *text, uint16_t *ret)
{
	size_t length = strspn(text, "0123456789");
	unsigned n = 0;

	if (length == 0 || length > 5 || text[length] != '\0' || (text[0] == '0' && length > 1))
		return false;
	for (const char *p = text; *p != '\0'; p++)
		n = n * 10 + (unsigned)(*p - '0');
	*ret = (uint16_t)n;
	return n <= UINT16_MAX;
}

static bool
parse_v1_end(const char *address, const char *port, uint8_t family, struct endpoint *ret)
{
	return addr_parse(address, &ret->addr) == 0 && ret->addr.family == family &&
	       parse_port(port, &ret->port);
}

/* "TCP4 1.2.3.4 5.6.7.8 1000 2000" */
static enum proxyproto_error
parse_line(char *line, struct proxyproto *ret)
{
	struct proxyproto p = { .version = 1 };
	char *words[5];
	size_t n = 0;
	uint8_t family;

	while (n < 5 && (words[n] = next_word(&line)) != NULL)
		n++;
	if (n > 0 && strcmp(words[0], "UNKNOWN") == 0) { /* the rest is to be ignored */
		*ret = p;
		return PROXYPROTO_OK;
	}
	if (n != 5 || line != NULL)
		return PROXYPROTO_LINE;
	if (strcmp(words[0], "TCP4") == 0)
		family = AF_INET;
	else if (strcmp(words[0], "TCP6") == 0)
		family = AF_INET6;
	else
		return PROXYPROTO_FAMILY;
	if (!parse_v1_end(words[1], words[3], family, &p.source) ||
	    !parse_v1_end(words[2], words[4], family, &p.destination))
		return PROXYPROTO_ADDRESS;
	*ret = p;
	return PROXYPROTO_OK;
}

static int
parse_v1(
    const uint8_t *bytes, size_t size, struct proxyproto *ret, enum proxyproto_error *ret_error)
{
	size_t max = size < PROXYPROTO_V1_MAX ? size : PROXYPROTO_V1_MAX;
	const uint8_t *lf = memchr(bytes, '\n', max);
	char line[PROXYPROTO_V1_MAX];
	enum proxyproto_error e;
	size_t length;

	if (lf == NULL)
		return size < PROXYPROTO_V1_MAX ? 0 : refuse(ret_error, PROXYPROTO_TOO_LONG);
	length = (size_t)(lf - bytes);
	if (bytes[length - 1] != '\r' || memchr(bytes, '\r', length - 1) != NULL ||
	    memchr(bytes, '\0', length) != NULL)
		return refuse(ret_error, PROXYPROTO_LINE);
	length -= sizeof(V1_BEGIN); /* what lies between "PROXY " and CR */
	memcpy(line, bytes + sizeof(V1_BEGIN) - 1, length);
	line[length] = '\0';
	e = parse_line(line, ret);
	return e == PROXYPROTO_OK ? (int)(lf - bytes) + 1 : refuse(ret_error, e);
}

/* ---- version 2 ---- */

/* RFC 3720, B.4: the reversed polynomial 0x82f63b78, half a byte at a time. */
static uint32_t
crc32c(uint32_t crc, const uint8_t *p, size_t size)
{
	static const uint32_t remainders[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

	for (size_t i = 0; i < size; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ remainders[crc & 15];
		crc = crc >> 4 ^ remainders[crc & 15];
	}
	return crc;
}

/* 2.2.3: over the whole header, the four bytes themselves taken as zero. */
static bool
checksum_holds(const uint8_t *bytes, size_t size, size_t at)
{
	static const uint8_t zero[4];
	uint32_t crc = UINT32_MAX;

	crc = crc32c(crc, bytes, at);
	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, bytes + at + 4, size - at - 4);
	return ~crc == wire_get32(bytes + at);
}

static enum proxyproto_error
check_tlvs(const uint8_t *bytes, size_t size, size_t at)
{
	while (at < size) {
		size_t length;

		if (size - at < 3 || size - at - 3 < (length = wire_get16(bytes + at + 1)))
			return PROXYPROTO_TLV;
		if (bytes[at] == PROXYPROTO_TLV_CRC32C &&
		    (length != 4 || !checksum_holds(bytes, size, at + 3)))
			return PROXYPROTO_CHECKSUM;
		at += 3 + length;
	}
	return PROXYPROTO_OK;
}

static void
read_ends(const uint8_t *p, uint8_t family, struct proxyproto *ret)
{
	size_t n = family == AF_INET ? 4 : 16;

	ret->source.addr.family = ret->destination.addr.family = family;
	memcpy(ret->source.addr.bytes, p, n);
	memcpy(ret->destination.addr.bytes, p + n, n);
	ret->source.port = wire_get16(p + 2 * n);
	ret->destination.port = wire_get16(p + 2 * n + 2);
}

static enum proxyproto_error
parse_block(const uint8_t *bytes, size_t size, struct proxyproto *ret)
{
	static const uint8_t sizes[] = { 0, INET_SIZE, INET6_SIZE, UNIX_SIZE };
	struct proxyproto p = { .version = 2 };
	unsigned command = bytes[12] & 15, family = bytes[13] >> 4, transport = bytes[13] & 15;
	enum proxyproto_error e;
	size_t at;

	if (family > FAMILY_UNIX || transport > TRANSPORT_DGRAM)
		return PROXYPROTO_FAMILY;
	/* LOCAL: the addresses are to be ignored, and need not even be there. */
	if (command == COMMAND_LOCAL) {
		*ret = p;
		return PROXYPROTO_OK;
	}
	at = HEAD_SIZE + (size_t)sizes[family];
	if (at > size)
		return PROXYPROTO_SHORT;
	e = check_tlvs(bytes, size, at);
	if (e != PROXYPROTO_OK)
		return e;
	if (transport != TRANSPORT_NONE && (family == FAMILY_INET || family == FAMILY_INET6))
		read_ends(bytes + HEAD_SIZE, family == FAMILY_INET ? AF_INET : AF_INET6, &p);
	p.dgram = transport == TRANSPORT_DGRAM;
	p.tlvs_at = (uint16_t)at;
	p.tlvs_size = (uint16_t)(size - at);
	*ret = p;
	return PROXYPROTO_OK;
}

/* What is wrong already is said at once, not when the rest has come. */
static int
parse_v2(
    const uint8_t *bytes, size_t size, struct proxyproto *ret, enum proxyproto_error *ret_error)
{
	enum proxyproto_error e;
	size_t whole;

	if (size > 12 && bytes[12] >> 4 != 2)
		return refuse(ret_error, PROXYPROTO_VERSION);
	if (size > 12 && (bytes[12] & 15) > COMMAND_PROXY)
		return refuse(ret_error, PROXYPROTO_COMMAND);
	if (size < HEAD_SIZE)
		return 0;
	whole = HEAD_SIZE + (size_t)wire_get16(bytes + 14);
	if (whole > PROXYPROTO_MAX)
		return refuse(ret_error, PROXYPROTO_TOO_LONG);
	if (size < whole)
		return 0;
	e = parse_block(bytes, whole, ret);
	return e == PROXYPROTO_OK ? (int)whole : refuse(ret_error, e);
}

/* ---- both ---- */

static bool
begins_as(const uint8_t *bytes, size_t size, const void *what, size_t what_size)
{
	return memcmp(bytes, what, size < what_size ? size : what_size) == 0;
}

int
proxyproto_parse(
    const uint8_t *bytes, size_t size, struct proxyproto *ret, enum proxyproto_error *ret_error)
{
	if (size == 0)
		return 0;
	if (begins_as(bytes, size, SIGNATURE, sizeof(SIGNATURE)))
		return parse_v2(bytes, size, ret, ret_error);
	if (!begins_as(bytes, size, V1_BEGIN, sizeof(V1_BEGIN) - 1))
		return refuse(ret_error, PROXYPROTO_NONE);
	return parse_v1(bytes, size, ret, ret_error);
}

const uint8_t *
proxyproto_tlv(const uint8_t *bytes, const struct proxyproto *p, uint8_t type, uint16_t *ret_size)
{
	size_t at = p->tlvs_at, end = at + p->tlvs_size;

	while (at < end) { /* they were checked when it was parsed */
		uint16_t length = wire_get16(bytes + at + 1);

		if (bytes[at] == type) {
			*ret_size = length;
			return bytes + at + 3;
		}
		at += 3 + (size_t)length;
	}
	return NULL;
}

/* ---- writing ---- */

static struct addr
mapped(const struct addr *a)
{
	struct addr v6 = { .family = AF_INET6, .bytes = { [10] = 0xff, [11] = 0xff } };

	if (a->family != AF_INET)
		return *a;
	memcpy(v6.bytes + 12, a->bytes, 4);
	return v6;
}

static size_t
compose_v1(const struct endpoint *s, const struct endpoint *d, char *buf)
{
	char from[ADDR_STRLEN], to[ADDR_STRLEN], line[2 * ADDR_STRLEN + 32];
	int n;

	if (s == NULL)
		n = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	else
		n = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n",
		    s->addr.family == AF_INET ? '4' : '6', addr_format(&s->addr, from),
		    addr_format(&d->addr, to), s->port, d->port);
	memcpy(buf, line, (size_t)n);
	return (size_t)n;
}

static size_t
compose_v2(const struct endpoint *s, const struct endpoint *d, bool dgram, uint8_t *buf)
{
	size_t n = s == NULL ? 0 : addr_size(&s->addr), size = s == NULL ? 0 : 2 * n + 4;

	memcpy(buf, SIGNATURE, sizeof(SIGNATURE));
	buf[12] = 2 << 4 | COMMAND_PROXY;
	buf[13] = 0;
	wire_put16(buf + 14, (uint16_t)size);
	if (s == NULL)
		return HEAD_SIZE;
	buf[13] = (uint8_t)((n == 4 ? FAMILY_INET : FAMILY_INET6) << 4 |
			    (dgram ? TRANSPORT_DGRAM : TRANSPORT_STREAM));
	memcpy(buf + HEAD_SIZE, s->addr.bytes, n);
	memcpy(buf + HEAD_SIZE + n, d->addr.bytes, n);
	wire_put16(buf + HEAD_SIZE + 2 * n, s->port);
	wire_put16(buf + HEAD_SIZE + 2 * n + 2, d->port);
	return HEAD_SIZE + size;
}

size_t
proxyproto_compose(unsigned version, const struct endpoint *source,
    const struct endpoint *destination, bool dgram, uint8_t buf[static PROXYPROTO_COMPOSED_MAX])
{
	struct endpoint s = *source, d = *destination;
	bool known = addr_size(&s.addr) > 0 && addr_size(&d.addr) > 0;

	if (known && s.addr.family != d.addr.family) {
		s.addr = mapped(&s.addr);
		d.addr = mapped(&d.addr);
	}
	if (version == 1)
		return compose_v1(known ? &s : NULL, &d, (char *)buf);
	return compose_v2(known ? &s : NULL, &d, dgram, buf);
}
