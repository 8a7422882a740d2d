/*
 * refusal.h - no_accept (RFC 9568, 6.1: Accept_Mode): a router that has the
 * address without being its owner forwards, and takes nothing sent to the
 * address itself, but for the neighbours' questions who has it.
 *
 * An nftables table of ours with the owner flag: it ends with the process.  It
 * names the addresses of every such instance, whatever its state: what a backup
 * does not have, nobody sends it.
 */
#ifndef VRRPD_REFUSAL_H
#define VRRPD_REFUSAL_H

#include "common/conf/conf.h"

#define REFUSAL_TABLE "trivet-vrrpd"

struct refusal; /* NULL: nothing is refused */

/*
 * What the configuration refuses, instead of what was before; made and removed
 * as needed.  0 or -errno: then it is as it was.
 */
int refusal_apply(struct refusal **, const struct conf *);
void refusal_free(struct refusal *); /* accepts NULL */

#endif
