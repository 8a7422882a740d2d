/*
 * facts_test.c - variables: those of nginx and those that the file makes, as a
 * configuration says them and a session has them.  That nginx makes the same of
 * it is tested in tests/net/test_proxyd_words.py.
 */
#include "tests/unit/test.h"

#include "common/conf/conf.h"
#include "common/text.h"
#include "proxyd/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_host nowhere = { .node_id = "n1" };

#define BLOCK                                                                                         \
	"map $remote_addr $site { default $hostname; 10.0.0.9 lab; 10.0.0.8 \"\"; }\n"                \
	"map $ssl_preread_server_name $name { hostnames; default none; .example.com sub;\n"           \
	" www.example.* head; *.www.example.com deep; a.example.com exact;\n"                         \
	" \\default literal; ~^(?<who>[^.]+)\\.users$ $who-$1; ~*^CASE(\\d+)[\\w.-]x num$1; }\n"      \
	"map $name:$site $both { none:n1 yes; default $name; }\n"                                     \
	"geo $net { default out; 10.0.0.0/8 ten; 10.0.0.0/24 near; 10.0.0.9 me; 2001:db8::/32 doc;\n" \
	" 10.1.0.0/16 gone; delete 10.1.0.0/16; }\n"                                                  \
	"geo $remote_addr $range { ranges; default -; 10.0.0.0-10.0.0.20 a; 10.0.0.5-10.0.0.9 b; }\n" \
	"split_clients $remote_addr $share { 25% q; 25.5% h; * rest; }\n"                             \
	"split_clients $remote_addr $small { 0.01% tiny; }\n"

struct bench {
	struct conf *conf;
	struct facts facts;
	struct facts_try tries[2];
};

/* A server with these lines, one session that ends, and another look at it. */
static void
set_up(struct bench *b, const char *server)
{
	struct conf_diags diags = { 0 };
	struct text said = { 0 };
	char *text = xasprintf(
	    "stream {\n%sserver { listen 1; proxy_pass 10.0.0.1:1; %s } }\n", BLOCK, server);

	*b = (struct bench){ .conf = conf_load_text(&nowhere, "t", text, strlen(text), &diags) };
	for (size_t i = 0; i < diags.n; i++)
		if (diags.items[i].severity == CONF_ERROR)
			conf_diag_print(&diags.items[i], &said);
	if (said.length > 0)
		fail_msg("%s", said.chars);
	conf_diags_done(&diags);
	free(text);
	assert_int_equal(b->conf->n_listeners, 1);
	b->tries[0] = (struct facts_try){ .connect_us = -1, .session_us = 2000 };
	b->tries[1] = (struct facts_try){ .connect_us = 1500, .session_us = 1234567 };
	endpoint_parse("10.0.0.2:81", &b->tries[0].server);
	endpoint_parse("[2001:db8::2]:82", &b->tries[1].server);
	b->facts = (struct facts){ .connection = 7,
		.hostname = "n1",
		.version = "0.1",
		.pid = 99,
		.wall_us = INT64_C(1790000000123456),
		.utc_offset_s = -9000,
		.words = b->conf->listeners[0].words,
		.received = 3,
		.sent = 8,
		.server_received = 9,
		.server_sent = 2,
		.session_us = 2500000,
		.first_byte_us = 3000,
		.close_reason = "client fin",
		.status = 200,
		.tries = b->tries,
		.n_tries = 2 };
	endpoint_parse("10.0.0.9:4711", &b->facts.client);
	endpoint_parse("10.0.0.7:4712", &b->facts.peer);
	endpoint_parse("10.0.0.1:1", &b->facts.local);
}

static void
tear_down(struct bench *b)
{
	conf_free(b->conf);
}

static const char *
render(struct bench *b, const char *text, enum log_escape escape)
{
	static char buf[4096];
	struct stream_template t;
	size_t n;

	assert_int_equal(template_parse(text, b->conf->lexicon, &t), 0);
	n = facts_render(&t, &b->facts, buf, sizeof(buf) - 1, escape);
	buf[n] = '\0';
	template_done(&t);
	return buf;
}

static void
expect(struct bench *b, const char *text, const char *wanted)
{
	const char *got = render(b, text, ESCAPE_DEFAULT);

	if (strcmp(got, wanted) != 0)
		fail_msg("\"%s\" is \"%s\", not \"%s\"", text, got, wanted);
}

static void
the_language(void **unused)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "$remote_addr:$remote_port", "10.0.0.9:4711" },
		{ "$realip_remote_addr:$realip_remote_port", "10.0.0.7:4712" },
		{ "$server_addr:$server_port $protocol", "10.0.0.1:1 TCP" },
		{ "$binary_remote_addr", "\\x0A\\x00\\x00\\x09" },
		{ "$connection $pid $hostname $nginx_version", "7 99 n1 0.1" },
		{ "$msec $session_time", "1790000000.123 2.500" },
		{ "$time_local", "21/Sep/2026:11:43:20 -0230" },
		{ "$time_iso8601", "2026-09-21T11:43:20-02:30" },
		{ "$status $bytes_received/$bytes_sent $close_reason", "200 3/8 client fin" },
		{ "$upstream_addr", "10.0.0.2:81, [2001:db8::2]:82" },
		{ "$upstream_connect_time", "-, 0.001" },
		{ "$upstream_first_byte_time", "-, 0.003" },
		{ "$upstream_session_time", "0.002, 1.234" },
		{ "$upstream_bytes_sent $upstream_bytes_received", "0, 2 0, 9" },
		{ "$proxy_protocol_addr $proxy_protocol_server_port", "- -" },
		{ "$ssl_preread_server_name$ssl_preread_protocol", "--" },
		{ "$proxy_protocol_tlv_alpn $limit_conn_status $geoip_city", "- - -" },
		{ "a$ ${status}b", "a$ 200b" },
		{ "$1", "-" },
	};
	struct bench b;

	(void)unused;
	set_up(&b, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(&b, rows[i].text, rows[i].wanted);
	b.facts.n_tries = 0;
	b.facts.client.addr.family = AF_UNSPEC;
	b.facts.status = 0;
	expect(&b, "$upstream_addr $upstream_connect_time $status", "- - 000");
	expect(&b, "$remote_addr[$remote_port]$net", "unix:[]out");
	tear_down(&b);
}

static void
maps(void **unused)
{
	static const struct {
		const char *name, *wanted;
	} rows[] = {
		{ "example.com", "sub" },
		{ "EXAMPLE.com.", "sub" },
		{ "x.example.com", "sub" },
		{ "a.Example.com", "exact" },
		{ "b.www.example.com", "deep" },
		{ "www.example.com", "sub" }, /* a tail before a head */
		{ "www.example.org", "head" },
		{ "www.example.co.uk", "head" },
		{ "www.example.", "none" },
		{ "default", "literal" },
		{ "jo.users", "jo-jo" },
		{ "case12-x", "num12" },
		{ "case-x", "none" },
		{ "notexample.com", "none" },
		{ "", "none" },
	};
	struct bench b;

	(void)unused;
	set_up(&b, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		b.facts.server_name = rows[i].name;
		expect(&b, "$name", rows[i].wanted);
	}
	b.facts.server_name = "jo.users";
	expect(&b, "$name $1 $who", "jo-jo jo jo");
	b.facts.server_name = NULL;
	expect(&b, "$site[$both]", "lab[none]");
	endpoint_parse("10.0.0.8:1", &b.facts.client);
	expect(&b, "$site[]", "[]");
	endpoint_parse("10.0.0.7:1", &b.facts.client);
	expect(&b, "$site[$both]", "n1[yes]");
	tear_down(&b);
}

static void
geos(void **unused)
{
	static const struct {
		const char *client, *net, *range;
	} rows[] = {
		{ "10.0.0.9", "me", "b" },
		{ "10.0.0.8", "near", "b" },
		{ "10.0.0.10", "near", "a" },
		{ "10.0.0.4", "near", "a" },
		{ "10.0.0.21", "near", "-" },
		{ "10.0.1.1", "ten", "-" },
		{ "10.1.1.1", "ten", "-" }, /* deleted: what is around it */
		{ "11.0.0.0", "out", "-" },
		{ "9.255.255.255", "out", "-" },
		{ "2001:db8:ffff::1", "doc", "-" },
		{ "2001:db9::", "out", "-" },
		{ "::ffff:10.0.0.9", "me", "b" },
	};
	struct bench b;

	(void)unused;
	set_up(&b, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(addr_parse(rows[i].client, &b.facts.client.addr), 0);
		expect(&b, "$net", rows[i].net);
		if (strncmp(rows[i].client, "::ffff", 6) != 0)
			expect(&b, "$range", rows[i].range);
	}
	tear_down(&b);
}

static void
shares(void **unused)
{
	unsigned n[3] = { 0 };
	struct bench b;

	(void)unused;
	assert_int_equal(split_hash("", 0), 0);
	set_up(&b, "");
	for (unsigned i = 0; i < 4000; i++) {
		const char *value;
		uint8_t bytes[4] = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i };

		memcpy(b.facts.client.addr.bytes, bytes, 4);
		value = render(&b, "$share", ESCAPE_NONE);
		n[value[0] == 'q' ? 0 : value[0] == 'h' ? 1 : 2]++;
	}
	assert_in_range(n[0], 900, 1100);
	assert_in_range(n[1], 920, 1120);
	assert_in_range(n[2], 1880, 2080);
	memset(b.facts.client.addr.bytes, 1, 4);
	expect(&b, "[$small]", "[]");
	tear_down(&b);
}

/* In the order of the file, as it was when the client came; over what others define, too. */
static void
sets(void **unused)
{
	struct bench b;

	(void)unused;
	set_up(&b,
	    "set $a $site; set $site new; set $b \"$a-$site\"; set $a $a$a; set $c $bytes_sent;"
	    "set $d $ssl_preread_server_name; set $e $session_time$msec; set $f $f;");
	b.facts.server_name = "x";
	expect(&b, "$a|$site|$b|$c|[$d]|$e|$f", "lablab|new|lab-new|0|[]|0.0001789999997.623|");
	tear_down(&b);
}

static void
escapes(void **unused)
{
	struct bench b;
	static const char name[] = "a\"b\\c\n\t\x01\xc3\xa9";

	(void)unused;
	set_up(&b, "");
	b.facts.server_name = name;
	assert_string_equal(render(&b, "\"$ssl_preread_server_name\"", ESCAPE_DEFAULT),
	    "\"a\\x22b\\x5Cc\\x0A\\x09\\x01\\xC3\\xA9\"");
	assert_string_equal(render(&b, "\"$ssl_preread_server_name\"", ESCAPE_JSON),
	    "\"a\\\"b\\\\c\\n\\t\\u0001\xc3\xa9\"");
	assert_string_equal(render(&b, "$ssl_preread_server_name", ESCAPE_NONE), name);
	assert_string_equal(render(&b, "[$ssl_preread_protocol]", ESCAPE_JSON), "[]");
	tear_down(&b);
}

static void
tlvs(void **unused)
{
	static const uint8_t bytes[] = { 0x01, 0, 2, 'h', '2', 0x20, 0, 11, 1, 0, 0, 1, 2, 0x22, 0,
		3, 'c', 'n', '1', 0xea, 0, 1, 'x' };
	struct bench b;

	(void)unused;
	set_up(&b, "");
	b.facts.tlvs = bytes;
	b.facts.tlvs_size = sizeof(bytes);
	expect(&b,
	    "$proxy_protocol_tlv_alpn $proxy_protocol_tlv_0x01 $proxy_protocol_tlv_ssl_cn "
	    "$proxy_protocol_tlv_ssl_verify $proxy_protocol_tlv_0xEA $proxy_protocol_tlv_netns",
	    "h2 h2 cn1 258 x -");
	for (size_t i = 0; i < sizeof(bytes); i++) { /* cut anywhere: nothing is read past it */
		b.facts.tlvs_size = i;
		render(&b, "$proxy_protocol_tlv_ssl_cn$proxy_protocol_tlv_0xea", ESCAPE_NONE);
	}
	tear_down(&b);
}

static void
conditions(void **unused)
{
	struct stream_template t;
	struct bench b;

	(void)unused;
	set_up(&b, "");
	template_parse("$limit_conn_status", NULL, &t);
	assert_false(facts_holds(&t, &b.facts));
	b.facts.limit_conn_status = "0";
	assert_false(facts_holds(&t, &b.facts));
	b.facts.limit_conn_status = "00";
	assert_true(facts_holds(&t, &b.facts));
	template_done(&t);
	tear_down(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_language),
		cmocka_unit_test(maps),
		cmocka_unit_test(geos),
		cmocka_unit_test(shares),
		cmocka_unit_test(sets),
		cmocka_unit_test(escapes),
		cmocka_unit_test(tlvs),
		cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
