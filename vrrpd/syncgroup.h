/*
 * syncgroup.h - the sync groups of this process: the shell around group.h.
 * After each event of a member its group is looked at, and the members are fed
 * what makes them one again.
 */
#ifndef VRRPD_SYNCGROUP_H
#define VRRPD_SYNCGROUP_H

#include "vrrpd/instance.h"

/*
 * While instances are made and changed: from hold on nobody is fed; join makes
 * the groups of v->conf out of the instances that run; apply makes them one.
 */
void syncgroup_hold(struct vrrpd *);
void syncgroup_join(struct vrrpd *);
void syncgroup_apply(struct vrrpd *);

/* An event of this member is over; for instance.c.  Does nothing for one without a group. */
void syncgroup_settle(struct instance *);

/* The members' outcomes made one (adopt_together); before they are started. */
void syncgroup_adopt(struct vrrpd *);

/* Notify scripts of groups that still run: 'on_idle' is called for each when it ends. */
size_t syncgroup_wait(struct vrrpd *, void (*on_idle)(void *aux), void *aux);

#endif
