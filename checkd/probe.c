/*
 * probe.c - see probe.h.
 */
#include "checkd/probe.h"

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
};

static const struct probe_class *
class_of(enum check_kind kind)
{
	return (size_t)kind < ARRAY_LEN(classes) && classes[kind] != NULL ? classes[kind]
									  : &probe_unknown;
}

struct probe *
probe_new(struct probe_env *env, const struct check_conf *conf, const struct probe_events *events)
{
	const struct probe_class *class = class_of(conf->kind);
	struct probe *p = xcalloc(1, class->size);

	p->class = class;
	p->conf = conf;
	p->env = env;
	p->events = *events;
	if (class->init != NULL)
		class->init(p);
	return p;
}

void
probe_start(struct probe *p)
{
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
	free(p);
}
