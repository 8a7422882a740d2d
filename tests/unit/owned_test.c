/*
 * owned_test.c - what a route is tied to, and which of those found are ours.
 */
#include "tests/unit/test.h"

#include "vrrpd/owned.h"

#include <sys/socket.h>

/* clang-format off */

#define IP(a, b, c, d)	{ .family = AF_INET, .bytes = { (a), (b), (c), (d) } }
#define FD(n)		{ .family = AF_INET6, .bytes = { 0xfd, [15] = (n) } }
#define NONE		{ 0 }
#define BY(...)		.n_hops = 1, .hops = { { .gateway = __VA_ARGS__ } }

static const struct vip_conf vips[] = {
	{ .addr = IP(10, 0, 1, 100), .prefix_length = 24, .is_static = true },
	{ .addr = FD(100), .prefix_length = 64 },
	{ .addr = IP(10, 0, 2, 100), .prefix_length = 32 },
	{ .addr = IP(10, 0, 1, 101), .prefix_length = 24 },
	{ .addr = IP(10, 0, 2, 101), .prefix_length = 24 },
};

static const struct {
	const char *what;
	struct net_route route;
	struct addr source;
} ties[] = {
{ "on the gateway's subnet", { .family = AF_INET, BY(IP(10, 0, 1, 1)) }, IP(10, 0, 1, 101) },
{ "... the first one there whose subnet is one", { .family = AF_INET, BY(IP(10, 0, 2, 1)) },
	IP(10, 0, 2, 101) },
{ "no address there", { .family = AF_INET, BY(IP(10, 0, 3, 1)) }, NONE },
{ "its own source stays", { .family = AF_INET, BY(IP(10, 0, 1, 1)), .source = IP(10, 9, 9, 9) },
	IP(10, 9, 9, 9) },
{ "leads nowhere: any, but a static one", { .family = AF_INET }, IP(10, 0, 2, 100) },
{ "on the link itself", { .family = AF_INET, BY(NONE) }, NONE },
{ "by a gateway of IPv6", { .family = AF_INET, BY(FD(1)) }, NONE },
{ "several ways", { .family = AF_INET, .n_hops = 2, .hops = { { .gateway = IP(10, 0, 1, 1) },
	{ .gateway = IP(10, 0, 2, 1) } } }, NONE },
{ "IPv6 ends by itself", { .family = AF_INET6, BY(FD(1)) }, NONE },
};

#define ROUTE4	.family = AF_INET, .table = 254, .prefix = IP(10, 8, 0, 0), .prefix_length = 16
#define ROUTE6	.family = AF_INET6, .table = 254, .prefix = FD(0), .prefix_length = 64

static const struct {
	const char *what;
	struct net_route route;
	struct netlink_own own;
	bool same;
} routes[] = {
{ "the same", { ROUTE4 }, { ROUTE4 }, true },
{ "a metric", { ROUTE4, .metric = 5 }, { ROUTE4, .priority = 5 }, true },
{ "another metric", { ROUTE4, .metric = 5 }, { ROUTE4 }, false },
{ "IPv4: no metric is 0", { ROUTE4 }, { ROUTE4, .priority = 1024 }, false },
{ "IPv6: no metric is the kernel's", { ROUTE6 }, { ROUTE6, .priority = 1024 }, true },
{ "IPv6: a metric", { ROUTE6, .metric = 7 }, { ROUTE6, .priority = 1024 }, false },
{ "another TOS", { ROUTE4, .tos = 4 }, { ROUTE4 }, false },
{ "another table", { ROUTE4 }, { .family = AF_INET, .table = 100, .prefix = IP(10, 8, 0, 0),
	.prefix_length = 16 }, false },
{ "another length", { ROUTE4 }, { .family = AF_INET, .table = 254, .prefix = IP(10, 8, 0, 0),
	.prefix_length = 24 }, false },
{ "another prefix", { ROUTE4 }, { .family = AF_INET, .table = 254, .prefix = IP(10, 9, 0, 0),
	.prefix_length = 16 }, false },
{ "another family", { .family = AF_INET, .table = 254, .prefix = { .family = AF_INET } },
	{ .family = AF_INET6, .table = 254, .prefix = { .family = AF_INET6 } }, false },
};

#define RULE	.family = AF_INET, .table = 100, .priority = 50
#define FROM	.from = IP(10, 1, 0, 0), .from_length = 16
#define OF	.prefix = IP(10, 1, 0, 0), .prefix_length = 16

static const struct {
	const char *what;
	struct net_rule rule;
	struct netlink_own own;
	bool same;
} rules[] = {
{ "the same", { RULE, FROM }, { RULE, OF }, true },
{ "from anywhere", { RULE }, { RULE }, true },
{ "another source", { RULE, FROM }, { RULE, .prefix = IP(10, 2, 0, 0), .prefix_length = 16 }, false },
{ "another length", { RULE, FROM }, { RULE }, false },
{ "another priority", { RULE }, { .family = AF_INET, .table = 100, .priority = 51 }, false },
{ "another table", { RULE }, { .family = AF_INET, .table = 101, .priority = 50 }, false },
{ "no table is shown", { RULE }, { .family = AF_INET, .priority = 50 }, true },
{ "none was asked for", { .family = AF_INET, .priority = 50 }, { RULE }, true },
{ "another TOS", { RULE, .tos = 8 }, { RULE }, false },
{ "another family", { RULE }, { .family = AF_INET6, .table = 100, .priority = 50 }, false },
};

/* clang-format on */

static void
tied(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(ties); i++) {
		struct net_route route = ties[i].route;

		owned_tie(&route, vips, ARRAY_LEN(vips));
		if (!addr_equal(&route.source, &ties[i].source))
			fail_msg("row \"%s\"", ties[i].what);
	}
}

static void
found(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (owned_is_route(&routes[i].route, &routes[i].own) != routes[i].same)
			fail_msg("route \"%s\"", routes[i].what);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (owned_is_rule(&rules[i].rule, &rules[i].own) != rules[i].same)
			fail_msg("rule \"%s\"", rules[i].what);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tied),
		cmocka_unit_test(found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
