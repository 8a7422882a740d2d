/*
 * instance_start.c - from where the last process stopped, and to where the next can go on;
 * see instance.h.
 */
#include "vrrpd/instance_priv.h"

#include "common/event.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static struct adopt_clock
clocks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct adopt_clock){ .boottime = loop_now(),
		.monotonic = { ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000 } };
}

void
instance_consider(struct instance *in, const struct record *rec, const char *boot_id)
{
	const struct record_instance *was = record_find(
	    rec, in->conf->family, in->conf->vrid, in->conf->interface);
	struct adopt_clock now = clocks();
	struct adopt_kernel kernel = vip_group_leftovers(&in->vips, &now);
	/* Of a planned restart the others were told: they wait by the interval announced last. */
	int64_t bear_us = vrrp_bear_us(&in->params, rec != NULL && rec->handover);

	in->adopt = adopt_decide(
	    rec, was, &kernel, &now, boot_id, bear_us, in->vips.lease_s * USEC_PER_SEC);
	if (in->adopt.verdict == ADOPT_NONE && rec != NULL && kernel.n_present > 0)
		event_emit(LOG_NOTICE, in->name,
		    (const char *const[]){ "adoption", "refused", NULL },
		    "not going on where the last process stopped: %s",
		    adopt_why_str(in->adopt.why));
}

/* ... as the last process of this boot heard it; before the first sum, and after the start. */
static void
repeat_adjustment(struct instance *in, const struct record_instance *was, mono_t now)
{
	if (was->delta != 0 && mono_before(now, was->delta_until))
		trackers_adjust(&in->trackers, was->delta, was->delta_until,
		    "said before the last restart", now);
}

static void
repeat_release(struct instance *in, const struct record_instance *was, mono_t now)
{
	if (was->released && mono_before(now, was->released_until))
		instance_release(in, true,
		    mono_is_never(was->released_until) ? 0 : mono_until(now, was->released_until),
		    "said before the last restart");
}

bool
instance_start(struct instance *in, const struct record *rec, const char *boot_id)
{
	static const enum vrrp_event_kind kind_of[] = {
		[ADOPT_NONE] = VRRP_EV_START,
		[ADOPT_LISTEN] = VRRP_EV_RESUME_LISTEN,
		[ADOPT_RESUME] = VRRP_EV_RESUME_MASTER,
	};
	const struct adopt_outcome adopt = in->adopt;
	struct vrrp_event ev = { .kind = kind_of[adopt.verdict] };
	char cause[PRIO_CAUSE_STRLEN] = "";
	const struct prio_sum *sum = &in->trackers.sum;
	const struct record_instance *was = rec != NULL && strcmp(rec->boot_id, boot_id) == 0
						? record_find(rec, in->conf->family, in->conf->vrid,
						      in->conf->interface)
						: NULL;

	if (adopt.verdict != ADOPT_NONE && was != NULL)
		trackers_restore(&in->trackers, was, mono_add(loop_now(), -adopt.age_us));
	if (was != NULL)
		repeat_adjustment(in, was, loop_now());
	instance_update(in);
	if (sum->fault) {
		instance_feed(in, &(struct vrrp_event){ .kind = VRRP_EV_FAULT,
				      .cause = trackers_fault(&in->trackers, cause) });
		ev.kind = VRRP_EV_START;
	} else if (adopt.verdict != ADOPT_NONE) {
		vip_group_adopt(&in->vips, loop_now());
		routing_adopt(&in->routing);
	}
	ev.priority = sum->effective;
	ev.lowered = sum->lowered;
	ev.pending = sum->pending;
	ev.no_witness = sum->no_witness;
	instance_feed(in, &ev);
	if (was != NULL)
		repeat_release(in, was, loop_now());
	instance_arm_again(in, loop_now());
	instance_show_degraded(in);
	if (ev.kind != VRRP_EV_RESUME_MASTER)
		return false;
	event_emit(LOG_NOTICE, in->name, (const char *const[]){ "resumed", "master", NULL },
	    "resumed as master: the last proof of it is %" PRId64 " ms old",
	    adopt.age_us / USEC_PER_MSEC);
	return true;
}

void
instance_stop(struct instance *in, enum daemon_stop how)
{
	in->left = in->state.release;
	instance_feed(in, &(struct vrrp_event){
			      .kind = how == DAEMON_RESTART ? VRRP_EV_HANDOVER : VRRP_EV_STOP });
	tick_at(&in->tick, MONO_NEVER);
	loop_timer_stop(&in->again);
	announcer_stop(&in->announcer);
	if (how == DAEMON_STOP)
		vmac_remove(&in->vmac);
}
