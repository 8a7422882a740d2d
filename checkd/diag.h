/*
 * diag.h - does anything listen on a local port?  Asked of the kernel
 * (sock_diag(7)), which answers within the call: no connection is made, and
 * nothing of it is seen by the service.  Needs no capability.
 */
#ifndef CHECKD_DIAG_H
#define CHECKD_DIAG_H

#include "common/addr.h"

struct diag;

/* Opens its netlink socket when first asked, and again after an error. */
struct diag *diag_new(void);
void diag_free(struct diag *); /* accepts NULL */

/*
 * 1: something listens on the port at this address (AF_UNSPEC: at any), by
 * itself or through the wildcard of either family; 0: nothing does; -errno.
 */
int diag_listens(struct diag *, const struct endpoint *, bool udp);

#endif
