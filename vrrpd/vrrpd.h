/*
 * vrrpd.h - the process: what all instances share, and how the files of this
 * shell hang together.
 *
 *   main.c        life: start, reload, stop
 *   roster.c      the instances: made and changed by configuration, found for a packet
 *   syncgroup.c   those that move together
 *   ticker.c      when each of them is due
 *   instance.c, instance_world.c, instance_start.c   one of them around its election core
 *   advert.c, vmac.c, vip.c, routing.c, announcer.c, trackers.c, notify_script.c   its limbs
 *   statics.c     what the node has while we run, whoever is master
 *   refusal.c     what is not accepted
 *   voice.c       what is said of it
 *   state.c       what is left for the next process
 *   control.c, metrics.c   what the bus is told
 */
#ifndef VRRPD_VRRPD_H
#define VRRPD_VRRPD_H

#include "common/daemon.h"
#include "common/log.h"
#include "common/netlink.h"
#include "common/runner/client.h"
#include "vrrpd/fifo.h"
#include "vrrpd/proxyview.h"
#include "vrrpd/record.h"
#include "vrrpd/refusal.h"
#include "vrrpd/sock.h"
#include "vrrpd/statics.h"
#include "vrrpd/ticker.h"
#include "vrrpd/verdicts.h"
#include "vrrpd/vip.h"

#include <sys/queue.h>

struct instance;
struct sync_group;
struct control;
struct state;

struct vrrpd {
	struct daemon *daemon;
	const struct conf *conf; /* in force; during a reload already the next */
	struct netlink *nl;
	struct sock_set *socks;
	struct vip_set *vips;
	struct routing_set *routing;
	struct statics statics;
	struct refusal *refusal;      /* of no_accept */
	struct verdicts *verdicts;    /* NULL: nothing tracks a check */
	struct proxyview *proxy;      /* NULL: nothing tracks proxyd or an upstream */
	struct runner_client *runner; /* NULL: no notify script and no FIFO anywhere */
	struct fifo_set *fifos;
	struct state *state;
	struct control *control;
	struct ticker *ticker;
	TAILQ_HEAD(, instance) instances;
	TAILQ_HEAD(, instance) renewing; /* those whose leases are due at the end of this tick */
	TAILQ_HEAD(, sync_group) groups;
	struct loop_timer startup; /* the instances that wait for vrrp_startup_delay */
	bool groups_held;	   /* while instances are made and changed (syncgroup.h) */
	bool rerouted;	/* ... and routes may have gone with them, or one of ours was deleted */
	bool unsettled; /* links or addresses have changed and the instances were not told */
	struct log_limit unknown_limit;	      /* lines about routers of others */
	uint64_t unclaimed[VRRP_PKT_ERR_MAX]; /* packets dropped that are for no instance */
	size_t n_running;		      /* at the end: scripts still waited for */
	struct loop_timer end;		      /* ... at most this long */
};

#endif
