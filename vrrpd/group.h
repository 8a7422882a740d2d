/*
 * group.h - sync groups (vrrp_sync_group, and the two halves of a dual-stack
 * instance): all members MASTER together or none, one in FAULT and all are.
 * Pure: looks at the members and says which events they are to be fed.
 *
 * Members run with params.grouped: when it is time to take over they want to
 * (state.wants), and do so when all of them do.  A member that follows another
 * master, or was released, or is deaf makes the others let go.  One that is
 * merely listening (it just joined, or woke from a stall) is waited for.
 *
 * The members' priorities should relate to the peers' alike: a node that is the
 * better one for one member and the worse for another gives the group back and
 * forth, as in keepalived; `trivet check` is the place to say so.
 */
#ifndef VRRPD_GROUP_H
#define VRRPD_GROUP_H

#include "vrrpd/fsm.h"

struct group_member {
	const char *name;
	const struct vrrp_state *state;
	const char *fault; /* a cause of its own, in words; NULL: none */
};

struct group_order {
	enum vrrp_event_kind kind; /* FAULT, FAULT_CLEARED, GROUP_MASTER, GROUP_BACKUP; MAX: none */
	size_t because;		   /* of this member; FAULT, GROUP_BACKUP */
};

/*
 * What each member is to be fed now; ret has n entries.  The number of orders;
 * 0: the group is as it should be.  Call it after each event of a member, and
 * again after feeding, until it returns 0; not while members are being started.
 * Members in INIT get no orders, and none takes over without them.
 */
size_t group_step(const struct group_member *, size_t n, struct group_order *ret);

#define GROUP_CAUSE_STRLEN 256

/*
 * The cause to go with an order to member 'self': the member's own fault as it
 * is, else "VI_2 is in FAULT: interface eth1 is down", "VI_2 is BACKUP".
 */
const char *group_cause(const struct group_member *, const struct group_order *, size_t self,
    char buf[static GROUP_CAUSE_STRLEN]);

#endif
