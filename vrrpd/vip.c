/*
 * vip.c - see vip.h.  Kernel behaviour that matters here: net/ipv4/devinet.c
 * and net/ipv6/addrconf.c take new lifetimes by NLM_F_REPLACE, but would turn a
 * permanent address into one that ends, with its subnet route; so that is
 * deleted first.
 */
#include "vrrpd/vip.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/text.h"
#include "vrrpd/vip_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

struct vip_set {
	struct netlink *nl;
	TAILQ_HEAD(, vip_group) groups;
	struct log_limit limit;	       /* a request that fails is made again with each advert */
	struct netlink_batch batch;    /* too large for a stack, and used by one call at a time */
	struct netlink_batch renewals; /* until vip_set_flush, if ... */
	bool renewing;		       /* ... it was begun */
};

/* What one request of a batch was about. */
struct vip_result {
	struct vip_group *group;
	size_t failed;
};

static const char *
format(const struct vip *vip, char buf[static ADDR_STRLEN])
{
	return addr_format(&vip->request.local, buf);
}

/* ---- life ---- */

struct vip_set *
vip_set_new(struct netlink *nl)
{
	struct vip_set *set = xcalloc(1, sizeof(*set));

	set->nl = nl;
	TAILQ_INIT(&set->groups);
	return set;
}

void
vip_set_free(struct vip_set *set)
{
	free(set);
}

void
vip_group_init(struct vip_group *g, struct vip_set *set, const char *name,
    void (*on_lost)(void *, struct vip *, enum vip_loss), void *aux)
{
	*g = (struct vip_group){ .set = set, .name = name, .on_lost = on_lost, .aux = aux };
	TAILQ_INSERT_TAIL(&set->groups, g, entry);
}

static void
vip_done(struct vip *vip)
{
	free(vip->device);
	free(vip->label);
}

void
vip_group_done(struct vip_group *g)
{
	vip_set_flush(g->set);
	TAILQ_REMOVE(&g->set->groups, g, entry);
	for (size_t i = 0; i < g->n; i++)
		vip_done(&g->vips[i]);
	free(g->vips);
	g->vips = NULL;
	g->n = 0;
}

/* ---- from configuration ---- */

static struct addr
broadcast_of(const struct vip_conf *conf)
{
	struct addr a = conf->addr;

	if (!conf->broadcast_auto || a.family != AF_INET || conf->prefix_length > 30)
		return conf->broadcast;
	for (unsigned bit = conf->prefix_length; bit < 32; bit++)
		a.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return a;
}

static void
vip_from_conf(struct vip *vip, const struct vip_conf *conf, const char *interface)
{
	struct netlink_addr *a = &vip->request;

	vip->device = xstrdup(conf->device != NULL ? conf->device : interface);
	vip->preferred_us = conf->preferred_us;
	vip->excluded = conf->excluded;
	vip->no_track = conf->no_track;
	vip->no_prefix_route = conf->no_prefix_route;
	vip->ordinary = conf->is_static;
	a->local = conf->addr;
	a->peer = conf->peer;
	a->broadcast = broadcast_of(conf);
	a->prefix_length = conf->prefix_length;
	a->scope = conf->scope;
	a->proto = VIP_PROTO;
	if (conf->label != NULL) {
		vip->label = xstrdup(conf->label);
		strncpy(a->label, conf->label, sizeof(a->label) - 1);
	}
	if (conf->no_prefix_route)
		a->flags |= IFA_F_NOPREFIXROUTE;
	if (conf->home)
		a->flags |= IFA_F_HOMEADDRESS;
	if (conf->managed)
		a->flags |= IFA_F_MANAGETEMPADDR;
	/* A lifetime on a shared prefix would remove the node's own subnet route with it. */
	if (conf->addr.family == AF_INET6)
		a->flags |= IFA_F_NODAD | (conf->is_static ? 0 : IFA_F_NOPREFIXROUTE);
}

/* The same to the kernel, so that it need not be touched. */
static bool
same(const struct vip *a, const struct vip *b)
{
	const struct netlink_addr *x = &a->request, *y = &b->request;

	return a->no_prefix_route == b->no_prefix_route && addr_equal(&x->local, &y->local) &&
	       addr_equal(&x->peer, &y->peer) && addr_equal(&x->broadcast, &y->broadcast) &&
	       x->prefix_length == y->prefix_length && x->scope == y->scope &&
	       x->flags == y->flags && strcmp(x->label, y->label) == 0 &&
	       strcmp(a->device, b->device) == 0;
}

static struct vip *
find_same(struct vip_group *g, const struct vip *wanted)
{
	for (size_t i = 0; i < g->n; i++)
		if (same(&g->vips[i], wanted))
			return &g->vips[i];
	return NULL;
}

/* ---- requests ---- */

static void
on_added(void *aux, void *tag, int error)
{
	struct vip_result *result = aux;
	struct vip *vip = tag;
	char buf[ADDR_STRLEN];

	if (vip == NULL)
		return; /* of what was in the way: if it still is, the next one says so */
	vip->present = error == 0;
	if (error == 0)
		return;
	result->failed++;
	log_limited(&result->group->set->limit, loop_now(), LOG_ERR,
	    "(%s) cannot add address %s to %s: %s", result->group->name, format(vip, buf),
	    vip->device, strerror(-error));
}

/* Gone already is as good. */
static void
on_deleted(void *aux, void *tag, int error)
{
	struct vip_result *result = aux;
	struct vip *vip = tag;
	char buf[ADDR_STRLEN];

	if (vip == NULL || error == 0 || error == -EADDRNOTAVAIL || error == -ENODEV)
		return; /* NULL: a route, gone with its link or its time */
	log_limited(&result->group->set->limit, loop_now(), LOG_ERR,
	    "(%s) cannot delete address %s of %s: %s", result->group->name, format(vip, buf),
	    vip->device, strerror(-error));
}

static void
on_ignored(void *aux, void *tag, int error)
{
	(void)aux, (void)tag, (void)error;
}

static bool
resolve_device(struct vip_set *set, struct vip *vip)
{
	const struct netlink_link *link = netlink_link_by_name(set->nl, vip->device);

	vip->request.index = link != NULL ? link->index : 0;
	return link != NULL;
}

static void
set_lifetimes(struct vip_group *g, struct vip *vip)
{
	struct netlink_addr *a = &vip->request;
	int64_t preferred = vip->preferred_us;

	vip->lease_s = g->lease_s;
	a->valid_s = g->lease_s == 0 ? NETLINK_FOREVER : (uint32_t)g->lease_s;
	if (preferred < 0) /* not the source of ordinary traffic (IPv6) */
		a->preferred_s = a->local.family == AF_INET6 && !vip->ordinary ? 0 : a->valid_s;
	else
		a->preferred_s = (uint32_t)MIN(
		    (uint64_t)(preferred / USEC_PER_SEC), (uint64_t)a->valid_s);
}

/*
 * What is in the way: the same address, by another's hand, or permanent where
 * ours is to end, or with other particulars.
 */
static const struct netlink_addr *
in_the_way(const struct vip_group *g, const struct vip *vip)
{
	const struct netlink_addr *there = netlink_addr_find(
	    g->set->nl, vip->request.index, &vip->request.local);

	/* The table still shows what was there before we made it anew. */
	if (there == NULL || vip->remaking ||
	    (there->proto == VIP_PROTO && there->prefix_length == vip->request.prefix_length &&
		(there->valid_s != NETLINK_FOREVER || g->lease_s == 0)))
		return NULL;
	return there;
}

static bool
may_have_expired(const struct vip *vip, mono_t now)
{
	return lease_may_have_ended(vip->lease_s, mono_until(vip->renewed, now));
}

/* In one batch, so that an address that is made anew is gone for microseconds only. */
static void
request_add(struct vip_group *g, struct vip *vip, mono_t now, struct vip_result *result)
{
	struct netlink_batch *b = &g->set->batch;
	const struct netlink_addr *there;
	char buf[ADDR_STRLEN];

	if (!resolve_device(g->set, vip)) {
		result->failed++;
		log_limited(&g->set->limit, now, LOG_ERR,
		    "(%s) cannot add address %s: there is no interface %s", g->name,
		    format(vip, buf), vip->device);
		return;
	}
	there = in_the_way(g, vip);
	/* The owner's (RFC 9568, 1.5), and what the node has anyway: nobody took it from the node,
	 * nobody gives it back. */
	vip->native = there != NULL && (addr_equal(&there->local, &g->own) ||
					   (vip->ordinary && there->proto != VIP_PROTO));
	if (vip->native)
		return;
	if (there != NULL) {
		netlink_batch_del_addr(b, there, NULL);
		vip->remaking = true;
	}
	set_lifetimes(g, vip);
	vip->renewed = now;
	netlink_batch_add_addr(b, NETLINK_RENEW, &vip->request, vip);
	vip_route_hold(b, g->set->nl, vip);
}

size_t
vip_group_hold(struct vip_group *g, mono_t now)
{
	struct vip_result result = { .group = g };

	g->held = true;
	netlink_batch_begin(&g->set->batch, g->set->nl, on_added, &result);
	for (size_t i = 0; i < g->n; i++)
		request_add(g, &g->vips[i], now, &result);
	netlink_batch_send(&g->set->batch);
	return result.failed;
}

static void
put_back(struct vip_group *g, struct vip *vip, mono_t now)
{
	struct vip_result result = { .group = g };

	netlink_batch_begin(&g->set->batch, g->set->nl, on_added, &result);
	request_add(g, vip, now, &result);
	netlink_batch_send(&g->set->batch);
}

bool
vip_group_has_any(const struct vip_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->vips[i].present)
			return true;
	return false;
}

size_t
vip_group_n_missing(const struct vip_group *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += !g->vips[i].present && !g->vips[i].no_track && !g->vips[i].native;
	return n;
}

/* A reload moved it to another group of ours, which has it by now. */
static bool
is_anothers(const struct vip_group *g, const struct vip *vip)
{
	struct vip_group *other;

	TAILQ_FOREACH (other, &g->set->groups, entry) {
		const struct vip *its = other != g && other->held ? find_same(other, vip) : NULL;

		if (its != NULL && its->present)
			return true;
	}
	return false;
}

static void
delete_each(struct vip_group *g, bool (*which)(const struct vip *))
{
	struct vip_result result = { .group = g };
	struct netlink_batch *b = &g->set->batch;

	vip_set_flush(g->set); /* a renewal afterwards would make it anew */
	netlink_batch_begin(b, g->set->nl, on_deleted, &result);
	for (size_t i = 0; i < g->n; i++) {
		struct vip *vip = &g->vips[i];

		if (!vip->present || !which(vip))
			continue;
		vip->present = false; /* first: the event that follows is no loss */
		if (is_anothers(g, vip))
			continue;
		vip_route_release(b, vip);
		netlink_batch_del_addr(b, &vip->request, vip);
	}
	netlink_batch_send(b);
}

static bool
any(const struct vip *vip)
{
	(void)vip;
	return true;
}

static bool
no_longer_kept(const struct vip *vip)
{
	return !vip->kept;
}

void
vip_group_release(struct vip_group *g)
{
	g->held = false;
	delete_each(g, any);
}

void
vip_group_configure(struct vip_group *g, const struct vrrp_conf *conf)
{
	struct vip *vips = xcalloc(MAX(conf->n_vips, 1), sizeof(*vips)), *old;
	int32_t lease_s = lease_seconds(conf->lease_us, conf->advert_us);
	bool longer = g->held && g->lease_s != 0 && (lease_s == 0 || lease_s > g->lease_s);

	for (size_t i = 0; i < g->n; i++)
		g->vips[i].kept = false;
	for (size_t i = 0; i < conf->n_vips; i++) {
		vip_from_conf(
		    &vips[i], &conf->vips[i], conf->vmac.on ? conf->vmac.name : conf->interface);
		if ((old = find_same(g, &vips[i])) == NULL)
			continue;
		old->kept = true;
		vips[i].present = old->present;
		vips[i].lease_s = old->lease_s;
		vips[i].renewed = old->renewed;
		vips[i].routed = old->routed;
		vips[i].request.index = old->request.index;
		/* A permanent one that is to be leased is made anew. */
		if (old->present && old->lease_s == 0 && lease_s != 0)
			vips[i].present = false;
	}
	delete_each(g, no_longer_kept);
	for (size_t i = 0; i < g->n; i++)
		vip_done(&g->vips[i]);
	free(g->vips);
	g->vips = vips;
	g->n = conf->n_vips;
	g->n_advertised = conf->n_advertised;
	g->lease_s = lease_s;
	g->pace = lease_pace(lease_s, conf->advert_us);
	/* The longer of old and new: a shorter one begins with the next renewal. */
	for (size_t i = 0; longer && i < g->n; i++)
		g->vips[i].present = false;
}

static void
on_renewed(void *aux, void *tag, int error)
{
	struct vip *vip = tag;
	struct vip_set *set = aux;
	char buf[ADDR_STRLEN];

	if (error != 0 && vip != NULL)
		log_limited(&set->limit, loop_now(), LOG_ERR, "cannot renew address %s of %s: %s",
		    format(vip, buf), vip->device, strerror(-error));
}

static void
request_renewal(struct vip_group *g, struct vip *vip, mono_t now)
{
	struct vip_set *set = g->set;

	if (!set->renewing) {
		netlink_batch_begin(&set->renewals, set->nl, on_renewed, set);
		netlink_batch_unheard(&set->renewals);
		set->renewing = true;
	}
	set_lifetimes(g, vip);
	vip->renewed = now;
	vip->remaking = false; /* should its event have been lost */
	netlink_batch_add_addr(&set->renewals, NETLINK_RENEW, &vip->request, vip);
	vip_route_hold(&set->renewals, set->nl, vip);
}

void
vip_group_renew(struct vip_group *g, mono_t now)
{
	for (size_t i = 0; g->held && i < g->n; i++) {
		struct vip *vip = &g->vips[i];

		if (vip->present &&
		    lease_is_due(vip->lease_s, g->lease_s, &g->pace, vip->renewed, now))
			request_renewal(g, vip, now);
	}
}

void
vip_set_flush(struct vip_set *set)
{
	if (!set->renewing)
		return;
	set->renewing = false;
	netlink_batch_send(&set->renewals);
}

/* ---- what a predecessor left ---- */

static const struct netlink_addr *
leftover(const struct vip_group *g, struct vip *vip)
{
	const struct netlink_addr *a;

	if (!resolve_device(g->set, vip))
		return NULL;
	a = netlink_addr_find(g->set->nl, vip->request.index, &vip->request.local);
	if (a == NULL || a->proto != VIP_PROTO || a->prefix_length != vip->request.prefix_length)
		return NULL;
	return a;
}

/* tstamp counts CLOCK_MONOTONIC in centiseconds and wraps after 497 days: take the difference. */
static mono_t
updated_at(const struct netlink_addr *a, const struct adopt_clock *now)
{
	int32_t age_cs = (int32_t)((uint32_t)(now->monotonic.us / USEC_PER_CSEC) - a->updated_cs);

	return mono_add(now->boottime, -MAX(age_cs, 0) * USEC_PER_CSEC);
}

struct adopt_kernel
vip_group_leftovers(const struct vip_group *g, const struct adopt_clock *now)
{
	struct adopt_kernel k = { .n_vips = (unsigned)g->n, .lease_end = MONO_NEVER };

	for (size_t i = 0; i < g->n; i++) {
		const struct netlink_addr *a = leftover(g, &g->vips[i]);

		if (a == NULL)
			continue;
		k.n_present++;
		k.youngest = mono_max(k.youngest, updated_at(a, now));
		if (a->valid_s == NETLINK_FOREVER)
			continue;
		k.n_leased++;
		k.lease_end = mono_min(
		    k.lease_end, mono_add(now->boottime, a->valid_s * USEC_PER_SEC));
	}
	return k;
}

void
vip_group_adopt(struct vip_group *g, mono_t now)
{
	for (size_t i = 0; i < g->n; i++) {
		struct vip *vip = &g->vips[i];
		const struct netlink_addr *a = leftover(g, vip);

		/* A permanent one that is to be leased is made anew by hold. */
		if (a == NULL || (a->valid_s == NETLINK_FOREVER && g->lease_s != 0))
			continue;
		vip->present = true;
		vip->lease_s = a->valid_s == NETLINK_FOREVER ? 0 : (int32_t)a->valid_s;
		vip->renewed = now; /* valid_s is what is left of it */
		vip->routed = true; /* maybe: taken away or renewed, either is right */
	}
}

static bool
is_ours(const struct vip_set *set, const struct netlink_addr *a)
{
	const struct vip_group *g;

	TAILQ_FOREACH (g, &set->groups, entry)
		for (size_t i = 0; i < g->n; i++)
			if (g->vips[i].present && g->vips[i].request.index == a->index &&
			    addr_equal(&g->vips[i].request.local, &a->local))
				return true;
	return false;
}

void
vip_set_remove_leftovers(struct vip_set *set)
{
	const struct netlink_link *link;
	const struct netlink_addr *a;
	char buf[ADDR_STRLEN];

	netlink_batch_begin(&set->batch, set->nl, on_ignored, NULL);
	for (link = netlink_link_first(set->nl); link != NULL; link = netlink_link_next(link))
		TAILQ_FOREACH (a, &link->addrs, entry) {
			if (a->proto != VIP_PROTO || is_ours(set, a))
				continue;
			log_notice("removing %s from %s: left by an earlier run",
			    addr_format(&a->local, buf), link->name);
			netlink_batch_del_addr(&set->batch, a, NULL);
		}
	netlink_batch_send(&set->batch);
}

bool
vip_set_owns_route(const struct vip_set *set, const struct netlink_own *own)
{
	const struct vip_group *g;

	TAILQ_FOREACH (g, &set->groups, entry)
		for (size_t i = 0; i < g->n; i++)
			if (vip_route_is(set->nl, &g->vips[i], own))
				return true;
	return false;
}

/* ---- what the kernel tells ---- */

static void
on_gone(struct vip_group *g, struct vip *vip, enum netlink_by by, mono_t now)
{
	enum vip_loss loss = VIP_DELETED;

	/* The kernel does not say by whom an IPv6 address was deleted. */
	if (vip->remaking) {
		vip->remaking = false;
		return;
	}
	/*
	 * By us and yet present: the kernel took it with the primary address of
	 * its subnet.  Adding what is there is harmless.
	 */
	if (by == NETLINK_BY_US) {
		if (g->held)
			put_back(g, vip, now);
		return;
	}
	vip->present = false;
	if (!g->held)
		return;
	if (by == NETLINK_BY_KERNEL && may_have_expired(vip, now))
		loss = VIP_EXPIRED;
	g->on_lost(g->aux, vip, loss);
}

void
vip_set_on_gone(struct vip_set *set, const struct netlink_addr *a, enum netlink_by by, mono_t now)
{
	struct vip_group *g;

	TAILQ_FOREACH (g, &set->groups, entry)
		for (size_t i = 0; i < g->n; i++) {
			struct vip *vip = &g->vips[i];

			if (vip->present && vip->request.index == a->index &&
			    addr_equal(&vip->request.local, &a->local))
				on_gone(g, vip, by, now);
		}
}
