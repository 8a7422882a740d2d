/*
 * instance_priv.h - between the files around one election core: instance.c (events in,
 * actions out; life), instance_world.c (what it depends on), instance_start.c (from the
 * last process, and to the next); nobody else's.
 */
#ifndef VRRPD_INSTANCE_PRIV_H
#define VRRPD_INSTANCE_PRIV_H

#include "vrrpd/instance.h"

/* One event through the machine; then the world catches up with the result. */
void instance_feed(struct instance *, const struct vrrp_event *);

/* The socket and the address to send from follow the link. */
void instance_follow_link(struct instance *);

/* When the answer of instance_update changes by time alone. */
void instance_arm_again(struct instance *, mono_t now);

/* Verdicts that stand although nobody answers for them: degraded, and people should know. */
void instance_show_degraded(struct instance *);
/* ... as they should of addresses, or routes and rules, that cannot be added; 0: all well. */
void instance_show_missing(struct instance *, const char *what, size_t missing, size_t of);

#endif
