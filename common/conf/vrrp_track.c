/*
 * vrrp_track.c - what an instance's priority depends on besides its checks:
 * interfaces, upstreams, and proxyd behind its addresses; and its witness.
 */
#include "common/conf/bind.h"

#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX	253
#define WORST		(-WEIGHT_MAX) /* whatever the base priorities: the better-off node wins */
#define PROXY_HOLD_US	(3 * US_PER_S)
#define MIN_SERVERS_MAX 1024
#define DELAY_MAX_US	(255 * US_PER_S) /* keepalived's bound */
#define ALONE_MAX_US	(86400 * US_PER_S)

/* ---- options: pairs of a word and its value ---- */

struct option {
	const char *name;
	bool (*take)(struct binder *, const struct word *, void *object);
};

static bool
take_options(struct binder *b, const struct stmt *s, size_t from, const struct option *options,
    size_t n_options, void *object)
{
	for (size_t i = from; i < s->n_words; i += 2) {
		const struct option *o = options;

		while (o < options + n_options && strcmp(o->name, s->words[i].text) != 0)
			o++;
		if (o == options + n_options) {
			bind_say(b, CONF_ERROR, s->words[i].pos,
			    "'%.64s' is not '%s'%s%s%s; a line for each", s->words[i].text,
			    options[0].name, n_options > 1 ? " or '" : "",
			    n_options > 1 ? options[1].name : "", n_options > 1 ? "'" : "");
			return false;
		}
		if (i + 1 == s->n_words) {
			bind_say(b, CONF_ERROR, s->words[i].pos, "'%s' needs a value", o->name);
			return false;
		}
		if (!o->take(b, &s->words[i + 1], object))
			return false;
	}
	return true;
}

static bool
take_weight(struct binder *b, const struct word *w, int *ret)
{
	int64_t weight;

	if (!value_integer(b, w, -WEIGHT_MAX, WEIGHT_MAX, &weight))
		return false;
	*ret = (int)weight;
	return true;
}

/* ---- interfaces ---- */

static bool
interface_weight(struct binder *b, const struct word *w, void *object)
{
	return take_weight(b, w, &((struct track_interface_conf *)object)->weight);
}

static const struct option interface_options[] = { { "weight", interface_weight } };

/* NAME [weight N [reverse|noreverse]] */
static void
bind_interface_line(
    struct binder *b, const struct stmt *s, struct track_interface_conf **list, size_t *n)
{
	struct track_interface_conf t = { .name = NULL };
	struct stmt line = *s;
	const char *last = s->words[s->n_words - 1].text;

	if (s->n_words > 1 && strcmp(last, "reverse") == 0)
		t.reverse = true;
	if (t.reverse ||
	    (s->n_words > 1 && (strcmp(last, "noreverse") == 0 || strcmp(last, "no_reverse") == 0)))
		line.n_words--;
	if (!take_options(b, &line, 1, interface_options, ARRAY_LEN(interface_options), &t))
		return;
	vrrp_check_interface(b, &s->words[0]);
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*list)[i].name, stmt_name(s)) == 0) {
			bind_say(b, CONF_WARNING, stmt_pos(s),
			    "'%s' is tracked twice; the first line holds", stmt_name(s));
			return;
		}
	t.name = xstrdup(stmt_name(s));
	*list = conf_grow(*list, *n, sizeof(**list));
	(*list)[(*n)++] = t;
}

void
vrrp_bind_track_interface(
    struct binder *b, struct stmt *block, struct track_interface_conf **list, size_t *n)
{
	for (const struct stmt *s = block->first; s != NULL; s = s->next)
		if (vrrp_list_line(b, s))
			bind_interface_line(b, s, list, n);
}

/* interface_up_down_delays { NAME [DOWN [UP]] ... } */
void
vrrp_bind_link_delays(struct binder *b, struct stmt *block)
{
	struct conf *conf = b->conf;

	for (const struct stmt *s = block->first; s != NULL; s = s->next) {
		struct link_delay_conf d = { .pos = stmt_pos(s) };

		if (s->has_block || s->n_words > 3) {
			bind_say(b, CONF_ERROR, stmt_pos(s), "a line is INTERFACE [DOWN [UP]]");
			continue;
		}
		if ((s->n_words > 1 &&
			!value_seconds(b, &s->words[1], 0, DELAY_MAX_US, &d.down_us)) ||
		    (s->n_words > 2 && !value_seconds(b, &s->words[2], 0, DELAY_MAX_US, &d.up_us)))
			continue;
		if (conf_link_delay(conf, stmt_name(s)) != NULL) {
			bind_say(b, CONF_WARNING, stmt_pos(s),
			    "'%.64s' has its delays already; the first line holds", stmt_name(s));
			continue;
		}
		vrrp_check_interface(b, &s->words[0]);
		d.name = xstrdup(stmt_name(s));
		conf->link_delays = conf_grow(
		    conf->link_delays, conf->n_link_delays, sizeof(*conf->link_delays));
		conf->link_delays[conf->n_link_delays++] = d;
	}
}

static const struct link_delay_conf *
delay_of(const struct conf *conf, const struct vrrp_conf *v, const char *name)
{
	const struct link_delay_conf *d = conf_link_delay(conf, name);

	return d != NULL && d->down_us >= (int64_t)(v->down_timer_adverts - 1) * v->advert_us
		   ? d
		   : NULL;
}

/* A master that is cut off must have let go before a backup counts it out. */
static void
check_delays(struct binder *b, const struct vrrp_conf *v)
{
	const struct link_delay_conf *d = v->interface != NULL ? delay_of(b->conf, v, v->interface)
							       : NULL;

	for (size_t i = 0; d == NULL && i < v->n_track_interfaces; i++)
		d = delay_of(b->conf, v, v->track_interfaces[i].name);
	if (d != NULL)
		bind_say(b, CONF_WARNING, d->pos,
		    "%s keeps the addresses %.3f s after the link is down: a backup takes them "
		    "while it still has them",
		    v->name, (double)d->down_us / US_PER_S);
}

/* ---- upstreams ---- */

static bool
upstream_weight(struct binder *b, const struct word *w, void *object)
{
	return take_weight(b, w, &((struct track_upstream_conf *)object)->weight);
}

static bool
upstream_servers(struct binder *b, const struct word *w, void *object)
{
	int64_t n;

	if (!value_integer(b, w, 1, MIN_SERVERS_MAX, &n))
		return false;
	((struct track_upstream_conf *)object)->min_servers = (unsigned)n;
	return true;
}

static const struct option upstream_options[] = { { "weight", upstream_weight },
	{ "min_servers", upstream_servers } };

void
vrrp_bind_track_upstream(struct binder *b, const struct stmt *s, struct vrrp_conf *v)
{
	struct track_upstream_conf t = { .weight = WORST, .min_servers = 1 };

	if (!take_options(b, s, 2, upstream_options, ARRAY_LEN(upstream_options), &t))
		return;
	for (size_t i = 0; i < v->n_track_upstreams; i++)
		if (strcmp(v->track_upstreams[i].name, s->words[1].text) == 0) {
			bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' is tracked already",
			    s->words[1].text);
			return;
		}
	if (t.weight == 0)
		bind_say(b, CONF_WARNING, stmt_pos(s),
		    "with weight 0 every node that does not reach '%s' gives the address up: when "
		    "none does, nobody has it",
		    s->words[1].text);
	t.name = xstrdup(s->words[1].text);
	t.pos = s->words[1].pos;
	v->track_upstreams = conf_grow(
	    v->track_upstreams, v->n_track_upstreams, sizeof(*v->track_upstreams));
	v->track_upstreams[v->n_track_upstreams++] = t;
}

/* ---- proxyd itself ---- */

static bool
proxy_weight(struct binder *b, const struct word *w, void *object)
{
	return take_weight(b, w, &((struct track_proxy_conf *)object)->weight);
}

static bool
proxy_hold(struct binder *b, const struct word *w, void *object)
{
	return value_duration(
	    b, w, 0, 3600 * US_PER_S, &((struct track_proxy_conf *)object)->hold_us);
}

static const struct option proxy_options[] = { { "weight", proxy_weight }, { "hold", proxy_hold } };

void
vrrp_track_proxy_init(struct track_proxy_conf *t)
{
	*t = (struct track_proxy_conf){
		.mode = TRACK_PROXY_IMPLICIT, .weight = WORST, .hold_us = PROXY_HOLD_US
	};
}

void
vrrp_bind_track_proxy(struct binder *b, const struct stmt *s, struct vrrp_conf *v)
{
	struct track_proxy_conf *t = &v->track_proxy;

	t->mode = TRACK_PROXY_ON;
	if (s->n_words == 2 && strcmp(s->words[1].text, "off") == 0)
		t->mode = TRACK_PROXY_OFF;
	else if (s->n_words == 2 && strcmp(s->words[1].text, "on") == 0)
		return;
	else
		take_options(b, s, 1, proxy_options, ARRAY_LEN(proxy_options), t);
}

/* ---- the witness ---- */

/* witness CHECK [or_alone TIME] */
void
vrrp_bind_witness(struct binder *b, const struct stmt *s, struct vrrp_conf *v)
{
	struct witness_conf w = { .pos = s->words[1].pos };

	if (s->n_words > 2 && (s->n_words != 4 || strcmp(s->words[2].text, "or_alone") != 0)) {
		bind_say(b, CONF_ERROR, s->words[2].pos,
		    "behind the check only 'or_alone TIME' may stand");
		return;
	}
	if (s->n_words == 4 && !value_duration(b, &s->words[3], 1, ALONE_MAX_US, &w.or_alone_us))
		return;
	free(v->witness.name);
	w.name = xstrdup(s->words[1].text);
	v->witness = w;
}

/* ---- when all is known ---- */

static bool
stands_on(const struct listener_conf *l, const struct vrrp_conf *v)
{
	const struct addr *at = &l->endpoint.addr;

	for (size_t i = 0; i < v->n_vips; i++) {
		const struct addr *vip = &v->vips[i].addr;

		if (addr_equal(at, vip))
			return true;
		/* [::] takes IPv4 too, unless it says ipv6only. */
		if (addr_is_any(at) &&
		    (at->family == vip->family || (at->family == AF_INET6 && !l->ipv6_only)))
			return true;
	}
	return false;
}

static void
find_listeners(const struct conf *conf, struct vrrp_conf *v)
{
	struct track_proxy_conf *t = &v->track_proxy;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].udp || !stands_on(&conf->listeners[i], v))
			continue;
		t->listeners = conf_grow(t->listeners, t->n_listeners, sizeof(*t->listeners));
		t->listeners[t->n_listeners++] = xstrdup(conf->listeners[i].name);
	}
}

void
vrrp_resolve_proxy(struct binder *b)
{
	for (size_t i = 0; i < b->conf->n_instances; i++) {
		struct vrrp_conf *v = &b->conf->instances[i];
		struct track_proxy_conf *t = &v->track_proxy;

		check_delays(b, v);
		for (size_t k = 0; k < v->n_track_upstreams; k++)
			if (conf_upstream(b->conf, v->track_upstreams[k].name) == NULL)
				bind_say(b, CONF_ERROR, v->track_upstreams[k].pos,
				    "there is no upstream '%.64s'", v->track_upstreams[k].name);
		find_listeners(b->conf, v);
		/* An owner's priority never changes, so nothing would come of it. */
		if (t->mode == TRACK_PROXY_IMPLICIT)
			t->mode = t->n_listeners > 0 && v->priority != 255 ? TRACK_PROXY_ON
									   : TRACK_PROXY_OFF;
	}
}

void
vrrp_tracks_done(struct vrrp_conf *v)
{
	for (size_t i = 0; i < v->n_track_interfaces; i++)
		free(v->track_interfaces[i].name);
	free(v->track_interfaces);
	for (size_t i = 0; i < v->n_track_upstreams; i++)
		free(v->track_upstreams[i].name);
	free(v->track_upstreams);
	for (size_t i = 0; i < v->track_proxy.n_listeners; i++)
		free(v->track_proxy.listeners[i]);
	free(v->track_proxy.listeners);
	free(v->witness.name);
}
