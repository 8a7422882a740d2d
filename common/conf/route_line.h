/*
 * route_line.h - what the lines of routes (routes.c) and of rules (rules.c) have in common;
 * nobody else's.
 */
#ifndef COMMON_CONF_ROUTE_LINE_H
#define COMMON_CONF_ROUTE_LINE_H

#include "common/conf/bind.h"

/* A line while it is read: its words, one after another. */
struct route_line {
	struct binder *b;
	const struct stmt *s;
	size_t at;
	const char *what; /* "route", "rule" */
	uint8_t *family;  /* of what is made of it, as is ... */
	bool *no_track;
};

/* NULL: there are no more. */
const struct word *route_line_next(struct route_line *);

/*
 * Is it one of the words that both have: inet, inet6, no_track, track_group, proto?  Then it
 * is done with, with its value; *ret_ok false: something was said that spoils the line.
 */
bool route_line_take(struct route_line *, const struct word *, bool *ret_ok);

/* Values; false: said.  A table by number or by a name of this host's /etc/iproute2/rt_tables. */
bool route_value_table(struct binder *, const struct word *, uint32_t *ret);
bool route_value_device(struct binder *, const struct word *, char ret[static IFNAMSIZ]);
bool route_value_tos(struct binder *, const struct word *, uint8_t *ret);
/* An address of that family, which it decides if it is not known yet (AF_UNSPEC). */
bool route_value_family(struct binder *, const struct word *, uint8_t *family, uint8_t found);

#endif
