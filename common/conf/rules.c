/*
 * rules.c - the lines of virtual_rules and static_rules: iproute2's words, as
 * keepalived takes them.
 */
#include "common/conf/route_line.h"

#include <linux/fib_rules.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX     1024
#define RULE_PRIORITY 16384 /* without one: before main and behind what people number by hand */

struct line {
	struct route_line line;
	struct rule_conf *conf;
	struct net_rule *rule;
	bool has_priority, has_action, has_from, has_to;
};

static bool
number(struct line *l, const struct word *w, int64_t low, int64_t high, uint32_t *ret)
{
	int64_t v;

	if (!value_integer(l->line.b, w, low, high, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* Also with 0x, as marks are written. */
static bool
parse_mark(const char *text, size_t n, uint32_t *ret)
{
	char *copy = xstrndup(text, n), *end;
	unsigned long v = strtoul(copy, &end, 0);
	bool ok = end != copy && *end == '\0' && v <= UINT32_MAX;

	free(copy);
	if (ok)
		*ret = (uint32_t)v;
	return ok;
}

static bool
prefix(struct line *l, const struct word *w, struct addr *ret, uint8_t *ret_length)
{
	if (strcmp(w->text, "all") == 0 || strcmp(w->text, "any") == 0 ||
	    strcmp(w->text, "default") == 0)
		return true;
	return vrrp_parse_prefix(l->line.b, w, ret, ret_length) &&
	       route_value_family(l->line.b, w, &l->rule->family, ret->family);
}

static bool
word_from(struct line *l, const struct word *w)
{
	l->has_from = true;
	return prefix(l, w, &l->rule->from, &l->rule->from_length);
}

static bool
word_to(struct line *l, const struct word *w)
{
	l->has_to = true;
	return prefix(l, w, &l->rule->to, &l->rule->to_length);
}

static bool
word_iif(struct line *l, const struct word *w)
{
	return route_value_device(l->line.b, w, l->rule->iif);
}

static bool
word_oif(struct line *l, const struct word *w)
{
	return route_value_device(l->line.b, w, l->rule->oif);
}

static bool
word_tos(struct line *l, const struct word *w)
{
	return route_value_tos(l->line.b, w, &l->rule->tos);
}

static bool
word_fwmark(struct line *l, const struct word *w)
{
	const char *slash = strchr(w->text, '/');
	size_t n = slash != NULL ? (size_t)(slash - w->text) : strlen(w->text);

	l->rule->fwmask = UINT32_MAX;
	l->rule->has_fwmark = true;
	if (parse_mark(w->text, n, &l->rule->fwmark) &&
	    (slash == NULL || parse_mark(slash + 1, strlen(slash + 1), &l->rule->fwmask)))
		return true;
	bind_say(
	    l->line.b, CONF_ERROR, w->pos, "'%.64s' is not a mark: NUMBER or NUMBER/MASK", w->text);
	return false;
}

static bool
word_priority(struct line *l, const struct word *w)
{
	l->has_priority = true;
	return number(l, w, 0, UINT32_MAX, &l->rule->priority);
}

static bool
action(struct line *l, const struct word *w, uint8_t what)
{
	if (l->has_action) {
		bind_say(l->line.b, CONF_ERROR, w->pos,
		    "'%.64s': a second action in one rule (table, goto, blackhole, ...)", w->text);
		return false;
	}
	l->has_action = true;
	l->rule->action = what;
	return true;
}

static bool
word_table(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_TO_TBL) && route_value_table(l->line.b, w, &l->rule->table);
}

static bool
word_goto(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_GOTO) && number(l, w, 1, UINT32_MAX, &l->rule->target);
}

static bool
word_nop(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_NOP);
}

static bool
word_blackhole(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_BLACKHOLE);
}

static bool
word_unreachable(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_UNREACHABLE);
}

static bool
word_prohibit(struct line *l, const struct word *w)
{
	return action(l, w, FR_ACT_PROHIBIT);
}

static bool
word_unicast(struct line *l, const struct word *w)
{
	(void)l, (void)w; /* a rule that looks a table up is of this type */
	return true;
}

static bool
word_l3mdev(struct line *l, const struct word *w)
{
	l->rule->l3mdev = true;
	return action(l, w, FR_ACT_TO_TBL);
}

static bool
word_not(struct line *l, const struct word *w)
{
	(void)w;
	l->rule->invert = true;
	return true;
}

static bool
word_suppress_prefix(struct line *l, const struct word *w)
{
	l->rule->has_suppress_prefix = true;
	return number(l, w, 0, 128, &l->rule->suppress_prefix);
}

static bool
word_suppress_group(struct line *l, const struct word *w)
{
	l->rule->has_suppress_group = true;
	return number(l, w, 0, INT32_MAX, &l->rule->suppress_group);
}

/* [FROM/]TO, each 1 to 65535. */
static bool
word_realms(struct line *l, const struct word *w)
{
	const char *slash = strchr(w->text, '/');
	uint32_t from = 0, to;
	bool ok = slash == NULL ? parse_mark(w->text, strlen(w->text), &to)
				: parse_mark(w->text, (size_t)(slash - w->text), &from) &&
				      parse_mark(slash + 1, strlen(slash + 1), &to);

	if (!ok || from > UINT16_MAX || to > UINT16_MAX) {
		bind_say(l->line.b, CONF_ERROR, w->pos,
		    "'%.64s' is not a pair of realms: [FROM/]TO", w->text);
		return false;
	}
	l->rule->realms = from << 16 | to;
	return true;
}

static bool
word_tunnel(struct line *l, const struct word *w)
{
	int64_t v;

	if (!value_integer(l->line.b, w, 1, INT64_MAX, &v))
		return false;
	l->rule->tun_id = (uint64_t)v;
	return true;
}

/* LOW-HIGH, or one number. */
static bool
range(struct line *l, const struct word *w, uint32_t max, uint32_t *low, uint32_t *high)
{
	const char *dash = strchr(w->text, '-');
	size_t n = dash != NULL ? (size_t)(dash - w->text) : strlen(w->text);

	if (parse_mark(w->text, n, low) &&
	    parse_mark(
		dash != NULL ? dash + 1 : w->text, dash != NULL ? strlen(dash + 1) : n, high) &&
	    *low <= *high && *high <= max)
		return true;
	bind_say(l->line.b, CONF_ERROR, w->pos, "'%.64s' is not a range: LOW-HIGH, up to %u",
	    w->text, max);
	return false;
}

static bool
word_uids(struct line *l, const struct word *w)
{
	l->rule->has_uid = true;
	return range(l, w, UINT32_MAX - 1, &l->rule->uid_low, &l->rule->uid_high);
}

static bool
ports(struct line *l, const struct word *w, struct rule_ports *ret)
{
	uint32_t low, high;

	if (!range(l, w, UINT16_MAX, &low, &high))
		return false;
	if (low == 0) {
		bind_say(l->line.b, CONF_ERROR, w->pos, "there is no port 0");
		return false;
	}
	*ret = (struct rule_ports){ (uint16_t)low, (uint16_t)high };
	return true;
}

static bool
word_sport(struct line *l, const struct word *w)
{
	return ports(l, w, &l->rule->sport);
}

static bool
word_dport(struct line *l, const struct word *w)
{
	return ports(l, w, &l->rule->dport);
}

static bool
word_ip_proto(struct line *l, const struct word *w)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} known[] = { { "icmp", IPPROTO_ICMP }, { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP },
		{ "gre", IPPROTO_GRE }, { "esp", IPPROTO_ESP }, { "ah", IPPROTO_AH },
		{ "ipv6-icmp", IPPROTO_ICMPV6 }, { "sctp", IPPROTO_SCTP }, { "vrrp", 112 } };
	uint32_t v;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(w->text, known[i].name) == 0) {
			l->rule->ip_proto = known[i].proto;
			return true;
		}
	if (!number(l, w, 1, 255, &v))
		return false;
	l->rule->ip_proto = (uint8_t)v;
	return true;
}

static const struct rule_word {
	const char *name;
	bool has_value;
	bool (*set)(struct line *, const struct word *);
} rule_words[] = {
	{ "from", true, word_from },
	{ "to", true, word_to },
	{ "iif", true, word_iif },
	{ "dev", true, word_iif },
	{ "oif", true, word_oif },
	{ "tos", true, word_tos },
	{ "dsfield", true, word_tos },
	{ "fwmark", true, word_fwmark },
	{ "priority", true, word_priority },
	{ "preference", true, word_priority },
	{ "pref", true, word_priority },
	{ "order", true, word_priority },
	{ "table", true, word_table },
	{ "lookup", true, word_table },
	{ "goto", true, word_goto },
	{ "nop", false, word_nop },
	{ "blackhole", false, word_blackhole },
	{ "unreachable", false, word_unreachable },
	{ "prohibit", false, word_prohibit },
	{ "unicast", false, word_unicast },
	{ "l3mdev", false, word_l3mdev },
	{ "not", false, word_not },
	{ "suppress_prefixlength", true, word_suppress_prefix },
	{ "sup_pl", true, word_suppress_prefix },
	{ "suppress_ifgroup", true, word_suppress_group },
	{ "sup_group", true, word_suppress_group },
	{ "realms", true, word_realms },
	{ "tun_id", true, word_tunnel },
	{ "tunnel-id", true, word_tunnel },
	{ "uidrange", true, word_uids },
	{ "ipproto", true, word_ip_proto },
	{ "sport", true, word_sport },
	{ "dport", true, word_dport },
};

static bool
take_word(struct line *l)
{
	const struct word *w = route_line_next(&l->line), *value;
	char *hint;
	bool ok;

	for (size_t i = 0; i < ARRAY_LEN(rule_words); i++) {
		const struct rule_word *rw = &rule_words[i];

		if (strcmp(w->text, rw->name) != 0)
			continue;
		if (!rw->has_value)
			return rw->set(l, w);
		if ((value = route_line_next(&l->line)) != NULL)
			return rw->set(l, value);
		bind_say(l->line.b, CONF_ERROR, w->pos, "'%s' needs a value", rw->name);
		return false;
	}
	if (route_line_take(&l->line, w, &ok))
		return ok;
	hint = bind_did_you_mean(
	    l->line.b, w->text, rule_words, ARRAY_LEN(rule_words), sizeof(*rule_words));
	bind_say(l->line.b, CONF_ERROR, w->pos, "unknown word '%.64s' of a rule%s", w->text, hint);
	free(hint);
	return false;
}

static bool
settle(struct line *l)
{
	struct net_rule *r = l->rule;

	if (!l->has_action) {
		bind_say(l->line.b, CONF_ERROR, stmt_pos(l->line.s),
		    "a rule without an action: table, goto, blackhole, unreachable, prohibit, nop");
		return false;
	}
	if ((r->has_suppress_prefix || r->has_suppress_group) && r->action != FR_ACT_TO_TBL) {
		bind_say(
		    l->line.b, CONF_ERROR, stmt_pos(l->line.s), "'suppress_...' needs a table");
		return false;
	}
	if (r->family == AF_UNSPEC)
		r->family = AF_INET;
	if (!l->has_priority) {
		r->priority = RULE_PRIORITY;
		bind_say(l->line.b, CONF_WARNING, stmt_pos(l->line.s),
		    "a rule without a priority gets %d: rules are gone through by priority, so write "
		    "one",
		    RULE_PRIORITY);
	}
	if (r->action == FR_ACT_GOTO && r->target <= r->priority) {
		bind_say(l->line.b, CONF_ERROR, stmt_pos(l->line.s),
		    "'goto' leads forward only: to a priority above the rule's own");
		return false;
	}
	return true;
}

static bool
read_line(struct line *l)
{
	while (l->line.at < l->line.s->n_words)
		if (!take_word(l))
			return false;
	return settle(l);
}

void
rules_bind(struct binder *b, struct stmt *block, struct routing_conf *to)
{
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		struct rule_conf conf;
		struct line l = {
			.line = { b, s, 0, "rule", &conf.rule.family, &conf.no_track },
			.conf = &conf,
			.rule = &conf.rule,
		};
		bool twice = false;

		memset(&conf, 0, sizeof(conf));
		conf.pos = stmt_pos(s);
		if (!vrrp_list_line(b, s) || !read_line(&l))
			continue;
		for (size_t i = 0; i < to->n_rules; i++)
			twice = twice ||
				memcmp(&to->rules[i].rule, &conf.rule, sizeof(conf.rule)) == 0;
		if (twice)
			bind_say(b, CONF_ERROR, conf.pos, "the rule is here twice");
		else if (bind_room(b, conf.pos, to->n_rules, RULES_MAX, "rules")) {
			to->rules = conf_grow(to->rules, to->n_rules, sizeof(*to->rules));
			memcpy(&to->rules[to->n_rules++], &conf, sizeof(conf));
		}
	}
}
