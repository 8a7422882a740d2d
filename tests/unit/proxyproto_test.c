/*
 * proxyproto_test.c - headers of the PROXY protocol: well, wrong, and in pieces.
 */
#include "tests/unit/test.h"

#include "proxyd/proxyproto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIG  "\r\n\r\n\0\r\nQUIT\n"
#define ENDS "\xc0\x00\x02\x01\xc6\x33\x64\x02\xc7\x38\x01\xbb" /* 192.0.2.1 ... 443 */
#define SIX  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V(s) (s), sizeof(s) - 1
#define NONE "", ""
#define FOUR "192.0.2.1:51000", "198.51.100.2:443"
#define WELL PROXYPROTO_OK

/* clang-format off: one row a case */
static const struct row {
	const char *what;
	const char *bytes;
	size_t size;
	int result; /* of the whole; -1: as long as 'bytes' is, 0: more is needed */
	enum proxyproto_error error;
	const char *source, *destination;
	bool dgram;
} rows[] = {
	{ "1: IPv4", V("PROXY TCP4 192.0.2.1 198.51.100.2 51000 443\r\n"), -1, WELL, FOUR, false },
	{ "1: IPv6", V("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), -1, WELL, "[2001:db8::1]:1",
	    "[::1]:65535", false },
	{ "1: as long as it may be",
	    V("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
	      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	    -1, WELL, NONE, false },
	{ "1: longer",
	    V("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535 "
	      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	    -EBADMSG, PROXYPROTO_TOO_LONG, NONE, false },
	{ "1: nothing known", V("PROXY UNKNOWN\r\n"), -1, WELL, NONE, false },
	{ "1: data behind it", V("PROXY UNKNOWN\r\nhello\r\n"), 15, WELL, NONE, false },
	{ "1: port 0 is a port", V("PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n"), -1, WELL, "1.1.1.1:0",
	    "2.2.2.2:0", false },
	{ "1: LF alone", V("PROXY UNKNOWN\n"), -EBADMSG, PROXYPROTO_LINE, NONE, false },
	{ "1: CR inside", V("PROXY UNKNOWN \rx\r\n"), -EBADMSG, PROXYPROTO_LINE, NONE, false },
	{ "1: NUL inside", V("PROXY UNKNOWN\0x\r\n"), -EBADMSG, PROXYPROTO_LINE, NONE, false },
	{ "1: nothing", V("PROXY \r\n"), -EBADMSG, PROXYPROTO_LINE, NONE, false },
	{ "1: two spaces", V("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n"), -EBADMSG, PROXYPROTO_LINE,
	    NONE, false },
	{ "1: a space at the end", V("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"), -EBADMSG,
	    PROXYPROTO_LINE, NONE, false },
	{ "1: a word too many", V("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"), -EBADMSG,
	    PROXYPROTO_LINE, NONE, false },
	{ "1: a word too few", V("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"), -EBADMSG, PROXYPROTO_LINE,
	    NONE, false },
	{ "1: another protocol", V("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n"), -EBADMSG,
	    PROXYPROTO_FAMILY, NONE, false },
	{ "1: IPv6 as IPv4", V("PROXY TCP4 ::1 ::2 1 2\r\n"), -EBADMSG, PROXYPROTO_ADDRESS, NONE,
	    false },
	{ "1: IPv4 as IPv6", V("PROXY TCP6 1.1.1.1 ::2 1 2\r\n"), -EBADMSG, PROXYPROTO_ADDRESS,
	    NONE, false },
	{ "1: a name", V("PROXY TCP4 localhost 2.2.2.2 1 2\r\n"), -EBADMSG, PROXYPROTO_ADDRESS,
	    NONE, false },
	{ "1: leading zero", V("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"), -EBADMSG, PROXYPROTO_ADDRESS,
	    NONE, false },
	{ "1: a port too large", V("PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n"), -EBADMSG,
	    PROXYPROTO_ADDRESS, NONE, false },
	{ "1: a sign", V("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n"), -EBADMSG, PROXYPROTO_ADDRESS, NONE,
	    false },
	{ "1: lower case", V("proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n"), -EBADMSG, PROXYPROTO_NONE, NONE,
	    false },
	{ "1: so far", V("PROXY TCP4 1.1.1.1"), 0, WELL, NONE, false },
	{ "1: one byte", V("P"), 0, WELL, NONE, false },
	{ "nothing yet", V(""), 0, WELL, NONE, false },
	{ "TLS", V("\x16\x03\x01"), -EBADMSG, PROXYPROTO_NONE, NONE, false },
	{ "HTTP that begins alike", V("PROPFIND / HTTP/1.1\r\n"), -EBADMSG, PROXYPROTO_NONE, NONE,
	    false },
	{ "2: IPv4", V(SIG "\x21\x11\x00\x0c" ENDS), -1, WELL, FOUR, false },
	{ "2: IPv4, datagrams", V(SIG "\x21\x12\x00\x0c" ENDS), -1, WELL, FOUR, true },
	{ "2: IPv6", V(SIG "\x21\x21\x00\x24" SIX SIX "\x00\x01\x00\x02"), -1, WELL,
	    "[2001:db8::1]:1", "[2001:db8::1]:2", false },
	{ "2: LOCAL", V(SIG "\x20\x00\x00\x00"), -1, WELL, NONE, false },
	{ "2: LOCAL, with what is to be ignored", V(SIG "\x20\x11\x00\x02zz"), -1, WELL, NONE,
	    false },
	{ "2: nothing known", V(SIG "\x21\x00\x00\x00"), -1, WELL, NONE, false },
	{ "2: no transport", V(SIG "\x21\x10\x00\x0c" ENDS), -1, WELL, NONE, false },
	{ "2: data behind it", V(SIG "\x21\x00\x00\x00hello"), 16, WELL, NONE, false },
	{ "2: TLVs", V(SIG "\x21\x11\x00\x18" ENDS "\x01\0\x02h2\x04\0\x00\xee\0\x01x"), -1, WELL,
	    FOUR, false },
	{ "2: its checksum", V(SIG "\x21\x11\x00\x13" ENDS "\x03\0\x04\x9b\xb9\xb1\x02"), -1, WELL,
	    FOUR, false },
	{ "2: another's", V(SIG "\x21\x11\x00\x13" ENDS "\x03\0\x04\x00\x00\x00\x01"), -EBADMSG,
	    PROXYPROTO_CHECKSUM, NONE, false },
	{ "2: a short one", V(SIG "\x21\x11\x00\x11" ENDS "\x03\0\x02\x00\x00"), -EBADMSG,
	    PROXYPROTO_CHECKSUM, NONE, false },
	{ "2: a TLV beyond the end", V(SIG "\x21\x11\x00\x10" ENDS "\x01\0\x02z"), -EBADMSG,
	    PROXYPROTO_TLV, NONE, false },
	{ "2: half a TLV", V(SIG "\x21\x11\x00\x0e" ENDS "\x01\0"), -EBADMSG, PROXYPROTO_TLV, NONE,
	    false },
	{ "2: too short for IPv4",
	    V(SIG "\x21\x11\x00\x0b"
		  "\1\2\3\4\1\2\3\4\1\2\3"),
	    -EBADMSG, PROXYPROTO_SHORT, NONE, false },
	{ "2: too short for IPv6", V(SIG "\x21\x21\x00\x0c" ENDS), -EBADMSG, PROXYPROTO_SHORT, NONE,
	    false },
	{ "2: a family of none", V(SIG "\x21\x41\x00\x00"), -EBADMSG, PROXYPROTO_FAMILY, NONE,
	    false },
	{ "2: a transport of none", V(SIG "\x21\x13\x00\x0c" ENDS), -EBADMSG, PROXYPROTO_FAMILY,
	    NONE, false },
	{ "2: a command of none", V(SIG "\x22"), -EBADMSG, PROXYPROTO_COMMAND, NONE, false },
	{ "3", V(SIG "\x31"), -EBADMSG, PROXYPROTO_VERSION, NONE, false },
	{ "2: longer than anybody needs", V(SIG "\x21\x00\x0f\xf1"), -EBADMSG, PROXYPROTO_TOO_LONG,
	    NONE, false },
	{ "2: as long as it may be, and not here yet", V(SIG "\x21\x00\x0f\xf0"), 0, WELL, NONE,
	    false },
	{ "2: half a signature", V("\r\n\r\n"), 0, WELL, NONE, false },
	{ "a signature that ends otherwise", V("\r\n\r\n\0\r\nQUIT\r"), -EBADMSG, PROXYPROTO_NONE,
	    NONE, false },
};
/* clang-format on */

/* Room of exactly that size, so that reading past it is noticed. */
static uint8_t *
copy_of(const void *bytes, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	return copy;
}

static void
check_row(const struct row *r)
{
	int expected = r->result == -1 ? (int)r->size : r->result, rc;
	struct proxyproto p = { .version = 99 };
	enum proxyproto_error error = PROXYPROTO_ERRORS;
	uint8_t *bytes = copy_of(r->bytes, r->size);
	char source[ENDPOINT_STRLEN], destination[ENDPOINT_STRLEN];

	rc = proxyproto_parse(bytes, r->size, &p, &error);
	free(bytes);
	if (rc != expected)
		fail_msg("row \"%s\": %d, not %d", r->what, rc, expected);
	if (rc < 0 && error != r->error)
		fail_msg("row \"%s\": %s", r->what, proxyproto_error_str(error));
	if (rc >= 0 && error != PROXYPROTO_ERRORS)
		fail_msg("row \"%s\": an error on success", r->what);
	if (rc <= 0) {
		assert_int_equal(p.version, 99);
		return;
	}
	if (p.source.addr.family == AF_UNSPEC)
		source[0] = destination[0] = '\0';
	else {
		endpoint_format(&p.source, source);
		endpoint_format(&p.destination, destination);
	}
	if (strcmp(source, r->source) != 0 || strcmp(destination, r->destination) != 0 ||
	    p.dgram != r->dgram)
		fail_msg("row \"%s\": %s to %s", r->what, source, destination);
}

static void
every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

/* Whatever is well whole asks for more at each byte before its last, and is never refused. */
static void
byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t whole = rows[i].result == -1 ? rows[i].size : (size_t)rows[i].result;

		if (rows[i].result < -1 || rows[i].result == 0)
			continue;
		for (size_t n = 0; n < whole; n++) {
			uint8_t *bytes = copy_of(rows[i].bytes, n);
			enum proxyproto_error error;
			struct proxyproto p;

			if (proxyproto_parse(bytes, n, &p, &error) != 0)
				fail_msg("row \"%s\" at byte %zu", rows[i].what, n);
			free(bytes);
		}
	}
}

static void
tlvs(void **state)
{
	static const uint8_t bytes[] = SIG "\x21\x11\x00\x18" ENDS
					   "\x01\0\x02h2\x04\0\x00\xee\0\x01x";
	enum proxyproto_error error;
	struct proxyproto p;
	uint16_t size = 0;
	const uint8_t *v;

	(void)state;
	assert_true(proxyproto_parse(bytes, sizeof(bytes) - 1, &p, &error) > 0);
	v = proxyproto_tlv(bytes, &p, PROXYPROTO_TLV_ALPN, &size);
	assert_non_null(v);
	assert_int_equal(size, 2);
	assert_memory_equal(v, "h2", 2);
	v = proxyproto_tlv(bytes, &p, 0xee, &size);
	assert_non_null(v);
	assert_memory_equal(v, "x", 1);
	assert_null(proxyproto_tlv(bytes, &p, PROXYPROTO_TLV_AUTHORITY, &size));
}

/* clang-format off */
static const struct {
	unsigned version;
	const char *source, *destination; /* "": a unix socket */
	bool dgram;
	const char *bytes;
	size_t size;
} composed[] = {
	{ 1, FOUR, false, V("PROXY TCP4 192.0.2.1 198.51.100.2 51000 443\r\n") },
	{ 1, "[2001:db8::1]:1", "[::1]:65535", false, V("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n") },
	{ 1, "[2001:db8::1]:1", "10.0.0.1:2", false, V("PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 1 2\r\n") },
	{ 1, "", "10.0.0.1:2", false, V("PROXY UNKNOWN\r\n") },
	{ 1, "", "", false, V("PROXY UNKNOWN\r\n") },
	{ 2, FOUR, false, V(SIG "\x21\x11\x00\x0c" ENDS) },
	{ 2, FOUR, true, V(SIG "\x21\x12\x00\x0c" ENDS) },
	{ 2, "[2001:db8::1]:1", "[2001:db8::1]:2", false, V(SIG "\x21\x21\x00\x24" SIX SIX "\x00\x01\x00\x02") },
	{ 2, "10.0.0.1:2", "", false, V(SIG "\x21\x00\x00\x00") },
};
/* clang-format on */

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint ep = { 0 };

	if (text[0] != '\0')
		assert_int_equal(endpoint_parse(text, &ep), 0);
	return ep;
}

static void
composes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(composed); i++) {
		struct endpoint s = endpoint_of(composed[i].source),
				d = endpoint_of(composed[i].destination);
		uint8_t buf[PROXYPROTO_COMPOSED_MAX];
		size_t n = proxyproto_compose(composed[i].version, &s, &d, composed[i].dgram, buf);

		if (n != composed[i].size || memcmp(buf, composed[i].bytes, n) != 0)
			fail_msg("row %zu: %zu bytes", i, n);
	}
}

/* The longest there is fits, and is read back. */
static void
longest(void **state)
{
	struct endpoint ep = endpoint_of("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
	uint8_t buf[PROXYPROTO_COMPOSED_MAX];
	enum proxyproto_error error;
	struct proxyproto p;

	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		size_t n = proxyproto_compose(version, &ep, &ep, false, buf);

		assert_int_equal(proxyproto_parse(buf, n, &p, &error), n);
		assert_int_equal(p.version, version);
		assert_true(endpoint_equal(&p.source, &ep) && endpoint_equal(&p.destination, &ep));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(tlvs),
		cmocka_unit_test(composes),
		cmocka_unit_test(longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
