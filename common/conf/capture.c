/*
 * capture.c - see capture.h.
 */
#include "common/conf/capture.h"

#include "common/util.h"

#include <string.h>
#include <sys/param.h>

bool
capture_match(struct captures *c, const struct regex *regex, const char *text, size_t n)
{
	struct regex_range groups[CAPTURE_GROUPS + 1];

	n = MIN(n, sizeof(c->text));
	if (regex_search(regex, text, n, groups, ARRAY_LEN(groups)) != REGEX_YES)
		return false;
	c->regex = regex;
	memcpy(c->text, text, n);
	memcpy(c->groups, groups, sizeof(groups));
	return true;
}

bool
capture_numbered(const struct captures *c, size_t number, const char **ret, size_t *ret_n)
{
	if (c->regex == NULL || number >= ARRAY_LEN(c->groups))
		return false;
	*ret = c->text + c->groups[number].start;
	*ret_n = c->groups[number].end - c->groups[number].start;
	return true;
}

bool
capture_named(const struct captures *c, const char *name, const char **ret, size_t *ret_n)
{
	const char *other;
	size_t number;

	for (size_t i = 0; c->regex != NULL && (other = regex_name(c->regex, i, &number)) != NULL;
	     i++)
		if (strcmp(other, name) == 0)
			return capture_numbered(c, number, ret, ret_n);
	return false;
}
