/*
 * verdict.c - see verdict.h.
 */
#include "checkd/verdict.h"

#include <stddef.h>
#include <string.h>

static const char *const state_names[] = {
	[CHECK_UNKNOWN] = "unknown",
	[CHECK_UP] = "up",
	[CHECK_DOWN] = "down",
};

static const char *const reason_names[REASON_MAX] = {
	[REASON_NONE] = "none",
	[REASON_OK] = "ok",
	[REASON_TIMEOUT] = "timeout",
	[REASON_REFUSED] = "refused",
	[REASON_UNREACHABLE] = "unreachable",
	[REASON_EXIT] = "exit",
	[REASON_SIGNAL] = "signal",
	[REASON_EXEC] = "exec",
	[REASON_NOT_LISTENING] = "notListening",
	[REASON_NO_PROCESS] = "noProcess",
	[REASON_RESOLVE] = "resolve",
	[REASON_TLS] = "tls",
	[REASON_STATUS] = "status",
	[REASON_PROTOCOL] = "protocol",
	[REASON_FILE] = "file",
	[REASON_VALUE] = "value",
	[REASON_SYSTEM] = "system",
};

const char *
check_state_str(enum check_state state)
{
	return state_names[state];
}

const char *
check_reason_str(enum check_reason reason)
{
	return reason_names[reason];
}

enum check_reason
check_reason_parse(const char *name)
{
	for (int i = 0; i < REASON_MAX; i++)
		if (strcmp(reason_names[i], name) == 0)
			return (enum check_reason)i;
	return REASON_NONE;
}

struct verdict
verdict_init(const struct verdict_params *p)
{
	return (struct verdict){ .state = p->init_fail ? CHECK_DOWN : CHECK_UNKNOWN };
}

static uint32_t
one_more(uint32_t n)
{
	return n < UINT32_MAX ? n + 1 : n;
}

struct verdict
verdict_step(const struct verdict_params *p, struct verdict v, enum check_reason reason)
{
	v.reason = reason;
	if (reason == REASON_OK) {
		v.successes = one_more(v.successes);
		v.failures = 0;
		if (v.state == CHECK_UNKNOWN || v.successes >= p->rise)
			v.state = CHECK_UP;
	} else {
		v.failures = one_more(v.failures);
		v.successes = 0;
		if (v.state == CHECK_UNKNOWN || v.failures >= p->fall)
			v.state = CHECK_DOWN;
	}
	return v;
}
