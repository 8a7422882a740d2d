/*
 * probe.c - see probe.h.
 */
#include "checkd/probe.h"

#include "checkd/resolve.h"
#include "common/loop.h"

#include <stdio.h>
#include <stdlib.h>

/* A kind that the configuration knows and this checkd does not make: failed, not skipped. */
static void
start_unknown(struct probe *p)
{
	char detail[PROBE_DETAIL_MAX];
	const struct probe_result result = { .reason = REASON_SYSTEM, .detail = detail };

	snprintf(detail, sizeof(detail), "this checkd makes no %s checks",
	    check_kind_str(p->conf->kind));
	p->events.on_result(p->events.aux, &result);
}

static const struct probe_class probe_unknown = {
	.size = sizeof(struct probe),
	.start = start_unknown,
};

static const struct probe_class *const classes[] = {
	[CHECK_SCRIPT] = &probe_script,
	[CHECK_PORT] = &probe_port,
	[CHECK_TCP] = &probe_tcp,
	[CHECK_PROCESS] = &probe_process,
	[CHECK_HTTP] = &probe_http,
	[CHECK_PING] = &probe_ping,
	[CHECK_DNS] = &probe_dns,
	[CHECK_SMTP] = &probe_smtp,
	[CHECK_UDP] = &probe_udp,
	[CHECK_FILE] = &probe_file,
};

static const struct probe_class *
class_of(enum check_kind kind)
{
	return (size_t)kind < ARRAY_LEN(classes) && classes[kind] != NULL ? classes[kind]
									  : &probe_unknown;
}

/* ---- the peer's address ---- */

/* Outlives its probe while libuv closes the timer. */
struct probe_name {
	struct probe *probe;
	struct resolver *resolver;
	struct loop_timer timer; /* armed while a run waits for the first address */
	mono_t began;
};

static void
fail_run(struct probe_name *name, enum check_reason reason, const char *fmt, const char *why)
{
	char detail[PROBE_DETAIL_MAX];
	struct probe *p = name->probe;
	const struct probe_result result = {
		.reason = reason,
		.duration_us = mono_until(name->began, loop_now()),
		.detail = detail,
	};

	loop_timer_stop(&name->timer);
	snprintf(detail, sizeof(detail), fmt, p->conf->host, why);
	p->events.on_result(p->events.aux, &result);
}

static bool
is_waiting(const struct probe_name *name)
{
	return !mono_is_never(name->timer.deadline);
}

static void
on_name_late(struct loop_timer *t, mono_t now)
{
	(void)now;
	fail_run(CONTAINER_OF(t, struct probe_name, timer), REASON_TIMEOUT,
	    "timeout: no answer to where %s is%s", "");
}

/* The run goes on with an address, or ends for want of one. */
static void
on_answer(void *aux)
{
	struct probe_name *name = aux;
	struct probe *p = name->probe;

	if (!is_waiting(name))
		return;
	loop_timer_stop(&name->timer);
	if (resolver_address(name->resolver, &p->peer.addr))
		p->class->start(p);
	else
		fail_run(name, REASON_RESOLVE, "%s is not found: %s", resolver_why(name->resolver));
}

static struct probe_name *
name_new(struct probe *p)
{
	struct probe_name *name = xcalloc(1, sizeof(*name));

	name->probe = p;
	name->resolver = resolver_new(p->env->loop, p->conf->host, on_answer, name);
	loop_timer_init(p->env->loop, &name->timer, on_name_late);
	return name;
}

static void
start_by_name(struct probe *p)
{
	struct probe_name *name = p->name;

	name->began = loop_now();
	if (resolver_address(name->resolver, &p->peer.addr))
		p->class->start(p);
	else if (resolver_is_asking(name->resolver))
		loop_timer_at(&name->timer, mono_add(name->began, p->conf->timeout_us));
	else
		fail_run(name, REASON_SYSTEM, "%s: %s", resolver_why(name->resolver));
}

static void
on_name_closed(struct loop_timer *t)
{
	free(CONTAINER_OF(t, struct probe_name, timer));
}

static void
name_free(struct probe_name *name)
{
	if (name == NULL)
		return;
	resolver_free(name->resolver);
	loop_timer_close(&name->timer, on_name_closed);
}

/* ---- one probe ---- */

struct probe *
probe_new(struct probe_env *env, const struct check_conf *conf, const struct probe_events *events)
{
	const struct probe_class *class = class_of(conf->kind);
	struct probe *p = xcalloc(1, class->size);

	p->class = class;
	p->conf = conf;
	p->env = env;
	p->events = *events;
	p->peer = conf->endpoint;
	if (conf->host != NULL)
		p->name = name_new(p);
	if (class->init != NULL)
		class->init(p);
	return p;
}

void
probe_start(struct probe *p)
{
	if (p->name != NULL)
		start_by_name(p);
	else
		p->class->start(p);
}

void
probe_rebind(struct probe *p, const struct check_conf *conf)
{
	p->conf = conf;
	if (p->class->rebind != NULL)
		p->class->rebind(p);
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	if (p->class->done != NULL)
		p->class->done(p);
	name_free(p->name);
	free(p);
}
