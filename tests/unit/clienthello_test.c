/*
 * clienthello_test.c - hellos whole, in pieces, cut into records, damaged.
 */
#include "tests/unit/test.h"

#include "proxyd/clienthello.h"

#include <stdbool.h>
#include <string.h>

struct draft {
	uint8_t bytes[4096];
	size_t n;
};

static void
put(struct draft *d, const void *bytes, size_t n)
{
	assert_true(d->n + n <= sizeof(d->bytes));
	memcpy(d->bytes + d->n, bytes, n);
	d->n += n;
}

static void
put_n(struct draft *d, unsigned value, size_t width)
{
	for (size_t i = width; i-- > 0;)
		put(d, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

/* Room for a length of 'width' bytes, to be closed. */
static size_t
begin(struct draft *d, size_t width)
{
	put_n(d, 0, width);
	return d->n;
}

static void
end(struct draft *d, size_t at, size_t width)
{
	size_t size = d->n - at;

	for (size_t i = 0; i < width; i++)
		d->bytes[at - 1 - i] = (uint8_t)(size >> 8 * i);
}

static void
put_name(struct draft *d, const char *name, size_t n)
{
	size_t ext, list, one;

	put_n(d, 0, 2);
	ext = begin(d, 2);
	list = begin(d, 2);
	put_n(d, 0, 1);
	one = begin(d, 2);
	put(d, name, n);
	end(d, one, 2);
	end(d, list, 2);
	end(d, ext, 2);
}

static void
put_alpn(struct draft *d)
{
	size_t ext, list;

	put_n(d, 16, 2);
	ext = begin(d, 2);
	list = begin(d, 2);
	put(d, "\2h2", 3);
	put(d, "\3a,b", 4); /* would be two */
	put(d, "\x8http/1.1", 9);
	end(d, list, 2);
	end(d, ext, 2);
}

/* The handshake message, without records. */
static struct draft
make(unsigned version, const char *name, size_t n_name, bool with_alpn, bool newer)
{
	struct draft d = { .n = 0 };
	uint8_t random[32] = { 1, 22, 3 };
	size_t message, all;

	put_n(&d, 1, 1);
	message = begin(&d, 3);
	put_n(&d, version, 2);
	put(&d, random, 32);
	put_n(&d, 4, 1);
	put(&d, "sess", 4);
	put_n(&d, 4, 2);
	put_n(&d, 0x13011302, 4);
	put_n(&d, 0x0100, 2);
	all = begin(&d, 2);
	put_n(&d, 0x1a1a0000, 4); /* an extension that means nothing */
	if (name != NULL)
		put_name(&d, name, n_name);
	if (with_alpn)
		put_alpn(&d);
	if (newer) {
		put_n(&d, 43, 2);
		put_n(&d, 7, 2);
		put_n(&d, 6, 1);
		put_n(&d, 0xdada, 2);
		put_n(&d, 0x03040303, 4);
	}
	end(&d, all, 2);
	end(&d, message, 3);
	return d;
}

/* Into records of 'size' bytes. */
static struct draft
cut(const struct draft *message, size_t size)
{
	struct draft d = { .n = 0 };

	for (size_t at = 0; at < message->n; at += size) {
		size_t n = message->n - at < size ? message->n - at : size;

		put_n(&d, 0x160301, 3);
		put_n(&d, (unsigned)n, 2);
		put(&d, message->bytes + at, n);
	}
	return d;
}

static void
what_it_says(void **unused)
{
	static const size_t sizes[] = { 4000, 1, 2, 3, 5, 7, 64, 100 };
	struct draft message = make(0x0303, "www.example.com", 15, true, true);

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct draft d = cut(&message, sizes[i]);
		struct clienthello h;

		for (size_t n = 0; n < d.n; n++)
			assert_int_equal(clienthello_parse(d.bytes, n, &h), CLIENTHELLO_MORE);
		assert_int_equal(clienthello_parse(d.bytes, d.n, &h), CLIENTHELLO_YES);
		assert_string_equal(h.server_name, "www.example.com");
		assert_string_equal(h.alpn, "h2,http/1.1");
		assert_string_equal(h.protocol, "TLSv1.3");
		put(&d, "\x17\3\3", 3); /* what follows is not looked at */
		assert_int_equal(clienthello_parse(d.bytes, d.n, &h), CLIENTHELLO_YES);
	}
}

static void
versions(void **unused)
{
	static const struct {
		unsigned version;
		const char *name;
	} rows[] = { { 0x0300, "SSLv3" }, { 0x0301, "TLSv1" }, { 0x0302, "TLSv1.1" },
		{ 0x0303, "TLSv1.2" }, { 0x0399, "" }, { 0xfeff, "" } };
	struct clienthello h;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct draft message = make(rows[i].version, NULL, 0, false, false);
		struct draft d = cut(&message, 4000);

		assert_int_equal(clienthello_parse(d.bytes, d.n, &h), CLIENTHELLO_YES);
		assert_string_equal(h.protocol, rows[i].name);
		assert_string_equal(h.server_name, "");
		assert_string_equal(h.alpn, "");
	}
	assert_int_equal(
	    clienthello_parse((const uint8_t *)"\x80\x2e\1\3\1", 5, &h), CLIENTHELLO_YES);
	assert_string_equal(h.protocol, "TLSv1");
	assert_int_equal(
	    clienthello_parse((const uint8_t *)"\x80\x2e\1\0\2", 5, &h), CLIENTHELLO_YES);
	assert_string_equal(h.protocol, "SSLv2");
	assert_int_equal(clienthello_parse((const uint8_t *)"\x80\x2e\2", 3, &h), CLIENTHELLO_NO);
}

/* Told at the first byte that cannot be one, not when a timeout comes. */
static void
what_is_none(void **unused)
{
	static const struct {
		const char *bytes;
		size_t n, told_at;
	} rows[] = {
		{ "GET / HTTP/1.1", 14, 1 },
		{ "\x16\2", 2, 2 },
		{ "\x16\3\1\0\0", 5, 5 },
		{ "\x16\3\1\x40\1", 5, 5 },
		{ "\x16\3\1\0\5\2", 6, 6 },
		{ "\x16\3\1\0\1\1\x17", 7, 7 },
		{ "\x16\3\1\0\x30\1\0\0\1\3\3", 11, 9 },
	};
	struct clienthello h;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t n = 0; n <= rows[i].n; n++) {
			enum clienthello_found found = clienthello_parse(
			    (const uint8_t *)rows[i].bytes, n, &h);

			if ((found == CLIENTHELLO_NO) != (n >= rows[i].told_at))
				fail_msg("row %zu at %zu bytes", i, n);
		}
}

static void
odd_names(void **unused)
{
	static const struct {
		const char *name;
		size_t n;
		const char *wanted;
	} rows[] = { { "a\0b", 3, "" }, { "a b", 3, "" }, { "../x", 4, "" }, { "\xc3\xa4", 2, "" },
		{ "", 0, "" }, { "A.example", 9, "A.example" }, { "10.0.0.1", 8, "10.0.0.1" } };
	char longest[300];
	struct clienthello h;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct draft message = make(0x0303, rows[i].name, rows[i].n, false, false);
		struct draft d = cut(&message, 4000);

		assert_int_equal(clienthello_parse(d.bytes, d.n, &h), CLIENTHELLO_YES);
		assert_string_equal(h.server_name, rows[i].wanted);
	}
	memset(longest, 'a', sizeof(longest));
	for (size_t n = 254; n <= sizeof(longest); n++) {
		struct draft message = make(0x0303, longest, n, false, false);
		struct draft d = cut(&message, 4000);

		assert_int_equal(clienthello_parse(d.bytes, d.n, &h), CLIENTHELLO_YES);
		assert_int_equal(strlen(h.server_name), n < CLIENTHELLO_NAME ? n : 0);
	}
}

/* Any length wrong by a little: never a name from beyond, never a read past the end. */
static void
damaged(void **unused)
{
	struct draft message = make(0x0303, "www.example.com", 15, true, true);
	struct draft d = cut(&message, 4000);
	struct clienthello h;

	(void)unused;
	for (size_t i = 0; i < d.n; i++)
		for (int delta = -1; delta <= 1; delta += 2) {
			struct draft bad = d;

			bad.bytes[i] = (uint8_t)(bad.bytes[i] + delta);
			if (clienthello_parse(bad.bytes, bad.n, &h) == CLIENTHELLO_YES)
				assert_true(strlen(h.server_name) < CLIENTHELLO_NAME);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(versions),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
