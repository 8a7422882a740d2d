/*
 * owed.c - see owed.h.
 */
#include "vrrpd/owed.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>

void
owed_init(struct owed *o)
{
	*o = (struct owed){ .n = 0 };
	TAILQ_INIT(&o->lines);
}

static void
drop(struct owed *o, struct owed_line *l)
{
	TAILQ_REMOVE(&o->lines, l, entry);
	o->n--;
	free(l->key);
	free(l->line);
	free(l);
}

void
owed_done(struct owed *o)
{
	while (!TAILQ_EMPTY(&o->lines))
		drop(o, TAILQ_FIRST(&o->lines));
}

static struct owed_line *
find(const struct owed *o, const char *key)
{
	struct owed_line *l;

	TAILQ_FOREACH (l, &o->lines, entry)
		if (strcmp(l->key, key) == 0)
			return l;
	return NULL;
}

void
owed_add(struct owed *o, const char *key, const char *line)
{
	struct owed_line *old = find(o, key), *l;

	if (old == NULL && o->n >= OWED_MAX)
		old = TAILQ_FIRST(&o->lines);
	if (old != NULL) {
		drop(o, old);
		o->lost++;
	}
	l = xcalloc(1, sizeof(*l));
	l->key = xstrdup(key);
	l->line = xstrdup(line);
	TAILQ_INSERT_TAIL(&o->lines, l, entry);
	o->n++;
}

const char *
owed_next(const struct owed *o)
{
	return TAILQ_EMPTY(&o->lines) ? NULL : TAILQ_FIRST(&o->lines)->line;
}

void
owed_paid(struct owed *o)
{
	if (!TAILQ_EMPTY(&o->lines))
		drop(o, TAILQ_FIRST(&o->lines));
}
