/*
 * lookup.h - one question to the system's resolver (resolv.conf(5), hosts(5)) or
 * to name servers of one's own, which blocks: for the thread pool.  The addresses
 * of a name, or the servers of a service (SRV, RFC 2782) with the addresses of each.
 */
#ifndef PROXYD_LOOKUP_H
#define PROXYD_LOOKUP_H

#include "common/addr.h"
#include "common/conf/forward.h"

#define LOOKUP_MAX 64 /* more than an answer of any use; the rest is left out */

struct target {
	struct endpoint at;
	/* of SRV; zeroed else, as the port is */
	unsigned weight;
	bool backup; /* not of the best priority */
};

struct answer {
	struct target targets[LOOKUP_MAX]; /* sorted, without doubles */
	size_t n;			   /* 0: there is none, and ... */
	const char *why;		   /* ... why: a constant text */
	unsigned ttl_s;			   /* it holds for so long; 0: not told, as by the system */
};

/*
 * A server of SRV whose own name cannot be asked for now spoils the answer: half
 * of the servers must not vanish because a question was lost.  One whose name
 * does not exist is left out.
 */
void lookup_addresses(const char *name, const struct resolver_conf *, struct answer *ret);
void lookup_service(const char *name, const struct resolver_conf *, struct answer *ret);

bool answer_equal(const struct answer *, const struct answer *);

#endif
