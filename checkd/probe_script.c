/*
 * probe_script.c - a script of the configuration, run by trivet-runner: this
 * process has no right to start anything (design.md section 3).
 */
#include "checkd/probe.h"

#include <stdio.h>
#include <string.h>

struct script_probe {
	struct probe probe;
	uint64_t run; /* 0: none is on */
};

static struct script_probe *
of(struct probe *p)
{
	return CONTAINER_OF(p, struct script_probe, probe);
}

/* keepalived's rule: exit status 0 is good, everything else is not. */
static enum check_reason
reason_of(const struct runner_result *r)
{
	switch (r->outcome) {
	case RUNNER_EXITED:
		return r->code == 0 ? REASON_OK : REASON_EXIT;
	case RUNNER_SIGNALED:
		return REASON_SIGNAL;
	case RUNNER_TIMEOUT:
		return REASON_TIMEOUT;
	case RUNNER_NOT_RUN:
		return REASON_EXEC;
	}
	return REASON_EXEC;
}

/* exit 1 "Port 7443 Is Not Used,End." */
static void
describe(const struct runner_result *r, struct text *out)
{
	if (r->reason[0] != '\0')
		text_add(out, r->reason);
	else if (r->outcome == RUNNER_SIGNALED)
		text_addf(out, "signal %d (%s)", r->code, strsignal(r->code));
	else
		text_addf(out, "exit %d", r->code);
	if (r->last_line[0] != '\0')
		text_addf(out, " \"%s\"", r->last_line);
}

static void
on_result(void *aux, const struct runner_result *r)
{
	struct script_probe *s = aux;
	struct text detail = { 0 };
	struct probe_result result = { .reason = reason_of(r), .duration_us = r->duration_us };

	s->run = 0;
	describe(r, &detail);
	result.detail = text_str(&detail);
	s->probe.events.on_result(s->probe.events.aux, &result);
	text_done(&detail);
}

static void
start(struct probe *p)
{
	const struct runner_request request = {
		.digest = p->env->digest,
		.script = p->conf->script,
		.timeout_us = p->conf->timeout_us,
		.again = true, /* a restart of the runner is not the service's failure */
		.on_result = on_result,
		.aux = of(p),
	};

	of(p)->run = runner_run(p->env->runner, &request);
}

static void
done(struct probe *p)
{
	if (of(p)->run != 0)
		runner_forget(p->env->runner, of(p)->run);
}

const struct probe_class probe_script = {
	.size = sizeof(struct script_probe),
	.start = start,
	.done = done,
};
