/*
 * resolve.h - the addresses behind a name, asked of the system's resolver in
 * libuv's thread pool, on the control loop.
 *
 * A name is asked for until it is known (after 1, 2, 4 ... 30 s), and from then
 * on every 30 s if 'again'.  A bad answer after a good one changes nothing: the
 * owner hears of it only while nothing is known.
 */
#ifndef PROXYD_RESOLVE_H
#define PROXYD_RESOLVE_H

#include "common/addr.h"

#include <uv.h>

#define RESOLVE_ADDRS_MAX 64 /* more than a DNS answer of any use; the rest is left out */

struct resolve;

/* n sorted addresses without doubles, at least one; or n 0 and why not.  Called when it changes. */
typedef void resolve_cb(void *aux, const struct addr *addrs, size_t n, const char *why);

/* The first question is asked at once; on_answer is never called from within. */
struct resolve *resolve_new(
    uv_loop_t *, const char *host, bool again, resolve_cb *on_answer, void *aux);
void resolve_free(struct resolve *); /* accepts NULL; no answer arrives after it */

#endif
