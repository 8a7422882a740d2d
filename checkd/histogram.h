/*
 * histogram.h - how long things took: counts by powers of about three, as
 * monitoring reads them.  Pure.
 */
#ifndef CHECKD_HISTOGRAM_H
#define CHECKD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 12 /* 100 us to 30 s; longer ones are in the count only */

struct histogram { /* a value; zeroed is empty */
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t count, sum_us;
};

/* Negative times count as none. */
void histogram_note(struct histogram *, int64_t us);

/* The upper bound of bucket 'i', itself in it: "0.0001", in seconds. */
const char *histogram_bound(size_t i);

/* How many were not longer than that bound. */
uint64_t histogram_below(const struct histogram *, size_t i);

#endif
