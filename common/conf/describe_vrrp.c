/*
 * describe_vrrp.c - vrrp_instances, their groups, addresses, routes and rules; see describe.h.
 */
#include "common/conf/describe.h"

#include <limits.h>

static void
vips_words(struct text *t, const struct vip_conf *vips, size_t n)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < n; i++) {
		const struct vip_conf *v = &vips[i];

		text_addf(
		    t, "%s%s/%u", i > 0 ? ", " : "", addr_format(&v->addr, text), v->prefix_length);
		if (v->device != NULL)
			text_addf(t, " dev %s", v->device);
		if (v->label != NULL)
			text_addf(t, " label %s", v->label);
		if (v->scope != 0)
			text_addf(t, " scope %u", v->scope);
		if (v->broadcast_auto)
			text_add(t, " brd +");
		if (v->broadcast.family != AF_UNSPEC)
			text_addf(t, " brd %s", addr_format(&v->broadcast, text));
		if (v->peer.family != AF_UNSPEC)
			text_addf(t, " peer %s", addr_format(&v->peer, text));
		if (v->preferred_us >= 0)
			text_addf(t, " preferred_lft %lld", (long long)(v->preferred_us / 1000000));
		text_addf(t, "%s%s%s%s", v->home ? " home" : "", v->managed ? " mngtmpaddr" : "",
		    v->no_prefix_route ? " noprefixroute" : "", v->no_track ? " no_track" : "");
	}
}

static void
add_vips(struct description *d, const char *name, const struct vip_conf *vips, size_t n)
{
	struct text t = { 0 };

	vips_words(&t, vips, n);
	describe_add(d, name, "%s", text_str(&t));
	text_done(&t);
}

/* What tells it apart for a reader; of the rest only that it is another. */
static void
route_words(struct text *t, const struct net_route *r)
{
	char text[ADDR_STRLEN];

	text_addf(t, "%s/%u", addr_format(&r->prefix, text), r->prefix_length);
	for (unsigned i = 0; i < r->n_hops; i++) {
		if (r->hops[i].gateway.family != AF_UNSPEC)
			text_addf(t, " via %s", addr_format(&r->hops[i].gateway, text));
		if (r->hops[i].device[0] != '\0')
			text_addf(t, " dev %s", r->hops[i].device);
	}
	if (r->source.family != AF_UNSPEC)
		text_addf(t, " src %s", addr_format(&r->source, text));
	text_addf(t, " table %u metric %u type %u", r->table, r->metric, r->type);
	for (unsigned i = 1; i < ROUTE_METRICS; i++)
		if (r->metrics[i] != 0)
			text_addf(t, " %u=%u", i, r->metrics[i]);
}

static void
rule_words(struct text *t, const struct net_rule *r)
{
	char text[ADDR_STRLEN];

	text_addf(t, "priority %u", r->priority);
	if (r->from_length > 0)
		text_addf(t, " from %s/%u", addr_format(&r->from, text), r->from_length);
	if (r->to_length > 0)
		text_addf(t, " to %s/%u", addr_format(&r->to, text), r->to_length);
	if (r->iif[0] != '\0')
		text_addf(t, " iif %s", r->iif);
	if (r->oif[0] != '\0')
		text_addf(t, " oif %s", r->oif);
	if (r->has_fwmark)
		text_addf(t, " fwmark %u/%u", r->fwmark, r->fwmask);
	text_addf(t, " table %u action %u", r->table, r->action);
}

static void
add_routing(
    struct description *d, const char *routes, const char *rules, const struct routing_conf *conf)
{
	struct text t = { 0 };

	for (size_t i = 0; i < conf->n_routes; i++) {
		text_add(&t, i > 0 ? ", " : "");
		route_words(&t, &conf->routes[i].route);
	}
	describe_add(d, routes, "%s", text_str(&t));
	text_done(&t);
	t = (struct text){ 0 };
	for (size_t i = 0; i < conf->n_rules; i++) {
		text_add(&t, i > 0 ? ", " : "");
		rule_words(&t, &conf->rules[i].rule);
	}
	describe_add(d, rules, "%s", text_str(&t));
	text_done(&t);
}

void
describe_statics(const struct conf *conf, struct description *d)
{
	add_vips(d, "static_ipaddress", conf->static_vips, conf->n_static_vips);
	add_routing(d, "static_routes", "static_rules", &conf->static_routing);
}

static void
add_peers(struct description *d, const struct vrrp_conf *v)
{
	struct text t = { 0 };
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < v->n_peers; i++) {
		text_addf(&t, "%s%s", i > 0 ? " " : "", addr_format(&v->peers[i], text));
		if (v->peer_ttls[i].min > 0 || v->peer_ttls[i].max < 255)
			text_addf(&t, " ttl %u-%u", v->peer_ttls[i].min, v->peer_ttls[i].max);
	}
	describe_add(d, "unicast_peer", "%s", text_str(&t));
	text_done(&t);
}

static void
add_tracks(struct description *d, const struct vrrp_conf *v)
{
	struct text t = { 0 };

	for (size_t i = 0; i < v->n_tracks; i++)
		text_addf(&t, "%s%s weight %d%s", i > 0 ? ", " : "", v->tracks[i].check->name,
		    v->tracks[i].weight, v->tracks[i].reverse ? " reverse" : "");
	describe_add(d, "track_script", "%s", text_str(&t));
	text_done(&t);
}

static void
add_trackers(struct description *d, const struct vrrp_conf *v)
{
	const struct track_proxy_conf *p = &v->track_proxy;
	struct text interfaces = { 0 }, upstreams = { 0 };

	for (size_t i = 0; i < v->n_track_interfaces; i++)
		text_addf(&interfaces, "%s%s weight %d%s", i > 0 ? ", " : "",
		    v->track_interfaces[i].name, v->track_interfaces[i].weight,
		    v->track_interfaces[i].reverse ? " reverse" : "");
	for (size_t i = 0; i < v->n_track_upstreams; i++)
		text_addf(&upstreams, "%s%s weight %d min_servers %u", i > 0 ? ", " : "",
		    v->track_upstreams[i].name, v->track_upstreams[i].weight,
		    v->track_upstreams[i].min_servers);
	describe_add(d, "track_interface", "%s", text_str(&interfaces));
	describe_add(d, "track_upstream", "%s", text_str(&upstreams));
	if (p->mode == TRACK_PROXY_ON)
		describe_add(d, "track_proxy", "weight %d hold %lldms, %zu listeners", p->weight,
		    (long long)(p->hold_us / 1000), p->n_listeners);
	else
		describe_add(d, "track_proxy", "off");
	text_done(&interfaces);
	text_done(&upstreams);
}

static void
add_notify(struct description *d, const struct conf *conf, const size_t *notify)
{
	static const char *const names[NOTIFY_MAX] = { "notify_master", "notify_backup",
		"notify_fault", "notify_stop", "notify", "notify_deleted",
		"notify_master_rx_lower_pri" };

	for (size_t i = 0; i < NOTIFY_MAX; i++) {
		if (notify[i] != SIZE_MAX)
			describe_words(d, names[i], conf->scripts[notify[i]].argv,
			    conf->scripts[notify[i]].argc);
		else
			describe_add(d, names[i], "%s", "");
	}
}

void
describe_fifo(
    struct description *d, const struct conf *conf, const char *name, const struct fifo_conf *fifo)
{
	struct text t = { 0 };

	text_addf(&t, "%s%s%s", fifo->path != NULL ? fifo->path : "",
	    fifo->user != NULL ? " of " : "", fifo->user != NULL ? fifo->user : "");
	if (fifo->script != SIZE_MAX)
		text_addf(&t, ", read by %s", conf->scripts[fifo->script].argv[0]);
	describe_add(d, name, "%s", text_str(&t));
	text_done(&t);
}

static void
add_hmac(struct description *d, const struct hmac_conf *h)
{
	static const char *const modes[] = {
		[HMAC_ENFORCE] = "enforce",
		[HMAC_PERMISSIVE] = "permissive",
		[HMAC_RECEIVE_ONLY] = "receive-only",
	};
	struct text keys = { 0 };

	if (h != NULL)
		describe_add(d, "auth_hmac", "%s, signed with key %u, %s", modes[h->mode],
		    h->active, h->monotonic ? "monotonic" : "time");
	else
		describe_add(d, "auth_hmac", "%s", "");
	describe_time(d, "auth_hmac time_window", h != NULL ? h->window_us : 0);
	for (size_t i = 0; h != NULL && i < h->n_keys; i++) {
		text_addf(&keys, "%u ", h->keys[i].id);
		for (size_t k = 0; k < h->keys[i].size; k++)
			text_addf(&keys, "%02x", h->keys[i].bytes[k]);
		text_add(&keys, "\n");
	}
	describe_add(d, "auth_hmac keys", "%s", text_str(&keys));
	d->fields[d->n - 1].secret = true;
	text_done(&keys);
}

void
describe_vrrp(const struct conf *conf, const void *object, struct description *d)
{
	const struct vrrp_conf *v = object;

	describe_add(d, "state", "%s", v->state_master ? "MASTER" : "BACKUP");
	describe_add(d, "sync group", "%s", v->group != NULL ? v->group : "");
	describe_add(d, "interface", "%s", v->interface);
	describe_add(d, "virtual_router_id", "%u", v->vrid);
	describe_add(d, "priority", "%u", v->priority);
	describe_add(d, "version", "%u", v->version);
	describe_time(d, "advert_int", v->advert_us);
	describe_flag(d, "nopreempt", v->nopreempt);
	describe_flag(d, "strict", v->strict);
	describe_flag(d, "fast_preempt", v->fast_preempt);
	describe_flag(d, "yield_when_deaf", v->yield_when_deaf);
	describe_time(d, "preempt_delay", v->preempt_delay_us);
	describe_add(d, "authentication", "%s", v->auth == VRRP_AUTH_PASS ? "PASS" : "none");
	describe_add(d, "auth_pass", "%.8s", (const char *)v->auth_pass);
	d->fields[d->n - 1].secret = true;
	add_hmac(d, v->hmac);
	describe_addr(d, "source address", &v->source);
	describe_flag(d, "unicast", v->unicast);
	add_peers(d, v);
	describe_addr(d, "multicast group", &v->mcast_group);
	add_vips(d, "virtual_ipaddress", v->vips, v->n_advertised);
	add_vips(d, "virtual_ipaddress_excluded",
	    v->n_vips > 0 ? v->vips + v->n_advertised : v->vips, v->n_vips - v->n_advertised);
	add_routing(d, "virtual_routes", "virtual_rules", &v->routing);
	describe_flag(d, "no_accept", v->no_accept);
	describe_flag(d, "promote_secondaries", v->promote_secondaries);
	describe_add(
	    d, "use_vmac", "%s%s", v->vmac.name, v->vmac.xmit_base ? " vmac_xmit_base" : "");
	add_tracks(d, v);
	add_trackers(d, v);
	describe_add(d, "witness", "%s", v->witness.name != NULL ? v->witness.name : "");
	describe_time(d, "witness or_alone", v->witness.or_alone_us);
	describe_flag(d, "dont_track_primary", v->dont_track_primary);
	describe_flag(d, "track_src_ip", v->track_src_ip);
	if (v->lease_us > 0)
		describe_time(d, "vip_lease", v->lease_us);
	else
		describe_add(d, "vip_lease", "%s", v->lease_us == 0 ? "off" : "by the interval");
	describe_add(d, "down_timer_adverts", "%u", v->down_timer_adverts);
	describe_flag(d, "v3_checksum_as_v2", v->v3_checksum_as_v2);
	describe_time(d, "garp_master_delay", v->garp_delay_us);
	describe_add(d, "garp_master_repeat", "%u", v->garp_repeat);
	describe_time(d, "garp_master_refresh", v->garp_refresh_us);
	describe_add(d, "garp_master_refresh_repeat", "%u", v->garp_refresh_repeat);
	describe_time(d, "garp_lower_prio_delay", v->garp_lower_delay_us);
	describe_add(d, "garp_lower_prio_repeat", "%u", v->garp_lower_repeat);
	describe_time(d, "garp_interval", v->garp_interval_us);
	describe_time(d, "gna_interval", v->gna_interval_us);
	describe_add(d, "unicast_ttl", "%u", v->unicast_ttl);
	describe_flag(d, "lower_prio_no_advert", v->lower_prio_no_advert);
	describe_flag(d, "higher_prio_send_advert", v->higher_prio_send_advert);
	describe_flag(d, "skip_check_adv_addr", v->skip_check_adv_addr);
	describe_flag(d, "owner_ignore_adverts", v->owner_ignore_adverts);
	add_notify(d, conf, v->notify);
	describe_flag(d, "says DELETED when removed", v->notify_deleted);
	describe_flag(d, "notify_priority_changes", v->notify_priority_changes);
	describe_fifo(d, conf, "notify_fifo", &v->fifo);
}

void
describe_group(const struct conf *conf, const void *object, struct description *d)
{
	const struct sync_group_conf *g = object;
	struct text t = { 0 };

	for (size_t i = 0; i < g->n_members; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", g->members[i].name);
	describe_add(d, "group", "%s", text_str(&t));
	add_notify(d, conf, g->notify);
	describe_flag(d, "says DELETED when removed", g->notify_deleted);
	describe_fifo(d, conf, "notify_fifo", &g->fifo);
	text_done(&t);
}
