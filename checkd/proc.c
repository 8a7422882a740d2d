/*
 * proc.c - see proc.h.
 */
#include "checkd/proc.h"

#include "checkd/cmdline.h"
#include "common/util.h"

#include <string.h>

void
proc_set_comm(struct proc *p, const char *bytes, size_t size)
{
	if (size > 0 && bytes[size - 1] == '\n')
		size--;
	size = MIN(size, sizeof(p->comm) - 1);
	memcpy(p->comm, bytes, size);
	p->comm[size] = '\0';
}

static bool
argv0_is(const struct proc *p, const char *name)
{
	const char *argv0 = p->cmdline, *slash;
	size_t size = strnlen(argv0, p->cmdline_size), length = strlen(name);

	slash = memrchr(argv0, '/', size);
	if (slash != NULL) {
		size -= (size_t)(slash + 1 - argv0);
		argv0 = slash + 1;
	}
	return size == length && memcmp(argv0, name, length) == 0;
}

bool
proc_is_named(const struct proc *p, const char *name)
{
	return strcmp(p->comm, name) == 0 || (p->cmdline != NULL && argv0_is(p, name));
}

bool
proc_matches(const struct proc *p, const struct process_conf *conf)
{
	if (conf->full_command || conf->param_match != PARAM_ANY)
		return p->cmdline != NULL && cmdline_matches(conf, p->cmdline, p->cmdline_size);
	return proc_is_named(p, conf->name);
}

/* proc(5): "pid (comm) state ..."; comm may hold anything, so the last parenthesis counts. */
bool
proc_is_alive(const char *stat, size_t size)
{
	const char *end = stat + size, *p = memrchr(stat, ')', size);

	return p != NULL && end - p > 2 && p[1] == ' ' && p[2] != 'Z' && p[2] != 'X' && p[2] != 'x';
}
