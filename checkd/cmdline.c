/*
 * cmdline.c - see cmdline.h.
 */
#include "checkd/cmdline.h"

#include "common/util.h"

#include <string.h>

static bool
is_program(const char *argv0, const char *name)
{
	const char *slash = strchr(name, '/') == NULL ? strrchr(argv0, '/') : NULL;

	return strcmp(slash != NULL ? slash + 1 : argv0, name) == 0;
}

/* The last one may be only begun (PARAM_INITIAL). */
static bool
is_param(const struct process_conf *p, size_t i, const char *word)
{
	const char *want = p->params[i];

	if (p->param_match == PARAM_INITIAL && i + 1 == p->n_params)
		return strncmp(word, want, strlen(want)) == 0;
	return strcmp(word, want) == 0;
}

bool
cmdline_matches(const struct process_conf *p, const char *bytes, size_t size)
{
	const char *end = bytes + size, *at = bytes;
	size_t n = 0; /* parameters seen */

	if (size == 0 || memchr(bytes, '\0', size) == NULL || !is_program(bytes, p->name))
		return false;
	if (p->param_match == PARAM_ANY)
		return true;
	for (at += strlen(at) + 1; at < end && memchr(at, '\0', (size_t)(end - at)) != NULL;
	     at += strlen(at) + 1, n++) {
		if (n < p->n_params && !is_param(p, n, at))
			return false;
		if (n >= p->n_params)
			return p->n_params > 0 && p->param_match != PARAM_EXACT;
	}
	return n >= p->n_params;
}
