/*
 * flap.h - how often a check changed its state within the last hour.  Pure, and
 * of one size however often that is: by minutes.
 */
#ifndef CHECKD_FLAP_H
#define CHECKD_FLAP_H

#include "common/mono.h"

#define FLAP_MINUTES 60

struct flap {			      /* a value; zeroed means never */
	int64_t minute;		      /* of the clock's, the latest that has a place */
	uint8_t counts[FLAP_MINUTES]; /* by minute modulo 60; they stop at 255 */
};

void flap_note(struct flap *, mono_t now);

/* The present minute and the 59 before. */
unsigned flap_count(struct flap, mono_t now);

#endif
