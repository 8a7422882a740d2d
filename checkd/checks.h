/*
 * checks.h - all checks that run: made from the configuration, kept over a
 * reload as far as they still ask the same.
 */
#ifndef CHECKD_CHECKS_H
#define CHECKD_CHECKS_H

#include "checkd/active.h"
#include "checkd/target.h"

struct checks;

struct checks_events {
	/* It is different, new, or gone; 'matters' as in target.h. */
	void (*on_change)(void *aux, const char *name, bool matters);
	/* A check that was not there before, in the same state as any new one; may be NULL. */
	void (*on_made)(void *aux, struct target *);
	void *aux;
};

/* Which run: every `check`, and every vrrp_script that something tracks.  'conf' is borrowed. */
struct checks *checks_new(
    struct probe_env *, const struct conf *conf, const struct checks_events *);
void checks_free(struct checks *);

/* Go over to 'next'; until then the old one must live.  Env's digest is set here too. */
void checks_reload(struct checks *, const struct conf *next);

/* Checks beside those of the file; they go with their wish, unless another asks for them too. */
void checks_wish(struct checks *, struct wish *);
void checks_unwish(struct checks *, struct wish *);

const struct probe_env *checks_env(const struct checks *);
const struct conf *checks_conf(const struct checks *);
size_t checks_count(const struct checks *);
uint64_t checks_generation(const struct checks *); /* another one: others are at other places */
struct target *checks_at(const struct checks *, size_t i);	     /* in the order of the file */
struct target *checks_find(const struct checks *, const char *name); /* or NULL */

#endif
