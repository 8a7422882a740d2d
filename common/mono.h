/*
 * mono.h - a point in time that never runs backwards, as a type of its own, so
 * that a duration cannot be passed where a deadline is wanted.
 *
 * Cores are told the time and keep deadlines; only shells read the clock
 * (common/loop.h).  Microseconds since an arbitrary start (CLOCK_BOOTTIME: it
 * goes on over a suspend, and means the same in every process of the node).
 */
#ifndef COMMON_MONO_H
#define COMMON_MONO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t us;
} mono_t;

#define MONO_NEVER    ((mono_t){ INT64_MAX })
#define USEC_PER_MSEC INT64_C(1000)
#define USEC_PER_SEC  INT64_C(1000000)
#define USEC_PER_CSEC INT64_C(10000) /* VRRPv3 counts centiseconds */

static inline bool
mono_is_never(mono_t t)
{
	return t.us == INT64_MAX;
}

static inline bool
mono_before(mono_t a, mono_t b)
{
	return a.us < b.us;
}

/* MONO_NEVER plus anything stays MONO_NEVER. */
static inline mono_t
mono_add(mono_t t, int64_t us)
{
	return mono_is_never(t) ? t : (mono_t){ t.us + us };
}

/* How long from 'since' to 'until', in microseconds; negative when it is over. */
static inline int64_t
mono_until(mono_t since, mono_t until)
{
	return mono_is_never(until) ? INT64_MAX : until.us - since.us;
}

static inline mono_t
mono_min(mono_t a, mono_t b)
{
	return mono_before(a, b) ? a : b;
}

static inline mono_t
mono_max(mono_t a, mono_t b)
{
	return mono_before(a, b) ? b : a;
}

#endif
