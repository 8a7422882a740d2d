/*
 * beats.h - RUN_DIR/vrrpd/beats: when each instance last spoke as master, for the
 * process after a crash.  The record (state.h) is a file written anew when a role or
 * a term changes, and leases are renewed three times a second: at an interval of
 * 100 ms neither tells how long the others have heard nothing.  Here the
 * adverts of a tick cost one pwrite of a few bytes each into a file that stays open.
 * (Not mapped: who truncates a mapped file kills its writer.)
 *
 * Nothing depends on it: without the file the proof is the renewal, as it is coarser.
 */
#ifndef VRRPD_BEATS_H
#define VRRPD_BEATS_H

#include "common/mono.h"

#include <stdint.h>

struct beats;

#define BEATS_NO_SLOT UINT32_MAX

/* Reads what the last process left at 'path' and begins a file of its own. */
struct beats *beats_new(const char *path);

/* The last beat of that identity in what was left; 0 s: none. */
mono_t beats_last(const struct beats *, uint8_t family, uint8_t vrid, const char *interface);

/* A place in the file, zero until written; BEATS_NO_SLOT: all are taken (record.h's bound). */
uint32_t beats_take(struct beats *, uint8_t family, uint8_t vrid, const char *interface);

/* What stands there is wiped. */
void beats_give_back(struct beats *, uint32_t slot);

/* An advert as master went out at 'now'; written down by the next flush. */
void beats_write(struct beats *, uint32_t slot, mono_t now);
void beats_flush(struct beats *);

#endif
