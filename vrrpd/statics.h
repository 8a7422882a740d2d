/*
 * statics.h - what the node has as long as vrrpd runs, whoever is master:
 * static_ipaddress, static_routes, static_rules.  Neither leased nor tied to
 * anything: a killed vrrpd leaves them, as it leaves the rest of the node; the
 * next one takes them up, a stop takes them away, a restart does not.
 */
#ifndef VRRPD_STATICS_H
#define VRRPD_STATICS_H

#include "vrrpd/routing.h"
#include "vrrpd/vip.h"

struct statics {
	struct vip_group vips;
	struct routing routing;
};

void statics_init(struct statics *, struct vip_set *, struct routing_set *);
void statics_done(struct statics *);

/* At start and at a reload: what is new is added, what is no longer there deleted. */
void statics_apply(struct statics *, const struct conf *, mono_t now);

/* Links, addresses or routes have changed. */
void statics_again(struct statics *, mono_t now);

/* At a stop. */
void statics_release(struct statics *);

#endif
