/*
 * rate.h - so many bytes in a second and no more: a bucket that fills by the
 * rate and holds what a second brings.  Pure.
 *
 * It is not asked for each byte: who has used it up is to wait until a tenth of
 * a second's worth is in it again, so that a slow session wakes ten times in a
 * second at the most.
 */
#ifndef PROXYD_RATE_H
#define PROXYD_RATE_H

#include "common/mono.h"

#include <stdbool.h>

#define RATE_MAX (UINT64_C(1) << 40) /* bytes in a second */

struct rate {
	uint64_t bytes_s; /* 0: no limit */
	uint64_t credit;  /* millionths of a byte */
	mono_t at;	  /* when 'credit' was right */
	mono_t held;	  /* wait until then; MONO_NEVER: not waiting */
};

/* Full. */
void rate_init(struct rate *, uint64_t bytes_s, mono_t now);

/*
 * How many bytes may be taken now, at most 'wanted'.  0: none; 'held' says when
 * to ask again.
 */
uint32_t rate_allows(struct rate *, uint32_t wanted, mono_t now);

/* They were taken.  More than was allowed (a datagram is not cut) is waited for. */
void rate_spend(struct rate *, uint32_t n);

#endif
