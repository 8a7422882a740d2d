/*
 * histogram.c - see histogram.h.
 */
#include "checkd/histogram.h"

static const struct {
	int64_t us;
	const char *seconds;
} bounds[HISTOGRAM_BUCKETS] = { { 100, "0.0001" }, { 300, "0.0003" }, { 1000, "0.001" },
	{ 3000, "0.003" }, { 10000, "0.01" }, { 30000, "0.03" }, { 100000, "0.1" },
	{ 300000, "0.3" }, { 1000000, "1" }, { 3000000, "3" }, { 10000000, "10" },
	{ 30000000, "30" } };

void
histogram_note(struct histogram *h, int64_t us)
{
	if (us < 0)
		us = 0;
	h->count++;
	h->sum_us += (uint64_t)us;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (us <= bounds[i].us) {
			h->counts[i]++;
			return;
		}
}

const char *
histogram_bound(size_t i)
{
	return bounds[i].seconds;
}

uint64_t
histogram_below(const struct histogram *h, size_t i)
{
	uint64_t n = 0;

	for (size_t k = 0; k <= i; k++)
		n += h->counts[k];
	return n;
}
