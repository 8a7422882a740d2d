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

static void
tell_scripts(struct instance *in, enum vrrp_role was, const struct vrrp_reason *reason)
{
	static const struct {
		enum notify_kind kind;
		const char *state;
	} of_role[] = {
		[VRRP_INIT] = { NOTIFY_STOP, "STOP" },
		[VRRP_BACKUP] = { NOTIFY_BACKUP, "BACKUP" },
		[VRRP_MASTER] = { NOTIFY_MASTER, "MASTER" },
		[VRRP_FAULT] = { NOTIFY_FAULT, "FAULT" },
	};
	struct text vips = { 0 };
	struct notify_change change = {
		.type = "INSTANCE",
		.kind = of_role[in->state.role].kind,
		.old_state = vrrp_role_str(was),
		.new_state = of_role[in->state.role].state,
		.priority = in->trackers.sum.effective,
		.reason = in->reason,
	};

	voice_add_vips(in, &vips);
	change.vips = text_str(&vips);
	/* Nothing changed for the outside when a process goes on where the last one stopped. */
	if (in->notifier.runner != NULL && reason->why != VRRP_WHY_RESUMED &&
	    reason->why != VRRP_WHY_LISTEN)
		notifier_tell(&in->notifier, in->conf->notify, in->digest, &change);
	text_done(&vips);
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
	tell_scripts(in, was, reason);
}

/* Worth a line although the role stays. */
void
voice_reason(struct instance *in, const struct vrrp_reason *reason, mono_t now)
{
	char words[VRRP_REASON_STRLEN];

	vrrp_reason_format(reason, words);
	switch (reason->why) {
	case VRRP_WHY_NONE:
		break;
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
			event_emit(LOG_WARNING, in->name, NULL,
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
