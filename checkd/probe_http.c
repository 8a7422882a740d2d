/*
 * probe_http.c - http and https: which way a check is made (probe_http.h), and
 * the way through the module that knows libcurl (fetch.h).  What an answer means
 * is http.c's business.
 */
#include "checkd/probe_http.h"
#include "checkd/http.h"
#include "common/log.h"
#include "common/loop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static struct http_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct http_probe, plain.runs.probe);
}

static void
report(struct http_probe *h, enum check_reason reason, const char *detail)
{
	const struct probe_result result = {
		.reason = reason,
		.duration_us = mono_until(h->began, loop_now()),
		.detail = detail,
	};

	h->plain.runs.probe.events.on_result(h->plain.runs.probe.events.aux, &result);
}

/* ---- the answer ---- */

/* Days are added to a good answer's detail; the log is told once. */
static void
judge_expiry(struct http_probe *h, const char *expiry, struct text *detail)
{
	const struct check_conf *conf = h->plain.runs.probe.conf;
	int64_t end, now = (int64_t)time(NULL);

	if (expiry == NULL || http_parse_expiry(expiry, &end) < 0)
		return; /* on a connection that was kept none is shown again */
	if (!http_expires_soon(conf->http, end, now)) {
		h->warned = false;
		return;
	}
	text_addf(detail, "the certificate expires in %lld days, on %s",
	    (long long)((end - now) / 86400), expiry);
	if (!h->warned)
		log_warn("check %s: %s", conf->name, text_str(detail));
	h->warned = true;
}

static enum check_reason
judge(struct http_probe *h, const struct fetch_reply *r, struct text *detail)
{
	static const enum check_reason reasons[] = {
		[FETCH_TIMEOUT] = REASON_TIMEOUT,
		[FETCH_REFUSED] = REASON_REFUSED,
		[FETCH_UNREACHABLE] = REASON_UNREACHABLE,
		[FETCH_TLS] = REASON_TLS,
		[FETCH_PROTOCOL] = REASON_PROTOCOL,
		[FETCH_SYSTEM] = REASON_SYSTEM,
	};
	const struct http_answer answer = { r->status, r->body, r->body_size };
	enum check_reason reason;

	switch (r->end) {
	case FETCH_DONE:
		reason = http_judge(h->plain.runs.probe.conf->http, &answer, detail);
		if (reason == REASON_OK)
			judge_expiry(h, r->expiry, detail);
		return reason;
	case FETCH_TIMEOUT:
		text_addf(detail, "timeout after %.3g s: %s",
		    (double)h->plain.runs.probe.conf->timeout_us / 1e6, r->why);
		break;
	case FETCH_REFUSED:
	case FETCH_UNREACHABLE:
		text_addf(detail, "connect: %s", r->why);
		break;
	case FETCH_TLS:
		text_addf(detail, "tls: %s", r->why);
		break;
	case FETCH_PROTOCOL:
	case FETCH_SYSTEM:
		text_add(detail, r->why);
		break;
	}
	return reasons[r->end];
}

static void
on_end(void *aux, const struct fetch_reply *r)
{
	struct http_probe *h = aux;
	struct text detail = { 0 };
	enum check_reason reason = judge(h, r, &detail);

	h->fetch = NULL;
	report(h, reason, text_str(&detail));
	text_done(&detail);
}

/* ---- the question ---- */

void
http_agent(const struct check_conf *conf, char buf[static HTTP_AGENT_MAX])
{
	snprintf(buf, HTTP_AGENT_MAX, "trivet/%s (check %.64s)", TRIVET_VERSION, conf->name);
}

static void
init(struct probe *p)
{
	struct fetch_engine *engine;
	const char *why;

	http_plain_init(&of(p)->plain);
	if (!http_conf_needs_module(p->conf->http))
		return;
	if (p->env->fetch == NULL)
		p->env->fetch = fetch_module_new(p->env->loop);
	fetch_module_api(p->env->fetch, &engine, &why); /* loaded now, not in a run */
}

static void
start_fetch(struct probe *p)
{
	struct http_probe *h = of(p);
	const struct http_conf *conf = p->conf->http;
	struct fetch_engine *engine;
	const char *why;
	struct sockaddr_storage from;
	char where[ADDR_STRLEN], connect_to[ADDR_STRLEN + 2], agent[HTTP_AGENT_MAX];
	struct fetch_request request = {
		.url = conf->url,
		.connect_to = connect_to,
		.method = conf->method != NULL ? conf->method : "GET",
		.headers = conf->headers,
		.n_headers = conf->n_headers,
		.user_agent = agent,
		.from_if = p->conf->bind_if,
		.keep_alive = conf->keep_alive,
		.redirects = conf->redirects,
		.timeout_us = p->conf->timeout_us,
		.verify = conf->verify,
		.wants_expiry = conf->expiry_warning_us > 0,
		.sni = conf->sni,
		.ca = conf->ca,
	};

	h->began = loop_now();
	if (attempt_source(p, &from, &request.from_size))
		request.from = (const struct sockaddr *)&from;
	addr_format(&p->peer.addr, where);
	snprintf(
	    connect_to, sizeof(connect_to), p->peer.addr.family == AF_INET6 ? "[%s]" : "%s", where);
	http_agent(p->conf, agent);
	h->api = fetch_module_api(p->env->fetch, &engine, &why);
	if (h->api == NULL) {
		report(h, REASON_SYSTEM, why);
		return;
	}
	h->fetch = h->api->start(engine, &request, on_end, h);
	if (h->fetch == NULL)
		report(h, REASON_SYSTEM, "no memory for a request");
}

static void
start(struct probe *p)
{
	if (http_conf_needs_module(p->conf->http))
		start_fetch(p);
	else
		http_plain_start(&of(p)->plain);
}

static void
rebind(struct probe *p)
{
	http_plain_rebind(&of(p)->plain);
}

static void
done(struct probe *p)
{
	struct http_probe *h = of(p);

	http_plain_done(&h->plain);
	if (h->fetch != NULL)
		h->api->cancel(h->fetch);
}

const struct probe_class probe_http = {
	.size = sizeof(struct http_probe),
	.init = init,
	.start = start,
	.rebind = rebind,
	.done = done,
};
