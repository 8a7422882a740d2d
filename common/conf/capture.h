/*
 * capture.h - the last expression that matched while variables were worked out:
 * what $1 and the names in it, (?<name>...), stand for.
 */
#ifndef COMMON_CONF_CAPTURE_H
#define COMMON_CONF_CAPTURE_H

#include "common/regex.h"

#include <stdbool.h>
#include <stddef.h>

#define CAPTURE_GROUPS 20   /* of one expression; those behind are empty */
#define CAPTURE_TEXT   1024 /* of what is matched; what is longer is cut */

struct captures {
	const struct regex *regex; /* NULL: nothing matched yet */
	char text[CAPTURE_TEXT];
	struct regex_range groups[CAPTURE_GROUPS + 1];
};

/* On a match *c is filled; else it is as it was. */
bool capture_match(struct captures *c, const struct regex *, const char *text, size_t n);

/* What a group caught; false: the expression has no such group, or there was none. */
bool capture_numbered(const struct captures *, size_t number, const char **ret, size_t *ret_n);
bool capture_named(const struct captures *, const char *name, const char **ret, size_t *ret_n);

#endif
