/*
 * describe_stream.c - upstreams, listeners and what goes with them; see describe.h.
 */
#include "common/conf/describe.h"

static void
add_health(struct description *d, const struct health_conf *h)
{
	if (h == NULL) {
		describe_add(d, "health_check", "%s", "");
		return;
	}
	describe_add(d, "health_check",
	    "interval=%lldms jitter=%lldms timeout=%lldms fails=%u passes=%u port=%u%s%s%s%s%s%s",
	    (long long)(h->interval_us / 1000), (long long)(h->jitter_us / 1000),
	    (long long)(h->timeout_us / 1000), h->fails, h->passes, h->port,
	    h->mandatory ? " mandatory" : "", h->udp ? " udp" : "",
	    h->match != NULL ? " match=" : "", h->match != NULL ? h->match->name : "",
	    h->check != NULL ? " check=" : "", h->check != NULL ? h->check->name : "");
}

void
describe_match(const struct conf *conf, const void *object, struct description *d)
{
	const struct match_conf *m = object;

	(void)conf;
	describe_add(d, "send", "%s", m->send != NULL ? m->send : "");
	describe_add(d, "expect", "%s%s", m->is_regex ? m->ignore_case ? "~* " : "~ " : "",
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
	describe_add(d, "resolver", "%s", text_str(&t));
	describe_time(d, "resolver_timeout", r->timeout_us);
	text_done(&t);
}

void
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
	describe_add(d, "servers", "%s", text_str(&t));
	describe_add(d, "balance", "%s%s%s", balance_kind_str(u->balance),
	    u->key.text != NULL ? " " : "", u->key.text != NULL ? u->key.text : "");
	add_resolver(d, &u->resolver);
	describe_add(d, "on_server_down", "%s",
	    u->on_down == DOWN_KEEP    ? "keep"
	    : u->on_down == DOWN_CLOSE ? "close"
				       : "drain");
	describe_time(d, "on_server_down drain", u->drain_us);
	add_health(d, u->health);
	text_done(&t);
}

static void
add_listen(struct description *d, const struct listen_conf *l)
{
	const struct keepalive_conf *k = &l->keepalive;

	describe_add(d, "backlog", "%u", l->backlog);
	describe_add(d, "rcvbuf", "%zu", l->rcvbuf);
	describe_add(d, "sndbuf", "%zu", l->sndbuf);
	describe_add(d, "fastopen", "%u", l->fastopen);
	describe_flag(d, "deferred", l->deferred);
	if (k->is_on)
		describe_add(d, "so_keepalive", "%us:%us:%u", k->idle_s, k->interval_s, k->count);
	else
		describe_add(d, "so_keepalive", "off");
}

static void
add_sources(struct description *d, const struct listener_conf *l)
{
	struct text t = { 0 };
	char buf[ADDR_STRLEN];

	for (size_t i = 0; i < l->n_sources; i++)
		text_addf(&t, "%s%s", i > 0 ? " " : "", addr_format(&l->sources[i], buf));
	describe_add(d, "proxy_bind", "%s", l->n_sources > 0 ? text_str(&t) : "off");
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
	describe_add(d, "access_log", "%s", text_str(&access));
	describe_add(d, "error_log", "%s", text_str(&errors));
	describe_add(d, "set", "%s", text_str(&sets));
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
	describe_add(d, name, "%s", t->length > 0 ? text_str(t) + 1 : "");
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
	describe_flag(d, "limit_conn_dry_run", c->limit_dry_run);
	describe_add(d, "proxy_upload_rate", "%llu", (unsigned long long)c->rates[0]);
	describe_add(d, "proxy_download_rate", "%llu", (unsigned long long)c->rates[1]);
	describe_add(d, "proxy_protocol", "%s",
	    c->announce == 0   ? "off"
	    : c->announce == 1 ? "on"
			       : "v2");
	describe_flag(d, "proxy_bind transparent", c->transparent);
	describe_flag(d, "proxy_bind with the client's port", c->transparent_port);
	describe_time(d, "proxy_protocol_timeout", c->header_timeout_us);
}

void
describe_listener(const struct conf *conf, const void *object, struct description *d)
{
	const struct listener_conf *l = object;
	const struct server_words *w = l->words;

	(void)conf;
	describe_add(d, "protocol", "%s", l->udp ? "udp" : "tcp");
	describe_flag(d, "ipv6only", l->ipv6_only);
	add_listen(d, &l->listen);
	describe_add(d, "proxy_pass", "%s",
	    l->upstream != NULL ? l->upstream->name
	    : w->pass.n > 0	? w->pass.text
				: "");
	describe_add(d, "return", "%s", w->returns ? w->answer.text : "");
	describe_time(d, "proxy_connect_timeout", l->connect_timeout_us);
	describe_time(d, "proxy_timeout", l->timeout_us);
	describe_time(d, "proxy_half_close_timeout", l->half_timeout_us);
	describe_time(d, "proxy_user_timeout", l->user_timeout_us);
	describe_time(d, "max_session_age", l->age_us);
	describe_time(d, "max_session_age jitter", l->age_jitter_us);
	describe_flag(d, "proxy_next_upstream", l->next_upstream);
	describe_add(d, "proxy_next_upstream_tries", "%u", l->next_upstream_tries);
	describe_time(d, "proxy_next_upstream_timeout", l->next_upstream_timeout_us);
	describe_flag(d, "proxy_half_close", l->half_close);
	describe_flag(d, "tcp_nodelay", l->tcp_nodelay);
	describe_add(d, "proxy_buffer_size", "%zu", l->buffer_size);
	add_sources(d, l);
	describe_flag(d, "proxy_socket_keepalive", l->keepalive);
	describe_add(d, "proxy_socket_rcvbuf", "%zu", l->rcvbuf);
	describe_add(d, "proxy_socket_sndbuf", "%zu", l->sndbuf);
	add_server_words(d, w);
	describe_flag(d, "ssl_preread", l->ssl_preread);
	describe_time(d, "preread_timeout", l->preread_timeout_us);
	describe_add(d, "preread_buffer_size", "%zu", l->preread_size);
	describe_add(d, "proxy_requests", "%u", l->requests);
	if (l->responses != UINT32_MAX)
		describe_add(d, "proxy_responses", "%u", l->responses);
	describe_flag(d, "listen proxy_protocol", l->proxy_protocol);
	add_client(d, l->client);
}
