/*
 * diagnose.c - see diagnose.h: one function for each thing that can be wrong.
 */
#include "ctl/diagnose.h"

#include "common/text.h"
#include "common/util.h"
#include "ctl/diagnose_nft.h"
#include "ctl/node.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bits of CapEff (capability(7)), as the kernel numbers them. */
enum { NET_BIND_SERVICE = 10, NET_ADMIN = 12, NET_RAW = 13 };

static void PRINTF_LIKE(4, 5)
    say(json_t *findings, const char *severity, const char *subject, const char *fmt, ...)
{
	struct text t = { 0 };
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_add(&t, line);
	json_array_append_new(findings, json_pack("{s:s, s:s, s:s}", "severity", severity,
					    "subject", subject, "message", text_str(&t)));
	text_done(&t);
}

static bool
is(const json_t *object, const char *key, const char *value)
{
	return strcmp(node_str(object, key), value) == 0;
}

static bool
same(const json_t *a, const json_t *b, const char *key)
{
	return is(a, key, node_str(b, key));
}

/* ---- interfaces ---- */

static void
on_interface(const json_t *facts, const json_t *instance, json_t *findings)
{
	const json_t *interfaces = json_object_get(facts, "interfaces");
	const char *device = node_str(instance, "device"), *key = node_str(instance, "key");
	const json_t *link = json_object_get(interfaces, device);

	if (interfaces == NULL)
		return;
	if (link == NULL) {
		say(findings, "critical", key, "there is no interface %s", device);
		return;
	}
	if (!node_true(link, "up"))
		say(findings, "critical", key, "interface %s is down", device);
	if (!node_true(link, "multicast"))
		say(findings, "warning", key,
		    "interface %s is without MULTICAST: adverts reach nobody unless unicast_peer "
		    "is given (ip link set %s multicast on)",
		    device, device);
}

/* A packet that comes in by another way than its answer would take is dropped when strict. */
static void
on_rp_filter(const json_t *facts, const json_t *instance, json_t *findings)
{
	const json_t *link = json_object_get(
	    json_object_get(facts, "interfaces"), node_str(instance, "device"));
	const json_t *addresses = json_object_get(facts, "addresses"), *one, *other;
	size_t i, j;

	if (node_int(link, "rpFilter") != 1)
		return;
	json_array_foreach (addresses, i, one) {
		if (!same(one, instance, "device"))
			continue;
		json_array_foreach (addresses, j, other) {
			if (same(other, one, "device") || !same(other, one, "network"))
				continue;
			say(findings, "warning", node_str(instance, "key"),
			    "rp_filter of %s is strict and %s is in the network %s too: what comes "
			    "in by the wrong one of them is dropped",
			    node_str(one, "device"), node_str(other, "device"),
			    node_str(one, "network"));
			return;
		}
	}
}

/* ---- who else has the address, who else speaks ---- */

static bool
holds(const json_t *vip)
{
	return node_true(vip, "present");
}

static void
on_vip(const json_t *facts, const json_t *instance, const json_t *vip, json_t *findings)
{
	const json_t *answers = json_object_get(facts, "answers"), *answer;
	const char *address = node_str(vip, "address"), *key = node_str(instance, "key");
	const char *first = "";
	size_t i, n = 0;

	if (answers == NULL || strchr(address, ':') != NULL)
		return;
	json_array_foreach (answers, i, answer) {
		if (!is(answer, "address", address))
			continue;
		n++;
		if (holds(vip))
			say(findings, "critical", key,
			    "%s is here, and %s answers for it on %s too: two hosts have it",
			    address, node_str(answer, "mac"), node_str(answer, "device"));
		else if (n > 1 && !is(answer, "mac", first))
			say(findings, "critical", key, "%s is answered for by %s and by %s",
			    address, first, node_str(answer, "mac"));
		if (n == 1)
			first = node_str(answer, "mac");
	}
	if (n == 0 && !holds(vip) && is(instance, "state", "backup"))
		say(findings, "warning", key, "nobody answers for %s, although a master is heard",
		    address);
}

static bool
speaks_for(const json_t *speaker, const json_t *instance)
{
	return same(speaker, instance, "device") && same(speaker, instance, "family") &&
	       node_int(speaker, "virtualRouterId") == node_int(instance, "virtualRouterId");
}

static void
on_speakers(const json_t *facts, const json_t *instance, json_t *findings)
{
	const json_t *speakers = json_object_get(facts, "speakers"), *speaker, *first = NULL;
	const char *key = node_str(instance, "key");
	int vrid = (int)node_int(instance, "virtualRouterId");
	int version = (int)node_int(instance, "protocolVersion");
	bool master = is(instance, "state", "master");
	size_t i;

	json_array_foreach (speakers, i, speaker) {
		const char *source = node_str(speaker, "source");
		int theirs = (int)node_int(speaker, "version");

		if (!speaks_for(speaker, instance))
			continue;
		if (theirs != version)
			say(findings, "critical", key,
			    "%s speaks VRRP version %d for router %d, we speak %d: neither hears "
			    "the other",
			    source, theirs, vrid, version);
		else if (master)
			say(findings, "critical", key,
			    "%s speaks for router %d too, with priority %d: two masters, or another "
			    "group with the same number",
			    source, vrid, (int)node_int(speaker, "priority"));
		else if (first != NULL)
			say(findings, "critical", key, "both %s and %s speak for router %d",
			    node_str(first, "source"), source, vrid);
		first = first != NULL ? first : speaker;
	}
	if (speakers != NULL && first == NULL && is(instance, "state", "backup") &&
	    node_str(instance, "masterAddress")[0] != '\0')
		say(findings, "warning", key, "no advert of %s was seen meanwhile",
		    node_str(instance, "masterAddress"));
}

/* ---- what is left over ---- */

static bool
belongs(const json_t *instances, const char *address)
{
	const json_t *instance;
	size_t i;

	json_array_foreach (instances, i, instance) {
		const json_t *vip = node_find(
		    json_object_get(instance, "virtualAddresses"), "address", address);

		if (vip != NULL && is(instance, "state", "master"))
			return true;
	}
	return false;
}

static void
on_leftovers(const json_t *facts, json_t *findings)
{
	const json_t *instances = json_object_get(facts, "instances"), *one;
	size_t i;

	json_array_foreach (json_object_get(facts, "addresses"), i, one) {
		const char *address = node_str(one, "address"), *device = node_str(one, "device");

		if (!node_true(one, "ours") || belongs(instances, address))
			continue;
		if (instances == NULL)
			say(findings, "critical", device,
			    "%s is a virtual address and vrrpd does not answer: it goes when its "
			    "lease ends; a permanent one has to be deleted by hand",
			    address);
		else
			say(findings, "warning", device,
			    "%s is marked as a virtual address, and no master here has it: left "
			    "over (ip address del)",
			    address);
	}
}

/* ---- the firewall ---- */

static void
on_firewall(const json_t *facts, json_t *findings)
{
	static const char *const hooks[] = { "input", "output" };
	const json_t *ruleset = json_object_get(facts, "ruleset");

	for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
		char *where = diagnose_nft_drops(ruleset, hooks[i]);

		if (where != NULL)
			say(findings, "critical", "firewall",
			    "%s: adverts (IP protocol 112) %s are dropped", where,
			    i == 0 ? "that come in" : "that go out");
		free(where);
	}
}

/* ---- privileges, clocks ---- */

static void
on_capabilities(const json_t *facts, json_t *findings)
{
	static const struct {
		const char *daemon, *name, *for_what;
		int bit;
	} wanted[] = {
		{ "vrrpd", "cap_net_admin", "addresses", NET_ADMIN },
		{ "vrrpd", "cap_net_raw", "adverts and announcements", NET_RAW },
		{ "proxyd", "cap_net_bind_service", "ports below 1024", NET_BIND_SERVICE },
	};
	const json_t *capabilities = json_object_get(facts, "capabilities");

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const json_t *has = json_object_get(capabilities, wanted[i].daemon);

		if (has != NULL && (json_integer_value(has) & 1 << wanted[i].bit) == 0)
			say(findings, wanted[i].bit == NET_BIND_SERVICE ? "notice" : "critical",
			    wanted[i].daemon, "runs without %s: %s", wanted[i].name,
			    wanted[i].for_what);
	}
}

static void
on_clock(const json_t *facts, json_t *findings)
{
	const json_t *clock = json_object_get(facts, "clock");
	int64_t suspended = node_int(clock, "suspendedSec"), step = node_int(clock, "stepSec");

	if (suspended > 0)
		say(findings, "notice", "clock",
		    "the machine slept for %" PRId64 " s since it was booted: a master that wakes "
		    "up has lost its addresses meanwhile",
		    suspended);
	if (step != 0)
		say(findings, "notice", "clock",
		    "the wall clock was set by %+" PRId64 " s since vrrpd began: times in logs "
		    "jump, elections do not",
		    step);
	if (clock != NULL && !node_true(clock, "synchronised"))
		say(findings, "notice", "clock",
		    "the wall clock is not synchronised: the logs of two nodes do not compare");
}

static void
on_silent_vrrpd(const json_t *facts, json_t *findings)
{
	if (json_object_get(facts, "instances") == NULL)
		say(findings, "warning", "vrrpd",
		    "does not answer: which addresses and routers to look at is not known");
}

static int
rank(const json_t *finding)
{
	return is(finding, "severity", "critical") ? 0 : is(finding, "severity", "warning") ? 1 : 2;
}

static json_t *
worst_first(json_t *findings)
{
	json_t *sorted = json_array(), *one;
	size_t i;

	for (int r = 0; r <= 2; r++)
		json_array_foreach (findings, i, one)
			if (rank(one) == r)
				json_array_append(sorted, one);
	json_decref(findings);
	return sorted;
}

json_t *
diagnose(const json_t *facts)
{
	json_t *findings = json_array(), *instance, *vip;
	size_t i, j;

	on_silent_vrrpd(facts, findings);
	json_array_foreach (json_object_get(facts, "instances"), i, instance) {
		on_interface(facts, instance, findings);
		on_rp_filter(facts, instance, findings);
		on_speakers(facts, instance, findings);
		json_array_foreach (json_object_get(instance, "virtualAddresses"), j, vip)
			on_vip(facts, instance, vip, findings);
	}
	on_leftovers(facts, findings);
	on_firewall(facts, findings);
	on_capabilities(facts, findings);
	on_clock(facts, findings);
	return worst_first(findings);
}
