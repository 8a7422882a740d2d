/*
 * flap.c - see flap.h.
 */
#include "checkd/flap.h"

#include <string.h>

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)

/* The places of minutes that passed since are empty again. */
static void
move_on(struct flap *f, mono_t now)
{
	int64_t minute = now.us / USEC_PER_MINUTE;

	if (minute - f->minute >= FLAP_MINUTES) {
		memset(f->counts, 0, sizeof(f->counts));
		f->minute = minute;
	}
	while (f->minute < minute)
		f->counts[++f->minute % FLAP_MINUTES] = 0;
}

void
flap_note(struct flap *f, mono_t now)
{
	uint8_t *count;

	move_on(f, now);
	count = &f->counts[f->minute % FLAP_MINUTES];
	if (*count < UINT8_MAX)
		(*count)++;
}

unsigned
flap_count(struct flap f, mono_t now)
{
	unsigned n = 0;

	move_on(&f, now);
	for (size_t i = 0; i < FLAP_MINUTES; i++)
		n += f.counts[i];
	return n;
}
