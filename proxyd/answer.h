/*
 * answer.h - what name servers say of a name, put together: the records of two
 * families (A, AAAA), the servers of a service (SRV, RFC 2782), how long it holds.
 *
 * Pure; lookup.c asks.  An answer is as good as the least of its parts: it holds
 * until its first record does not, and a question that was lost spoils all of it,
 * since half of the servers must not vanish by a lost datagram.  A name that is
 * not there, or has no address of one family, spoils nothing.
 */
#ifndef PROXYD_ANSWER_H
#define PROXYD_ANSWER_H

#include "common/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_MAX	 64   /* more than an answer of any use; the rest is left out */
#define ANSWER_TTL_MAX_S 300  /* a server that is gone shall not be known for a day */
#define ANSWER_NAME_SIZE 1025 /* of a server of SRV, as dn_expand(3) writes it */

struct target {
	struct endpoint at;
	/* of SRV; zeroed else, as the port is */
	unsigned weight;
	bool backup; /* not of the best priority */
};

struct answer {
	struct target targets[ANSWER_MAX]; /* settled: sorted, without doubles */
	size_t n;			   /* 0: there is none, and ... */
	const char *why;		   /* ... why: a constant text */
	unsigned ttl_s;			   /* it holds for so long; 0: not told, as by the system */
};

/* What became of one question for addresses. */
enum answer_outcome {
	ANSWER_FOUND, /* maybe without an address, as when only other types were there */
	ANSWER_NONE,  /* there are none, for sure */
	ANSWER_LOST,  /* nobody can say */
};

struct answer_part {
	enum answer_outcome outcome;
	const char *why; /* unless FOUND: a constant text */
	unsigned ttl_s;	 /* of the record that ends first; UINT_MAX: nobody said */
	struct addr addrs[ANSWER_MAX];
	size_t n;
};

/* One of several servers of a service. */
struct answer_service {
	uint16_t priority, weight, port;
	unsigned ttl_s;
	char name[ANSWER_NAME_SIZE]; /* "": decidedly not there (RFC 2782: ".") */
};

/* An empty answer, good for as long as one may be. */
void answer_begin(struct answer *);

/* One more record that holds for so long: an address beyond ANSWER_MAX is left out. */
void answer_part_add(struct answer_part *, const struct addr *, unsigned ttl_s);
/* A record without an address of ours that stands on the way (CNAME). */
void answer_part_holds(struct answer_part *, unsigned ttl_s);

/*
 * What was asked for one name, each address as 'like'.  LOST: the answer is a
 * failure now, and nothing should be added to it.  NONE: nothing was added; its
 * reason is kept for the case that nothing else is.
 */
enum answer_outcome answer_add(
    struct answer *, const struct target *like, const struct answer_part *parts, size_t n);

/* A failure, whatever it was. */
void answer_fail(struct answer *, const char *why);

/* The least of the priorities, which is the best. */
unsigned answer_best(const struct answer_service *, size_t n);

/* How the addresses of a server of a service are used; false: not at all.  The answer holds as long
 * as its record. */
bool answer_like(struct answer *, const struct answer_service *, unsigned best, struct target *ret);

/*
 * Nothing more comes.  valid_us: what the file says instead of the records, 0: nothing;
 * told: name servers said how long it holds, the system does not.
 */
void answer_settle(struct answer *, bool told, int64_t valid_us);

bool answer_equal(const struct answer *, const struct answer *);

#endif
