/*
 * pair.c - see pair.h.
 */
#include "ctl/pair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One instance of one node, beside one of another. */
struct side {
	size_t node;
	const struct pair_node *of;
	const struct vrrp_conf *vi;
};

static void
say(struct pair_findings *f, enum conf_severity severity, const struct side *at, char *message)
{
	f->items = xreallocarray(f->items, f->n + 1, sizeof(*f->items));
	f->items[f->n++] = (struct pair_finding){ severity, at->node, at->vi->pos, message };
}

void
pair_findings_done(struct pair_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->items[i].message);
	free(f->items);
	*f = (struct pair_findings){ 0 };
}

/* ---- do they hear each other? ---- */

static bool
lists(const struct vrrp_conf *vi, const struct addr *peer)
{
	for (size_t i = 0; i < vi->n_peers; i++)
		if (addr_equal(&vi->peers[i], peer))
			return true;
	return false;
}

static bool
belong(const struct vrrp_conf *a, const struct vrrp_conf *b)
{
	if (a->family != b->family || a->vrid != b->vrid)
		return false;
	if (!a->unicast && !b->unicast)
		return addr_equal(&a->mcast_group, &b->mcast_group);
	return lists(a, &b->source) || lists(b, &a->source) || a->unicast != b->unicast ||
	       strcmp(a->name, b->name) == 0;
}

/* ---- what has to be the same on the wire ---- */

static void
check_version(struct pair_findings *f, const struct side *a, const struct side *b)
{
	if (a->vi->version != b->vi->version)
		say(f, CONF_ERROR, b,
		    xasprintf("VRRP version %u, but %u in %s: neither hears the other",
			b->vi->version, a->vi->version, a->of->name));
}

/* RFC 3768, 5.3.7: v2 discards another interval; v3 learns the master's. */
static void
check_interval(struct pair_findings *f, const struct side *a, const struct side *b)
{
	bool v2 = a->vi->version == 2 || b->vi->version == 2;

	if (a->vi->advert_us == b->vi->advert_us)
		return;
	say(f, v2 ? CONF_ERROR : CONF_WARNING, b,
	    xasprintf("advert_int %.2f s, but %.2f s in %s%s", (double)b->vi->advert_us / 1000000,
		(double)a->vi->advert_us / 1000000, a->of->name,
		v2 ? ": version 2 discards such adverts, so both become master"
		   : ": the backup goes by the master's"));
}

static const struct hmac_key_conf *
find_key(const struct hmac_conf *h, uint8_t id)
{
	for (size_t i = 0; i < h->n_keys; i++)
		if (h->keys[i].id == id)
			return &h->keys[i];
	return NULL;
}

/* Will what 'from' sends be heard by 'to'?  NULL: yes; else why not. */
static const char *
hmac_unheard(const struct hmac_conf *from, const struct hmac_conf *to)
{
	const struct hmac_key_conf *key, *theirs;

	if (from == NULL || from->mode == HMAC_RECEIVE_ONLY)
		return to != NULL && to->mode == HMAC_ENFORCE ? "adverts are not signed" : NULL;
	if (to == NULL)
		return "adverts are signed, and there is no auth_hmac";
	key = find_key(from, from->active);
	theirs = find_key(to, from->active);
	if (key != NULL && theirs == NULL)
		return "adverts are signed with a key whose id is not there";
	if (key != NULL &&
	    (key->size != theirs->size || memcmp(key->bytes, theirs->bytes, key->size) != 0))
		return "the key of the same id is another one";
	return NULL;
}

static void
check_hmac(struct pair_findings *f, const struct side *a, const struct side *b)
{
	const char *why = hmac_unheard(a->vi->hmac, b->vi->hmac);

	if (why != NULL)
		say(f, CONF_ERROR, b,
		    xasprintf("auth_hmac: %s is not heard here (%s): both become master",
			a->of->name, why));
	else if ((why = hmac_unheard(b->vi->hmac, a->vi->hmac)) != NULL)
		say(f, CONF_ERROR, b,
		    xasprintf("auth_hmac: %s does not hear us (%s): both become master",
			a->of->name, why));
}

static void
check_auth(struct pair_findings *f, const struct side *a, const struct side *b)
{
	check_hmac(f, a, b);
	if (a->vi->auth != b->vi->auth)
		say(f, CONF_ERROR, b,
		    xasprintf("authentication %s, but %s in %s: both become master",
			b->vi->auth == VRRP_AUTH_PASS ? "PASS" : "none",
			a->vi->auth == VRRP_AUTH_PASS ? "PASS" : "none", a->of->name));
	else if (memcmp(a->vi->auth_pass, b->vi->auth_pass, sizeof(a->vi->auth_pass)) != 0)
		say(f, CONF_ERROR, b,
		    xasprintf(
			"auth_pass differs from the one in %s: both become master", a->of->name));
}

static bool
has_address(const struct vrrp_conf *vi, const struct vip_conf *vip)
{
	for (size_t i = 0; i < vi->n_vips; i++)
		if (addr_equal(&vi->vips[i].addr, &vip->addr) &&
		    vi->vips[i].excluded == vip->excluded)
			return true;
	return false;
}

static void
check_addresses(struct pair_findings *f, const struct side *a, const struct side *b)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < a->vi->n_vips; i++)
		if (!has_address(b->vi, &a->vi->vips[i]))
			say(f, CONF_ERROR, b,
			    xasprintf("%s is an address of %s in %s, not here: it would be gone "
				      "after a failover",
				addr_format(&a->vi->vips[i].addr, text), a->vi->name, a->of->name));
}

/* ---- do they reach each other ---- */

static void
check_unicast(struct pair_findings *f, const struct side *a, const struct side *b)
{
	char text[ADDR_STRLEN];

	if (a->vi->unicast != b->vi->unicast) {
		say(f, CONF_ERROR, a->vi->unicast ? b : a,
		    xasprintf("multicast, but unicast in %s: neither hears the other",
			a->vi->unicast ? a->of->name : b->of->name));
		return;
	}
	if (!a->vi->unicast || b->vi->source.family == AF_UNSPEC)
		return;
	if (!lists(a->vi, &b->vi->source))
		say(f, CONF_ERROR, a,
		    xasprintf("unicast_peer lacks %s, the unicast_src_ip of %s in %s",
			addr_format(&b->vi->source, text), b->vi->name, b->of->name));
}

/* ---- who wins, and what a failing check changes ---- */

static void
check_priorities(struct pair_findings *f, const struct side *a, const struct side *b)
{
	if (a->vi->priority == b->vi->priority)
		say(f, CONF_WARNING, b,
		    xasprintf(
			"priority %u, as in %s: whoever comes first holds the address, and of "
			"two masters the higher primary address wins",
			b->vi->priority, a->of->name));
}

static const struct track_conf *
find_track(const struct vrrp_conf *vi, const char *check)
{
	for (size_t i = 0; i < vi->n_tracks; i++)
		if (strcmp(vi->tracks[i].check->name, check) == 0)
			return &vi->tracks[i];
	return NULL;
}

/* What the sum loses when this check fails; a positive weight is a bonus that goes. */
static int
loss(const struct track_conf *t)
{
	return abs(t->weight);
}

/* What is sent while everything passes: each positive weight counts. */
static int
best_priority(const struct vrrp_conf *vi)
{
	int sum = vi->priority;

	for (size_t i = 0; i < vi->n_tracks; i++)
		if (vi->tracks[i].check->kind != CHECK_FILE)
			sum += MAX(vi->tracks[i].weight, 0);
	for (size_t i = 0; i < vi->n_track_interfaces; i++)
		sum += MAX(vi->track_interfaces[i].weight, 0);
	return MIN(sum, 254);
}

/*
 * 'high' is the preferred node: may its checks ever move the address to 'low'?
 * An equal priority does not (RFC 3768, 6.4.2: a backup needs more).
 */
static void
check_weights(struct pair_findings *f, const struct side *high, const struct side *low)
{
	int lead = best_priority(high->vi) - best_priority(low->vi);

	for (size_t i = 0; i < high->vi->n_tracks; i++) {
		const struct track_conf *t = &high->vi->tracks[i];
		const char *name = t->check->name;
		const struct track_conf *other = find_track(low->vi, name);

		if (t->check->kind == CHECK_FILE)
			continue; /* its number is anybody's guess */
		if (t->weight != 0 && lead > 0 && loss(t) <= lead)
			say(f, CONF_WARNING, high,
			    xasprintf("weight %d of %s can never move the address: %d - %d is not "
				      "below the %d of %s",
				t->weight, name, best_priority(high->vi), loss(t),
				best_priority(low->vi), low->of->name));
		else if (t->weight == 0 && other != NULL && other->weight == 0)
			say(f, CONF_NOTICE, high,
			    xasprintf("%s has no weight on either node: when it fails on both, "
				      "nobody holds the address",
				name));
	}
}

/* ---- nopreempt ---- */

static void
check_nopreempt(struct pair_findings *f, const struct side *high, const struct side *low)
{
	if (high->vi->nopreempt && high->vi->state_master)
		say(f, CONF_NOTICE, high,
		    xasprintf("nopreempt beside state MASTER: honoured here; keepalived would drop "
			      "it and take the address back"));
	if (low->vi->nopreempt && low->vi->n_tracks + high->vi->n_tracks > 0)
		say(f, CONF_NOTICE, low,
		    xasprintf("nopreempt on the lower node: if it runs keepalived, it never takes "
			      "the address from a master whose check fails"));
}

/* ---- two instances, two nodes, all ---- */

static void
check_sides(struct pair_findings *f, const struct side *a, const struct side *b)
{
	const struct side *high = a->vi->priority >= b->vi->priority ? a : b;
	const struct side *low = high == a ? b : a;

	check_version(f, a, b);
	check_interval(f, a, b);
	check_auth(f, a, b);
	check_addresses(f, a, b);
	check_addresses(f, b, a);
	check_unicast(f, a, b);
	if (a->vi->unicast == b->vi->unicast)
		check_unicast(f, b, a);
	check_priorities(f, a, b);
	check_weights(f, high, low);
	check_nopreempt(f, high, low);
}

const struct vrrp_conf *
pair_partner(const struct vrrp_conf *vi, const struct conf *other)
{
	for (size_t i = 0; i < other->n_instances; i++)
		if (belong(vi, &other->instances[i]))
			return &other->instances[i];
	return NULL;
}

/* The same name, or a shared address, but another VRID: meant to be one router. */
static void
check_stray(struct pair_findings *f, const struct side *a, const struct side *other)
{
	const struct vrrp_conf *same = conf_instance(other->of->conf, a->vi->name);
	struct side b = { other->node, other->of, same };

	if (same != NULL && (same->vrid != a->vi->vrid || same->family != a->vi->family))
		say(f, CONF_ERROR, &b,
		    xasprintf("virtual_router_id %u, but %u in %s: two routers, both master",
			same->vrid, a->vi->vrid, a->of->name));
	else
		say(f, CONF_WARNING, a,
		    xasprintf("%s has no partner in %s: nobody takes over", a->vi->name,
			other->of->name));
}

static void
check_two(struct pair_findings *f, const struct pair_node *nodes, size_t first, size_t second)
{
	const struct conf *conf = nodes[first].conf;

	for (size_t i = 0; i < conf->n_instances; i++) {
		struct side a = { first, &nodes[first], &conf->instances[i] };
		struct side b = { second, &nodes[second], pair_partner(a.vi, nodes[second].conf) };

		if (b.vi != NULL)
			check_sides(f, &a, &b);
		else
			check_stray(f, &a, &b);
	}
}

void
pair_check(const struct pair_node *nodes, size_t n, struct pair_findings *ret)
{
	*ret = (struct pair_findings){ 0 };
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			check_two(ret, nodes, i, k);
}
