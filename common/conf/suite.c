/*
 * suite.c - what only shows when all of a file is known: references between
 * its parts, and mistakes that no single statement makes.
 */
#include "common/conf/stream.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const struct context vrrp_context = { .kind = "vrrp_instance", .part = CONF_VRRP };
static const struct context check_context = { .kind = "check", .part = CONF_CHECK };
static const struct context stream_context = { .kind = "stream", .part = CONF_STREAM };

/* ---- trackers ---- */

static struct check_conf *
find_check(struct binder *b, const char *name)
{
	return names_find(&b->conf->check_names, b->conf->checks, sizeof(*b->conf->checks), name);
}

static void
say_no_check(struct binder *b, const struct stmt *s)
{
	const struct conf *conf = b->conf;
	char *hint;

	for (size_t i = 0; i < b->n_broken; i++)
		if (strcmp(b->broken[i], stmt_name(s)) == 0)
			return; /* what is wrong with it was said where it stands */
	hint = bind_did_you_mean(
	    b, stmt_name(s), conf->checks, conf->n_checks, sizeof(*conf->checks));
	bind_say(b, CONF_ERROR, stmt_pos(s), "there is no check '%.64s'%s", stmt_name(s), hint);
	free(hint);
}

/* NAME [weight N [reverse|noreverse]] */
static bool
track_options(struct binder *b, const struct stmt *s, struct track_conf *t)
{
	int64_t weight, most = t->check->kind == CHECK_FILE ? 254 : 253;

	for (size_t i = 1; i < s->n_words; i++) {
		const struct word *w = &s->words[i];

		if (strcmp(w->text, "reverse") == 0) {
			t->reverse = true;
		} else if (strcmp(w->text, "noreverse") == 0 ||
			   strcmp(w->text, "no_reverse") == 0) {
			t->reverse = false;
		} else if (strcmp(w->text, "weight") != 0) {
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.64s' is neither weight nor reverse; one check in a line", w->text);
			return false;
		} else if (i + 1 == s->n_words) {
			bind_say(b, CONF_ERROR, w->pos, "'weight' needs a value");
			return false;
		} else {
			if (!value_integer(b, &s->words[++i], -most, most, &weight))
				return false;
			t->weight = (int)weight;
		}
	}
	return true;
}

/* A check named twice: the last line holds. */
static void
add_track(struct binder *b, struct vrrp_conf *v, const struct track_conf *t)
{
	for (size_t i = 0; i < v->n_tracks; i++) {
		if (v->tracks[i].check != t->check)
			continue;
		bind_say(b, CONF_WARNING, t->pos, "'%s' is tracked twice; the last line holds",
		    t->check->name);
		v->tracks[i] = *t;
		return;
	}
	v->tracks = conf_grow(v->tracks, v->n_tracks, sizeof(*v->tracks));
	v->tracks[v->n_tracks++] = *t;
}

/* Is it one of those that may stand in such a block?  False: said. */
static bool
fits(struct binder *b, const struct reference *r, const struct check_conf *c)
{
	static const struct {
		enum check_kind kind;
		const char *wanted;
	} words[] = {
		[TRACK_PROCESS] = { CHECK_PROCESS, "processes" },
		[TRACK_FILE] = { CHECK_FILE, "a file" },
	};

	if (r->word == TRACK_ANY || c->kind == words[r->word].kind)
		return true;
	bind_say(b, CONF_ERROR, stmt_pos(r->stmt),
	    "'%.64s' does not watch %s; track_check takes it", c->name, words[r->word].wanted);
	return false;
}

static void
resolve_tracks(struct binder *b)
{
	for (size_t i = 0; i < b->n_tracks; i++) {
		const struct stmt *s = b->tracks[i].stmt;
		size_t object = b->tracks[i].object;
		struct vrrp_conf *v = b->tracks[i].of_group ? vrrp_first_member(b, object)
							    : &b->conf->instances[object];
		struct check_conf *c = find_check(b, stmt_name(s));
		struct track_conf t;

		if (v == NULL)
			continue; /* a group without members */
		if (c == NULL) {
			say_no_check(b, s);
			continue;
		}
		if (!fits(b, &b->tracks[i], c))
			continue;
		t = (struct track_conf){ c, c->weight, c->reverse, stmt_pos(s) };
		if (!track_options(b, s, &t))
			continue;
		c->is_tracked = true;
		add_track(b, v, &t);
	}
}

static void
resolve_witness(struct binder *b, struct vrrp_conf *v)
{
	struct witness_conf *w = &v->witness;
	struct check_conf *c = w->name != NULL ? find_check(b, w->name) : NULL;
	char *hint;

	if (c != NULL) {
		c->is_tracked = true;
		w->check = c;
	} else if (w->name != NULL) {
		hint = bind_did_you_mean(
		    b, w->name, b->conf->checks, b->conf->n_checks, sizeof(*b->conf->checks));
		bind_say(b, CONF_ERROR, w->pos, "there is no check '%.64s'%s", w->name, hint);
		free(hint);
	}
}

/* ---- one instance, with what it tracks ---- */

static void
check_weights(struct binder *b, const struct vrrp_conf *v)
{
	int up = v->priority, down = up;

	for (size_t i = 0; i < v->n_tracks; i++) {
		bool is_file = v->tracks[i].check->kind ==
			       CHECK_FILE; /* its number is anybody's guess */
		int w = is_file		       ? 0
			: v->tracks[i].reverse ? -v->tracks[i].weight
					       : v->tracks[i].weight;

		up += MAX(w, 0);
		down += MIN(w, 0);
		if (v->priority == 255 && v->tracks[i].weight != 0)
			bind_say(b, CONF_WARNING, v->tracks[i].pos,
			    "%s is an owner (priority 255), whose priority never changes: the weight "
			    "of '%s' has no effect",
			    v->name, v->tracks[i].check->name);
	}
	if (v->priority == 255)
		return;
	if (up > 254)
		bind_say(b, CONF_WARNING, v->pos,
		    "with all checks up the priority of %s would be %d: 254 is the highest, so some "
		    "of the weights may not count",
		    v->name, up);
	if (down < 1 && v->n_tracks > 1)
		bind_say(b, CONF_NOTICE, v->pos,
		    "with all checks down the priority of %s would be %d: 1 is the lowest", v->name,
		    down);
}

/* ---- instances beside each other ---- */

static bool
peers_overlap(const struct vrrp_conf *a, const struct vrrp_conf *c)
{
	for (size_t i = 0; i < a->n_peers; i++)
		for (size_t k = 0; k < c->n_peers; k++)
			if (addr_equal(&a->peers[i], &c->peers[k]))
				return true;
	return false;
}

/* Would the adverts of one reach the other as its own? */
static bool
same_router(const struct vrrp_conf *a, const struct vrrp_conf *c)
{
	if (a->vrid != c->vrid || a->vrid == 0 || a->family != c->family || a->interface == NULL ||
	    c->interface == NULL || strcmp(a->interface, c->interface) != 0)
		return false;
	if (a->unicast != c->unicast)
		return false;
	return a->unicast ? peers_overlap(a, c) : addr_equal(&a->mcast_group, &c->mcast_group);
}

static void
check_pairs(struct binder *b)
{
	const struct conf *conf = b->conf;

	for (size_t i = 0; i < conf->n_instances; i++) {
		const struct vrrp_conf *v = &conf->instances[i], *other = conf->instances;

		while (other != v && !same_router(v, other))
			other++;
		if (other != v)
			bind_say(b, CONF_ERROR, v->pos,
			    "%s and %s are both router %u of IPv%d on %s", other->name, v->name,
			    v->vrid, v->family == AF_INET ? 4 : 6, v->interface);
	}
}

/* An address, and whose. */
struct holder {
	const struct vip_conf *vip;
	const struct vrrp_conf *instance;
	size_t order;
};

static int
by_address(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;
	int d = addr_cmp(&x->vip->addr, &y->vip->addr);

	return d != 0 ? d : (x->order > y->order) - (x->order < y->order);
}

/* No address belongs to two instances.  Sorted, because there may be many. */
static void
check_shared_vips(struct binder *b)
{
	const struct conf *conf = b->conf;
	struct holder *all;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_instances; i++)
		n += conf->instances[i].n_vips;
	all = xcalloc(n, sizeof(*all));
	n = 0;
	for (size_t i = 0; i < conf->n_instances; i++)
		for (size_t k = 0; k < conf->instances[i].n_vips; k++, n++)
			all[n] = (struct holder){ &conf->instances[i].vips[k], &conf->instances[i],
				n };
	qsort(all, n, sizeof(*all), by_address);
	for (size_t i = 1; i < n; i++)
		if (addr_equal(&all[i].vip->addr, &all[i - 1].vip->addr))
			bind_say(b, CONF_WARNING, all[i].vip->pos,
			    "%s has this address too: the two will take it from each other",
			    all[i - 1].instance->name);
	free(all);
}

/* ---- checks ---- */

static const struct listener_conf *
listener_of(const struct conf *conf, const struct check_conf *c)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct listener_conf *l = &conf->listeners[i];

		if (l->endpoint.port == c->endpoint.port && l->udp == c->udp)
			return l;
	}
	return NULL;
}

static void
check_checks(struct binder *b)
{
	for (size_t i = 0; i < b->conf->n_checks; i++) {
		const struct check_conf *c = &b->conf->checks[i];
		const struct listener_conf *l = c->kind == CHECK_PORT ? listener_of(b->conf, c)
								      : NULL;

		if (c->block != BLOCK_CHECK && !c->is_tracked)
			bind_say(b, CONF_NOTICE, c->pos,
			    "%s '%s' is tracked by nothing, so it does not run",
			    check_block_str(c->block), c->name);
		if (l != NULL)
			bind_say(b, CONF_NOTICE, c->pos,
			    "'%s' asks for the port of proxyd's own listener %s, which stays open "
			    "while proxyd is away",
			    c->name, l->name);
	}
}

static void
check_upstreams(struct binder *b)
{
	const struct conf *conf = b->conf;

	for (size_t i = 0; i < conf->n_upstreams; i++) {
		const struct upstream_conf *u = &conf->upstreams[i];
		bool used = false, primary = false;

		for (size_t k = 0; k < conf->n_listeners; k++)
			used = used || conf->listeners[k].upstream == u ||
			       conf->listeners[k].words->pass.n > 0; /* who knows */
		for (size_t k = 0; k < u->n_servers; k++)
			primary = primary || !(u->servers[k].backup || u->servers[k].down);
		if (!used)
			bind_say(
			    b, CONF_NOTICE, u->pos, "no listener passes to upstream '%s'", u->name);
		if (!primary && u->n_servers > 0)
			bind_say(b, CONF_WARNING, u->pos,
			    "upstream '%s' has no server but backups and those that are down",
			    u->name);
	}
}

/* ---- what cannot be run is left out ---- */

static bool
is_runnable(const struct conf *conf, const struct vrrp_conf *v)
{
	return v->interface != NULL && v->vrid != 0 &&
	       conf_instance(conf, v->name) == v; /* the first of its name */
}

static void
drop_instances(struct conf *conf)
{
	bool *keep = xcalloc(conf->n_instances, sizeof(*keep));
	size_t n = 0;

	for (size_t i = 0; i < conf->n_instances; i++)
		keep[i] = is_runnable(conf, &conf->instances[i]);
	for (size_t i = 0; i < conf->n_instances; i++) {
		if (keep[i])
			conf->instances[n++] = conf->instances[i];
		else
			vrrp_conf_done(&conf->instances[i]);
	}
	conf->n_instances = n;
	free(keep);
}

static bool
is_usable(const struct listener_conf *l)
{
	return l->upstream != NULL || l->words->returns || l->words->pass.n > 0;
}

static void
drop_listeners(struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (is_usable(&conf->listeners[i])) {
			conf->listeners[n++] = conf->listeners[i];
			continue;
		}
		free(conf->listeners[i].name);
		server_words_unref(conf->listeners[i].words);
	}
	conf->n_listeners = n;
}

void
suite_check(struct binder *b)
{
	const struct context *outer = b->in;

	b->in = &vrrp_context;
	resolve_tracks(b);
	for (size_t i = 0; i < b->conf->n_instances; i++)
		resolve_witness(b, &b->conf->instances[i]);
	for (size_t i = 0; i < b->conf->n_instances; i++)
		check_weights(b, &b->conf->instances[i]);
	vrrp_resolve_groups(b);
	check_pairs(b);
	check_shared_vips(b);
	stream_resolve(b);
	vrrp_resolve_proxy(b);
	vrrp_share_trackers(b);
	stream_resolve_health(b);
	b->in = &check_context;
	check_checks(b);
	b->in = &stream_context;
	check_upstreams(b);
	b->in = outer;
	drop_instances(b->conf);
	drop_listeners(b->conf);
}
