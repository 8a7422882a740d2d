/*
 * handover_guest.h - what a session knows of its client (guest.h) as part of its
 * record, both ways.
 */
#ifndef PROXYD_HANDOVER_GUEST_H
#define PROXYD_HANDOVER_GUEST_H

#include "proxyd/parcel.h"
#include "proxyd/session.h"

struct conf;

/* From the session into the record, and back (the session has its route). */
void handover_give_guest(const struct session *, struct parcel_session *);
void handover_take_guest(struct session *, const struct parcel_session *, const struct conf *);

#endif
