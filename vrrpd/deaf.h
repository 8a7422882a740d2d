/*
 * deaf.h - the book-keeping behind one departure of the election (fsm.h): a
 * master that a master of lower priority does not hear gives way to it, so that
 * one remains (design.md section 6).  Pure; fsm.c decides, this counts.
 *
 * Master: an advert that loses against us is answered.  Its sender stops when
 * it hears that; two that come although we had answered say that it does not.
 * Backup, "deaf": we leave the master that does not hear us alone while it is
 * there, and now and then send one advert without taking the addresses.  If it
 * then falls silent it has heard us.
 */
#ifndef VRRPD_DEAF_H
#define VRRPD_DEAF_H

#include "common/mono.h"
#include "vrrpd/event.h"

#define DEAF_IN_VAIN	  2 /* answers, until we give way */
#define DEAF_PROBE_MIN_US (60 * USEC_PER_SEC)
#define DEAF_PROBE_MAX_US (3600 * USEC_PER_SEC)

struct vrrp_deaf {	   /* part of struct vrrp_state: a value.  Zeroed: no trouble */
	bool on;	   /* BACKUP, FAULT: we gave way to 'peer' */
	bool probing;	   /* the probe is sent: silence or another advert decides */
	bool told;	   /* MASTER: said something since the last advert counted */
	uint8_t vain;	   /* MASTER: adverts that came although we had answered */
	struct addr peer;  /* MASTER: whose adverts are counted; AF_UNSPEC: nobody's */
	mono_t told_at;	   /* when we first did, if told */
	mono_t trouble_at; /* the last losing advert, or our return: peace is counted from it */
	int64_t wait_us;   /* between probes; 0: no trouble so far */
	mono_t probe_at;   /* on: when the next one is due ... */
	mono_t fire_at;	   /* ... and sent, half an interval after an advert; MONO_NEVER: no */
};

/*
 * Master: an advert that loses, 'tie' with our very priority.  True when it is
 * time to give way.  In a tie both may think they win (addresses rewritten on
 * the way): then only once, until there was peace.
 */
bool deaf_contest(struct vrrp_deaf *, const struct vrrp_advert *, bool tie, mono_t now);

/* Master: an advert of ours went out. */
void deaf_told(struct vrrp_deaf *, mono_t now);

/* Master no longer; the first probe is due in a minute, not before 'delay_us'. */
void deaf_give_way(struct vrrp_deaf *, int64_t delay_us, mono_t now);

/*
 * Backup: the present master 'source' goes on.  'wanted': we would take over if
 * it could hear us.  If it is another one than 'peer' its silence will say
 * nothing about that: there is no probe before the longest time is over.
 */
void deaf_hear(
    struct vrrp_deaf *, const struct addr *source, int64_t interval_us, bool wanted, mono_t now);

/* Backup: no probe is under way or waiting to be sent any more. */
void deaf_calm(struct vrrp_deaf *);

/* Master again: what was is remembered, so that the next time lasts longer. */
void deaf_return(struct vrrp_deaf *, mono_t now);

#endif
