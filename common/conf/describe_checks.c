/*
 * describe_checks.c - checks and what they watch; see describe.h.
 */
#include "common/conf/describe.h"

#include <limits.h>

static void
add_http(struct description *d, const struct http_conf *h)
{
	struct text statuses = { 0 };

	for (size_t i = 0; i < h->n_statuses; i++)
		text_addf(&statuses, "%s%u-%u", i > 0 ? "," : "", h->statuses[i].low,
		    h->statuses[i].high);
	describe_add(d, "url", "%s", h->url);
	describe_add(d, "method", "%s", h->method != NULL ? h->method : "GET");
	describe_add(d, "status", "%s", text_str(&statuses));
	describe_add(
	    d, "expect", "%s%s", h->is_regex ? "regex " : "", h->expect != NULL ? h->expect : "");
	describe_words(d, "header", h->headers, h->n_headers);
	d->fields[d->n - 1].secret = true;
	describe_flag(d, "verify", h->verify);
	describe_flag(d, "keep_alive", h->keep_alive);
	describe_add(d, "redirects", "%u", h->redirects);
	describe_add(d, "sni", "%s", h->sni != NULL ? h->sni : "");
	describe_add(d, "ca", "%s", h->ca != NULL ? h->ca : "");
	describe_time(d, "expiry_warning", h->expiry_warning_us);
	text_done(&statuses);
}

static void
add_process(struct description *d, const struct process_conf *p)
{
	static const char *const matches[] = { "any", "exact", "partial", "initial" };

	describe_add(d, "process", "%s", p->name);
	describe_add(d, "quorum", "%u", p->quorum);
	if (p->n_params > 0)
		describe_words(d, "parameters", p->params, p->n_params);
	if (p->param_match != PARAM_ANY)
		describe_add(d, "param_match", "%s", matches[p->param_match]);
	if (p->full_command)
		describe_flag(d, "full_command", true);
	if (p->quorum_max != UINT_MAX)
		describe_add(d, "quorum_max", "%u", p->quorum_max);
	if (p->terminate_us > 0)
		describe_time(d, "terminate_delay", p->terminate_us);
	if (p->fork_us > 0)
		describe_time(d, "fork_delay", p->fork_us);
}

void
describe_check(const struct conf *conf, const void *object, struct description *d)
{
	const struct check_conf *c = object;
	char from[ADDR_STRLEN];

	describe_add(d, "type", "%s", check_kind_str(c->kind));
	if (c->kind == CHECK_SCRIPT) {
		const struct conf_script *s = &conf->scripts[c->script];

		describe_words(d, "script", c->argv, c->argc);
		describe_add(d, "user", "%s%s%s", s->user != NULL ? s->user : "",
		    s->group != NULL ? ":" : "", s->group != NULL ? s->group : "");
	} else if (c->kind == CHECK_PROCESS) {
		add_process(d, &c->process);
	} else if (c->kind == CHECK_FILE) {
		describe_add(d, "file", "%s", c->file);
	} else if (c->kind == CHECK_HTTP) {
		add_http(d, c->http);
	} else {
		struct text peer = { 0 };

		check_peer_format(c, &peer);
		describe_add(d, "address", "%s%s", text_str(&peer), c->udp ? " udp" : "");
		text_done(&peer);
		if (c->kind == CHECK_DNS)
			describe_add(d, "name", "%s %s", c->dns_name, dns_type_str(c->dns_type));
		describe_add(d, "send", "%s", c->send != NULL ? c->send : "");
		describe_add(d, "expect", "%s", c->expect != NULL ? c->expect : "");
	}
	describe_add(d, "bindto", "%s",
	    c->bind_to.family != AF_UNSPEC ? addr_format(&c->bind_to, from) : "");
	describe_add(d, "bind_if", "%s", c->bind_if != NULL ? c->bind_if : "");
	describe_add(d, "bind_port", "%u", c->bind_port);
	describe_time(d, "interval", c->interval_us);
	describe_time(d, "timeout", c->timeout_us);
	describe_time(d, "hold", c->hold_us);
	describe_add(d, "rise", "%u", c->rise);
	describe_add(d, "fall", "%u", c->fall);
	describe_add(d, "weight", "%d%s", c->weight, c->reverse ? " reverse" : "");
	describe_flag(d, "init_fail", c->init_fail);
	describe_add(d, "on_lost", "%s", c->on_lost_fail ? "fail" : "hold");
	describe_flag(d, "tracked", c->is_tracked);
}
