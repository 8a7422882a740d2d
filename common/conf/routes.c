/*
 * routes.c - the lines of virtual_routes and static_routes: iproute2's words, as
 * keepalived takes them.
 *
 * The daemon's mark is a protocol number of its own, so 'proto' has no effect.
 * Words that the kernel could not be asked for are errors, not left out.
 */
#include "common/conf/route_line.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_MAX 1024 /* of one block's owner: each is a request at every takeover */

/* A line while it is read: its words, one after another. */
struct line {
	struct route_line line;
	struct route_conf *conf;
	struct net_route *route;
	struct net_hop *hop; /* that 'via', 'dev', 'onlink', 'weight' speak of */
	bool has_prefix, has_scope, has_nexthop;
};

/* ---- the words of a route ---- */

static bool
is_next(const struct line *l, const char *word)
{
	return l->line.at < l->line.s->n_words &&
	       strcmp(l->line.s->words[l->line.at].text, word) == 0;
}

static bool
set_prefix(struct line *l, const struct word *w)
{
	struct net_route *r = l->route;

	if (l->has_prefix) {
		bind_say(l->line.b, CONF_ERROR, w->pos,
		    "'%.64s': a second destination in one line, or an unknown word", w->text);
		return false;
	}
	l->has_prefix = true;
	if (strcmp(w->text, "default") == 0 || strcmp(w->text, "any") == 0 ||
	    strcmp(w->text, "all") == 0)
		return true;
	if (!vrrp_parse_prefix(l->line.b, w, &r->prefix, &r->prefix_length) ||
	    !route_value_family(l->line.b, w, &r->family, r->prefix.family))
		return false;
	for (unsigned bit = r->prefix_length; bit < addr_size(&r->prefix) * 8; bit++)
		if (r->prefix.bytes[bit / 8] & 0x80 >> bit % 8) {
			bind_say(l->line.b, CONF_ERROR, w->pos,
			    "'%.64s' has bits set beyond its length: the kernel refuses it",
			    w->text);
			return false;
		}
	return true;
}

static bool
word_to(struct line *l, const struct word *w)
{
	return set_prefix(l, w);
}

/* via [inet|inet6] ADDRESS */
static bool
word_via(struct line *l, const struct word *w)
{
	struct addr a;
	bool other = false;

	if (strcmp(w->text, "inet") == 0 || strcmp(w->text, "inet6") == 0) {
		other = true;
		if ((w = route_line_next(&l->line)) == NULL) {
			bind_say(
			    l->line.b, CONF_ERROR, stmt_pos(l->line.s), "'via' needs an address");
			return false;
		}
	}
	if (!value_addr(l->line.b, w, &a))
		return false;
	if (!other && !route_value_family(l->line.b, w, &l->route->family, a.family))
		return false;
	if (l->route->family == AF_INET6 && a.family == AF_INET) {
		bind_say(
		    l->line.b, CONF_ERROR, w->pos, "an IPv6 route cannot lead to an IPv4 gateway");
		return false;
	}
	l->hop->gateway = a;
	return true;
}

static bool
word_device(struct line *l, const struct word *w)
{
	return route_value_device(l->line.b, w, l->hop->device);
}

static bool
word_source(struct line *l, const struct word *w)
{
	return value_addr(l->line.b, w, &l->route->source) &&
	       route_value_family(l->line.b, w, &l->route->family, l->route->source.family);
}

static bool
word_table(struct line *l, const struct word *w)
{
	return route_value_table(l->line.b, w, &l->route->table);
}

static bool
word_metric(struct line *l, const struct word *w)
{
	int64_t v;

	if (!value_integer(l->line.b, w, 0, UINT32_MAX, &v))
		return false;
	l->route->metric = (uint32_t)v;
	return true;
}

static bool
word_scope(struct line *l, const struct word *w)
{
	l->has_scope = true;
	return vrrp_value_scope(l->line.b, w, &l->route->scope);
}

static bool
word_tos(struct line *l, const struct word *w)
{
	return route_value_tos(l->line.b, w, &l->route->tos);
}

static bool
word_onlink(struct line *l, const struct word *w)
{
	(void)w;
	l->hop->onlink = true;
	return true;
}

static bool
word_weight(struct line *l, const struct word *w)
{
	int64_t v;

	if (!value_integer(l->line.b, w, 1, 256, &v))
		return false;
	l->hop->weight = (uint16_t)v;
	return true;
}

static bool
word_nexthop(struct line *l, const struct word *w)
{
	struct net_route *r = l->route;

	if (!bind_room(l->line.b, w->pos, r->n_hops, ROUTE_HOPS_MAX, "nexthops"))
		return false;
	l->has_nexthop = true;
	l->hop = &r->hops[r->n_hops++];
	return true;
}

static bool
word_congctl(struct line *l, const struct word *w)
{
	if (strcmp(w->text, "lock") == 0) {
		l->route->metrics[RTAX_LOCK] |= 1u << RTAX_CC_ALGO;
		if ((w = route_line_next(&l->line)) == NULL) {
			bind_say(
			    l->line.b, CONF_ERROR, stmt_pos(l->line.s), "'congctl' needs a name");
			return false;
		}
	}
	if (strlen(w->text) >= ROUTE_CONGCTL_MAX) {
		bind_say(
		    l->line.b, CONF_ERROR, w->pos, "'%.64s' is no congestion control", w->text);
		return false;
	}
	strncpy(l->route->congctl, w->text, ROUTE_CONGCTL_MAX - 1);
	return true;
}

static bool
word_preference(struct line *l, const struct word *w)
{
	static const struct {
		const char *name;
		uint8_t value;
	} known[] = { { "low", 3 }, { "medium", 0 }, { "high", 1 } }; /* RFC 4191, 2.1 */

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(w->text, known[i].name) == 0) {
			l->route->preference = known[i].value;
			l->route->has_preference = true;
			return true;
		}
	bind_say(l->line.b, CONF_ERROR, w->pos, "'%.64s' is neither low, medium nor high", w->text);
	return false;
}

static bool
word_expires(struct line *l, const struct word *w)
{
	bind_say(l->line.b, CONF_ERROR, w->pos,
	    "'expires' is not supported: the route ends with the mastership");
	return false;
}

static bool
word_encap(struct line *l, const struct word *w)
{
	bind_say(l->line.b, CONF_ERROR, w->pos, "'encap' is not supported: use a tunnel interface");
	return false;
}

static bool
word_or(struct line *l, const struct word *w)
{
	bind_say(l->line.b, CONF_ERROR, w->pos,
	    "'or' is not supported: write a 'nexthop via' for each gateway");
	return false;
}

static const struct route_word {
	const char *name;
	bool has_value;
	bool (*set)(struct line *, const struct word *);
} route_words[] = {
	{ "to", true, word_to },
	{ "via", true, word_via },
	{ "gw", true, word_via },
	{ "dev", true, word_device },
	{ "oif", true, word_device },
	{ "src", true, word_source },
	{ "table", true, word_table },
	{ "metric", true, word_metric },
	{ "preference", true, word_metric },
	{ "priority", true, word_metric },
	{ "scope", true, word_scope },
	{ "tos", true, word_tos },
	{ "dsfield", true, word_tos },
	{ "onlink", false, word_onlink },
	{ "weight", true, word_weight },
	{ "nexthop", false, word_nexthop },
	{ "congctl", true, word_congctl },
	{ "pref", true, word_preference },
	{ "expires", true, word_expires },
	{ "encap", true, word_encap },
	{ "or", true, word_or },
};

/* Numbers that the kernel keeps with a route; times are in milliseconds, as it counts them. */
static const struct route_metric {
	const char *name;
	uint8_t metric; /* RTAX_* */
	uint8_t times;	/* the kernel counts smaller parts */
	bool is_time, no_lock;
	int64_t high;
} route_metrics[] = {
	{ "mtu", RTAX_MTU, 1, false, false, UINT32_MAX },
	{ "advmss", RTAX_ADVMSS, 1, false, false, UINT32_MAX },
	{ "window", RTAX_WINDOW, 1, false, false, UINT32_MAX },
	{ "rtt", RTAX_RTT, 8, true, false, UINT32_MAX / 8 },
	{ "rttvar", RTAX_RTTVAR, 4, true, false, UINT32_MAX / 4 },
	{ "rto_min", RTAX_RTO_MIN, 1, true, false, UINT32_MAX },
	{ "ssthresh", RTAX_SSTHRESH, 1, false, false, UINT32_MAX },
	{ "cwnd", RTAX_CWND, 1, false, false, UINT32_MAX },
	{ "initcwnd", RTAX_INITCWND, 1, false, false, UINT32_MAX },
	{ "initrwnd", RTAX_INITRWND, 1, false, false, UINT32_MAX },
	{ "reordering", RTAX_REORDERING, 1, false, false, UINT32_MAX },
	{ "hoplimit", RTAX_HOPLIMIT, 1, false, false, 255 },
	{ "quickack", RTAX_QUICKACK, 1, false, true, 1 },
	{ "fastopen_no_cookie", RTAX_FASTOPEN_NO_COOKIE, 1, false, true, 1 },
};

/* NAME [lock] NUMBER */
static bool
set_metric(struct line *l, const struct route_metric *m, const struct word *at)
{
	const struct word *w = route_line_next(&l->line);
	int64_t v;

	if (w != NULL && strcmp(w->text, "lock") == 0 && !m->no_lock) {
		l->route->metrics[RTAX_LOCK] |= 1u << m->metric;
		w = route_line_next(&l->line);
	}
	if (w == NULL) {
		bind_say(l->line.b, CONF_ERROR, at->pos, "'%s' needs a value", m->name);
		return false;
	}
	if (m->is_time && strchr("0123456789", w->text[strlen(w->text) - 1]) == NULL) {
		if (!value_duration(l->line.b, w, 0, m->high * US_PER_MS, &v))
			return false;
		v /= US_PER_MS;
	} else if (!value_integer(l->line.b, w, 0, m->high, &v))
		return false;
	l->route->metrics[m->metric] = (uint32_t)v * m->times;
	return true;
}

static bool
set_type(struct line *l, const struct word *w)
{
	static const struct {
		const char *name;
		uint8_t type;
	} known[] = { { "unicast", RTN_UNICAST }, { "local", RTN_LOCAL },
		{ "broadcast", RTN_BROADCAST }, { "multicast", RTN_MULTICAST },
		{ "anycast", RTN_ANYCAST }, { "blackhole", RTN_BLACKHOLE },
		{ "unreachable", RTN_UNREACHABLE }, { "prohibit", RTN_PROHIBIT },
		{ "throw", RTN_THROW } };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(w->text, known[i].name) == 0) {
			l->route->type = known[i].type;
			return true;
		}
	return false;
}

static bool
leads_somewhere(const struct net_route *r)
{
	return r->type != RTN_BLACKHOLE && r->type != RTN_UNREACHABLE && r->type != RTN_PROHIBIT &&
	       r->type != RTN_THROW;
}

/* One word and what belongs to it; false: said. */
static bool
take_word(struct line *l)
{
	const struct word *w = route_line_next(&l->line), *value;
	bool ok;

	for (size_t i = 0; i < ARRAY_LEN(route_words); i++) {
		const struct route_word *rw = &route_words[i];

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
	for (size_t i = 0; i < ARRAY_LEN(route_metrics); i++)
		if (strcmp(w->text, route_metrics[i].name) == 0)
			return set_metric(l, &route_metrics[i], w);
	if (!l->has_prefix && set_type(l, w))
		return true;
	if (!l->has_prefix)
		return set_prefix(l, w);
	bind_say(l->line.b, CONF_ERROR, w->pos, "unknown word '%.64s' of a route", w->text);
	return false;
}

/* What only the whole line tells.  False: said. */
static bool
settle(struct line *l)
{
	struct net_route *r = l->route;
	struct conf_pos pos = stmt_pos(l->line.s);
	bool has_gateway = false;

	if (!l->has_prefix) {
		bind_say(l->line.b, CONF_ERROR, pos, "a route without a destination");
		return false;
	}
	if (r->family == AF_UNSPEC)
		r->family = AF_INET;
	r->prefix.family = r->family;
	/* The first hop is the line's own, in use if something was written to it. */
	if (!l->has_nexthop &&
	    (r->hops[0].device[0] != '\0' || r->hops[0].gateway.family != AF_UNSPEC))
		r->n_hops = 1;
	for (unsigned i = 0; i < r->n_hops; i++) {
		has_gateway |= r->hops[i].gateway.family != AF_UNSPEC;
		if (r->hops[i].device[0] == '\0' && r->hops[i].gateway.family == AF_UNSPEC) {
			bind_say(l->line.b, CONF_ERROR, pos, "a nexthop without 'via' and 'dev'");
			return false;
		}
		if (r->hops[i].onlink && r->hops[i].device[0] == '\0') {
			bind_say(l->line.b, CONF_ERROR, pos, "'onlink' needs a 'dev'");
			return false;
		}
	}
	if (leads_somewhere(r) != (r->n_hops > 0)) {
		bind_say(l->line.b, CONF_ERROR, pos,
		    r->n_hops > 0 ? "a route that leads nowhere takes no 'via' and 'dev'"
				  : "a route needs 'via', 'dev' or both");
		return false;
	}
	if (!l->has_scope)
		r->scope = r->type == RTN_LOCAL			? RT_SCOPE_HOST
			   : leads_somewhere(r) && !has_gateway ? RT_SCOPE_LINK
								: RT_SCOPE_UNIVERSE;
	if (r->family == AF_INET6)
		r->scope = RT_SCOPE_UNIVERSE; /* has none */
	if (r->table == 0)
		r->table = r->type == RTN_LOCAL || r->type == RTN_BROADCAST ||
				   r->type == RTN_ANYCAST
			       ? RT_TABLE_LOCAL
			       : RT_TABLE_MAIN;
	return true;
}

static bool
read_line(struct line *l)
{
	while (l->line.at < l->line.s->n_words) {
		/* "nexthop" begins another hop; what came before it belongs to the route. */
		if (is_next(l, "nexthop") && !l->has_nexthop &&
		    (l->hop->device[0] != '\0' || l->hop->gateway.family != AF_UNSPEC)) {
			bind_say(l->line.b, CONF_ERROR, l->line.s->words[l->line.at].pos,
			    "'via' or 'dev' before 'nexthop': each nexthop has its own");
			return false;
		}
		if (!take_word(l))
			return false;
	}
	return settle(l);
}

static bool
is_same(const struct net_route *a, const struct net_route *b)
{
	return a->family == b->family && a->table == b->table && a->metric == b->metric &&
	       a->tos == b->tos && a->prefix_length == b->prefix_length &&
	       addr_equal(&a->prefix, &b->prefix);
}

void
routes_bind(struct binder *b, struct stmt *block, struct routing_conf *to)
{
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		struct route_conf conf;
		struct line l = {
			.line = { b, s, 0, "route", &conf.route.family, &conf.no_track },
			.conf = &conf,
			.route = &conf.route,
		};
		bool twice = false;

		memset(&conf, 0, sizeof(conf));
		conf.pos = stmt_pos(s);
		conf.route.type = RTN_UNICAST;
		l.hop = &conf.route.hops[0];
		if (!vrrp_list_line(b, s) || !read_line(&l))
			continue;
		for (size_t i = 0; i < to->n_routes; i++)
			twice = twice || is_same(&to->routes[i].route, &conf.route);
		if (twice)
			bind_say(b, CONF_ERROR, conf.pos,
			    "there is a route with this destination, table and metric already: use "
			    "'nexthop' for several gateways, or another metric");
		else if (bind_room(b, conf.pos, to->n_routes, ROUTES_MAX, "routes")) {
			to->routes = conf_grow(to->routes, to->n_routes, sizeof(*to->routes));
			memcpy(&to->routes[to->n_routes++], &conf, sizeof(conf));
		}
	}
}
