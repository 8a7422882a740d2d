/*
 * checks.c - see checks.h.
 */
#include "checkd/checks.h"

#include <stdlib.h>
#include <string.h>

struct checks {
	struct probe_env *env;
	const struct conf *conf;
	struct target **targets;
	size_t n;
	struct checks_events events;
};

const struct conf *
checks_conf(const struct checks *c)
{
	return c->conf;
}

size_t
checks_count(const struct checks *c)
{
	return c->n;
}

struct target *
checks_at(const struct checks *c, size_t i)
{
	return c->targets[i];
}

struct target *
checks_find(const struct checks *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(target_conf(c->targets[i])->name, name) == 0)
			return c->targets[i];
	return NULL;
}

/* ---- does it ask the same? ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	return (a == NULL) == (b == NULL) && a_size == b_size &&
	       (a == NULL || memcmp(a, b, a_size) == 0);
}

static bool
same_words(char **a, size_t n_a, char **b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

static bool
same_script(const struct conf *a_conf, const struct check_conf *a, const struct conf *b_conf,
    const struct check_conf *b)
{
	const struct conf_script *x = &a_conf->scripts[a->script], *y = &b_conf->scripts[b->script];

	return same_words(x->argv, x->argc, y->argv, y->argc) && same_text(x->user, y->user) &&
	       same_text(x->group, y->group);
}

/* Times, rise and fall may differ: what it found out stays true. */
static bool
same_question(const struct conf *a_conf, const struct check_conf *a, const struct conf *b_conf,
    const struct check_conf *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CHECK_SCRIPT:
		return same_script(a_conf, a, b_conf, b);
	case CHECK_PORT:
		return endpoint_equal(&a->endpoint, &b->endpoint) && a->udp == b->udp;
	case CHECK_TCP:
		return check_same_peer(a, b) &&
		       same_bytes(a->send, a->send_size, b->send, b->send_size) &&
		       same_bytes(a->expect, a->expect_size, b->expect, b->expect_size);
	case CHECK_PROCESS:
		return strcmp(a->process, b->process) == 0 && a->quorum == b->quorum;
	default:
		return check_same_peer(a, b);
	}
}

/* ---- from one configuration to the next ---- */

static bool
runs(const struct check_conf *check)
{
	return !check->is_vrrp_script || check->is_tracked;
}

static void
on_target_change(void *aux, struct target *t)
{
	struct checks *c = aux;

	c->events.on_change(c->events.aux, target_conf(t)->name);
}

/* Takes the old one's target when it fits, else makes a new one. */
static struct target *
take_or_make(struct checks *c, const struct conf *next, size_t i, size_t n)
{
	const struct check_conf *conf = &next->checks[i];
	const struct target_events events = { .on_change = on_target_change, .aux = c };

	for (size_t k = 0; k < c->n; k++) {
		struct target *t = c->targets[k];
		const struct check_conf *old = t != NULL ? target_conf(t) : NULL;

		if (old == NULL || strcmp(old->name, conf->name) != 0 ||
		    !same_question(c->conf, old, next, conf))
			continue;
		c->targets[k] = NULL;
		target_rebind(t, conf);
		return t;
	}
	return target_new(c->env, conf, i, n, &events);
}

/* Those that nobody took; their names are still the old configuration's. */
static void
drop_rest(struct checks *c, struct target **old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		if (old[i] == NULL)
			continue;
		const char *name = target_conf(old[i])->name;

		target_free(old[i]);
		c->events.on_change(c->events.aux, name);
	}
	free(old);
}

static void
change_over(struct checks *c, const struct conf *next)
{
	struct target **fresh = xcalloc(next->n_checks, sizeof(*fresh)), **old = c->targets;
	size_t n = 0, n_old = c->n;

	for (size_t i = 0; i < next->n_checks; i++)
		if (runs(&next->checks[i]))
			fresh[n++] = take_or_make(c, next, i, next->n_checks);
	c->env->digest = next->digest;
	c->conf = next;
	c->targets = fresh;
	c->n = n;
	drop_rest(c, old, n_old);
	for (size_t i = 0; i < n; i++) /* who uses it may have changed too */
		c->events.on_change(c->events.aux, target_conf(fresh[i])->name);
}

struct checks *
checks_new(struct probe_env *env, const struct conf *conf, const struct checks_events *events)
{
	struct checks *c = xcalloc(1, sizeof(*c));

	c->env = env;
	c->events = *events;
	change_over(c, conf);
	return c;
}

void
checks_reload(struct checks *c, const struct conf *next)
{
	change_over(c, next);
}

void
checks_free(struct checks *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		target_free(c->targets[i]);
	free(c->targets);
	free(c);
}
