/*
 * filter_test.c - the socket filter, run by the kernel itself: a datagram socket
 * of the Unix kind takes one too, and needs no root.  (IPv6's addresses lie
 * before the data and are only there on a raw socket: tests/net.)
 */
#include "tests/unit/test.h"

#include "common/addr.h"
#include "vrrpd/filter.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP(ihl, ttl, source, dest)                                                                 \
	(0x40 | (ihl)), 0xc0, 0, 0, 0, 0, 0, 0, ttl, 112, 0, 0, 10, 4, 7, source, dest
#define GROUP	224, 0, 0, 18
#define HOST(n) 10, 4, 7, n

static const struct row {
	const char *name;
	bool lax, strict_group, strict_peers; /* passes */
	size_t size;
	uint8_t bytes[40];
} ROWS[] = {
	{ "ours, to the group", true, true, false, 28,
	    { IP(5, 255, 12, GROUP), 0x21, 51, 100, 1 } },
	{ "version 3", true, true, false, 28, { IP(5, 255, 12, GROUP), 0x31, 51, 100, 1 } },
	{ "ours, from a peer", true, false, true, 28, { IP(5, 255, 12, HOST(11)), 0x21, 51 } },
	{ "from the other peer, any TTL", true, false, true, 28,
	    { IP(5, 3, 13, HOST(11)), 0x21, 51 } },
	{ "from no peer", true, false, false, 28, { IP(5, 255, 14, HOST(11)), 0x21, 51 } },
	{ "a second VRID of the same word", true, true, false, 28,
	    { IP(5, 255, 12, GROUP), 0x21, 63 } },
	{ "VRID 255", true, true, false, 28, { IP(5, 255, 12, GROUP), 0x21, 255 } },
	{ "VRID 1", true, true, false, 28, { IP(5, 255, 12, GROUP), 0x21, 1 } },
	{ "another VRID of the same word", false, false, false, 28,
	    { IP(5, 255, 12, GROUP), 0x21, 52 } },
	{ "the same bit of another word", false, false, false, 28,
	    { IP(5, 255, 12, GROUP), 0x21, 19 } },
	{ "VRID 0", false, false, false, 28, { IP(5, 255, 12, GROUP), 0x21, 0 } },
	{ "a word with none of ours", false, false, false, 28,
	    { IP(5, 255, 12, GROUP), 0x21, 100 } },
	{ "another version", true, false, false, 28, { IP(5, 255, 12, GROUP), 0x71, 51 } },
	{ "another type", true, false, false, 28, { IP(5, 255, 12, GROUP), 0x22, 51 } },
	{ "through a router", true, false, false, 28, { IP(5, 254, 12, GROUP), 0x21, 51 } },
	{ "IP options", true, true, false, 32,
	    { IP(6, 255, 12, GROUP), 1, 1, 1, 0, 0x21, 51, 100, 1 } },
	{ "IP options, another VRID", false, false, false, 32,
	    { IP(6, 255, 12, GROUP), 1, 51, 1, 0, 0x21, 52, 100, 1 } },
	{ "cut before the VRID", false, false, false, 21, { IP(5, 255, 12, GROUP), 0x21 } },
	{ "empty", false, false, false, 0, { 0 } },
};

static struct filter_spec
ours(void)
{
	struct filter_spec spec = { .family = AF_INET, .versions = 1u << 2 | 1u << 3 };
	static const uint8_t vrids[] = { 1, 51, 63, 255 };

	for (size_t i = 0; i < ARRAY_LEN(vrids); i++)
		filter_add_vrid(&spec, vrids[i]);
	return spec;
}

static struct addr
peer(unsigned n)
{
	return (struct addr){ .family = AF_INET, .bytes = { 10, 4, 7, (uint8_t)n } };
}

static bool
passes(const struct filter_spec *spec, const uint8_t *bytes, size_t size)
{
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = { .filter = code };
	int fds[2];
	uint8_t buf[64];
	ssize_t n;

	program.len = (unsigned short)filter_make(spec, code);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(
	    setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	send(fds[0], bytes, size, 0);
	n = recv(fds[1], buf, sizeof(buf), 0);
	close(fds[0]);
	close(fds[1]);
	return n >= 0;
}

static void
run_rows(const struct filter_spec *spec, bool (*expected)(const struct row *))
{
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		if (passes(spec, ROWS[i].bytes, ROWS[i].size) != expected(&ROWS[i]))
			fail_msg(
			    "%s: should %spass", ROWS[i].name, expected(&ROWS[i]) ? "" : "not ");
}

static bool
in_lax(const struct row *row)
{
	return row->lax;
}

static bool
in_strict_group(const struct row *row)
{
	return row->strict_group;
}

static bool
in_strict_peers(const struct row *row)
{
	return row->strict_peers;
}

static void
lax(void **state)
{
	struct filter_spec spec = ours();

	(void)state;
	run_rows(&spec, in_lax);
}

static void
strict_group(void **state)
{
	struct filter_spec spec = ours();

	(void)state;
	spec.strict = spec.multicast = true;
	run_rows(&spec, in_strict_group);
	spec.versions = 1u << 3;
	assert_false(passes(&spec, ROWS[0].bytes, ROWS[0].size));
	assert_true(passes(&spec, ROWS[1].bytes, ROWS[1].size));
}

static void
strict_peers(void **state)
{
	struct filter_spec spec = ours();
	struct addr one = peer(12), other = peer(13);

	(void)state;
	spec.strict = true;
	filter_add_source(&spec, &one);
	filter_add_source(&spec, &other);
	filter_add_source(&spec, &one);
	assert_int_equal(spec.n_sources, 2);
	run_rows(&spec, in_strict_peers);
}

/* The largest program there can be fits, and is one for the kernel. */
static void
many_peers(void **state)
{
	static const uint8_t message[] = { 0x31, 200, 100, 1 };
	struct filter_spec spec = { .family = AF_INET6, .strict = true, .versions = 3u << 2 };
	struct sock_filter code[FILTER_MAX];

	(void)state;
	for (unsigned vrid = 1; vrid < 256; vrid++)
		filter_add_vrid(&spec, (uint8_t)vrid);
	for (unsigned n = 1; n <= FILTER_SOURCES_MAX; n++) {
		struct addr a = peer(n);

		a.family = AF_INET6;
		filter_add_source(&spec, &a);
	}
	spec.multicast = true;
	assert_true(filter_make(&spec, code) < FILTER_MAX);
	assert_false(passes(&spec, message, sizeof(message)));
	spec.multicast = false;
	filter_add_source(&spec, &(struct addr){ .family = AF_INET6, .bytes = { 9 } });
	assert_true(spec.any_source);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lax),
		cmocka_unit_test(strict_group),
		cmocka_unit_test(strict_peers),
		cmocka_unit_test(many_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
