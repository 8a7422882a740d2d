/*
 * diagnose_nft.c - see diagnose_nft.h.
 */
#include "ctl/diagnose_nft.h"

#include "common/text.h"
#include "ctl/node.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16 /* as deep as the kernel lets chains jump */
#define VRRP	  112

enum fate { GOES_ON, ACCEPTED, DROPPED };

/* ---- one rule ---- */

/* Does the right side of a match on the protocol name ours? */
static bool
names_vrrp(const json_t *right)
{
	const json_t *one;
	size_t i;

	if (json_is_integer(right))
		return json_integer_value(right) == VRRP;
	if (json_is_string(right))
		return strcmp(json_string_value(right), "vrrp") == 0 ||
		       strcmp(json_string_value(right), "112") == 0;
	json_array_foreach (json_object_get(right, "set"), i, one)
		if (names_vrrp(one))
			return true;
	return false;
}

static bool
is_protocol(const json_t *left)
{
	const json_t *payload = json_object_get(left, "payload");
	const char *field = node_str(payload, "field");

	return strcmp(node_str(json_object_get(left, "meta"), "key"), "l4proto") == 0 ||
	       strcmp(field, "protocol") == 0 || strcmp(field, "nexthdr") == 0;
}

/* A port, a connection's state, the loopback: whatever it compares, it is not about adverts. */
static bool
is_foreign(const json_t *match)
{
	const json_t *left = json_object_get(match, "left"),
		     *right = json_object_get(match, "right");
	const char *protocol = node_str(json_object_get(left, "payload"), "protocol");
	const char *meta = node_str(json_object_get(left, "meta"), "key");

	if (strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0 ||
	    strcmp(protocol, "th") == 0 || strcmp(protocol, "icmp") == 0 ||
	    strcmp(protocol, "icmpv6") == 0 || json_object_get(left, "ct") != NULL)
		return true;
	return (strcmp(meta, "iifname") == 0 || strcmp(meta, "iif") == 0 ||
		   strcmp(meta, "oifname") == 0 || strcmp(meta, "oif") == 0) &&
	       json_is_string(right) && strcmp(json_string_value(right), "lo") == 0;
}

/*
 * 'applies': an advert could match.  'surely': every advert does.
 */
static void
read_matches(const json_t *expr, bool *ret_applies, bool *ret_surely)
{
	const json_t *one;
	size_t i;

	*ret_applies = *ret_surely = true;
	json_array_foreach (expr, i, one) {
		const json_t *match = json_object_get(one, "match");
		const json_t *left = json_object_get(match, "left");

		if (json_object_get(one, "xt") != NULL)
			*ret_surely = false;
		if (match == NULL)
			continue;
		if (is_foreign(match)) {
			*ret_applies = *ret_surely = false;
		} else if (is_protocol(left)) {
			bool equal = strcmp(node_str(match, "op"), "!=") != 0;

			if (names_vrrp(json_object_get(match, "right")) != equal)
				*ret_applies = *ret_surely = false;
		} else {
			*ret_surely = false;
		}
	}
}

static enum fate chain_fate(
    const json_t *objects, const json_t *of, const char *name, unsigned depth);

/* What a rule does with an advert; what only some adverts meet counts when it accepts. */
static enum fate
rule_fate(const json_t *objects, const json_t *rule, unsigned depth)
{
	const json_t *expr = json_object_get(rule, "expr"), *one, *target;
	bool applies, surely;
	size_t i;

	read_matches(expr, &applies, &surely);
	if (!applies)
		return GOES_ON;
	json_array_foreach (expr, i, one) {
		enum fate fate = GOES_ON;

		if (json_object_get(one, "accept") != NULL)
			return ACCEPTED;
		if (json_object_get(one, "drop") != NULL || json_object_get(one, "reject") != NULL)
			return surely ? DROPPED : GOES_ON;
		if ((target = json_object_get(one, "jump")) != NULL ||
		    (target = json_object_get(one, "goto")) != NULL)
			fate = chain_fate(objects, rule, node_str(target, "target"), depth + 1);
		if (json_object_get(one, "vmap") != NULL || json_object_get(one, "queue") != NULL)
			return ACCEPTED; /* cannot be read here: not said to drop */
		if (fate == ACCEPTED || (fate == DROPPED && surely))
			return fate;
	}
	return GOES_ON;
}

static enum fate
chain_fate(const json_t *objects, const json_t *of, const char *name, unsigned depth)
{
	const json_t *object;
	size_t i;

	if (depth > DEPTH_MAX)
		return ACCEPTED;
	json_array_foreach (objects, i, object) {
		const json_t *rule = json_object_get(object, "rule");
		enum fate fate;

		if (rule == NULL || strcmp(node_str(rule, "chain"), name) != 0 ||
		    strcmp(node_str(rule, "table"), node_str(of, "table")) != 0 ||
		    strcmp(node_str(rule, "family"), node_str(of, "family")) != 0)
			continue;
		fate = rule_fate(objects, rule, depth);
		if (fate != GOES_ON)
			return fate;
	}
	return GOES_ON;
}

char *
diagnose_nft_drops(const json_t *ruleset, const char *hook)
{
	const json_t *objects = json_object_get(ruleset, "nftables"), *object;
	size_t i;

	json_array_foreach (objects, i, object) {
		const json_t *chain = json_object_get(object, "chain");
		const char *name = node_str(chain, "name"), *family = node_str(chain, "family");
		enum fate fate;

		if (strcmp(node_str(chain, "hook"), hook) != 0 ||
		    strcmp(node_str(chain, "type"), "filter") != 0 ||
		    (strcmp(family, "ip") != 0 && strcmp(family, "inet") != 0))
			continue;
		fate = chain_fate(objects, chain, name, 0);
		if (fate == DROPPED)
			return xasprintf(
			    "%s %s %s: a rule drops it", family, node_str(chain, "table"), name);
		if (fate == GOES_ON && strcmp(node_str(chain, "policy"), "drop") == 0)
			return xasprintf("%s %s %s: policy drop, and no rule accepts it", family,
			    node_str(chain, "table"), name);
	}
	return NULL;
}
