/*
 * resolve.h - the addresses behind a name, or the servers of a service (lookup.h),
 * asked for in libuv's thread pool, on the control loop.
 *
 * A name is asked for until it is known (after 1, 2, 4 ... 30 s), and from then
 * on every 30 s, or when the answer is no longer good, if 'again'.  A bad answer
 * after a good one changes nothing: the owner hears of it only while nothing is
 * known.
 */
#ifndef PROXYD_RESOLVE_H
#define PROXYD_RESOLVE_H

#include "proxyd/lookup.h"

#include <uv.h>

struct resolve;

/* At least one target; or none and why not.  Called when it changes; valid during the call. */
typedef void resolve_cb(void *aux, const struct answer *);

/* Without name servers the system is asked.  At once; on_answer is never called from within. */
struct resolve *resolve_new(uv_loop_t *, const char *host, const struct resolver_conf *,
    bool is_service, bool again, resolve_cb *on_answer, void *aux);
void resolve_free(struct resolve *); /* accepts NULL; no answer arrives after it */

#endif
