/*
 * vmac.h - the virtual MAC of an instance (use_vmac; RFC 9568, 7.3): a macvlan
 * on its interface that holds the addresses and sends the adverts, so that a
 * move changes no neighbour's table.
 *
 * It is made when its interface is there, and up only while we hold addresses:
 * a backup must not send a single frame from that MAC, or the switches would
 * send the master's traffic to it.  Left over by a killed process it is found by
 * its alias.
 */
#ifndef VRRPD_VMAC_H
#define VRRPD_VMAC_H

#include "common/conf/conf.h"
#include "common/log.h"
#include "common/netlink.h"

#define VMAC_ALIAS "trivet vrrpd" /* beginning of the aliases of ours */

struct vmac {
	struct netlink *nl;
	const char *owner; /* the instance's name, for log lines; borrowed */
	struct vmac_conf conf;
	char parent[IFNAMSIZ];
	enum { VMAC_UNKNOWN, VMAC_DOWN, VMAC_UP } state; /* as last asked for */
	bool asked;					 /* made, and not seen yet */
	bool settled;					 /* the parent's settings were made */
	struct log_limit limit;
};

void vmac_init(struct vmac *, struct netlink *, const char *owner);

/* What is wanted from now on; one that is no longer wanted is removed. */
void vmac_configure(struct vmac *, const struct vrrp_conf *);

/* Make it, if it is wanted, its interface is there and it is not. */
void vmac_make(struct vmac *);

/* The link, if it is wanted, ours and there; NULL: not. */
const struct netlink_link *vmac_link(const struct vmac *);

void vmac_set_up(struct vmac *, bool up);
void vmac_remove(struct vmac *);

/* Is that link left by an earlier run, as far as its looks go? */
bool vmac_is_ours(const struct netlink_link *);
void vmac_delete(struct netlink *, const char *name);

#endif
