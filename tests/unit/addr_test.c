#include "tests/unit/test.h"

#include "common/addr.h"

#include <errno.h>
#include <netinet/in.h>

static const struct {
	const char *text;
	int family; /* AF_UNSPEC: refused */
	const char *canonical;
} addrs[] = {
	{ "10.4.7.10", AF_INET, "10.4.7.10" },
	{ "0.0.0.0", AF_INET, "0.0.0.0" },
	{ "fe80::1", AF_INET6, "fe80::1" },
	{ "FD00:0:0::0:1", AF_INET6, "fd00::1" },
	{ "::ffff:192.0.2.1", AF_INET6, "::ffff:192.0.2.1" },
	{ "", AF_UNSPEC, NULL },
	{ "10.4.7", AF_UNSPEC, NULL },
	{ "010.4.7.1", AF_UNSPEC, NULL },
	{ "10.4.7.256", AF_UNSPEC, NULL },
	{ "10.4.7.10/24", AF_UNSPEC, NULL },
	{ "fe80::1%eth0", AF_UNSPEC, NULL },
	{ "kube-apiserver", AF_UNSPEC, NULL },
};

static void
every_address(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(addrs); i++) {
		struct addr a = { .family = 77 };
		char buf[ADDR_STRLEN];
		int err = addr_parse(addrs[i].text, &a);

		if (addrs[i].family == AF_UNSPEC) {
			if (err != -EINVAL || a.family != 77)
				fail_msg("'%s' was not refused untouched", addrs[i].text);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(a.family, addrs[i].family);
		assert_string_equal(addr_format(&a, buf), addrs[i].canonical);
	}
}

static const struct {
	const char *text, *canonical; /* NULL: refused */
} endpoints[] = {
	{ "10.4.7.10:7443", "10.4.7.10:7443" },
	{ "[::1]:80", "[::1]:80" },
	{ "0.0.0.0:1", "0.0.0.0:1" },
	{ "10.4.7.10", NULL },
	{ "10.4.7.10:", NULL },
	{ "10.4.7.10:0", NULL },
	{ "10.4.7.10:065", NULL },
	{ "10.4.7.10:65536", NULL },
	{ "10.4.7.10:80x", NULL },
	{ "10.4.7.10:+80", NULL },
	{ "::1:80", NULL },	    /* IPv6 wants brackets */
	{ "[10.4.7.10]:80", NULL }, /* IPv4 must not have them */
	{ "[::1:80", NULL },
	{ ":80", NULL },
	{ "[]:80", NULL },
	{ "", NULL },
};

static void
every_endpoint(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		struct sockaddr_storage ss;
		struct endpoint ep, back;
		char buf[ENDPOINT_STRLEN];
		int err = endpoint_parse(endpoints[i].text, &ep);

		if (endpoints[i].canonical == NULL) {
			if (err != -EINVAL)
				fail_msg("'%s' was not refused", endpoints[i].text);
			continue;
		}
		assert_int_equal(err, 0);
		assert_string_equal(endpoint_format(&ep, buf), endpoints[i].canonical);
		endpoint_to_sockaddr(&ep, &ss);
		assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, &back), 0);
		assert_true(endpoint_equal(&ep, &back));
	}
}

/* RFC 9568, 6.4.3: the greater address wins, unsigned, in network order. */
static void
order(void **unused)
{
	static const char *const ascending[] = { "10.0.0.9", "10.0.0.10", "127.0.0.1", "128.0.0.1",
		"fe80::1", "fe80::ff" };
	struct addr a, b;

	(void)unused;
	for (size_t i = 0; i + 1 < ARRAY_LEN(ascending); i++) {
		addr_parse(ascending[i], &a);
		addr_parse(ascending[i + 1], &b);
		assert_true(addr_cmp(&a, &b) < 0);
		assert_true(addr_cmp(&b, &a) > 0);
		assert_true(addr_equal(&a, &a));
	}
}

static void
kinds(void **unused)
{
	struct addr a;

	(void)unused;
	addr_parse("224.0.0.18", &a);
	assert_true(addr_is_multicast(&a));
	addr_parse("ff02::12", &a);
	assert_true(addr_is_multicast(&a));
	addr_parse("169.254.1.1", &a);
	assert_true(addr_is_link_local(&a));
	addr_parse("febf::1", &a);
	assert_true(addr_is_link_local(&a));
	addr_parse("fec0::1", &a);
	assert_false(addr_is_link_local(&a));
	addr_parse("::", &a);
	assert_true(addr_is_any(&a));
	addr_parse("0.0.0.1", &a);
	assert_false(addr_is_any(&a));
}

static const struct {
	const char *text; /* NULL: refused */
	const char *network;
	unsigned bits;
	const char *in, *out;
} ranges[] = {
	{ "10.0.0.0/8", "10.0.0.0", 8, "10.255.255.255", "11.0.0.0" },
	{ "10.1.2.3/8", "10.0.0.0", 8, "10.0.0.0", "9.255.255.255" },
	{ "10.1.2.3", "10.1.2.3", 32, "10.1.2.3", "10.1.2.2" },
	{ "192.0.2.128/25", "192.0.2.128", 25, "192.0.2.200", "192.0.2.127" },
	{ "192.0.2.129/31", "192.0.2.128", 31, "192.0.2.129", "192.0.2.130" },
	{ "0.0.0.0/0", "0.0.0.0", 0, "255.1.2.3", "::" },
	{ "2001:db8::/33", "2001:db8::", 33, "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "::1", "::1", 128, "::1", "::2" },
	{ "::/0", "::", 0, "ff::", "1.2.3.4" },
	{ "10.0.0.0/33", NULL, 0, NULL, NULL },
	{ "::/129", NULL, 0, NULL, NULL },
	{ "10.0.0.0/", NULL, 0, NULL, NULL },
	{ "10.0.0.0/8x", NULL, 0, NULL, NULL },
	{ "10.0.0.0/+8", NULL, 0, NULL, NULL },
	{ "/8", NULL, 0, NULL, NULL },
	{ "10.0.0/8", NULL, 0, NULL, NULL },
	{ "example/8", NULL, 0, NULL, NULL },
};

static void
every_range(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct addr_range r = { .bits = 77 };
		struct addr in, out;
		char buf[ADDR_STRLEN];

		if (ranges[i].network == NULL) {
			assert_int_equal(addr_range_parse(ranges[i].text, &r), -EINVAL);
			assert_int_equal(r.bits, 77);
			continue;
		}
		assert_int_equal(addr_range_parse(ranges[i].text, &r), 0);
		assert_string_equal(addr_format(&r.addr, buf), ranges[i].network);
		assert_int_equal(r.bits, ranges[i].bits);
		addr_parse(ranges[i].in, &in);
		addr_parse(ranges[i].out, &out);
		if (!addr_range_has(&r, &in) || addr_range_has(&r, &out))
			fail_msg("'%s'", ranges[i].text);
	}
}

static void
unmapped(void **unused)
{
	struct addr a, b;

	(void)unused;
	addr_parse("::ffff:192.0.2.1", &a);
	addr_parse("192.0.2.1", &b);
	a = addr_unmapped(&a);
	assert_true(addr_equal(&a, &b));
	addr_parse("::fffe:192.0.2.1", &a);
	b = addr_unmapped(&a);
	assert_true(addr_equal(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address),
		cmocka_unit_test(every_endpoint),
		cmocka_unit_test(order),
		cmocka_unit_test(kinds),
		cmocka_unit_test(every_range),
		cmocka_unit_test(unmapped),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
