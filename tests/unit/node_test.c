/*
 * node_test.c - what a person reads out of the daemons' answers.
 */
#include "tests/unit/test.h"

#include "ctl/node.h"
#include "ctl/table.h"

#include <stdlib.h>
#include <string.h>

/* A healthy master; each row changes one thing in it. */
static const char healthy[] =
    "{\"daemons\": {"
    "  \"checkd\": {\"running\": true, \"status\": {\"health\": \"ok\", \"configDigest\": \"d1\","
    "    \"startedUsec\": 1000000, \"pid\": 11, \"version\": \"0.1.0\", \"healthReasons\": []}},"
    "  \"vrrpd\": {\"running\": true, \"status\": {\"health\": \"ok\", \"configDigest\": \"d1\","
    "    \"startedUsec\": 1000000, \"pid\": 12, \"version\": \"0.1.0\", \"healthReasons\": []}}},"
    " \"checks\": [{\"name\": \"chk\", \"kind\": \"script\", \"target\": \"/bin/true\","
    "   \"state\": \"up\", \"administrative\": \"auto\", \"lastCheckedUsec\": 59000000,"
    "   \"lastReason\": \"ok\", \"lastDetail\": \"exit 0\"}],"
    " \"listeners\": [{\"name\": \"*:7443\", \"state\": \"listening\", \"upstream\": \"api\","
    "   \"currentSessions\": 3, \"counters\": {\"sessions\": 17}}],"
    " \"upstreams\": [{\"name\": \"api\", \"availableServers\": 1, \"totalServers\": 1,"
    "   \"balance\": \"round_robin\"}],"
    " \"servers\": [{\"upstream\": \"api\", \"name\": \"10.4.7.21:6443\", \"state\": \"up\","
    "   \"reason\": \"\", \"counters\": {\"sessions\": 17}}],"
    " \"instances\": [{\"key\": \"VI_1\", \"name\": \"VI_1\", \"device\": \"eth0\","
    "   \"state\": \"master\", \"reason\": \"no advert from 10.4.7.12 for 3.609 s\","
    "   \"basePriority\": 100, \"effectivePriority\": 100, \"preempt\": true,"
    "   \"peerDiffers\": [], \"lastTransitionUsec\": 50000000,"
    "   \"lastTransitionAt\": \"2026-11-21T22:00:00.000Z\","
    "   \"terms\": [{\"kind\": \"base\", \"name\": \"\", \"contribution\": 100, \"fault\": false},"
    "     {\"kind\": \"script\", \"name\": \"chk\", \"up\": true, \"contribution\": 0,"
    "      \"fault\": false, \"since\": \"2026-11-21T21:00:00.000Z\", \"evidence\": \"exit 0\"}],"
    "   \"virtualAddresses\": [{\"address\": \"10.4.7.10\", \"prefixLength\": 24,"
    "     \"device\": \"eth0\", \"present\": true, \"leaseMs\": 2400}]}]}";

static const mono_t now = { 60000000 };

static json_t *
load(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, 0, &error);

	if (value == NULL)
		fail_msg("%s", error.text);
	return value;
}

/* The healthy node with 'patch' merged into the first object of 'array' (or the daemon). */
static json_t *
patched(const char *where, const char *patch)
{
	json_t *node = load(healthy), *change = load(patch), *at = json_object_get(node, where);

	if (json_is_array(at))
		at = json_array_get(at, 0);
	else if (at == NULL)
		at = json_object_get(json_object_get(node, "daemons"), where);
	assert_int_equal(json_object_update(at, change), 0);
	json_decref(change);
	json_object_set_new(node, "problems", node_problems(node));
	return node;
}

/* clang-format off */
static const struct {
	const char *what, *where, *patch;
	const char *severity, *subject, *message; /* of the first problem; NULL: none */
} rows[] = {
{ "healthy", "instances", "{}", NULL, NULL, NULL },
{ "backup without the address", "instances",
    "{\"state\": \"backup\", \"virtualAddresses\": [{\"address\": \"10.4.7.10\", \"present\": false}]}",
    NULL, NULL, NULL },
{ "fault", "instances", "{\"state\": \"fault\", \"reason\": \"eth0 is down\", \"virtualAddresses\": []}",
    "critical", "VI_1", "FAULT: eth0 is down" },
{ "master without its address", "instances",
    "{\"virtualAddresses\": [{\"address\": \"10.4.7.10\", \"device\": \"eth0\", \"present\": false}]}",
    "critical", "VI_1", "is MASTER, but 10.4.7.10 is not on eth0" },
{ "backup with the address", "instances", "{\"state\": \"backup\"}",
    "critical", "VI_1", "is backup, but 10.4.7.10 is on eth0" },
{ "peer differs", "instances", "{\"peerDiffers\": [\"advert_int 2 s\"]}",
    "warning", "VI_1", "peer differs: advert_int 2 s" },
{ "a term that only vrrpd knows", "instances",
    "{\"terms\": [{\"kind\": \"interface\", \"name\": \"eth1\", \"up\": false, \"contribution\": -30, \"evidence\": \"no carrier\"}]}",
    "warning", "VI_1", "priority -30: interface eth1: no carrier" },
{ "a term whose check speaks for itself", "instances",
    "{\"terms\": [{\"kind\": \"script\", \"name\": \"chk\", \"up\": false, \"contribution\": -30}]}",
    NULL, NULL, NULL },
{ "check down", "checks", "{\"state\": \"down\", \"lastDetail\": \"exit 1 \\\"gone\\\"\"}",
    "warning", "chk", "check is down: exit 1 \"gone\"" },
{ "check down, only a reason", "checks", "{\"state\": \"down\", \"lastDetail\": null, \"lastReason\": \"timeout\"}",
    "warning", "chk", "check is down: timeout" },
{ "check forced", "checks", "{\"administrative\": \"forcedUp\"}",
    "warning", "chk", "check is forcedUp by an operator" },
{ "listener failed", "listeners", "{\"state\": \"failed\", \"error\": \"Address already in use\"}",
    "critical", "*:7443", "does not listen: Address already in use" },
{ "no server", "upstreams", "{\"availableServers\": 0}",
    "critical", "api", "none of 1 servers is available" },
{ "server down", "servers", "{\"state\": \"down\", \"reason\": \"connect: Connection refused\"}",
    "warning", "api", "server 10.4.7.21:6443 is down: connect: Connection refused" },
{ "checkd away", "checkd", "{\"running\": false, \"error\": \"not running\", \"status\": null}",
    "warning", "checkd", "not running" },
{ "vrrpd away", "vrrpd", "{\"running\": false, \"error\": \"not running\", \"status\": null}",
    "critical", "vrrpd", "not running" },
{ "degraded", "checkd", "{\"status\": {\"health\": \"degraded\", \"healthReasons\": [\"last-good runs\"], \"configDigest\": \"d1\"}}",
    "warning", "checkd", "last-good runs" },
{ "failed", "checkd", "{\"status\": {\"health\": \"failed\", \"healthReasons\": [\"no\"], \"configDigest\": \"d1\"}}",
    "critical", "checkd", "no" },
{ "reload refused", "checkd", "{\"status\": {\"health\": \"ok\", \"healthReasons\": [], \"lastReloadError\": \"f:1:1: error\", \"configDigest\": \"d1\"}}",
    "warning", "checkd", "the last reload was refused: f:1:1: error" },
{ "two configurations", "vrrpd", "{\"status\": {\"health\": \"ok\", \"healthReasons\": [], \"configDigest\": \"d2\"}}",
    "warning", "vrrpd", "runs another configuration than checkd (d2, d1)" },
};
/* clang-format on */

static void
every_problem(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *node = patched(rows[i].where, rows[i].patch);
		json_t *problems = json_object_get(node, "problems");
		json_t *first = json_array_get(problems, 0);

		if (rows[i].severity == NULL) {
			if (first != NULL)
				fail_msg(
				    "row \"%s\": %s", rows[i].what, node_str(first, "message"));
		} else if (json_array_size(problems) != 1 ||
			   strcmp(node_str(first, "severity"), rows[i].severity) != 0 ||
			   strcmp(node_str(first, "subject"), rows[i].subject) != 0 ||
			   strcmp(node_str(first, "message"), rows[i].message) != 0) {
			fail_msg("row \"%s\": %zu problems, first: %s %s: %s", rows[i].what,
			    json_array_size(problems), node_str(first, "severity"),
			    node_str(first, "subject"), node_str(first, "message"));
		}
		json_decref(node);
	}
}

static void
critical_first(void **unused)
{
	json_t *node = patched("instances", "{\"state\": \"fault\", \"virtualAddresses\": [],"
					    " \"peerDiffers\": [\"x\"]}");
	json_t *problems = json_object_get(node, "problems");

	(void)unused;
	json_object_set_new(
	    json_array_get(json_object_get(node, "checks"), 0), "state", json_string("down"));
	json_object_set_new(
	    json_array_get(json_object_get(node, "listeners"), 0), "state", json_string("failed"));
	json_object_set_new(node, "problems", node_problems(node));
	problems = json_object_get(node, "problems");
	assert_int_equal(json_array_size(problems), 4);
	assert_string_equal(node_str(json_array_get(problems, 0), "subject"), "VI_1");
	assert_string_equal(node_str(json_array_get(problems, 1), "subject"), "*:7443");
	assert_string_equal(node_str(json_array_get(problems, 2), "severity"), "warning");
	json_decref(node);
}

static void
plugin(void **unused)
{
	static const struct {
		const char *where, *patch, *begins;
		int code;
	} cases[] = {
		{ "instances", "{}",
		    "TRIVET OK - nothing is wrong | masters=1 backups=0 faults=0 checks_up=1 "
		    "checks_down=0 servers_up=1 servers_down=0 sessions=3\n",
		    0 },
		{ "checks", "{\"state\": \"down\", \"lastDetail\": \"a|b\\nc\"}",
		    "TRIVET WARNING - chk: check is down: a b c | masters=1", 1 },
		{ "upstreams", "{\"availableServers\": 0}",
		    "TRIVET CRITICAL - api: none of 1 servers is available | ", 2 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *node = patched(cases[i].where, cases[i].patch);
		struct text out = { 0 };

		assert_int_equal(node_plugin(node, &out), cases[i].code);
		assert_memory_equal(text_str(&out), cases[i].begins, strlen(cases[i].begins));
		text_done(&out);
		json_decref(node);
	}
}

static void
nobody_answers(void **unused)
{
	json_t *node = load(
	    "{\"daemons\": {\"vrrpd\": {\"running\": false, \"error\": \"not running\"}}}");
	struct text out = { 0 };

	(void)unused;
	assert_true(node_silent(node));
	assert_int_equal(node_plugin(node, &out), 3);
	text_done(&out);
	node_status(node, now, false, &out);
	assert_non_null(strstr(text_str(&out), "vrrpd  not running\n"));
	text_done(&out);
	json_decref(node);
}

static void
page(void **unused)
{
	static const char *const lines[] = {
		"Nothing is wrong.\n",
		"  checkd  ok  up 59 s  pid 11, version 0.1.0, configuration d1\n",
		"  VI_1  MASTER  for 10 s  priority 100  10.4.7.10/24 on eth0  no advert from "
		"10.4.7.12 for 3.609 s\n",
		"  chk  up  asked 1.0 s ago  script /bin/true  exit 0\n",
		"  *:7443  listening  to api  3 sessions, 17 in all\n",
		"  api               1 of 1  round_robin\n",
		"    10.4.7.21:6443  up      0 sessions, 17 in all\n",
	};
	json_t *node = patched("instances", "{}");
	struct text out = { 0 };

	(void)unused;
	node_status(node, now, false, &out);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (strstr(text_str(&out), lines[i]) == NULL)
			fail_msg("not on the page: %s\nbut:\n%s", lines[i], text_str(&out));
	assert_null(strchr(text_str(&out), '\033'));
	text_done(&out);
	node_status(node, now, true, &out);
	assert_non_null(strstr(text_str(&out), "\033[32mMASTER\033[0m"));
	text_done(&out);
	json_decref(node);
}

/* clang-format off */
static const char down_terms[] =
    "\"effectivePriority\": 80, \"terms\": [{\"kind\": \"base\", \"contribution\": 100},"
    "{\"kind\": \"script\", \"name\": \"chk\", \"up\": false, \"contribution\": -20,"
    " \"since\": \"2026-11-21T22:00:00.000Z\", \"evidence\": \"exit 1 \\\"Port 7443 Is Not Used,End.\\\"\"}]";
static const struct {
	const char *what, *state, *patch, *line;
} whys[] = {
{ "master", "master", "", "It stays master until another node advertises more than 100.\n" },
{ "the state and its cause", "master", "",
    "VI_1 is MASTER for 10 s (since 2026-11-21T22:00:00.000Z): no advert from 10.4.7.12 for 3.609 s\n" },
{ "address", "master", "", "10.4.7.10/24 is on eth0, leased for 2.4 s\n" },
{ "base", "master", "", "      100  base\n" },
{ "a term that counts nothing", "master", "",
    "       +0  script chk  up since 2026-11-21T21:00:00.000Z: exit 0\n" },
{ "lowered", "backup", down_terms,
    "      -20  script chk  down since 2026-11-21T22:00:00.000Z: exit 1 \"Port 7443 Is Not Used,End.\"\n" },
{ "could be master again", "backup", "@\"masterAddress\": \"10.4.7.12\", \"masterPriority\": 90",
    "It would outrank the master (100 > 90) with script chk up.\n" },
{ "who is master", "backup", "\"masterAddress\": \"10.4.7.12\", \"masterPriority\": 120",
    "The master is 10.4.7.12, priority 120.\n" },
{ "outranked", "backup", "\"masterAddress\": \"10.4.7.12\", \"masterPriority\": 120",
    "It becomes master when the master falls silent, or below priority 100.\n" },
{ "nopreempt", "backup", "\"preempt\": false, \"masterAddress\": \"10.4.7.12\", \"masterPriority\": 90",
    "It outranks the master (100 > 90), but nopreempt leaves a healthy master the address.\n" },
{ "about to", "backup", "\"masterAddress\": \"10.4.7.12\", \"masterPriority\": 90",
    "It outranks the master (100 > 90) and is about to take over.\n" },
{ "nobody heard", "backup", "\"x\": 0", "No master is heard.\n" },
{ "fault by a check", "fault",
    "\"terms\": [{\"kind\": \"script\", \"name\": \"chk\", \"up\": false, \"contribution\": 0, \"fault\": true}]",
    "It takes part again with script chk up.\n" },
{ "no verdict", "backup",
    "\"terms\": [{\"kind\": \"script\", \"name\": \"new\", \"up\": null, \"contribution\": 0}]",
    "script new  no verdict yet\n" },
};
/* clang-format on */

static void
every_why(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		const char *more = whys[i].patch;
		struct text patch = { 0 }, out = { 0 };
		json_t *node;

		text_addf(&patch, "{\"state\": \"%s\"", whys[i].state);
		if (more[0] == '@')
			text_addf(&patch, ", %s, %s", down_terms, more + 1);
		else if (more[0] != '\0')
			text_addf(&patch, ", %s", more);
		text_add(&patch, "}");
		node = patched("instances", text_str(&patch));
		node_why(
		    node, json_array_get(json_object_get(node, "instances"), 0), now, false, &out);
		if (strstr(text_str(&out), whys[i].line) == NULL)
			fail_msg("row \"%s\": no line\n%sin\n%s", whys[i].what, whys[i].line,
			    text_str(&out));
		text_done(&out);
		text_done(&patch);
		json_decref(node);
	}
}

/* What a script printed must not drive the terminal of whoever reads about it. */
static void
printable(void **unused)
{
	json_t *value = load("{\"a\": [\"x\\u001b[2Jy\", {\"b\": \"l1\\nl2\\u007f\\u009b\"}],"
			     " \"c\": \"\u00e9 ok\", \"n\": 5}");
	json_t *a = json_object_get(value, "a");

	(void)unused;
	node_make_printable(value);
	assert_string_equal(json_string_value(json_array_get(a, 0)), "x?[2Jy");
	assert_string_equal(node_str(json_array_get(a, 1), "b"), "l1?l2???");
	assert_string_equal(node_str(value, "c"), "\u00e9 ok");
	assert_int_equal(node_int(value, "n"), 5);
	json_decref(value);
}

static void
ages(void **unused)
{
	static const struct {
		int64_t us;
		const char *words;
	} cases[] = {
		{ -5, "0.0 s" },
		{ 3240000, "3.2 s" },
		{ 59999999, "59 s" },
		{ 250 * USEC_PER_SEC, "4 min 10 s" },
		{ (5 * 3600 + 12 * 60) * USEC_PER_SEC, "5 h 12 min" },
		{ (50 * 3600) * USEC_PER_SEC, "2 d 2 h" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text out = { 0 };

		node_age(&out, cases[i].us);
		assert_string_equal(text_str(&out), cases[i].words);
		text_done(&out);
	}
}

/* Columns by characters, no blanks at the ends, more cells than columns are let go. */
static void
tables(void **unused)
{
	struct table t = { 0 };
	struct text out = { 0 };

	(void)unused;
	table_row(&t);
	table_cell(&t, TABLE_PLAIN, "é");
	table_cell(&t, TABLE_PLAIN, "b");
	table_row(&t);
	table_cell(&t, TABLE_PLAIN, "long");
	table_cell(&t, TABLE_PLAIN, NULL);
	table_row(&t);
	for (int i = 0; i < TABLE_COLUMNS_MAX + 3; i++)
		table_cell(&t, TABLE_PLAIN, "x");
	table_print(&t, "> ", false, &out);
	assert_string_equal(text_str(&out), "> é     b\n> long\n> x     x  x  x  x  x  x  x\n");
	text_done(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_problem),
		cmocka_unit_test(critical_first),
		cmocka_unit_test(plugin),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(page),
		cmocka_unit_test(every_why),
		cmocka_unit_test(printable),
		cmocka_unit_test(ages),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
