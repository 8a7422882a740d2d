/*
 * resolve.h - the address behind the name in a check's target.  getaddrinfo(3)
 * in libuv's threads: the loop never waits.
 *
 * An address is good for 30 s; then it is asked for again while the old one
 * serves.  It goes on serving while name servers are away, so that their
 * failure is not the failure of what is checked; only the answer that there is
 * no such name takes it away.
 */
#ifndef CHECKD_RESOLVE_H
#define CHECKD_RESOLVE_H

#include "common/addr.h"

#include <uv.h>

struct resolver;

/* 'host' is copied; on_answer comes after each query, with an address or without. */
struct resolver *resolver_new(
    uv_loop_t *, const char *host, void (*on_answer)(void *aux), void *aux);
void resolver_free(struct resolver *); /* accepts NULL; on_answer comes no more */

/*
 * true: *ret is its address.  false: not known; if a query could be made it is
 * on its way, on_answer will come.  Of several addresses the first IPv4 one.
 */
bool resolver_address(struct resolver *, struct addr *ret);
bool resolver_is_asking(const struct resolver *);

/* Why the last query brought none. */
const char *resolver_why(const struct resolver *);

#endif
