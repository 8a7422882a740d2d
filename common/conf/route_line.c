/*
 * route_line.c - the words and values that routes and rules have in common; see route_line.h.
 */
#include "common/conf/route_line.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_NAMES_MAX (64 * 1024)

/* ---- values ---- */

bool
route_value_family(struct binder *b, const struct word *w, uint8_t *family, uint8_t found)
{
	if (*family == AF_UNSPEC)
		*family = found;
	if (*family == found)
		return true;
	bind_say(b, CONF_ERROR, w->pos, "'%.64s' is of the other family than the line", w->text);
	return false;
}

bool
route_value_device(struct binder *b, const struct word *w, char ret[static IFNAMSIZ])
{
	size_t n = strlen(w->text);

	vrrp_check_interface(b, w);
	if (n >= IFNAMSIZ)
		return false; /* said */
	memset(ret, 0, IFNAMSIZ);
	memcpy(ret, w->text, n);
	return true;
}

/* "100 name" in a line of iproute2's file. */
static bool
table_in(const char *line, const char *name, uint32_t *ret)
{
	char *end;
	unsigned long v = strtoul(line, &end, 0);
	size_t n = strlen(name);

	if (end == line || v == 0 || v > UINT32_MAX)
		return false;
	end += strspn(end, " \t");
	if (strncmp(end, name, n) != 0 || strchr(" \t\r#", end[n]) == NULL)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool
table_by_name(struct binder *b, const char *name, uint32_t *ret)
{
	const struct conf_host *host = b->src->host;
	char *text, *line, *rest;
	bool found = false;
	size_t size;

	if (host == NULL || host->read_file == NULL ||
	    host->read_file(host->aux, "/etc/iproute2/rt_tables", &text, &size) != 0)
		return false;
	rest = size <= TABLE_NAMES_MAX ? text : NULL;
	while (!found && (line = strsep(&rest, "\n")) != NULL)
		found = table_in(line, name, ret);
	free(text);
	return found;
}

bool
route_value_table(struct binder *b, const struct word *w, uint32_t *ret)
{
	static const struct {
		const char *name;
		uint32_t table;
	} known[] = { { "main", RT_TABLE_MAIN }, { "local", RT_TABLE_LOCAL },
		{ "default", RT_TABLE_DEFAULT } };
	int64_t v;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(w->text, known[i].name) == 0) {
			*ret = known[i].table;
			return true;
		}
	if (parse_integer(w->text, &v) && v >= 1 && v <= UINT32_MAX) {
		*ret = (uint32_t)v;
		return true;
	}
	if (table_by_name(b, w->text, ret))
		return true;
	bind_say(b, CONF_ERROR, w->pos,
	    "'%.64s' is no routing table: a number from 1, or a name in /etc/iproute2/rt_tables of "
	    "this host",
	    w->text);
	return false;
}

bool
route_value_tos(struct binder *b, const struct word *w, uint8_t *ret)
{
	char *end;
	unsigned long v = strtoul(w->text, &end, 0);

	if (end == w->text || *end != '\0' || v > 255) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a tos: 0 to 255, 0x10", w->text);
		return false;
	}
	*ret = (uint8_t)v;
	return true;
}

/* ---- words ---- */

const struct word *
route_line_next(struct route_line *l)
{
	return l->at < l->s->n_words ? &l->s->words[l->at++] : NULL;
}

static bool
word_inet(struct route_line *l, const struct word *w, const struct word *value)
{
	(void)value;
	return route_value_family(l->b, w, l->family, AF_INET);
}

static bool
word_inet6(struct route_line *l, const struct word *w, const struct word *value)
{
	(void)value;
	return route_value_family(l->b, w, l->family, AF_INET6);
}

static bool
word_no_track(struct route_line *l, const struct word *w, const struct word *value)
{
	(void)w, (void)value;
	*l->no_track = true;
	return true;
}

static bool
word_track_group(struct route_line *l, const struct word *w, const struct word *value)
{
	(void)w;
	bind_say(l->b, CONF_WARNING, value->pos,
	    "'track_group' has no effect: the loss of a %s moves no instance", l->what);
	return true;
}

static bool
word_proto(struct route_line *l, const struct word *w, const struct word *value)
{
	bind_say(l->b, CONF_NOTICE, value->pos,
	    "'%s %.64s' has no effect: trivet marks its %ss with a number of its own, and "
	    "finds them by it",
	    w->text, value->text, l->what);
	return true;
}

bool
route_line_take(struct route_line *l, const struct word *w, bool *ret_ok)
{
	static const struct {
		const char *name;
		bool has_value;
		bool (*set)(struct route_line *, const struct word *, const struct word *value);
	} words[] = {
		{ "inet", false, word_inet },
		{ "inet6", false, word_inet6 },
		{ "no_track", false, word_no_track },
		{ "track_group", true, word_track_group },
		{ "proto", true, word_proto },
		{ "protocol", true, word_proto },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *value = NULL;

		if (strcmp(w->text, words[i].name) != 0)
			continue;
		*ret_ok = !words[i].has_value || (value = route_line_next(l)) != NULL;
		if (*ret_ok)
			*ret_ok = words[i].set(l, w, value);
		else
			bind_say(l->b, CONF_ERROR, w->pos, "'%s' needs a value", w->text);
		return true;
	}
	return false;
}
