/*
 * checks.c - see checks.h.
 */
#include "checkd/checks.h"

#include "checkd/active.h"

#include <stdlib.h>
#include <string.h>

/* Found by name among many thousands, for each message that shows one. */
struct entry {
	struct target *target;
	bool taken; /* while a reload goes over to other targets: kept */
};

struct checks {
	struct probe_env *env;
	const struct conf *conf;
	struct active active; /* the checks that are in no check block */
	struct wishes wishes;
	struct target **targets; /* in the order of the file */
	struct entry *by_name;	 /* sorted */
	size_t n;
	uint64_t generation;
	struct checks_events events;
};

const struct probe_env *
checks_env(const struct checks *c)
{
	return c->env;
}

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

uint64_t
checks_generation(const struct checks *c)
{
	return c->generation;
}

struct target *
checks_at(const struct checks *c, size_t i)
{
	return c->targets[i];
}

/* ---- by name ---- */

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(target_conf(x->target)->name, target_conf(y->target)->name);
}

static int
compare_name(const void *name, const void *entry)
{
	const struct entry *e = entry;

	return strcmp(name, target_conf(e->target)->name);
}

static struct entry *
sorted(struct target **targets, size_t n)
{
	struct entry *entries = xcalloc(n, sizeof(*entries));

	for (size_t i = 0; i < n; i++)
		entries[i].target = targets[i];
	qsort(entries, n, sizeof(*entries), compare_entries);
	return entries;
}

static struct entry *
find_entry(const struct checks *c, const char *name)
{
	return c->n > 0 ? bsearch(name, c->by_name, c->n, sizeof(*c->by_name), compare_name) : NULL;
}

struct target *
checks_find(const struct checks *c, const char *name)
{
	const struct entry *entry = find_entry(c, name);

	return entry != NULL ? entry->target : NULL;
}

/* ---- does it ask the same? ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
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

static bool
same_processes(const struct process_conf *a, const struct process_conf *b)
{
	return strcmp(a->name, b->name) == 0 && a->full_command == b->full_command &&
	       a->param_match == b->param_match && a->quorum == b->quorum &&
	       a->quorum_max == b->quorum_max &&
	       same_words(a->params, a->n_params, b->params, b->n_params);
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
	case CHECK_FILE:
		return strcmp(a->file, b->file) == 0 && (a->weight == 0) == (b->weight == 0);
	case CHECK_PROCESS:
		return same_processes(&a->process, &b->process);
	default:
		return check_same_peer(a, b);
	}
}

/* ---- from one configuration to the next ---- */

static bool
runs(const struct check_conf *check)
{
	return check->block == BLOCK_CHECK || check->is_tracked;
}

static void
on_target_change(void *aux, struct target *t, bool matters)
{
	struct checks *c = aux;

	c->events.on_change(c->events.aux, target_conf(t)->name, matters);
}

/* Takes the old one's target when it fits, else makes a new one, of which an operator's word is
 * as true as it was of the old one: he named it. */
static struct target *
take_or_make(
    struct checks *c, const struct conf *next, const struct check_conf *conf, size_t i, size_t n)
{
	const struct target_events events = { .on_change = on_target_change, .aux = c };
	struct entry *old = find_entry(c, conf->name);
	struct target *t;

	if (old != NULL && same_question(c->conf, target_conf(old->target), next, conf)) {
		old->taken = true;
		target_rebind(old->target, conf);
		return old->target;
	}
	t = target_new(c->env, conf, i, n, &events);
	if (c->events.on_made != NULL)
		c->events.on_made(c->events.aux, t);
	if (old != NULL && target_status(old->target)->admin.mode != ADMIN_AUTO)
		target_keep_admin(t, &target_status(old->target)->admin);
	return t;
}

/* Those that nobody took; their names are still the old configuration's. */
static void
drop_rest(struct checks *c, struct entry *old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		if (old[i].taken)
			continue;
		const char *name = target_conf(old[i].target)->name;

		target_free(old[i].target);
		c->events.on_change(c->events.aux, name, true);
	}
	free(old);
}

/* Also from a configuration to itself, when the wishes are others. */
static void
change_over(struct checks *c, const struct conf *next)
{
	bool reload = next != c->conf;
	struct active active, before = c->active;
	struct entry *old = c->by_name;
	struct target **fresh;
	size_t n = 0, n_old = c->n, n_all;

	active_init(&active, next, &c->wishes);
	n_all = next->n_checks + active.n;
	fresh = xcalloc(n_all, sizeof(*fresh));
	for (size_t i = 0; i < n_all; i++) {
		const struct check_conf *conf = i < next->n_checks
						    ? &next->checks[i]
						    : &active.checks[i - next->n_checks].conf;

		if (runs(conf))
			fresh[n++] = take_or_make(c, next, conf, i, n_all);
	}
	c->env->digest = next->digest;
	c->conf = next;
	c->active = active;
	free(c->targets);
	c->targets = fresh;
	c->by_name = sorted(fresh, n);
	c->n = n;
	c->generation++;
	drop_rest(c, old, n_old);
	active_done(&before);
	for (size_t i = 0; i < n; i++) /* who uses it may have changed too */
		if (reload || target_conf(fresh[i])->is_server)
			c->events.on_change(c->events.aux, target_conf(fresh[i])->name, false);
}

struct checks *
checks_new(struct probe_env *env, const struct conf *conf, const struct checks_events *events)
{
	struct checks *c = xcalloc(1, sizeof(*c));

	c->env = env;
	c->events = *events;
	TAILQ_INIT(&c->wishes);
	change_over(c, conf);
	return c;
}

void
checks_reload(struct checks *c, const struct conf *next)
{
	change_over(c, next);
}

void
checks_wish(struct checks *c, struct wish *w)
{
	TAILQ_INSERT_TAIL(&c->wishes, w, entry);
	change_over(c, c->conf);
}

void
checks_unwish(struct checks *c, struct wish *w)
{
	TAILQ_REMOVE(&c->wishes, w, entry);
	change_over(c, c->conf);
}

void
checks_free(struct checks *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		target_free(c->targets[i]);
	free(c->targets);
	free(c->by_name);
	active_done(&c->active);
	free(c);
}
