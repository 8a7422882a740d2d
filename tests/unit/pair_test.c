/*
 * pair_test.c - two nodes' files against each other: what only shows in a failover.
 */
#include "tests/unit/test.h"

#include "common/text.h"
#include "ctl/pair.h"
#include "ctl/whatif.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a host on which everything asked for is there, and no file ---- */

static int
no_file(void *aux, const char *path, char **text, size_t *size)
{
	(void)aux, (void)path, (void)text, (void)size;
	return -ENOENT;
}

static int
no_match(void *aux, const char *pattern, char ***paths, size_t *n)
{
	(void)aux, (void)pattern;
	*paths = NULL;
	*n = 0;
	return 0;
}

static const char *
no_env(void *aux, const char *name)
{
	(void)aux, (void)name;
	return NULL;
}

static bool
any_interface(void *aux, const char *name)
{
	(void)aux, (void)name;
	return true;
}

static char *
any_program(void *aux, const char *name)
{
	(void)aux;
	return xasprintf("/usr/bin/%s", name);
}

static const struct conf_host host = { .node_id = "test",
	.read_file = no_file,
	.glob = no_match,
	.env = no_env,
	.has_interface = any_interface,
	.find_program = any_program };

/* ---- a good pair, and one change to the second node ---- */

static const char first[] = "vrrp_script chk {\n script \"/bin/true\"\n weight -20\n}\n"
			    "vrrp_instance VI_1 {\n state MASTER\n interface eth0\n"
			    " virtual_router_id 51\n priority 100\n advert_int 1\n"
			    " unicast_src_ip 10.4.7.11\n unicast_peer {\n  10.4.7.12\n }\n"
			    " authentication {\n  auth_type PASS\n  auth_pass secret\n }\n"
			    " virtual_ipaddress {\n  10.4.7.10/24\n }\n"
			    " track_script {\n  chk\n }\n}\n";

#define HMAC(id, more)                                                                             \
	" auth_hmac {\n  key " id " 0123456789abcdef0123456789abcdef\n  active_key " id "\n" more  \
	" }\n"

/* clang-format off */
static const struct {
	const char *from, *to; /* in the first node's text: what the second has instead */
} mirror[] = {
{ "state MASTER", "state BACKUP" },
{ "priority 100", "priority 90" },
{ "unicast_src_ip 10.4.7.11", "unicast_src_ip 10.4.7.XX" },
{ "  10.4.7.12", "  10.4.7.11" },
{ "10.4.7.XX", "10.4.7.12" },
};

static const struct {
	const char *what;
	const char *from, *to; /* in the second node's text; "" at first: in the first's */
	bool in_first;
	enum conf_severity severity;
	const char *message; /* NULL: nothing to say */
} rows[] = {
{ "a good pair", "", "", false, CONF_NOTICE, NULL },
{ "another interval", "advert_int 1", "advert_int 2", false, CONF_ERROR,
    "advert_int 2.00 s, but 1.00 s in n1: version 2 discards such adverts, so both become master" },
{ "another password", "secret", "other", false, CONF_ERROR,
    "auth_pass differs from the one in n1: both become master" },
{ "no password", " authentication {\n  auth_type PASS\n  auth_pass secret\n }\n", "", false, CONF_ERROR,
    "authentication none, but PASS in n1: both become master" },
{ "auth_hmac on one side", " virtual_ipaddress", HMAC("1", "") " virtual_ipaddress", false, CONF_ERROR,
    "auth_hmac: n1 is not heard here (adverts are not signed): both become master" },
{ "auth_hmac that nobody hears", " virtual_ipaddress", HMAC("1", "  mode permissive\n") " virtual_ipaddress",
    true, CONF_ERROR,
    "auth_hmac: n1 is not heard here (adverts are signed, and there is no auth_hmac): both become master" },
{ "an address missing here", "10.4.7.10/24", "10.4.7.13/24", false, CONF_ERROR,
    "10.4.7.10 is an address of VI_1 in n1, not here: it would be gone after a failover" },
{ "not our peer", "  10.4.7.11\n", "  10.4.7.99\n", false, CONF_ERROR,
    "unicast_peer lacks 10.4.7.11, the unicast_src_ip of VI_1 in n1" },
{ "another router id", "virtual_router_id 51", "virtual_router_id 52", false, CONF_ERROR,
    "virtual_router_id 52, but 51 in n1: two routers, both master" },
{ "unicast and multicast", " unicast_peer {\n  10.4.7.11\n }\n", "", false, CONF_ERROR,
    "multicast, but unicast in n1: neither hears the other" },
{ "equal priorities", "priority 90", "priority 100", false, CONF_WARNING,
    "priority 100, as in n1: whoever comes first holds the address, and of two masters the higher primary address wins" },
{ "a weight that moves nothing", "weight -20", "weight -5", true, CONF_WARNING,
    "weight -5 of chk can never move the address: 100 - 5 is not below the 90 of n2" },
{ "a weight that only ties", "weight -20", "weight -10", true, CONF_WARNING,
    "weight -10 of chk can never move the address: 100 - 10 is not below the 90 of n2" },
{ "a weight just large enough", "weight -20", "weight -11", true, CONF_NOTICE, NULL },
{ "nopreempt below", "advert_int 1", "advert_int 1\n nopreempt", false, CONF_NOTICE,
    "nopreempt on the lower node: if it runs keepalived, it never takes the address from a master whose check fails" },
{ "another name, the same router", "vrrp_instance VI_1", "vrrp_instance VI_2", false, CONF_NOTICE, NULL },
};
/* clang-format on */

static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = from[0] != '\0' ? strstr(text, from) : NULL;
	struct text out = { 0 };

	if (from[0] != '\0')
		assert_non_null(at);
	text_add_n(&out, text, at != NULL ? (size_t)(at - text) : strlen(text));
	if (at != NULL) {
		text_add(&out, to);
		text_add(&out, at + strlen(from));
	}
	return text_take(&out);
}

static char *
second_text(void)
{
	char *text = xstrdup(first);

	for (size_t i = 0; i < ARRAY_LEN(mirror); i++) {
		char *next = replaced(text, mirror[i].from, mirror[i].to);

		free(text);
		text = next;
	}
	return text;
}

static struct conf *
load(const char *what, const char *text)
{
	struct conf_diags diags = { 0 };
	struct conf *conf = conf_load_text(&host, "test.conf", text, strlen(text), &diags);

	if (conf_diags_count(&diags, CONF_ERROR, CONF_ALL) > 0)
		fail_msg("row \"%s\": %s in\n%s", what, diags.items[0].message, text);
	conf_diags_done(&diags);
	return conf;
}

static bool
said(const struct pair_findings *f, enum conf_severity severity, const char *message)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->items[i].severity == severity && strcmp(f->items[i].message, message) == 0)
			return true;
	return false;
}

static void
judge(size_t row, const struct pair_findings *f)
{
	if (rows[row].message == NULL && f->n > 0)
		fail_msg("row \"%s\": %s", rows[row].what, f->items[0].message);
	if (rows[row].message != NULL && !said(f, rows[row].severity, rows[row].message))
		fail_msg("row \"%s\": not said; but (%zu): %s", rows[row].what, f->n,
		    f->n > 0 ? f->items[0].message : "nothing");
}

static void
every_row(void **unused)
{
	char *second = second_text();

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *a = replaced(first, rows[i].in_first ? rows[i].from : "", rows[i].to);
		char *b = replaced(second, rows[i].in_first ? "" : rows[i].from, rows[i].to);
		struct conf *conf_a = load(rows[i].what, a), *conf_b = load(rows[i].what, b);
		const struct pair_node nodes[] = { { "n1", conf_a }, { "n2", conf_b } };
		struct pair_findings findings;

		pair_check(nodes, 2, &findings);
		judge(i, &findings);
		pair_findings_done(&findings);
		conf_free(conf_a);
		conf_free(conf_b);
		free(a);
		free(b);
	}
	free(second);
}

/* ---- the table of single failures ---- */

/* A router pair in a sync group, with everything that a priority can depend on. */
static const char everything[] =
    "vrrp_script chk {\n script \"/bin/true\"\n weight -20\n}\n"
    "check must {\n port 80\n weight 0\n}\n"
    "vrrp_track_process app {\n process app\n weight -30\n}\n"
    "vrrp_track_file num {\n file /run/num\n}\n"
    "vrrp_sync_group G {\n group {\n  IN\n  OUT\n }\n}\n"
    "vrrp_instance IN {\n interface eth0\n virtual_router_id 1\n priority PRIO\n"
    " virtual_ipaddress {\n  10.4.7.10/24\n }\n track_script {\n  chk\n }\n"
    " track_process {\n  app\n }\n track_file {\n  num\n }\n"
    " track_interface {\n  eth2 weight -5\n  eth3\n }\n"
    " track_upstream api\n track_proxy weight -40 hold 2s\n}\n"
    "vrrp_instance OUT {\n interface eth1\n virtual_router_id 2\n priority PRIO\n"
    " virtual_ipaddress {\n  10.5.7.10/24\n }\n track_check {\n  must\n }\n}\n"
    "stream {\n upstream api {\n  server 10.4.7.21:80;\n }\n}\n";

static void
what_if(void **unused)
{
	static const struct {
		const char *what;
		size_t after;
		int64_t move_ms;
	} want[] = {
		{ "chk fails on n1", 1, 648 },
		{ "app fails on n1", 1, 648 },
		{ "num fails on n1", 1, 648 },
		{ "eth2 is down on n1", 0, 0 },
		{ "eth3 is down on n1", 1, 648 },
		{ "api is cut off on n1", 1, 648 },
		{ "proxyd stops serving on n1", 1, 648 },
		{ "must fails on n1 (OUT)", 1, 648 },
		{ "n1 is lost", 1, 3648 },
		{ "chk fails on n2", 0, 0 },
		{ "app fails on n2", 0, 0 },
		{ "num fails on n2", 0, 0 },
		{ "eth2 is down on n2", 0, 0 },
		{ "eth3 is down on n2", 0, 0 },
		{ "api is cut off on n2", 0, 0 },
		{ "proxyd stops serving on n2", 0, 0 },
		{ "must fails on n2 (OUT)", 0, 0 },
		{ "n2 is lost", 0, 0 },
	};
	char *a = replaced(everything, "PRIO", "100"), *a2 = replaced(a, "PRIO", "100");
	char *b = replaced(everything, "PRIO", "90"), *b2 = replaced(b, "PRIO", "90");
	struct conf *conf_a = load("n1", a2), *conf_b = load("n2", b2);
	const struct whatif_side sides[] = { { "n1", conf_instance(conf_a, "IN"), conf_a },
		{ "n2", conf_instance(conf_b, "IN"), conf_b } };
	struct whatif_rows rows_of;

	(void)unused;
	whatif_run(sides, 2, &rows_of);
	assert_int_equal(rows_of.n, ARRAY_LEN(want));
	for (size_t i = 0; i < rows_of.n; i++) {
		const struct whatif_row *r = &rows_of.items[i];

		if (strcmp(r->what, want[i].what) != 0 || r->before != 0 ||
		    r->after != want[i].after || r->move_us / 1000 != want[i].move_ms)
			fail_msg("row %zu \"%s\": %zu -> %zu in %lld us, not \"%s\"", i, r->what,
			    r->before, r->after, (long long)r->move_us, want[i].what);
	}
	whatif_rows_done(&rows_of);
	conf_free(conf_a);
	conf_free(conf_b);
	free(a), free(a2), free(b), free(b2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row),
		cmocka_unit_test(what_if) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
