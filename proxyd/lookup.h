/*
 * lookup.h - one question to the system's resolver (resolv.conf(5), hosts(5)) or
 * to name servers of one's own, which blocks: for the thread pool.  The addresses
 * of a name, or the servers of a service (SRV, RFC 2782) with the addresses of each.
 */
#ifndef PROXYD_LOOKUP_H
#define PROXYD_LOOKUP_H

#include "common/conf/forward.h"
#include "proxyd/answer.h"

/*
 * A server of SRV whose own name cannot be asked for now spoils the answer; one
 * whose name does not exist is left out (answer.h).
 */
void lookup_addresses(const char *name, const struct resolver_conf *, struct answer *ret);
void lookup_service(const char *name, const struct resolver_conf *, struct answer *ret);

#endif
