/*
 * instance.c - events in, actions out, and an instance's life; see instance.h.  A callback
 * reads: unwrap, translate, step, perform, re-arm.
 */
#include "vrrpd/instance_priv.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "vrrpd/control.h"
#include "vrrpd/state.h"
#include "vrrpd/syncgroup.h"
#include "vrrpd/voice.h"

#include <stdlib.h>
#include <string.h>

#define LOSS_WINDOW_US (10 * USEC_PER_SEC) /* so many losses of one address within it ... */
#define LOSSES_MAX     5
#define LOSS_BAR_US    (60 * USEC_PER_SEC) /* ... and the instance is in FAULT for so long */

/* ---- performing ---- */

static void
note_unsent(struct instance *in, int error)
{
	if (error != 0 && in->state.role != VRRP_FAULT && in->state.role != VRRP_INIT)
		log_limited(&in->packet_limit, loop_now(), LOG_WARNING,
		    "(%s) cannot send an advert: %s", in->name, strerror(-error));
}

static void
send_advert(struct instance *in, uint8_t priority, int64_t interval_us, mono_t now)
{
	int r = advert_send(&in->advert, priority, interval_us);

	if (priority != VRRP_PRIORITY_LEAVE) {
		in->advert_at = now;
		if (r == 0) {
			state_beat(in->vrrpd->state, in, now);
			state_flush_beats(in->vrrpd->state);
		}
	}
	note_unsent(in, r);
}

void
instance_on_sent(struct instance *in, int error)
{
	if (error == 0)
		state_beat(in->vrrpd->state, in, in->advert_at);
	note_unsent(in, error);
}

void
instance_show_missing(struct instance *in, const char *what, size_t missing, size_t of)
{
	char *key = xasprintf("%s %s", what, in->name), *reason = NULL;

	if (missing > 0)
		reason = xasprintf(
		    "(%s) %zu of %zu %s cannot be added", in->name, missing, of, what);
	daemon_set_degraded(in->vrrpd->daemon, key, reason);
	free(reason);
	free(key);
}

/* Routes may need the addresses, and rules lead to routes. */
static void
add_vips(struct instance *in, mono_t now)
{
	instance_show_missing(in, "addresses", vip_group_hold(&in->vips, now), in->vips.n);
	instance_show_missing(
	    in, "routes and rules", routing_hold(&in->routing, now), in->routing.n);
}

void
instance_renew(struct instance *in, mono_t now)
{
	/* What could not be added, or was permanent and is to be leased: another try. */
	if (in->state.role == VRRP_MASTER && vip_group_n_missing(&in->vips) > 0)
		add_vips(in, now);
	vip_group_renew(&in->vips, now);
	if (in->routing.n > 0) {
		routing_renew(&in->routing, now);
		instance_show_missing(
		    in, "routes and rules", routing_n_missing(&in->routing), in->routing.n);
	}
}

static void
delete_vips(struct instance *in)
{
	announcer_stop(&in->announcer);
	routing_release(&in->routing);
	vip_group_release(&in->vips);
	instance_show_missing(in, "routes and rules", 0, 0);
}

static void
renew_now(struct instance *in, mono_t now)
{
	instance_renew(in, now);
	vip_set_flush(in->vrrpd->vips);
}

/* Most ticks are like this, of all instances at about the same time: see roster_on_ticked. */
static void
go_on(struct instance *in, mono_t now)
{
	int r = advert_post(&in->advert, in->state.priority, in);

	in->advert_at = now;
	note_unsent(in, r);
	if (!in->renews)
		TAILQ_INSERT_TAIL(&in->vrrpd->renewing, in, due);
	in->renews = true;
	vmac_set_up(&in->vmac, true);
	tick_at(&in->tick, in->state.deadline);
	syncgroup_settle(in);
}

static bool
is_routine(const struct vrrp_outcome *out)
{
	return out->actions == (VRRP_SEND_ADVERT | VRRP_RENEW_LEASE) &&
	       out->reason.why == VRRP_WHY_NONE;
}

/* 'contest': somebody else may have told the segment that the addresses are its own. */
static void
perform(struct instance *in, unsigned actions, bool contest, mono_t now)
{
	for (unsigned bit = 0; bit < VRRP_N_ACTIONS; bit++) {
		switch ((enum vrrp_action)(actions & 1u << bit)) {
		case VRRP_SEND_ADVERT:
			send_advert(in, in->state.priority, 0, now);
			break;
		case VRRP_SEND_HANDOVER:
			send_advert(
			    in, in->state.priority, vrrp_handover_interval(&in->params), now);
			break;
		case VRRP_ADD_VIPS:
			add_vips(in, now);
			break;
		case VRRP_RENEW_LEASE:
			renew_now(in, now);
			break;
		case VRRP_DEL_VIPS:
			delete_vips(in);
			break;
		case VRRP_SEND_RESIGN:
			send_advert(in, VRRP_PRIORITY_LEAVE, 0, now);
			break;
		case VRRP_ANNOUNCE:
			announcer_begin(&in->announcer, contest, now);
			break;
		case VRRP_ASK_VERDICTS:
			in->asked = now;
			trackers_ask(&in->trackers, in->vrrpd->verdicts);
			break;
		}
	}
}

void
instance_feed(struct instance *in, const struct vrrp_event *ev)
{
	mono_t now = loop_now();
	struct vrrp_outcome out = vrrp_step(&in->params, in->state, ev, now);
	enum vrrp_role was = in->state.role;

	in->state = out.next; /* the only assignment of a role */
	if (ev->kind == VRRP_EV_TIMER && was == VRRP_MASTER && is_routine(&out)) {
		go_on(in, now);
		return;
	}
	if (in->state.role == VRRP_MASTER)
		vmac_set_up(&in->vmac, true);
	if (mono_is_never(in->state.preempt_at))
		in->asked = MONO_NEVER; /* no takeover waits for verdicts */
	perform(in, out.actions,
	    was == VRRP_MASTER && in->state.role == was && ev->kind != VRRP_EV_VIP_LOST, now);
	/* What was adopted and is listened for keeps it up. */
	vmac_set_up(&in->vmac, in->state.role == VRRP_MASTER || vip_group_has_any(&in->vips));
	if (in->state.role != was)
		voice_role(in, was, &out.reason, now);
	else
		voice_reason(in, &out.reason, now);
	tick_at(&in->tick, in->state.deadline);
	if (in->state.role != was || out.reason.why != VRRP_WHY_NONE)
		control_changed(in->vrrpd->control, in->name);
	if (in->state.role != was)
		state_changed(in->vrrpd->state);
	syncgroup_settle(in);
}

/* ---- timers, packets, addresses ---- */

static void
on_due(struct tick *t, mono_t now)
{
	struct instance *in = CONTAINER_OF(t, struct instance, tick);

	(void)now;
	/* What has arrived comes before what has not. */
	if (in->advert.sock != NULL)
		vrrp_sock_drain(in->advert.sock);
	instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_TIMER });
}

static void
on_again(struct loop_timer *t, mono_t now)
{
	(void)now;
	instance_update(CONTAINER_OF(t, struct instance, again));
}

void
instance_on_bad(struct instance *in, const struct addr *source, enum vrrp_pkt_err err)
{
	in->advert.dropped[err]++;
	voice_ignored(in, source, err);
}

void
instance_on_packet(struct instance *in, const struct vrrp_pkt *pkt)
{
	enum vrrp_pkt_err err = advert_hear(&in->advert, pkt);
	struct vrrp_event ev = { .kind = VRRP_EV_ADVERT };

	if (err != VRRP_PKT_OK) {
		voice_ignored(in, &pkt->advert.source, err);
		return;
	}
	voice_differs(in, pkt);
	ev.advert = pkt->advert;
	ev.advert.other_addrs = (in->advert.differs & VRRP_DIFFERS_ADDRESSES) != 0;
	instance_feed(in, &ev);
}

/*
 * Putting an address back is right once; somebody who takes it away again and
 * again means it, and the peer should have it.
 */
static void
note_loss(struct instance *in, struct vip *vip, mono_t now)
{
	if (mono_until(vip->lost_since, now) > LOSS_WINDOW_US) {
		vip->lost_since = now;
		vip->n_lost = 0;
	}
	if (++vip->n_lost >= LOSSES_MAX)
		in->barred_until = mono_add(now, LOSS_BAR_US);
}

/*
 * Somebody deleted an address, or its lease ran out while we live: the core
 * says whether it still is ours, after what the peers have said meanwhile.
 */
static void
on_vip_lost(void *aux, struct vip *vip, enum vip_loss loss)
{
	struct instance *in = aux;
	char buf[ADDR_STRLEN];
	const char *const fields[] = { "vip", loss == VIP_EXPIRED ? "expired" : "deleted",
		"address", addr_format(&vip->request.local, buf), NULL };

	if (loss == VIP_EXPIRED && in->advert.sock != NULL)
		vrrp_sock_drain(in->advert.sock);
	if (!in->vips.held || vip->no_track)
		return;
	in->put_back++;
	note_loss(in, vip, loop_now());
	event_emit(LOG_WARNING, in->name, fields, "address %s of %s %s", buf, vip->device,
	    loss == VIP_EXPIRED ? "was gone: its lease ran out, we were too slow"
				: "was deleted by somebody else: putting it back");
	if (mono_before(loop_now(), in->barred_until))
		instance_update(in);
	else
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_VIP_LOST });
}

/* ---- configuration ---- */

static void
configure(struct instance *in, const struct vrrp_conf *conf, mono_t now)
{
	in->conf = conf;
	memcpy(in->digest, in->vrrpd->conf->digest, sizeof(in->digest));
	in->notifier->runner = in->vrrpd->runner;
	trackers_configure(&in->trackers, in->vrrpd->conf, conf, now);
	advert_configure(&in->advert, conf);
	vmac_configure(&in->vmac, conf);
	vip_group_configure(&in->vips, conf);
	routing_configure(&in->routing, &conf->routing, conf->vips, conf->n_vips, in->vips.lease_s);
	announcer_configure(&in->announcer, conf, in->vips.lease_s);
	in->params = (struct vrrp_params){
		.primary = in->params.primary,
		.version = conf->version,
		.interval_us = conf->advert_us,
		.down_adverts = conf->down_timer_adverts,
		.preempt = !conf->nopreempt,
		.preempt_delay_us = conf->preempt_delay_us,
		.together = !conf->strict,
		.answer_lower = !conf->strict,
		.fast_preempt = conf->fast_preempt && !conf->strict,
		.fresh_verdicts = trackers_any_weighted_check(&in->trackers),
		.take_degraded = !conf->strict,
		.listen_late = !conf->strict,
		.yield_when_deaf = conf->yield_when_deaf && !conf->strict,
		.or_alone_us = conf->witness.or_alone_us,
		.never_answer = conf->lower_prio_no_advert,
		.answer_higher = conf->higher_prio_send_advert,
		.owner_is_sure = conf->owner_ignore_adverts,
		.grouped = conf->group != NULL,
	};
	in->differs = 0;
}

bool
instance_is_same(const struct instance *in, const struct vrrp_conf *conf)
{
	const struct vrrp_conf *old = in->conf;

	return old->vrid == conf->vrid && old->family == conf->family &&
	       old->version == conf->version && old->unicast == conf->unicast &&
	       addr_equal(&old->mcast_group, &conf->mcast_group) &&
	       strcmp(old->interface, conf->interface) == 0;
}

void
instance_apply(struct instance *in, const struct vrrp_conf *conf)
{
	mono_t now = loop_now();

	configure(in, conf, now);
	instance_follow_link(in);
	in->state = vrrp_adjust(&in->params, in->state, now); /* deadlines; the role stays */
	/* The peers may be others; and a reload is the operator's word. */
	if (in->state.role != VRRP_INIT)
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_PATH_CHANGED });
	tick_at(&in->tick, in->state.deadline);
	instance_update(in);
	if (in->state.role == VRRP_MASTER && vip_group_n_missing(&in->vips) > 0) {
		add_vips(in, now);
		announcer_begin(&in->announcer, false, now);
	} else if (in->state.role == VRRP_MASTER && routing_n_missing(&in->routing) > 0)
		add_vips(in, now);
	control_changed(in->vrrpd->control, in->name);
	state_changed(in->vrrpd->state);
}

struct instance *
instance_new(struct vrrpd *v, const struct vrrp_conf *conf)
{
	struct instance *in = xcalloc(1, sizeof(*in));

	in->vrrpd = v;
	in->name = xstrdup(conf->name);
	in->asked = MONO_NEVER;
	advert_init(&in->advert);
	vmac_init(&in->vmac, v->nl, in->name);
	trackers_init(&in->trackers);
	vip_group_init(&in->vips, v->vips, in->name, on_vip_lost, in);
	routing_init(&in->routing, v->routing, in->name);
	announcer_init(&in->announcer, v->daemon->loop, v->nl, v->socks, &in->vips);
	in->notifier = notifier_new(v->runner, in->name);
	tick_init(&in->tick, v->ticker, on_due);
	loop_timer_init(v->daemon->loop, &in->again, on_again);
	in->n_open = 2;
	configure(in, conf, loop_now());
	in->beat = state_beat_take(v->state, conf);
	voice_remember(in, "init", loop_now());
	return in;
}

static void
release(struct instance *in)
{
	if (--in->n_open > 0)
		return;
	free(in->own_fault);
	free(in->reason);
	free(in->name);
	free(in);
}

static void
on_again_closed(struct loop_timer *t)
{
	release(CONTAINER_OF(t, struct instance, again));
}

static void
on_announcer_closed(struct loop_timer *t)
{
	release(CONTAINER_OF(CONTAINER_OF(t, struct announcer, timer), struct instance, announcer));
}

/* What is said of an instance ends with it. */
static void
forget_degraded(struct instance *in)
{
	char *key = xasprintf("checks %s", in->name);

	instance_show_missing(in, "addresses", 0, 0);
	instance_show_missing(in, "routes and rules", 0, 0);
	daemon_set_degraded(in->vrrpd->daemon, key, NULL);
	free(key);
}

void
instance_free(struct instance *in)
{
	if (in == NULL)
		return;
	forget_degraded(in);
	vrrp_sock_flush(in->vrrpd->socks);
	if (in->renews)
		TAILQ_REMOVE(&in->vrrpd->renewing, in, due);
	tick_done(&in->tick);
	state_beat_give_back(in->vrrpd->state, in->beat);
	notifier_release(in->notifier);
	advert_done(&in->advert);
	vip_group_done(&in->vips);
	routing_done(&in->routing);
	trackers_done(&in->trackers);
	loop_timer_close(&in->again, on_again_closed);
	announcer_close(&in->announcer, on_announcer_closed);
}

/* ---- the operator ---- */

static mono_t
end_of(int64_t hold_us, mono_t now)
{
	return hold_us > 0 ? mono_add(now, hold_us) : MONO_NEVER;
}

void
instance_adjust(struct instance *in, int delta, int64_t hold_us, const char *words)
{
	mono_t now = loop_now();

	trackers_adjust(&in->trackers, delta, end_of(hold_us, now), words, now);
	instance_update(in);
	state_changed(in->vrrpd->state);
}

void
instance_release(struct instance *in, bool force, int64_t hold_us, const char *words)
{
	instance_feed(
	    in, &(struct vrrp_event){
		    .kind = VRRP_EV_RELEASE, .force = force, .hold_us = hold_us, .cause = words });
	control_changed(in->vrrpd->control, in->name);
	state_changed(in->vrrpd->state);
}

void
instance_resume(struct instance *in)
{
	instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_RESUME });
	control_changed(in->vrrpd->control, in->name);
	state_changed(in->vrrpd->state);
}

/* ---- its group ---- */

void
instance_order(struct instance *in, enum vrrp_event_kind kind, const char *cause)
{
	instance_feed(in, &(struct vrrp_event){ .kind = kind, .cause = cause });
}
