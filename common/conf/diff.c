/*
 * diff.c - what changes between two configurations, in words.
 *
 * Each object is described as a list of names and values (describe.h); two lists are
 * compared.
 */
#include "common/conf/describe.h"

#include <stdlib.h>
#include <string.h>

/* ---- comparing ---- */

/* A kind of object: where its array is in struct conf, and its name in it. */
static const struct kind {
	const char *name;
	unsigned part;
	size_t array, count, size;
	size_t name_at;
	void (*describe)(const struct conf *, const void *, struct description *);
} kinds[] = {
	{ "check", CONF_CHECK, offsetof(struct conf, checks), offsetof(struct conf, n_checks),
	    sizeof(struct check_conf), offsetof(struct check_conf, name), describe_check },
	{ "vrrp_instance", CONF_VRRP, offsetof(struct conf, instances),
	    offsetof(struct conf, n_instances), sizeof(struct vrrp_conf),
	    offsetof(struct vrrp_conf, name), describe_vrrp },
	{ "vrrp_sync_group", CONF_VRRP, offsetof(struct conf, groups),
	    offsetof(struct conf, n_groups), sizeof(struct sync_group_conf),
	    offsetof(struct sync_group_conf, name), describe_group },
	{ "upstream", CONF_STREAM, offsetof(struct conf, upstreams),
	    offsetof(struct conf, n_upstreams), sizeof(struct upstream_conf),
	    offsetof(struct upstream_conf, name), describe_upstream },
	{ "match", CONF_STREAM, offsetof(struct conf, matches), offsetof(struct conf, n_matches),
	    sizeof(struct match_conf), offsetof(struct match_conf, name), describe_match },
	{ "listener", CONF_STREAM, offsetof(struct conf, listeners),
	    offsetof(struct conf, n_listeners), sizeof(struct listener_conf),
	    offsetof(struct listener_conf, name), describe_listener },
};

struct differ {
	const struct conf *old, *next;
	void (*line)(void *aux, const char *);
	void *aux;
};

static void
say(const struct differ *x, char *line)
{
	x->line(x->aux, line);
	free(line);
}

static void
compare(const struct differ *x, const char *kind, const char *name, struct description *was,
    struct description *is)
{
	const char *space = name[0] != '\0' ? " " : "";

	for (size_t i = 0; i < is->n; i++) {
		const struct field *f = &is->fields[i], *o = NULL;

		for (size_t k = 0; k < was->n; k++)
			if (strcmp(was->fields[k].name, f->name) == 0)
				o = &was->fields[k];
		if (o != NULL && strcmp(o->value, f->value) == 0)
			continue;
		if (f->secret)
			say(x, xasprintf("%s%s%s: %s changes", kind, space, name, f->name));
		else
			say(x, xasprintf("%s%s%s: %s %s -> %s", kind, space, name, f->name,
				   o == NULL || o->value[0] == '\0' ? "none" : o->value,
				   f->value[0] == '\0' ? "none" : f->value));
	}
}

static size_t
count_of(const struct conf *conf, const struct kind *k)
{
	return conf == NULL ? 0 : *(const size_t *)(const void *)((const char *)conf + k->count);
}

static const char *
object_of(const struct conf *conf, const struct kind *k, size_t i)
{
	return *(const char *const *)(const void *)((const char *)conf + k->array) + i * k->size;
}

static const char *
name_of(const char *object, const struct kind *k)
{
	return *(const char *const *)(const void *)(object + k->name_at);
}

/* The object of that name, and for listeners of that protocol. */
static const char *
find(const struct conf *conf, const struct kind *k, const char *name)
{
	for (size_t i = 0; i < count_of(conf, k); i++)
		if (strcmp(name_of(object_of(conf, k, i), k), name) == 0)
			return object_of(conf, k, i);
	return NULL;
}

static void
diff_kind(const struct differ *x, const struct kind *k)
{
	for (size_t i = 0; i < count_of(x->old, k); i++) {
		const char *name = name_of(object_of(x->old, k, i), k);

		if (find(x->next, k, name) == NULL)
			say(x, xasprintf("%s %s: removed", k->name, name));
	}
	for (size_t i = 0; i < count_of(x->next, k); i++) {
		const char *object = object_of(x->next, k, i), *name = name_of(object, k);
		const char *before = find(x->old, k, name);
		struct description was = { .n = 0 }, is = { .n = 0 };

		if (before == NULL) {
			say(x, xasprintf("%s %s: added", k->name, name));
			continue;
		}
		k->describe(x->old, before, &was);
		k->describe(x->next, object, &is);
		compare(x, k->name, name, &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
}

void
conf_diff(const struct conf *old, const struct conf *next, unsigned parts,
    void (*line)(void *aux, const char *), void *aux)
{
	struct differ x = { old, next, line, aux };
	struct description was = { .n = 0 }, is = { .n = 0 };

	if ((parts & CONF_GLOBAL) != 0 && old != NULL) {
		describe_globals(old, NULL, &was);
		describe_globals(next, NULL, &is);
		compare(&x, "global_defs", "", &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
	if ((parts & CONF_VRRP) != 0 && old != NULL) {
		describe_statics(old, &was);
		describe_statics(next, &is);
		compare(&x, "the node", "", &was, &is);
		describe_done(&was);
		describe_done(&is);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((kinds[i].part & parts) != 0)
			diff_kind(&x, &kinds[i]);
}
