/*
 * lost.h - local addresses that have left this node and not come back.
 *
 * On the control thread.  A virtual address that moved to the peer takes its
 * clients with it; what they had open here would hold its place for as long as
 * proxy_timeout says.  Only an address that was seen to leave is told about:
 * one that never was an address of this node (transparent, AnyIP) is not.
 */
#ifndef PROXYD_LOST_H
#define PROXYD_LOST_H

#include "common/addr.h"

#include <uv.h>

#define LOST_TIMEOUT_US INT64_C(5000000) /* a restart of vrrpd, a flap, is over by then */

struct lost;

/* 'expired' is called once for each address gone that long.  0 or -errno. */
int lost_new(
    uv_loop_t *, void (*expired)(void *aux, const struct addr *), void *aux, struct lost **ret);
void lost_free(struct lost *); /* accepts NULL */

#endif
