/*
 * vip.h - the virtual addresses of this process, leased from the kernel
 * (design.md section 5): each is added with a finite lifetime and our protocol
 * number, and kept by renewing it with the adverts.  When we die or hang, the
 * kernel takes it away.
 *
 * One struct vip_set for the process, one struct vip_group for each instance.
 * The group says what is wanted; the set knows the kernel (common/netlink.h).
 * What is lost is reported, never silently repaired: whether it is put back is
 * the instance's decision.
 */
#ifndef VRRPD_VIP_H
#define VRRPD_VIP_H

#include "common/conf/conf.h"
#include "common/mono.h"
#include "common/netlink.h"
#include "vrrpd/adopt.h"
#include "vrrpd/lease.h"

#include <sys/queue.h>

/*
 * IFA_PROTO of our addresses, and how leftovers are found: VRRP's own IP
 * protocol number, which `ip address show proto 112` asks for.
 */
#define VIP_PROTO 112

struct vip {
	char *device; /* by name: links come and go */
	char *label;
	struct netlink_addr request; /* index, flags and lifetimes filled in when sent */
	int64_t preferred_us;	     /* -1: not written */
	bool excluded;		     /* not advertised; belongs to us all the same */
	bool no_track;		     /* its loss is nobody's business */
	bool present;		     /* in the kernel, by our hand, as far as we know */
	bool no_prefix_route;	     /* as written: we make no route either */
	bool ordinary;		     /* a static address: like any other of the node's */
	bool routed;		     /* a route of ours leads to its prefix (vip_route.h) */
	bool remaking;		     /* deleted and added by us: neither event was heard yet */
	bool kept;		     /* by the configuration being applied */
	bool native;		     /* the node's own, before us and after us: left alone */
	int32_t lease_s;	     /* as last given to the kernel; 0: permanent */
	mono_t renewed;
	mono_t lost_since; /* the owner's: a window, and how often it was lost in it */
	unsigned n_lost;
};

enum vip_loss {
	VIP_DELETED, /* by somebody else */
	VIP_EXPIRED, /* its lease ran out while we lived */
};

struct vip_set;

struct vip_group {
	TAILQ_ENTRY(vip_group) entry;
	struct vip_set *set;
	const char *name; /* the instance's, for log lines; borrowed */
	struct vip *vips; /* advertised ones first */
	size_t n, n_advertised;
	int32_t lease_s; /* 0: permanent */
	struct lease_pace pace;
	struct addr own; /* the node's address we send from, never taken over */
	bool held;	 /* wanted here: renewed, and missed when lost */
	void (*on_lost)(void *aux, struct vip *, enum vip_loss);
	void *aux;
};

/* Both borrowed for the life of the set. */
struct vip_set *vip_set_new(struct netlink *);
void vip_set_free(struct vip_set *); /* accepts NULL; every group is gone before */

/* The group is embedded by its owner; n = 0 and nothing held. */
void vip_group_init(struct vip_group *, struct vip_set *, const char *name,
    void (*on_lost)(void *aux, struct vip *, enum vip_loss), void *aux);
/* Leaves what is in the kernel as it is: release before, or hand over by adoption. */
void vip_group_done(struct vip_group *);

/*
 * What the group consists of from now on.  While held, addresses that go are
 * deleted, new ones added, all others are not touched.  Copies what it needs.
 */
void vip_group_configure(struct vip_group *, const struct vrrp_conf *);

/* Is any of them there, by our hand? */
bool vip_group_has_any(const struct vip_group *);

/* Adds what is missing, renews the rest; returns how many are not there afterwards. */
size_t vip_group_hold(struct vip_group *, mono_t now);
void vip_group_release(struct vip_group *);

/* How many of them are not in the kernel, as far as we know; those with no_track do not count. */
size_t vip_group_n_missing(const struct vip_group *);

/* What the kernel has of the group's addresses, tagged as ours: for adopt_decide. */
struct adopt_kernel vip_group_leftovers(const struct vip_group *, const struct adopt_clock *now);

/*
 * Take over what a predecessor left, unrenewed: hold then renews it, release
 * deletes it.
 */
void vip_group_adopt(struct vip_group *, mono_t now);

/*
 * With the tick of its instance: ask for the renewal of the group's leased addresses, in
 * one batch with those of the other groups that tick now.  Not yet due: lease.h.
 */
void vip_group_renew(struct vip_group *, mono_t now);

/* ... and send that batch. */
void vip_set_flush(struct vip_set *);

/* Delete every address that carries our number and that no group has added or adopted. */
void vip_set_remove_leftovers(struct vip_set *);

/* A route to the prefix of one of them (vip_route.h)? */
bool vip_set_owns_route(const struct vip_set *, const struct netlink_own *);

/* From struct netlink_events: an address is gone. */
void vip_set_on_gone(struct vip_set *, const struct netlink_addr *, enum netlink_by, mono_t now);

#endif
