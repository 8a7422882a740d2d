/*
 * probe.c - see probe.h.
 */
#include "checkd/probe.h"

#include <stdlib.h>

static const struct probe_class *const classes[] = {
	[CHECK_SCRIPT] = &probe_script,
	[CHECK_PORT] = &probe_port,
	[CHECK_TCP] = &probe_tcp,
	[CHECK_PROCESS] = &probe_process,
};

struct probe *
probe_new(struct probe_env *env, const struct check_conf *conf, const struct probe_events *events)
{
	const struct probe_class *class = classes[conf->kind];
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
