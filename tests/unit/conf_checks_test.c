/*
 * conf_checks_test.c - what the structs of checks that ask a peer hold; the
 * secrets in them; what makes two of them the same question.
 */
#include "tests/unit/test.h"

#include "common/conf/conf.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

static const struct conf_host nowhere = { .node_id = "n1" };

static struct conf *
load(const char *text)
{
	struct conf_diags diags = { 0 };
	struct conf *conf = conf_load_text(&nowhere, "t", text, strlen(text), &diags);
	struct text said = { 0 };

	for (size_t i = 0; i < diags.n; i++)
		if (diags.items[i].severity == CONF_ERROR)
			conf_diag_print(&diags.items[i], &said);
	if (said.length > 0)
		fail_msg("%s", said.chars);
	conf_diags_done(&diags);
	return conf;
}

static struct conf *
load_check(const char *body)
{
	char *text = xasprintf("check c {\n%s\n}\n", body);
	struct conf *conf = load(text);

	free(text);
	assert_int_equal(conf->n_checks, 1);
	return conf;
}

static const struct {
	const char *written;
	enum check_kind kind;
	const char *peer, *host; /* host: NULL when it is an address */
	uint16_t port;
} peers[] = {
	{ "http http://10.0.0.1/", CHECK_HTTP, "10.0.0.1:80", NULL, 80 },
	{ "https https://10.0.0.1/", CHECK_HTTP, "10.0.0.1:443", NULL, 443 },
	{ "http http://10.0.0.1:8080", CHECK_HTTP, "10.0.0.1:8080", NULL, 8080 },
	{ "http HTTP://[::1]:8080?x", CHECK_HTTP, "[::1]:8080", NULL, 8080 },
	{ "https https://[2001:db8::1]/", CHECK_HTTP, "[2001:db8::1]:443", NULL, 443 },
	{ "https https://a-b.example/@x", CHECK_HTTP, "a-b.example:443", "a-b.example", 443 },
	{ "ping 10.0.0.1", CHECK_PING, "10.0.0.1", NULL, 0 },
	{ "ping gw", CHECK_PING, "gw", "gw", 0 },
	{ "dns ::1 a", CHECK_DNS, "[::1]:53", NULL, 53 },
	{ "dns ns1:5353 a", CHECK_DNS, "ns1:5353", "ns1", 5353 },
	{ "smtp 10.0.0.1", CHECK_SMTP, "10.0.0.1:25", NULL, 25 },
	{ "smtp 10.0.0.1:587", CHECK_SMTP, "10.0.0.1:587", NULL, 587 },
	{ "smtp mx.example.", CHECK_SMTP, "mx.example.:25", "mx.example.", 25 },
	{ "udp 10.0.0.1:7 send x", CHECK_UDP, "10.0.0.1:7", NULL, 7 },
	{ "tcp db_1:5432", CHECK_TCP, "db_1:5432", "db_1", 5432 },
};

static void
who_is_asked(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		struct conf *conf = load_check(peers[i].written);
		const struct check_conf *c = &conf->checks[0];
		struct text peer = { 0 };

		check_peer_format(c, &peer);
		if (c->kind != peers[i].kind || c->endpoint.port != peers[i].port ||
		    strcmp(text_str(&peer), peers[i].peer) != 0 ||
		    (c->host == NULL) != (peers[i].host == NULL) ||
		    (c->host != NULL && strcmp(c->host, peers[i].host) != 0))
			fail_msg("%s: %s", peers[i].written, text_str(&peer));
		text_done(&peer);
		conf_free(conf);
	}
}

static void
http_defaults(void **unused)
{
	struct conf *conf = load_check("https https://10.0.0.1/x");
	const struct http_conf *h = conf->checks[0].http;

	(void)unused;
	assert_true(h->tls && h->verify);
	assert_false(h->keep_alive);
	assert_null(h->method);
	assert_null(h->expect);
	assert_int_equal(h->n_statuses, 0);
	assert_int_equal(h->expiry_warning_us, INT64_C(14) * 86400 * 1000000);
	assert_string_equal(h->url, "https://10.0.0.1/x");
	conf_free(conf);
}

static void
http_options(void **unused)
{
	struct conf *conf = load_check(
	    "header \"A: b\"\nhttps https://10.0.0.1/x status 200,300-302 expect \"/a\\\\/b/\" "
	    "header \"C: d\"\nmethod HEAD\nkeep_alive on\nverify off\nsni x.y\nca /c\n"
	    "expiry_warning 2d");
	const struct http_conf *h = conf->checks[0].http;

	(void)unused;
	assert_int_equal(h->n_headers, 2);
	assert_string_equal(h->headers[1], "C: d");
	assert_int_equal(h->n_statuses, 2);
	assert_int_equal(h->statuses[0].low, 200);
	assert_int_equal(h->statuses[0].high, 200);
	assert_int_equal(h->statuses[1].high, 302);
	assert_true(h->is_regex && h->keep_alive && !h->verify);
	assert_string_equal(h->expect, "a\\/b");
	assert_string_equal(h->method, "HEAD");
	assert_string_equal(h->sni, "x.y");
	assert_string_equal(h->ca, "/c");
	assert_int_equal(h->expiry_warning_us, INT64_C(2) * 86400 * 1000000);
	conf_free(conf);
}

/* Whatever way it is written, what a header says is not in what is shown. */
static void
headers_are_secrets(void **unused)
{
	struct conf *conf = load(
	    "check a {\n http http://10.0.0.1/ header \"Authorization: Basic \\\"hunter2\\\"\" "
	    "expect \"header\" header X:hunter3 status 200\n header \"X-Key:hunter4 hunter5\"\n}\n"
	    "check b {\n ping 10.0.0.1\n}\n");
	char *shown = conf_normal_redacted(conf);

	(void)unused;
	assert_null(strstr(shown, "hunter"));
	assert_non_null(strstr(shown, "header \"Authorization:********\""));
	assert_non_null(strstr(shown, " X:********")); /* rather too much than too little */
	assert_non_null(strstr(shown, "status 200"));
	assert_non_null(strstr(shown, "ping 10.0.0.1"));
	free(shown);
	conf_free(conf);
}

/* ---- reloads ---- */

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
	{ "ping 10.0.0.1", "ping 10.0.0.1\ninterval 7s", true },
	{ "ping 10.0.0.1", "ping 10.0.0.2", false },
	{ "ping 10.0.0.1", "ping gw", false },
	{ "ping gw", "ping gw2", false },
	{ "smtp 10.0.0.1:53", "dns 10.0.0.1 a", false },
	{ "dns 10.0.0.1 a", "dns 10.0.0.1 a A", true },
	{ "dns 10.0.0.1 a", "dns 10.0.0.1 b", false },
	{ "dns 10.0.0.1 a", "dns 10.0.0.1 a MX", false },
	{ "udp 10.0.0.1:1 send a", "udp 10.0.0.1:1 send b", false },
	{ "udp 10.0.0.1:1 send a", "udp 10.0.0.1:1 send a expect a", false },
	{ "http http://a/", "http http://a/\nkeep_alive on", true },
	{ "http http://a/", "http http://a/b", false },
	{ "http http://a/", "http http://a/ status 200", false },
	{ "http http://a/ status 200", "http http://a/ status 201", false },
	{ "http http://a/ header \"A: b\"", "http http://a/\nheader \"A: b\"", true },
	{ "http http://a/ header \"A: b\"", "http http://a/\nheader \"A: c\"", false },
	{ "http http://a/ expect a", "http http://a/ expect \"/a/\"", false },
	{ "https https://a/", "https https://a/ verify off", false },
	{ "https https://a/", "https https://a/ ca /x", false },
};

static void
the_same_question(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct conf *a = load_check(pairs[i].a), *b = load_check(pairs[i].b);

		if (check_same_peer(&a->checks[0], &b->checks[0]) != pairs[i].same)
			fail_msg("%s and %s", pairs[i].a, pairs[i].b);
		conf_free(a);
		conf_free(b);
	}
}

/* What only match{} makes: other bytes behind a NUL, a regular expression, one without case. */
static void
the_same_match(void **unused)
{
	struct conf *a = load_check("udp 10.0.0.1:1 send abc expect abc"),
		    *b = load_check("udp 10.0.0.1:1 send abc expect abc");
	struct check_conf *x = &a->checks[0], *y = &b->checks[0];

	(void)unused;
	assert_true(check_same_peer(x, y));
	x->expect_regex = true;
	assert_false(check_same_peer(x, y));
	y->expect_regex = true;
	assert_true(check_same_peer(x, y));
	y->expect_ignore_case = true;
	assert_false(check_same_peer(x, y));
	y->expect_ignore_case = false;
	x->send[1] = y->send[1] = '\0';
	assert_true(check_same_peer(x, y));
	x->send[2] = 'd';
	assert_false(check_same_peer(x, y));
	conf_free(a);
	conf_free(b);
}

static void
collect(void *aux, const char *line)
{
	text_addf(aux, "%s\n", line);
}

static void
differences(void **unused)
{
	struct conf *a = load_check("https https://a/ header \"A: hunter2\" status 200"),
		    *b = load_check("https https://a/ header \"A: hunter3\" status 200-204");
	struct text lines = { 0 };

	(void)unused;
	conf_diff(a, b, CONF_CHECK, collect, &lines);
	assert_non_null(strstr(text_str(&lines), "status 200-200 -> 200-204"));
	assert_non_null(strstr(text_str(&lines), "header"));
	assert_null(strstr(text_str(&lines), "hunter"));
	text_done(&lines);
	conf_free(a);
	conf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_asked),
		cmocka_unit_test(http_defaults),
		cmocka_unit_test(http_options),
		cmocka_unit_test(headers_are_secrets),
		cmocka_unit_test(the_same_question),
		cmocka_unit_test(the_same_match),
		cmocka_unit_test(differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
