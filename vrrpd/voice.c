/*
 * voice.c - see voice.h.
 */
#include "vrrpd/voice.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "vrrpd/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
voice_remember(struct instance *in, const char *reason, mono_t now)
{
	free(in->reason);
	in->reason = xstrdup(reason);
	in->changed_at = now;
	loop_wallclock(in->changed_stamp);
}

void
voice_add_vips(const struct instance *in, struct text *text)
{
	char buf[ADDR_STRLEN];

	for (size_t i = 0; i < in->vips.n; i++) {
		text_add(text, text->length > 0 ? " " : "");
		text_add(text, addr_format(&in->vips.vips[i].request.local, buf));
	}
}

/* How a role is said to scripts and FIFOs. */
struct saying {
	enum notify_kind kind;
	const char *state;
};

static struct saying
saying_of(const struct instance *in, enum vrrp_role role)
{
	static const struct saying of_role[] = {
		[VRRP_INIT] = { NOTIFY_STOP, "STOP" },
		[VRRP_BACKUP] = { NOTIFY_BACKUP, "BACKUP" },
		[VRRP_MASTER] = { NOTIFY_MASTER, "MASTER" },
		[VRRP_FAULT] = { NOTIFY_FAULT, "FAULT" },
	};

	if (role == VRRP_INIT && in->removed)
		return in->conf->notify_deleted ? (struct saying){ NOTIFY_DELETED, "DELETED" }
						: of_role[VRRP_FAULT];
	return of_role[role];
}

static void
tell_scripts(struct instance *in, const char *was, const struct saying *say, const char *why)
{
	struct text vips = { 0 };
	struct notify_change change = {
		.type = "INSTANCE",
		.kind = say->kind,
		.old_state = was,
		.new_state = say->state,
		.priority = in->trackers.sum.effective,
		.reason = why,
	};

	voice_add_vips(in, &vips);
	change.vips = text_str(&vips);
	notifier_tell(in->notifier, in->conf->notify, in->digest, &change);
	text_done(&vips);
}

/* To people the halves of a dual-stack instance are one: its group speaks, or else one of them. */
static void
tell_fifos(const struct instance *in, const struct saying *say, bool is_state)
{
	const char *dual = in->conf->dual;

	if (dual != NULL && (in->conf->family == AF_INET6 ||
				(in->conf->group != NULL && strcmp(in->conf->group, dual) == 0)))
		return;
	fifo_tell(in->vrrpd->fifos, &in->conf->fifo,
	    &(struct fifo_news){ .type = "INSTANCE",
		.name = dual != NULL ? dual : in->name,
		.state = say->state,
		.priority = in->trackers.sum.effective,
		.is_state = is_state });
}

static void
tell_role(struct instance *in, enum vrrp_role was, const struct vrrp_reason *reason)
{
	struct saying say = saying_of(in, in->state.role);

	tell_fifos(in, &say, true);
	/* Nothing changed for the outside when a process goes on where the last one stopped. */
	if (reason->why != VRRP_WHY_RESUMED && reason->why != VRRP_WHY_LISTEN)
		tell_scripts(in, vrrp_role_str(was), &say, in->reason);
}

void
voice_repeat(const struct instance *in)
{
	struct saying say = saying_of(in, in->state.role);

	tell_fifos(in, &say, true);
}

/* notify_priority_changes: a change that is none of the role. */
static void
tell_priority(struct instance *in, const char *words)
{
	struct saying say = { NOTIFY_ANY,
		in->state.role == VRRP_MASTER ? "MASTER_PRIORITY" : "BACKUP_PRIORITY" };

	if (!in->conf->notify_priority_changes ||
	    (in->state.role != VRRP_MASTER && in->state.role != VRRP_BACKUP))
		return;
	tell_fifos(in, &say, false);
	tell_scripts(in, vrrp_role_str(in->state.role), &say, words);
}

/* notify_master_rx_lower_pri: once for each contest, not for each advert in it. */
static void
tell_lower(struct instance *in, const char *words, mono_t now)
{
	struct saying say = { NOTIFY_RX_LOWER, "MASTER_RX_LOWER_PRI" };
	bool again = in->lower_at.us != 0 &&
		     mono_until(in->lower_at, now) <= 3 * in->params.interval_us;

	in->lower_at = now;
	if (again || in->conf->notify[NOTIFY_RX_LOWER] == SIZE_MAX)
		return;
	tell_fifos(in, &say, false);
	tell_scripts(in, vrrp_role_str(in->state.role), &say, words);
}

/* In the field's words: "Entering MASTER STATE: no advert from 10.4.7.11 for 3.609 s". */
void
voice_role(struct instance *in, enum vrrp_role was, const struct vrrp_reason *reason, mono_t now)
{
	enum vrrp_role role = in->state.role;
	char words[VRRP_REASON_STRLEN], priority[8];
	const char *fields[] = { "from", vrrp_role_str(was), "to", vrrp_role_str(role), "why",
		vrrp_why_str(reason->why), "priority", priority, NULL };

	snprintf(priority, sizeof(priority), "%u", in->trackers.sum.effective);
	voice_remember(in, vrrp_reason_format(reason, words), now);
	in->became_master += role == VRRP_MASTER;
	in->released_master += was == VRRP_MASTER;
	if (reason->why == VRRP_WHY_START)
		event_emit(LOG_NOTICE, in->name, fields, "Entering BACKUP STATE (init)");
	else if (role == VRRP_INIT)
		event_emit(LOG_NOTICE, in->name, fields, "Stopped, was %s", vrrp_role_str(was));
	else
		event_emit(role == VRRP_FAULT ? LOG_WARNING : LOG_NOTICE, in->name, fields,
		    "Entering %s STATE: %s", vrrp_role_str(role), words);
	tell_role(in, was, reason);
}

/* Worth a line although the role stays. */
void
voice_reason(struct instance *in, const struct vrrp_reason *reason, mono_t now)
{
	char words[VRRP_REASON_STRLEN];

	if (reason->why == VRRP_WHY_NONE) /* every advert of ours */
		return;
	vrrp_reason_format(reason, words);
	switch (reason->why) {
	case VRRP_WHY_RELEASED:
	case VRRP_WHY_UNBARRED:
	case VRRP_WHY_NO_WITNESS:
		event_emit(LOG_NOTICE, in->name,
		    (const char *const[]){ "why", vrrp_why_str(reason->why), NULL }, "%s", words);
		break;
	case VRRP_WHY_PRIORITY:
		event_emit(LOG_NOTICE, in->name,
		    (const char *const[]){ "why", vrrp_why_str(reason->why), NULL },
		    "Changing effective priority %s", words);
		tell_priority(in, words);
		break;
	case VRRP_WHY_FAULT: /* the cause is another one now; a script may say so at each run */
		if (strcmp(in->reason, words) == 0)
			break;
		free(in->reason);
		in->reason = xstrdup(words);
		log_limited(&in->packet_limit, now, LOG_INFO, "(%s) Still in FAULT STATE: %s",
		    in->name, words);
		break;
	case VRRP_WHY_VIP_LOST: /* on_vip_lost has said it, with the address */
		break;
	case VRRP_WHY_LOWER_ADVERT:
		tell_lower(in, words, now);
		/* fall through */
	default: /* what a peer does: bounded */
		log_limited(&in->packet_limit, now, LOG_INFO, "(%s) %s", in->name, words);
	}
}

/* Said once for each way in which the peer's configuration is another one. */
void
voice_differs(struct instance *in, const struct vrrp_pkt *pkt)
{
	static const struct {
		unsigned bit;
		const char *what;
	} ways[] = {
		{ VRRP_DIFFERS_INTERVAL, "advertisement interval" },
		{ VRRP_DIFFERS_ADDRESSES, "list of virtual addresses" },
		{ VRRP_DIFFERS_CLOCK, "time of day, half of time_window away" },
	};
	unsigned new = in->advert.differs & ~in->differs;
	char peer[ADDR_STRLEN];

	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (new &ways[i].bit)
			event_emit(LOG_WARNING, in->name,
			    (const char *const[]){ "differs", ways[i].what, NULL },
			    "peer %s differs: another %s than ours",
			    addr_format(&pkt->advert.source, peer), ways[i].what);
	if (in->differs != in->advert.differs)
		control_changed(in->vrrpd->control, in->name);
	in->differs = in->advert.differs;
}

void
voice_ignored(struct instance *in, const struct addr *source, enum vrrp_pkt_err err)
{
	char from[ADDR_STRLEN];

	if (err != VRRP_PKT_ERR_OWN)
		log_limited(&in->packet_limit, loop_now(), LOG_INFO,
		    "(%s) ignoring an advert from %s: %s", in->name, addr_format(source, from),
		    vrrp_pkt_err_str(err));
}
