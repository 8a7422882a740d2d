/*
 * instance_world.c - what an instance depends on: its link, the trackers' sum, faults; see
 * instance_priv.h.
 */
#include "vrrpd/instance_priv.h"

#include "common/event.h"
#include "common/text.h"
#include "vrrpd/control.h"
#include "vrrpd/state.h"
#include "vrrpd/syncgroup.h"

#include <linux/ip.h>
#include <stdlib.h>
#include <string.h>

/* A link that is back is another path: who did not hear us may do so now. */
static void
note_path(struct instance *in, bool up)
{
	if (up && !in->link_up && in->state.role != VRRP_INIT)
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_PATH_CHANGED });
	in->link_up = up;
}

static void
on_promoted(void *aux, void *tag, int error)
{
	struct instance *in = aux;

	(void)tag;
	if (error != 0)
		event_emit(LOG_WARNING, in->name,
		    (const char *const[]){ "network", "promote_secondaries", NULL },
		    "cannot set promote_secondaries of %s: %s", in->conf->interface,
		    strerror(-error));
}

/* When the first address of a subnet is deleted, the kernel is to keep the others. */
static void
promote_secondaries(struct instance *in, const struct netlink_link *link)
{
	static const struct netlink_setting on = { IPV4_DEVCONF_PROMOTE_SECONDARIES, 1 };
	struct netlink_batch b;

	if (!in->conf->promote_secondaries || link == NULL || link->index == in->promotes)
		return;
	in->promotes = link->index;
	netlink_batch_begin(&b, in->vrrpd->nl, on_promoted, in);
	netlink_batch_set_ip4(&b, link->name, &on, 1, NULL);
	netlink_batch_send(&b);
}

/* The macvlan as well: it goes with its interface. */
static void
follow_vmac(struct instance *in)
{
	const struct netlink_link *voice;
	int r;

	vmac_make(&in->vmac);
	voice = in->vmac.conf.xmit_base ? NULL : vmac_link(&in->vmac);
	if (voice != NULL && in->state.role == VRRP_MASTER)
		vmac_set_up(&in->vmac, true);
	if ((r = advert_speak(&in->advert, in->vrrpd->socks, voice)) != 0)
		log_limited(&in->packet_limit, loop_now(), LOG_ERR, "(%s) cannot send by %s: %s",
		    in->name, in->vmac.conf.name, strerror(-r));
}

void
instance_follow_link(struct instance *in)
{
	const struct netlink_link *link = netlink_link_by_name(in->vrrpd->nl, in->conf->interface);
	struct addr primary = in->conf->source;
	int r;

	if (link != NULL && primary.family == AF_UNSPEC)
		trackers_primary(link, in->conf->family, &primary);
	in->params.primary = primary;
	in->advert.wire.primary = primary;
	in->vips.own = primary;
	note_path(in, link != NULL && netlink_link_is_up(link));
	promote_secondaries(in, link);
	follow_vmac(in);
	if (link != NULL && in->advert.sock != NULL &&
	    vrrp_sock_index(in->advert.sock) == link->index)
		return;
	if ((r = advert_open(&in->advert, in->vrrpd->socks, link)) != 0)
		event_emit(LOG_ERR, in->name, (const char *const[]){ "network", "socket", NULL },
		    "cannot open a VRRP socket on %s: %s", in->conf->interface, strerror(-r));
}

/* May it not take part now, and why? */
static const char *
fault_of(const struct instance *in, mono_t now, char buf[static PRIO_CAUSE_STRLEN])
{
	if (in->trackers.sum.fault)
		return trackers_fault(&in->trackers, buf);
	if (mono_before(now, in->barred_until))
		return "an address of ours is deleted again and again";
	return NULL;
}

static void
note_fault(struct instance *in, const char *fault)
{
	char *copy = fault != NULL ? xstrdup(fault) : NULL;

	free(in->own_fault);
	in->own_fault = copy;
}

static void
feed_sum(struct instance *in, bool changed, const char *cause)
{
	const struct prio_sum *sum = &in->trackers.sum;
	bool was_fault = in->state.role == VRRP_FAULT;
	char buf[PRIO_CAUSE_STRLEN];
	const char *fault = fault_of(in, loop_now(), buf);

	if (sum->effective != in->state.priority || sum->pending != in->state.pending ||
	    sum->lowered != in->state.lowered || sum->no_witness != in->state.no_witness)
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_PRIORITY,
				      .priority = sum->effective,
				      .lowered = sum->lowered,
				      .pending = sum->pending,
				      .no_witness = sum->no_witness,
				      .cause = cause });
	note_fault(in, fault);
	if (in->params.grouped && (fault == NULL || !was_fault)) {
		syncgroup_settle(in); /* what it means for the role depends on the others */
		return;
	}
	if (fault != NULL && (changed || in->trackers.touched || !was_fault))
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_FAULT, .cause = fault });
	if (fault == NULL && was_fault)
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_FAULT_CLEARED });
}

void
instance_arm_again(struct instance *in, mono_t now)
{
	mono_t at = in->trackers.again_at;

	if (mono_before(now, in->barred_until))
		at = mono_min(at, in->barred_until);
	loop_timer_at(&in->again, at);
}

/* To be freed. */
static char *
degraded_reason(const struct instance *in, size_t i)
{
	const struct prio_term *term = &in->trackers.terms[i];
	const char *standing = prio_standing_str(in->trackers.lines[i].standing);

	switch (term->kind) {
	case PRIO_PROXY:
		return xasprintf("(%s) proxyd does not serve: %s, the verdict is %s", in->name,
		    term->evidence != NULL ? term->evidence : "it never answered", standing);
	case PRIO_UPSTREAM:
		return xasprintf("(%s) the verdict of upstream %s is %s: proxyd is silent",
		    in->name, term->name, standing);
	default:
		return xasprintf("(%s) the verdict of check %s is %s: checkd is silent", in->name,
		    term->name, standing);
	}
}

void
instance_show_degraded(struct instance *in)
{
	const struct trackers *t = &in->trackers;
	char *key = xasprintf("checks %s", in->name), *reason = NULL;

	for (size_t i = 0; t->sum.degraded && i < t->n; i++)
		if (t->lines[i].standing == PRIO_HELD || t->lines[i].standing == PRIO_LOST ||
		    t->lines[i].standing == PRIO_NEVER) {
			reason = degraded_reason(in, i);
			break;
		}
	daemon_set_degraded(in->vrrpd->daemon, key, reason);
	free(reason);
	free(key);
}

static void
check_freshness(struct instance *in)
{
	if (mono_is_never(in->asked) ||
	    !trackers_fresh_since(&in->trackers, in->vrrpd->verdicts, in->asked))
		return;
	in->asked = MONO_NEVER;
	instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_VERDICTS });
}

bool
instance_waits(const struct instance *in)
{
	return !mono_is_never(in->asked);
}

void
instance_update(struct instance *in)
{
	const struct trackers_world world = {
		.verdicts = in->vrrpd->verdicts,
		.proxy = in->vrrpd->proxy,
		.nl = in->vrrpd->nl,
	};
	char cause[PRIO_CAUSE_STRLEN] = "";
	bool changed;

	instance_follow_link(in);
	changed = trackers_update(&in->trackers, &world, loop_now(), cause);
	if (in->state.role == VRRP_INIT)
		return; /* not started, or over */
	feed_sum(in, changed, cause);
	check_freshness(in);
	instance_arm_again(in, loop_now());
	if (changed)
		state_changed(in->vrrpd->state);
	if (!in->trackers.touched)
		return;
	instance_show_degraded(in);
	control_changed(in->vrrpd->control, in->name);
}
