/*
 * diff.c - what changes between two configurations, in words.
 *
 * Each object is described as a list of names and values; two lists are
 * compared.  A secret's value is never in such a list, only whether it changed.
 */
#include "common/conf/conf.h"

#include "common/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 96

struct field {
	const char *name;
	char *value;
	bool secret;
};

struct description {
	struct field fields[FIELDS_MAX];
	size_t n;
};

static void add(struct description *, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
add(struct description *d, const char *name, const char *fmt, ...)
{
	va_list ap;
	char *value;

	if (d->n == FIELDS_MAX)
		return;
	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	d->fields[d->n++] = (struct field){ name, value, false };
}

static void
describe_done(struct description *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->fields[i].value);
	d->n = 0;
}

static void
add_addr(struct description *d, const char *name, const struct addr *a)
{
	char text[ADDR_STRLEN];

	add(d, name, "%s", addr_format(a, text));
}

/* "1.5s", "off" for what 0 means. */
static void
add_time(struct description *d, const char *name, int64_t us)
{
	if (us % 1000000 == 0)
		add(d, name, "%llds", (long long)(us / 1000000));
	else if (us % 1000 == 0)
		add(d, name, "%lldms", (long long)(us / 1000));
	else
		add(d, name, "%lldus", (long long)us);
}

static void
add_flag(struct description *d, const char *name, bool on)
{
	add(d, name, "%s", on ? "on" : "off");
}

static void
add_words(struct description *d, const char *name, char *const *words, size_t n)
{
	struct text t = { 0 };

	for (size_t i = 0; i < n; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", words[i]);
	add(d, name, "%s", text_str(&t));
	text_done(&t);
}

/* ---- the objects ---- */

static void
add_http(struct description *d, const struct http_conf *h)
{
	struct text statuses = { 0 };

	for (size_t i = 0; i < h->n_statuses; i++)
		text_addf(&statuses, "%s%u-%u", i > 0 ? "," : "", h->statuses[i].low,
		    h->statuses[i].high);
	add(d, "url", "%s", h->url);
	add(d, "method", "%s", h->method != NULL ? h->method : "GET");
	add(d, "status", "%s", text_str(&statuses));
	add(d, "expect", "%s%s", h->is_regex ? "regex " : "", h->expect != NULL ? h->expect : "");
	add_words(d, "header", h->headers, h->n_headers);
	d->fields[d->n - 1].secret = true;
	add_flag(d, "verify", h->verify);
	add_flag(d, "keep_alive", h->keep_alive);
	add(d, "redirects", "%u", h->redirects);
	add(d, "sni", "%s", h->sni != NULL ? h->sni : "");
	add(d, "ca", "%s", h->ca != NULL ? h->ca : "");
	add_time(d, "expiry_warning", h->expiry_warning_us);
	text_done(&statuses);
}

static void
add_process(struct description *d, const struct process_conf *p)
{
	static const char *const matches[] = { "any", "exact", "partial", "initial" };

	add(d, "process", "%s", p->name);
	add(d, "quorum", "%u", p->quorum);
	if (p->n_params > 0)
		add_words(d, "parameters", p->params, p->n_params);
	if (p->param_match != PARAM_ANY)
		add(d, "param_match", "%s", matches[p->param_match]);
	if (p->full_command)
		add_flag(d, "full_command", true);
	if (p->quorum_max != UINT_MAX)
		add(d, "quorum_max", "%u", p->quorum_max);
	if (p->terminate_us > 0)
		add_time(d, "terminate_delay", p->terminate_us);
	if (p->fork_us > 0)
		add_time(d, "fork_delay", p->fork_us);
}

static void
describe_check(const struct conf *conf, const void *object, struct description *d)
{
	const struct check_conf *c = object;
	char from[ADDR_STRLEN];

	add(d, "type", "%s", check_kind_str(c->kind));
	if (c->kind == CHECK_SCRIPT) {
		const struct conf_script *s = &conf->scripts[c->script];

		add_words(d, "script", c->argv, c->argc);
		add(d, "user", "%s%s%s", s->user != NULL ? s->user : "",
		    s->group != NULL ? ":" : "", s->group != NULL ? s->group : "");
	} else if (c->kind == CHECK_PROCESS) {
		add_process(d, &c->process);
	} else if (c->kind == CHECK_FILE) {
		add(d, "file", "%s", c->file);
	} else if (c->kind == CHECK_HTTP) {
		add_http(d, c->http);
	} else {
		struct text peer = { 0 };

		check_peer_format(c, &peer);
		add(d, "address", "%s%s", text_str(&peer), c->udp ? " udp" : "");
		text_done(&peer);
		if (c->kind == CHECK_DNS)
			add(d, "name", "%s %s", c->dns_name, dns_type_str(c->dns_type));
		add(d, "send", "%s", c->send != NULL ? c->send : "");
		add(d, "expect", "%s", c->expect != NULL ? c->expect : "");
	}
	add(d, "bindto", "%s",
	    c->bind_to.family != AF_UNSPEC ? addr_format(&c->bind_to, from) : "");
	add(d, "bind_if", "%s", c->bind_if != NULL ? c->bind_if : "");
	add(d, "bind_port", "%u", c->bind_port);
	add_time(d, "interval", c->interval_us);
	add_time(d, "timeout", c->timeout_us);
	add_time(d, "hold", c->hold_us);
	add(d, "rise", "%u", c->rise);
	add(d, "fall", "%u", c->fall);
	add(d, "weight", "%d%s", c->weight, c->reverse ? " reverse" : "");
	add_flag(d, "init_fail", c->init_fail);
	add(d, "on_lost", "%s", c->on_lost_fail ? "fail" : "hold");
	add_flag(d, "tracked", c->is_tracked);
}

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
	add(d, name, "%s", text_str(&t));
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
	add(d, routes, "%s", text_str(&t));
	text_done(&t);
	t = (struct text){ 0 };
	for (size_t i = 0; i < conf->n_rules; i++) {
		text_add(&t, i > 0 ? ", " : "");
		rule_words(&t, &conf->rules[i].rule);
	}
	add(d, rules, "%s", text_str(&t));
	text_done(&t);
}

static void
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
	add(d, "unicast_peer", "%s", text_str(&t));
	text_done(&t);
}

static void
add_tracks(struct description *d, const struct vrrp_conf *v)
{
	struct text t = { 0 };

	for (size_t i = 0; i < v->n_tracks; i++)
		text_addf(&t, "%s%s weight %d%s", i > 0 ? ", " : "", v->tracks[i].check->name,
		    v->tracks[i].weight, v->tracks[i].reverse ? " reverse" : "");
	add(d, "track_script", "%s", text_str(&t));
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
	add(d, "track_interface", "%s", text_str(&interfaces));
	add(d, "track_upstream", "%s", text_str(&upstreams));
	if (p->mode == TRACK_PROXY_ON)
		add(d, "track_proxy", "weight %d hold %lldms, %zu listeners", p->weight,
		    (long long)(p->hold_us / 1000), p->n_listeners);
	else
		add(d, "track_proxy", "off");
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
			add_words(d, names[i], conf->scripts[notify[i]].argv,
			    conf->scripts[notify[i]].argc);
		else
			add(d, names[i], "%s", "");
	}
}

static void
add_fifo(
    struct description *d, const struct conf *conf, const char *name, const struct fifo_conf *fifo)
{
	struct text t = { 0 };

	text_addf(&t, "%s%s%s", fifo->path != NULL ? fifo->path : "",
	    fifo->user != NULL ? " of " : "", fifo->user != NULL ? fifo->user : "");
	if (fifo->script != SIZE_MAX)
		text_addf(&t, ", read by %s", conf->scripts[fifo->script].argv[0]);
	add(d, name, "%s", text_str(&t));
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
		add(d, "auth_hmac", "%s, signed with key %u, %s", modes[h->mode], h->active,
		    h->monotonic ? "monotonic" : "time");
	else
		add(d, "auth_hmac", "%s", "");
	add_time(d, "auth_hmac time_window", h != NULL ? h->window_us : 0);
	for (size_t i = 0; h != NULL && i < h->n_keys; i++) {
		text_addf(&keys, "%u ", h->keys[i].id);
		for (size_t k = 0; k < h->keys[i].size; k++)
			text_addf(&keys, "%02x", h->keys[i].bytes[k]);
		text_add(&keys, "\n");
	}
	add(d, "auth_hmac keys", "%s", text_str(&keys));
	d->fields[d->n - 1].secret = true;
	text_done(&keys);
}

static void
describe_vrrp(const struct conf *conf, const void *object, struct description *d)
{
	const struct vrrp_conf *v = object;

	add(d, "state", "%s", v->state_master ? "MASTER" : "BACKUP");
	add(d, "sync group", "%s", v->group != NULL ? v->group : "");
	add(d, "interface", "%s", v->interface);
	add(d, "virtual_router_id", "%u", v->vrid);
	add(d, "priority", "%u", v->priority);
	add(d, "version", "%u", v->version);
	add_time(d, "advert_int", v->advert_us);
	add_flag(d, "nopreempt", v->nopreempt);
	add_flag(d, "strict", v->strict);
	add_flag(d, "fast_preempt", v->fast_preempt);
	add_flag(d, "yield_when_deaf", v->yield_when_deaf);
	add_time(d, "preempt_delay", v->preempt_delay_us);
	add(d, "authentication", "%s", v->auth == VRRP_AUTH_PASS ? "PASS" : "none");
	add(d, "auth_pass", "%.8s", (const char *)v->auth_pass);
	d->fields[d->n - 1].secret = true;
	add_hmac(d, v->hmac);
	add_addr(d, "source address", &v->source);
	add_flag(d, "unicast", v->unicast);
	add_peers(d, v);
	add_addr(d, "multicast group", &v->mcast_group);
	add_vips(d, "virtual_ipaddress", v->vips, v->n_advertised);
	add_vips(d, "virtual_ipaddress_excluded",
	    v->n_vips > 0 ? v->vips + v->n_advertised : v->vips, v->n_vips - v->n_advertised);
	add_routing(d, "virtual_routes", "virtual_rules", &v->routing);
	add_flag(d, "no_accept", v->no_accept);
	add_flag(d, "promote_secondaries", v->promote_secondaries);
	add(d, "use_vmac", "%s%s", v->vmac.name, v->vmac.xmit_base ? " vmac_xmit_base" : "");
	add_tracks(d, v);
	add_trackers(d, v);
	add(d, "witness", "%s", v->witness.name != NULL ? v->witness.name : "");
	add_time(d, "witness or_alone", v->witness.or_alone_us);
	add_flag(d, "dont_track_primary", v->dont_track_primary);
	add_flag(d, "track_src_ip", v->track_src_ip);
	if (v->lease_us > 0)
		add_time(d, "vip_lease", v->lease_us);
	else
		add(d, "vip_lease", "%s", v->lease_us == 0 ? "off" : "by the interval");
	add(d, "down_timer_adverts", "%u", v->down_timer_adverts);
	add_flag(d, "v3_checksum_as_v2", v->v3_checksum_as_v2);
	add_time(d, "garp_master_delay", v->garp_delay_us);
	add(d, "garp_master_repeat", "%u", v->garp_repeat);
	add_time(d, "garp_master_refresh", v->garp_refresh_us);
	add(d, "garp_master_refresh_repeat", "%u", v->garp_refresh_repeat);
	add_time(d, "garp_lower_prio_delay", v->garp_lower_delay_us);
	add(d, "garp_lower_prio_repeat", "%u", v->garp_lower_repeat);
	add_time(d, "garp_interval", v->garp_interval_us);
	add_time(d, "gna_interval", v->gna_interval_us);
	add(d, "unicast_ttl", "%u", v->unicast_ttl);
	add_flag(d, "lower_prio_no_advert", v->lower_prio_no_advert);
	add_flag(d, "higher_prio_send_advert", v->higher_prio_send_advert);
	add_flag(d, "skip_check_adv_addr", v->skip_check_adv_addr);
	add_flag(d, "owner_ignore_adverts", v->owner_ignore_adverts);
	add_notify(d, conf, v->notify);
	add_flag(d, "says DELETED when removed", v->notify_deleted);
	add_flag(d, "notify_priority_changes", v->notify_priority_changes);
	add_fifo(d, conf, "notify_fifo", &v->fifo);
}

static void
add_health(struct description *d, const struct health_conf *h)
{
	if (h == NULL) {
		add(d, "health_check", "%s", "");
		return;
	}
	add(d, "health_check",
	    "interval=%lldms jitter=%lldms timeout=%lldms fails=%u passes=%u port=%u%s%s%s%s%s%s",
	    (long long)(h->interval_us / 1000), (long long)(h->jitter_us / 1000),
	    (long long)(h->timeout_us / 1000), h->fails, h->passes, h->port,
	    h->mandatory ? " mandatory" : "", h->udp ? " udp" : "",
	    h->match != NULL ? " match=" : "", h->match != NULL ? h->match->name : "",
	    h->check != NULL ? " check=" : "", h->check != NULL ? h->check->name : "");
}

static void
describe_match(const struct conf *conf, const void *object, struct description *d)
{
	const struct match_conf *m = object;

	(void)conf;
	add(d, "send", "%s", m->send != NULL ? m->send : "");
	add(d, "expect", "%s%s", m->is_regex ? m->ignore_case ? "~* " : "~ " : "",
	    m->expect != NULL ? m->expect : "");
}

static void
add_resolver(struct description *d, const struct resolver_conf *r)
{
	struct text t = { 0 };
	char buf[ENDPOINT_STRLEN];

	if (r->n == 0)
		return;
	for (size_t i = 0; i < r->n; i++)
		if (r->servers[i].host[0] != '\0')
			text_addf(&t, "%s:%u ", r->servers[i].host, r->servers[i].at.port);
		else
			text_addf(&t, "%s ", endpoint_format(&r->servers[i].at, buf));
	text_addf(&t, "valid=%llds%s%s", (long long)(r->valid_us / 1000000),
	    r->no_ipv4 ? " ipv4=off" : "", r->no_ipv6 ? " ipv6=off" : "");
	add(d, "resolver", "%s", text_str(&t));
	add_time(d, "resolver_timeout", r->timeout_us);
	text_done(&t);
}

static void
describe_upstream(const struct conf *conf, const void *object, struct description *d)
{
	const struct upstream_conf *u = object;
	struct text t = { 0 };

	(void)conf;
	for (size_t i = 0; i < u->n_servers; i++) {
		const struct server_conf *s = &u->servers[i];

		text_addf(&t,
		    "%s%s weight=%u max_fails=%u fail_timeout=%lldms max_conns=%u slow_start=%lldms%s%s%s",
		    i > 0 ? ", " : "", s->text, s->weight, s->max_fails,
		    (long long)(s->fail_timeout_us / 1000), s->max_conns,
		    (long long)(s->slow_start_us / 1000), s->backup ? " backup" : "",
		    s->down ? " down" : "", s->resolve ? " resolve" : "");
	}
	add(d, "servers", "%s", text_str(&t));
	add(d, "balance", "%s%s%s", balance_kind_str(u->balance), u->key.text != NULL ? " " : "",
	    u->key.text != NULL ? u->key.text : "");
	add_resolver(d, &u->resolver);
	add(d, "on_server_down", "%s",
	    u->on_down == DOWN_KEEP    ? "keep"
	    : u->on_down == DOWN_CLOSE ? "close"
				       : "drain");
	add_time(d, "on_server_down drain", u->drain_us);
	add_health(d, u->health);
	text_done(&t);
}

static void
add_listen(struct description *d, const struct listen_conf *l)
{
	const struct keepalive_conf *k = &l->keepalive;

	add(d, "backlog", "%u", l->backlog);
	add(d, "rcvbuf", "%zu", l->rcvbuf);
	add(d, "sndbuf", "%zu", l->sndbuf);
	add(d, "fastopen", "%u", l->fastopen);
	add_flag(d, "deferred", l->deferred);
	if (k->is_on)
		add(d, "so_keepalive", "%us:%us:%u", k->idle_s, k->interval_s, k->count);
	else
		add(d, "so_keepalive", "off");
}

static void
add_sources(struct description *d, const struct listener_conf *l)
{
	struct text t = { 0 };
	char buf[ADDR_STRLEN];

	for (size_t i = 0; i < l->n_sources; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", addr_format(&l->sources[i], buf));
	add(d, "proxy_bind", "%s", l->n_sources > 0 ? text_str(&t) : "off");
	text_done(&t);
}

static void
add_target(struct text *t, const struct log_target *target)
{
	if (t->length > 0)
		text_add(t, ", ");
	text_add(t, target->path != NULL     ? target->path
		    : target->syslog != NULL ? target->syslog
					     : "stderr");
}

static void
add_server_words(struct description *d, const struct server_words *w)
{
	struct text access = { 0 }, errors = { 0 }, sets = { 0 };

	for (size_t i = 0; i < w->n_access; i++) {
		add_target(&access, &w->access[i].target);
		text_addf(&access, " %s%s%s%s", w->access[i].line.text,
		    w->access[i].condition.n > 0 ? " if=" : "",
		    w->access[i].condition.n > 0 ? w->access[i].condition.text : "",
		    w->access[i].at_start ? " when=start" : "");
	}
	for (size_t i = 0; i < w->n_errors; i++) {
		add_target(&errors, &w->errors[i].target);
		text_addf(&errors, " %d", w->errors[i].level);
	}
	for (size_t i = 0; i < w->n_sets; i++)
		text_addf(&sets, "%s$%s %s", i > 0 ? ", " : "",
		    w->lexicon->words[w->sets[i].word].name, w->sets[i].value.text);
	add(d, "access_log", "%s", text_str(&access));
	add(d, "error_log", "%s", text_str(&errors));
	add(d, "set", "%s", text_str(&sets));
	text_done(&access);
	text_done(&errors);
	text_done(&sets);
}

static void
add_range(struct text *t, const struct client_range *r)
{
	char network[ADDR_STRLEN];

	if (r->kind == CLIENT_NETWORK)
		text_addf(t, "%s/%u", addr_format(&r->network.addr, network), r->network.bits);
	else
		text_add(t, r->kind == CLIENT_ALL ? "all" : "unix:");
}

static void
add_list(struct description *d, const char *name, struct text *t)
{
	add(d, name, "%s", t->length > 0 ? text_str(t) + 1 : "");
	text_done(t);
}

static void
add_client(struct description *d, const struct client_conf *c)
{
	struct text trusted = { 0 }, rules = { 0 }, limits = { 0 };

	for (size_t i = 0; i < c->n_trusted; i++) {
		text_add(&trusted, " ");
		add_range(&trusted, &c->trusted[i]);
	}
	for (size_t i = 0; i < c->n_rules; i++) {
		text_add(&rules, c->rules[i].allow ? " +" : " -");
		add_range(&rules, &c->rules[i].who);
	}
	for (size_t i = 0; i < c->n_limits; i++)
		text_addf(&limits, " %s %u", c->limits[i].zone, c->limits[i].max);
	add_list(d, "set_real_ip_from", &trusted);
	add_list(d, "allow and deny", &rules);
	add_list(d, "limit_conn", &limits);
	add_flag(d, "limit_conn_dry_run", c->limit_dry_run);
	add(d, "proxy_upload_rate", "%llu", (unsigned long long)c->rates[0]);
	add(d, "proxy_download_rate", "%llu", (unsigned long long)c->rates[1]);
	add(d, "proxy_protocol", "%s", c->announce == 0 ? "off" : c->announce == 1 ? "on" : "v2");
	add_flag(d, "proxy_bind transparent", c->transparent);
	add_flag(d, "proxy_bind with the client's port", c->transparent_port);
	add_time(d, "proxy_protocol_timeout", c->header_timeout_us);
}

static void
describe_listener(const struct conf *conf, const void *object, struct description *d)
{
	const struct listener_conf *l = object;
	const struct server_words *w = l->words;

	(void)conf;
	add(d, "protocol", "%s", l->udp ? "udp" : "tcp");
	add_flag(d, "ipv6only", l->ipv6_only);
	add_listen(d, &l->listen);
	add(d, "proxy_pass", "%s",
	    l->upstream != NULL ? l->upstream->name
	    : w->pass.n > 0	? w->pass.text
				: "");
	add(d, "return", "%s", w->returns ? w->answer.text : "");
	add_time(d, "proxy_connect_timeout", l->connect_timeout_us);
	add_time(d, "proxy_timeout", l->timeout_us);
	add_time(d, "proxy_half_close_timeout", l->half_timeout_us);
	add_time(d, "proxy_user_timeout", l->user_timeout_us);
	add_time(d, "max_session_age", l->age_us);
	add_time(d, "max_session_age jitter", l->age_jitter_us);
	add_flag(d, "proxy_next_upstream", l->next_upstream);
	add(d, "proxy_next_upstream_tries", "%u", l->next_upstream_tries);
	add_time(d, "proxy_next_upstream_timeout", l->next_upstream_timeout_us);
	add_flag(d, "proxy_half_close", l->half_close);
	add_flag(d, "tcp_nodelay", l->tcp_nodelay);
	add(d, "proxy_buffer_size", "%zu", l->buffer_size);
	add_sources(d, l);
	add_flag(d, "proxy_socket_keepalive", l->keepalive);
	add(d, "proxy_socket_rcvbuf", "%zu", l->rcvbuf);
	add(d, "proxy_socket_sndbuf", "%zu", l->sndbuf);
	add_server_words(d, w);
	add_flag(d, "ssl_preread", l->ssl_preread);
	add_time(d, "preread_timeout", l->preread_timeout_us);
	add(d, "preread_buffer_size", "%zu", l->preread_size);
	add(d, "proxy_requests", "%u", l->requests);
	if (l->responses != UINT32_MAX)
		add(d, "proxy_responses", "%u", l->responses);
	add_flag(d, "listen proxy_protocol", l->proxy_protocol);
	add_client(d, l->client);
}

/* The globals are one object without a name. */
static void
describe_globals(const struct conf *conf, const void *object, struct description *d)
{
	struct text delays = { 0 };

	(void)object;
	add(d, "router_id", "%s", conf->router_id != NULL ? conf->router_id : "");
	add(d, "script_user", "%s%s%s", conf->script_user != NULL ? conf->script_user : "",
	    conf->script_group != NULL ? ":" : "",
	    conf->script_group != NULL ? conf->script_group : "");
	add_flag(d, "enable_script_security", conf->script_security);
	add_time(d, "vrrp_startup_delay", conf->startup_delay_us);
	for (size_t i = 0; i < conf->n_link_delays; i++)
		text_addf(&delays, "%s%s %lldms %lldms", i > 0 ? ", " : "",
		    conf->link_delays[i].name, (long long)(conf->link_delays[i].down_us / 1000),
		    (long long)(conf->link_delays[i].up_us / 1000));
	add(d, "interface_up_down_delays", "%s", text_str(&delays));
	text_done(&delays);
	add_fifo(d, conf, "notify_fifo", &conf->fifos[0]);
	add_fifo(d, conf, "vrrp_notify_fifo", &conf->fifos[1]);
	add_flag(d, "fifo_write_vrrp_states_on_reload", conf->fifo_states_on_reload);
	add_flag(d, "log_unknown_vrids", conf->log_unknown_vrids);
	add(d, "worker_processes", "%u", conf->data_threads);
	add(d, "worker_connections", "%u", conf->connections);
	add(d, "worker_rlimit_nofile", "%u", conf->nofile);
}

static void
describe_group(const struct conf *conf, const void *object, struct description *d)
{
	const struct sync_group_conf *g = object;
	struct text t = { 0 };

	for (size_t i = 0; i < g->n_members; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", g->members[i].name);
	add(d, "group", "%s", text_str(&t));
	add_notify(d, conf, g->notify);
	add_flag(d, "says DELETED when removed", g->notify_deleted);
	add_fifo(d, conf, "notify_fifo", &g->fifo);
	text_done(&t);
}

/* ---- comparing ---- */

/* A kind of object: where its array is in struct conf, and its name in it. */
static const struct kind {
	const char *name;
	unsigned part;
	size_t array, count, size;
	size_t name_at;
	void (*describe)(const struct conf *, const void *, struct description *);
} kinds[] = {
	{ "check", CONF_CHECK, offsetof(struct conf, checks), offsetof(struct conf, n_checks),
	    sizeof(struct check_conf), offsetof(struct check_conf, name), describe_check },
	{ "vrrp_instance", CONF_VRRP, offsetof(struct conf, instances),
	    offsetof(struct conf, n_instances), sizeof(struct vrrp_conf),
	    offsetof(struct vrrp_conf, name), describe_vrrp },
	{ "vrrp_sync_group", CONF_VRRP, offsetof(struct conf, groups),
	    offsetof(struct conf, n_groups), sizeof(struct sync_group_conf),
	    offsetof(struct sync_group_conf, name), describe_group },
	{ "upstream", CONF_STREAM, offsetof(struct conf, upstreams),
	    offsetof(struct conf, n_upstreams), sizeof(struct upstream_conf),
	    offsetof(struct upstream_conf, name), describe_upstream },
	{ "match", CONF_STREAM, offsetof(struct conf, matches), offsetof(struct conf, n_matches),
	    sizeof(struct match_conf), offsetof(struct match_conf, name), describe_match },
	{ "listener", CONF_STREAM, offsetof(struct conf, listeners),
	    offsetof(struct conf, n_listeners), sizeof(struct listener_conf),
	    offsetof(struct listener_conf, name), describe_listener },
};

struct differ {
	const struct conf *old, *next;
	void (*line)(void *aux, const char *);
	void *aux;
};

static void
say(const struct differ *x, char *line)
{
	x->line(x->aux, line);
	free(line);
}

static void
compare(const struct differ *x, const char *kind, const char *name, struct description *was,
    struct description *is)
{
	const char *space = name[0] != '\0' ? " " : "";

	for (size_t i = 0; i < is->n; i++) {
		const struct field *f = &is->fields[i], *o = NULL;

		for (size_t k = 0; k < was->n; k++)
			if (strcmp(was->fields[k].name, f->name) == 0)
				o = &was->fields[k];
		if (o != NULL && strcmp(o->value, f->value) == 0)
			continue;
		if (f->secret)
			say(x, xasprintf("%s%s%s: %s changes", kind, space, name, f->name));
		else
			say(x, xasprintf("%s%s%s: %s %s -> %s", kind, space, name, f->name,
				   o == NULL || o->value[0] == '\0' ? "none" : o->value,
				   f->value[0] == '\0' ? "none" : f->value));
	}
}

static size_t
count_of(const struct conf *conf, const struct kind *k)
{
	return conf == NULL ? 0 : *(const size_t *)(const void *)((const char *)conf + k->count);
}

static const char *
object_of(const struct conf *conf, const struct kind *k, size_t i)
{
	return *(const char *const *)(const void *)((const char *)conf + k->array) + i * k->size;
}

static const char *
name_of(const char *object, const struct kind *k)
{
	return *(const char *const *)(const void *)(object + k->name_at);
}

/* The object of that name, and for listeners of that protocol. */
static const char *
find(const struct conf *conf, const struct kind *k, const char *name)
{
	for (size_t i = 0; i < count_of(conf, k); i++)
		if (strcmp(name_of(object_of(conf, k, i), k), name) == 0)
			return object_of(conf, k, i);
	return NULL;
}

static void
diff_kind(const struct differ *x, const struct kind *k)
{
	for (size_t i = 0; i < count_of(x->old, k); i++) {
		const char *name = name_of(object_of(x->old, k, i), k);

		if (find(x->next, k, name) == NULL)
			say(x, xasprintf("%s %s: removed", k->name, name));
	}
	for (size_t i = 0; i < count_of(x->next, k); i++) {
		const char *object = object_of(x->next, k, i), *name = name_of(object, k);
		const char *before = find(x->old, k, name);
		struct description was = { .n = 0 }, is = { .n = 0 };

		if (before == NULL) {
			say(x, xasprintf("%s %s: added", k->name, name));
			continue;
		}
		k->describe(x->old, before, &was);
		k->describe(x->next, object, &is);
		compare(x, k->name, name, &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
}

void
conf_diff(const struct conf *old, const struct conf *next, unsigned parts,
    void (*line)(void *aux, const char *), void *aux)
{
	struct differ x = { old, next, line, aux };
	struct description was = { .n = 0 }, is = { .n = 0 };

	if ((parts & CONF_GLOBAL) != 0 && old != NULL) {
		describe_globals(old, NULL, &was);
		describe_globals(next, NULL, &is);
		compare(&x, "global_defs", "", &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
	if ((parts & CONF_VRRP) != 0 && old != NULL) {
		describe_statics(old, &was);
		describe_statics(next, &is);
		compare(&x, "the node", "", &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((kinds[i].part & parts) != 0)
			diff_kind(&x, &kinds[i]);
}
