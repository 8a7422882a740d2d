/*
 * lease.h - checks of checkd for the addresses behind the names of one upstream
 * (org.trivet.check.Watch).  They exist while its connection lives, so a new
 * list is asked for on a second connection before the first is closed: no check
 * stops and begins anew because another one was added.  Control thread.
 */
#ifndef PROXYD_LEASE_H
#define PROXYD_LEASE_H

#include "ipc/view.h"

struct lease;

struct lease_events {
	/* What it says of a check; NULL: it makes that check no more. */
	void (*on_check)(void *aux, const char *name, const json_t *check);
	/* It can be heard, or not any more. */
	void (*on_live)(void *aux, bool live, const char *why);
	void *aux;
};

struct lease *lease_new(
    uv_loop_t *, const char *run_dir, const char *upstream, const struct lease_events *);
void lease_free(struct lease *); /* accepts NULL */

/* ADDRESS:PORT each; a reference is taken. */
void lease_set(struct lease *, json_t *servers);

const char *lease_upstream(const struct lease *);
bool lease_is_live(const struct lease *);
bool lease_has(const struct lease *, const char *check); /* does it speak of this one? */

#endif
