/*
 * routing.c - see routing.h.  Kernel behaviour that matters here: IPv4's routes
 * go without a word when a link goes down (net/ipv4/fib_frontend.c), so adding
 * what should be there is how to find out; IPv6's are reported, but adding one
 * beside another of its metric would share the traffic between them.
 */
#include "vrrpd/routing.h"

#include "common/loop.h"
#include "common/text.h"
#include "vrrpd/lease.h"
#include "vrrpd/owned.h"
#include "vrrpd/vip.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_PARTS 4 /* of a lease */

/* ---- life ---- */

struct routing_set *
routing_set_new(struct netlink *nl)
{
	struct routing_set *set = xcalloc(1, sizeof(*set));

	set->nl = nl;
	return set;
}

void
routing_set_free(struct routing_set *set)
{
	free(set);
}

void
routing_init(struct routing *r, struct routing_set *set, const char *name)
{
	*r = (struct routing){ .set = set, .name = name };
}

void
routing_done(struct routing *r)
{
	free(r->items);
	*r = (struct routing){ .set = r->set };
}

/* ---- words ---- */

#define ITEM_STRLEN (ADDR_STRLEN + 64)

static const char *
format(const struct routing_item *item, char buf[static ITEM_STRLEN])
{
	const struct net_route *r = &item->route;
	char addr[ADDR_STRLEN];

	if (item->is_rule)
		snprintf(buf, ITEM_STRLEN, "rule with priority %u", item->rule.priority);
	else if (r->prefix_length == 0)
		snprintf(buf, ITEM_STRLEN, "default route of IPv%d in table %u",
		    r->family == AF_INET ? 4 : 6, r->table);
	else
		snprintf(buf, ITEM_STRLEN, "route to %s/%u in table %u",
		    addr_format(&r->prefix, addr), r->prefix_length, r->table);
	return buf;
}

/* ---- from configuration ---- */

static bool
same(const struct routing_item *a, const struct routing_item *b)
{
	return a->is_rule == b->is_rule &&
	       (a->is_rule ? memcmp(&a->rule, &b->rule, sizeof(a->rule)) == 0
			   : memcmp(&a->route, &b->route, sizeof(a->route)) == 0);
}

static void request_delete(struct routing *, struct routing_item *);
static void on_deleted(void *aux, void *tag, int error);

/* The same in the kernel stay untouched; all others of the old ones go. */
static void
carry_over(struct routing *r, struct routing_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r->n; k++)
			if (same(&r->items[k], &items[i])) {
				items[i].present = r->items[k].present;
				items[i].foreign = r->items[k].foreign;
				r->items[k].kept = true;
			}
	netlink_batch_begin(&r->set->batch, r->set->nl, on_deleted, r);
	for (size_t k = r->n; k-- > 0;)
		if (!r->items[k].kept)
			request_delete(r, &r->items[k]);
	netlink_batch_send(&r->set->batch);
}

void
routing_configure(struct routing *r, const struct routing_conf *conf, const struct vip_conf *vips,
    size_t n_vips, int32_t lease_s)
{
	size_t n = conf->n_routes + conf->n_rules;
	struct routing_item *items = xcalloc(MAX(n, 1), sizeof(*items));

	for (size_t i = 0; i < conf->n_routes; i++) {
		struct routing_item *item = &items[i];

		memcpy(&item->route, &conf->routes[i].route, sizeof(item->route));
		item->no_track = conf->routes[i].no_track;
		item->route.proto = VIP_PROTO;
		owned_tie(&item->route, vips, n_vips);
	}
	for (size_t i = 0; i < conf->n_rules; i++) {
		struct routing_item *item = &items[conf->n_routes + i];

		memcpy(&item->rule, &conf->rules[i].rule, sizeof(item->rule));
		item->is_rule = true;
		item->no_track = conf->rules[i].no_track;
		item->rule.proto = VIP_PROTO;
	}
	carry_over(r, items, n);
	free(r->items);
	r->items = items;
	r->n = n;
	r->lease_s = lease_s;
}

/* ---- requests ---- */

static void
on_added(void *aux, void *tag, int error)
{
	struct routing *r = aux;
	struct routing_item *item = tag;
	bool was = item->present;
	char buf[ITEM_STRLEN];

	if (error == -EEXIST && item->is_rule)
		item->foreign = !was; /* the same rule, and not by our hand */
	/* The very same (IPv4), and what we made (a rule): that is all we want. */
	if (error == -EEXIST && (item->is_rule || item->route.family == AF_INET)) {
		item->present = !item->foreign;
		return;
	}
	item->present = error == 0;
	item->foreign = false;
	if (error == 0 && was && (item->is_rule || item->route.family == AF_INET))
		log_limited(&r->set->limit, loop_now(), LOG_NOTICE, "(%s) %s was gone: put back",
		    r->name, format(item, buf));
	if (error != 0)
		log_limited(&r->set->limit, loop_now(), LOG_ERR, "(%s) cannot add %s: %s", r->name,
		    format(item, buf),
		    error == -EEXIST
			? "another route has this destination and metric: write another 'metric'"
			: strerror(-error));
}

/* Gone already is as good; so is what went with its link. */
static void
on_deleted(void *aux, void *tag, int error)
{
	struct routing *r = aux;
	char buf[ITEM_STRLEN];

	if (error != 0 && error != -ESRCH && error != -ENOENT && error != -ENODEV)
		log_limited(&r->set->limit, loop_now(), LOG_ERR, "(%s) cannot delete %s: %s",
		    r->name, format(tag, buf), strerror(-error));
}

static void
request_add(struct routing *r, struct routing_item *item)
{
	struct netlink_batch *b = &r->set->batch;
	bool is_ipv4 = !item->is_rule && item->route.family == AF_INET;
	enum netlink_add how = is_ipv4	       ? NETLINK_BESIDE
			       : item->present ? NETLINK_RENEW
					       : NETLINK_CREATE;
	int error;

	if (item->is_rule)
		netlink_batch_add_rule(b, &item->rule, item);
	else if ((error = netlink_batch_add_route(
		      b, how, &item->route, is_ipv4 ? 0 : (uint32_t)r->lease_s, item)) != 0)
		on_added(r, item, error);
}

static void
request_delete(struct routing *r, struct routing_item *item)
{
	if (item->present && item->is_rule)
		netlink_batch_del_rule(&r->set->batch, &item->rule, item);
	else if (item->present)
		netlink_batch_del_route(&r->set->batch, &item->route, item);
	item->present = false;
}

size_t
routing_n_missing(const struct routing *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += !r->items[i].present && !r->items[i].foreign && !r->items[i].no_track;
	return n;
}

static void
add_each(struct routing *r, mono_t now,
    bool (*which)(const struct routing *, const struct routing_item *))
{
	r->tried = now;
	netlink_batch_begin(&r->set->batch, r->set->nl, on_added, r);
	for (size_t i = 0; i < r->n; i++)
		if (which(r, &r->items[i]))
			request_add(r, &r->items[i]);
	netlink_batch_send(&r->set->batch);
}

static bool
all(const struct routing *r, const struct routing_item *item)
{
	(void)r, (void)item;
	return true;
}

static bool
tracked(const struct routing *r, const struct routing_item *item)
{
	(void)r;
	return !item->no_track;
}

/* IPv6 routes end by themselves, and what could not be added may be possible now. */
static bool
due(const struct routing *r, const struct routing_item *item)
{
	if (!item->present)
		return !item->foreign && !item->no_track;
	return r->lease_s != 0 && !item->is_rule && item->route.family == AF_INET6;
}

size_t
routing_hold(struct routing *r, mono_t now)
{
	r->held = true;
	if (r->n > 0)
		add_each(r, now, all);
	return routing_n_missing(r);
}

void
routing_renew(struct routing *r, mono_t now)
{
	int64_t wait = MAX(LEASE_RENEW_MIN_US, r->lease_s * USEC_PER_SEC / RENEW_PARTS);

	/* The shortest lease is a second: a third of it, then. */
	if (r->held && r->n > 0 && mono_until(r->tried, now) >= MIN(wait, USEC_PER_SEC))
		add_each(r, now, due);
}

void
routing_again(struct routing *r, mono_t now)
{
	if (r->held && r->n > 0)
		add_each(r, now, tracked);
}

void
routing_release(struct routing *r)
{
	r->held = false;
	netlink_batch_begin(&r->set->batch, r->set->nl, on_deleted, r);
	for (size_t i = r->n; i-- > 0;)
		request_delete(r, &r->items[i]);
	netlink_batch_send(&r->set->batch);
}

/* ---- what a predecessor left ---- */

void
routing_adopt(struct routing *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->items[i].present = true;
}

bool
routing_owns(const struct routing *r, const struct netlink_own *own)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct routing_item *item = &r->items[i];

		if (item->present && item->is_rule == own->is_rule &&
		    (own->is_rule ? owned_is_rule(&item->rule, own)
				  : owned_is_route(&item->route, own)))
			return true;
	}
	return false;
}
