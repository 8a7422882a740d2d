/*
 * control.h - org.trivet.vrrp: ListInstances, Monitor, and the metrics.
 */
#ifndef VRRPD_CONTROL_H
#define VRRPD_CONTROL_H

#include "vrrpd/instance.h"

/* Serves RUN_DIR/vrrpd/bus.  0 or -errno after logging. */
int control_start(struct vrrpd *, struct control **ret);

/* Monitor's counter: what was done before is shown from there on. */
uint64_t control_sequence(const struct control *);

/* A role as on the bus: "master". */
const char *control_state_word(enum vrrp_role);

/* The instance changed, appeared or is gone; accepts NULL. */
void control_changed(struct control *, const char *name);

#endif
