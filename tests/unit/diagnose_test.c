#include "ctl/diagnose.h"
#include "ctl/diagnose_nft.h"
#include "ctl/node.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A backup whose master is heard and answered for; each row changes one thing. */
#define INSTANCE(state, present)                                                                   \
	"\"instances\": [{\"key\": \"VI_1\", \"device\": \"eth0\", \"family\": \"ipv4\","          \
	" \"virtualRouterId\": 51, \"protocolVersion\": 2, \"state\": \"" state "\","              \
	" \"masterAddress\": \"10.4.7.12\", \"virtualAddresses\":"                                 \
	" [{\"address\": \"10.4.7.10\", \"present\": " present "}]}]"
#define LINK(rest)                                                                                 \
	"\"interfaces\": {\"eth0\": {\"up\": true, \"multicast\": true, \"rpFilter\": 0" rest "}}"
#define SPEAKER(source, vrid, version)                                                             \
	"{\"device\": \"eth0\", \"family\": \"ipv4\", \"source\": \"" source                       \
	"\", \"virtualRouterId\": " vrid ", \"version\": " version ", \"priority\": 90}"
#define ANSWER(mac)                                                                                \
	"{\"device\": \"eth0\", \"address\": \"10.4.7.10\", \"mac\": \"02:00:00:00:00:" mac "\"}"
#define ADDRESS(device, address, ours)                                                             \
	"{\"device\": \"" device "\", \"address\": \"" address                                     \
	"\", \"network\": \"10.4.7.0/24\", \"ours\": " ours "}"

static const struct {
	const char *what, *facts, *severity, *words; /* NULL: nothing is wrong */
} rows[] = {
	{ "a backup at rest",
	    INSTANCE("backup", "false") "," LINK("") ", \"speakers\": [" SPEAKER(
		"10.4.7.12", "51", "2") "," SPEAKER("10.4.7.13", "9",
		"3") "], \"answers\": [" ANSWER("01") "], \"addresses\": [" ADDRESS("eth0",
		"10.4.7.11", "false") "]",
	    NULL, NULL },
	{ "a master at rest",
	    INSTANCE("master", "true") "," LINK("") ", \"speakers\": [],"
						    "\"answers\": [], \"addresses\": [" ADDRESS(
							"eth0", "10.4.7.10", "true") "]",
	    NULL, NULL },
	{ "vrrpd does not answer", "\"addresses\": []", "warning", "does not answer" },
	{ "and has left an address", "\"addresses\": [" ADDRESS("eth0", "10.4.7.10", "true") "]",
	    "critical", "is a virtual address and vrrpd does not answer" },
	{ "no interface", INSTANCE("fault", "false") ", \"interfaces\": {}", "critical",
	    "there is no interface eth0" },
	{ "no MULTICAST", INSTANCE("master", "true") "," LINK(", \"multicast\": false"), "warning",
	    "without MULTICAST" },
	{ "down", INSTANCE("fault", "false") "," LINK(", \"up\": false"), "critical",
	    "interface eth0 is down" },
	{ "strict rp_filter, one network on two interfaces",
	    INSTANCE("backup", "false") "," LINK(", \"rpFilter\": 1") ", \"addresses\": [" ADDRESS(
		"eth0", "10.4.7.11", "false") "," ADDRESS("eth1", "10.4.7.61", "false") "]",
	    "warning", "rp_filter of eth0 is strict" },
	{ "strict rp_filter harms nobody",
	    INSTANCE("backup", "false") "," LINK(", \"rpFilter\": 1") ", \"addresses\": [" ADDRESS(
		"eth0", "10.4.7.11", "false") "]",
	    NULL, NULL },
	{ "a duplicate address", INSTANCE("master", "true") ", \"answers\": [" ANSWER("05") "]",
	    "critical", "10.4.7.10 is here, and 02:00:00:00:00:05 answers for it" },
	{ "two others have it",
	    INSTANCE("backup", "false") ", \"answers\": [" ANSWER("05") "," ANSWER("06") "]",
	    "critical", "answered for by 02:00:00:00:00:05 and by 02:00:00:00:00:06" },
	{ "nobody has it", INSTANCE("backup", "false") ", \"answers\": []", "warning",
	    "nobody answers" },
	{ "a second master",
	    INSTANCE("master", "true") ", \"speakers\": [" SPEAKER("10.4.7.12", "51", "2") "]",
	    "critical", "10.4.7.12 speaks for router 51 too" },
	{ "two masters elsewhere",
	    INSTANCE("backup", "false") ", \"speakers\": [" SPEAKER(
		"10.4.7.12", "51", "2") "," SPEAKER("10.4.7.13", "51", "2") "]",
	    "critical", "both 10.4.7.12 and 10.4.7.13" },
	{ "another version",
	    INSTANCE("backup", "false") ", \"speakers\": [" SPEAKER("10.4.7.12", "51", "3") "]",
	    "critical", "speaks VRRP version 3 for router 51" },
	{ "silence", INSTANCE("backup", "false") ", \"speakers\": []", "warning",
	    "no advert of 10.4.7.12 was seen" },
	{ "a leftover",
	    INSTANCE("backup", "false") ", \"addresses\": [" ADDRESS(
		"eth0", "10.4.7.10", "true") "]",
	    "warning", "left over" },
	{ "privileges",
	    INSTANCE("master", "true") ", \"capabilities\": {\"vrrpd\": 4096,"
				       " \"proxyd\": 1024}",
	    "critical", "runs without cap_net_raw" },
	{ "enough of them",
	    INSTANCE("master", "true") ", \"capabilities\": {\"vrrpd\": 12288,"
				       " \"proxyd\": 1024}",
	    NULL, NULL },
	{ "it slept",
	    INSTANCE("master", "true") ", \"clock\": {\"suspendedSec\": 90,"
				       " \"stepSec\": 0, \"synchronised\": true}",
	    "notice", "slept for 90 s" },
	{ "the clock was set",
	    INSTANCE("master", "true") ", \"clock\": {\"suspendedSec\": 0,"
				       " \"stepSec\": -3600, \"synchronised\": true}",
	    "notice", "was set by -3600 s" },
};

static json_t *
load(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, 0, &error);

	if (value == NULL)
		fail_msg("%s: %s", error.text, text);
	return value;
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[4096];
		json_t *facts, *findings, *first;

		snprintf(text, sizeof(text), "{%s}", rows[i].facts);
		facts = load(text);
		findings = diagnose(facts);
		first = json_array_get(findings, 0);
		if (rows[i].words == NULL) {
			if (first != NULL)
				fail_msg(
				    "row \"%s\": %s", rows[i].what, node_str(first, "message"));
		} else if (strcmp(node_str(first, "severity"), rows[i].severity) != 0 ||
			   strstr(node_str(first, "message"), rows[i].words) == NULL) {
			fail_msg("row \"%s\": %s", rows[i].what, node_str(first, "message"));
		}
		json_decref(findings);
		json_decref(facts);
	}
}

/* ---- rulesets, as nft prints them ---- */

#define CHAIN(name, hook, policy)                                                                  \
	"{\"chain\": {\"family\": \"inet\", \"table\": \"filter\", \"name\": \"" name              \
	"\", \"type\": \"filter\", \"hook\": \"" hook "\", \"prio\": 0, \"policy\": \"" policy     \
	"\"}}"
#define RULE(chain, expr)                                                                          \
	"{\"rule\": {\"family\": \"inet\", \"table\": \"filter\", \"chain\": \"" chain             \
	"\", \"expr\": [" expr "]}}"
#define PROTOCOL(op, what)                                                                         \
	"{\"match\": {\"op\": \"" op                                                               \
	"\", \"left\": {\"meta\": {\"key\": \"l4proto\"}}, \"right\": " what "}}"
#define IP_PROTOCOL(what)                                                                          \
	"{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"ip\","              \
	" \"field\": \"protocol\"}}, \"right\": " what "}}"
#define META(key, right)                                                                           \
	"{\"match\": {\"op\": \"==\", \"left\": {\"meta\": {\"key\": \"" key                       \
	"\"}}, \"right\": " right "}}"
#define PORT                                                                                       \
	"{\"match\": {\"op\": \"==\", \"left\": {\"payload\": {\"protocol\": \"tcp\","             \
	" \"field\": \"dport\"}}, \"right\": 22}}"
#define STATE                                                                                      \
	"{\"match\": {\"op\": \"in\", \"left\": {\"ct\": {\"key\": \"state\"}}, \"right\":"        \
	" [\"established\", \"related\"]}}"
#define ACCEPT "{\"accept\": null}"
#define DROP   "{\"drop\": null}"

static const struct {
	const char *what, *objects, *drops; /* NULL: it does not */
} rulesets[] = {
	{ "none", "", NULL },
	{ "an open policy", CHAIN("input", "input", "accept") "," RULE("input", PORT "," ACCEPT),
	    NULL },
	{ "policy drop, ssh and answers only",
	    CHAIN("input", "input", "drop") "," RULE("input", STATE "," ACCEPT) "," RULE(
		"input", PORT "," ACCEPT) "," RULE("input", META("iifname", "\"lo\"") "," ACCEPT),
	    "inet filter input: policy drop, and no rule accepts it" },
	{ "policy drop, VRRP by name",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", PROTOCOL("==", "\"vrrp\"") "," ACCEPT),
	    NULL },
	{ "policy drop, VRRP in a set",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", IP_PROTOCOL("{\"set\": [\"icmp\", 112]}") "," ACCEPT),
	    NULL },
	{ "policy drop, the whole interface",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", META("iifname", "\"eth0\"") "," ACCEPT),
	    NULL },
	{ "a rule that drops it",
	    CHAIN("input", "input", "accept") "," RULE("input", IP_PROTOCOL("112") "," DROP),
	    "inet filter input: a rule drops it" },
	{ "dropped on one interface only",
	    CHAIN("input", "input", "accept") "," RULE(
		"input", META("iifname", "\"eth9\"") "," DROP),
	    NULL },
	{ "accepted before it is dropped",
	    CHAIN("input", "input", "accept") "," RULE(
		"input", IP_PROTOCOL("112") "," ACCEPT) "," RULE("input", DROP),
	    NULL },
	{ "a last rule that drops the rest",
	    CHAIN("input", "input", "accept") "," RULE("input", PORT "," ACCEPT) "," RULE(
		"input", DROP),
	    "inet filter input: a rule drops it" },
	{ "everything but",
	    CHAIN("input", "input", "accept") "," RULE("input", PROTOCOL("!=", "\"tcp\"") "," DROP),
	    "a rule drops it" },
	{ "a jump that accepts",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", "{\"jump\": {\"target\": \"ha\"}}") "," RULE("ha",
		PROTOCOL("==", "\"vrrp\"") "," ACCEPT),
	    NULL },
	{ "a jump that does not",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", "{\"jump\": {\"target\": \"web\"}}") "," RULE("web", PORT "," ACCEPT),
	    "policy drop" },
	{ "a loop of jumps",
	    CHAIN("input", "input", "drop") "," RULE(
		"input", "{\"jump\": {\"target\": \"input\"}}"),
	    NULL },
	{ "the other hook", CHAIN("output", "output", "drop"), NULL },
};

static void
firewalls(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rulesets); i++) {
		char text[4096], *said;
		json_t *ruleset;

		snprintf(text, sizeof(text), "{\"nftables\": [%s]}", rulesets[i].objects);
		ruleset = load(text);
		said = diagnose_nft_drops(ruleset, "input");
		if ((said == NULL) != (rulesets[i].drops == NULL) ||
		    (said != NULL && strstr(said, rulesets[i].drops) == NULL))
			fail_msg(
			    "row \"%s\": %s", rulesets[i].what, said != NULL ? said : "nothing");
		free(said);
		json_decref(ruleset);
	}
	assert_null(diagnose_nft_drops(NULL, "input"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(firewalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
