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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address),
		cmocka_unit_test(every_endpoint),
		cmocka_unit_test(order),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
