/*
 * event.c - the names of events, actions and reasons, and the sentence that a
 * reason makes; see event.h.
 */
#include "vrrpd/event.h"

#include "common/util.h"

#include <inttypes.h>
#include <stdio.h>

/* The name at 'i' of a table, "?" past its end or in a gap. */
#define NAME(table, i) ((size_t)(i) < ARRAY_LEN(table) && (table)[(i)] != NULL ? (table)[(i)] : "?")

const char *
vrrp_role_str(enum vrrp_role role)
{
	static const char *const names[] = {
		[VRRP_INIT] = "INIT",
		[VRRP_BACKUP] = "BACKUP",
		[VRRP_MASTER] = "MASTER",
		[VRRP_FAULT] = "FAULT",
	};

	return NAME(names, role);
}

const char *
vrrp_event_str(enum vrrp_event_kind kind)
{
	static const char *const names[VRRP_EV_MAX] = {
		[VRRP_EV_START] = "start",
		[VRRP_EV_RESUME_MASTER] = "resume-master",
		[VRRP_EV_RESUME_LISTEN] = "resume-listen",
		[VRRP_EV_STOP] = "stop",
		[VRRP_EV_HANDOVER] = "handover",
		[VRRP_EV_TIMER] = "timer",
		[VRRP_EV_ADVERT] = "advert",
		[VRRP_EV_PRIORITY] = "priority",
		[VRRP_EV_VERDICTS] = "verdicts",
		[VRRP_EV_FAULT] = "fault",
		[VRRP_EV_FAULT_CLEARED] = "fault-cleared",
		[VRRP_EV_VIP_LOST] = "vip-lost",
		[VRRP_EV_RELEASE] = "release",
		[VRRP_EV_RESUME] = "resume",
		[VRRP_EV_PATH_CHANGED] = "path-changed",
		[VRRP_EV_GROUP_MASTER] = "group-master",
		[VRRP_EV_GROUP_BACKUP] = "group-backup",
	};

	return NAME(names, kind);
}

const char *
vrrp_action_str(enum vrrp_action action)
{
	switch (action) {
	case VRRP_SEND_ADVERT:
		return "advert";
	case VRRP_SEND_HANDOVER:
		return "handover";
	case VRRP_ADD_VIPS:
		return "add";
	case VRRP_RENEW_LEASE:
		return "renew";
	case VRRP_DEL_VIPS:
		return "del";
	case VRRP_SEND_RESIGN:
		return "resign";
	case VRRP_ANNOUNCE:
		return "announce";
	case VRRP_ASK_VERDICTS:
		return "ask";
	}
	return "?";
}

const char *
vrrp_why_str(enum vrrp_why why)
{
	static const char *const names[VRRP_WHY_MAX] = {
		[VRRP_WHY_NONE] = "none",
		[VRRP_WHY_START] = "start",
		[VRRP_WHY_LISTEN] = "listen",
		[VRRP_WHY_HIGHER] = "higher",
		[VRRP_WHY_TIE] = "tie",
		[VRRP_WHY_LATE] = "late",
		[VRRP_WHY_FAULT_CLEARED] = "fault-cleared",
		[VRRP_WHY_DEAF] = "deaf",
		[VRRP_WHY_RELEASED] = "released",
		[VRRP_WHY_GROUP] = "group",
		[VRRP_WHY_OWNER] = "owner",
		[VRRP_WHY_RESUMED] = "resumed",
		[VRRP_WHY_NO_ADVERT] = "no-advert",
		[VRRP_WHY_RESIGNED] = "resigned",
		[VRRP_WHY_PREEMPT] = "preempt",
		[VRRP_WHY_DEGRADED] = "degraded",
		[VRRP_WHY_HEARD] = "heard",
		[VRRP_WHY_NOBODY] = "nobody",
		[VRRP_WHY_ALONE] = "alone",
		[VRRP_WHY_FAULT] = "fault",
		[VRRP_WHY_STOP] = "stop",
		[VRRP_WHY_PRIORITY] = "priority",
		[VRRP_WHY_LOWER_ADVERT] = "lower-advert",
		[VRRP_WHY_LEAVE_HEARD] = "leave-heard",
		[VRRP_WHY_VIP_LOST] = "vip-lost",
		[VRRP_WHY_PROBE] = "probe",
		[VRRP_WHY_NO_WITNESS] = "no-witness",
		[VRRP_WHY_UNBARRED] = "unbarred",
	};

	return NAME(names, why);
}

#define SECONDS_STRLEN 32

/* "3.609 s", as people read intervals: milliseconds rounded. */
static const char *
seconds(int64_t us, char buf[static SECONDS_STRLEN])
{
	int64_t ms = (us + USEC_PER_MSEC / 2) / USEC_PER_MSEC;

	snprintf(buf, SECONDS_STRLEN, "%" PRId64 ".%03" PRId64 " s", ms / 1000, ms % 1000);
	return buf;
}

/* Reasons that need nothing told. */
static const char *const fixed[VRRP_WHY_MAX] = {
	[VRRP_WHY_START] = "init",
	[VRRP_WHY_LISTEN] = "found our addresses in place, listening first",
	[VRRP_WHY_FAULT_CLEARED] = "fault cleared",
	[VRRP_WHY_OWNER] = "owner of the addresses (priority 255)",
	[VRRP_WHY_RESUMED] = "resumed from the last process",
	[VRRP_WHY_STOP] = "stopped",
	[VRRP_WHY_UNBARRED] = "free to take over again",
	[VRRP_WHY_VIP_LOST] = "an address was removed by somebody else, putting it back",
};

const char *
vrrp_reason_format(const struct vrrp_reason *r, char buf[static VRRP_REASON_STRLEN])
{
	const size_t size = VRRP_REASON_STRLEN;
	const char *cause = r->cause != NULL ? r->cause : "";
	char peer[ADDR_STRLEN], time[SECONDS_STRLEN];

	addr_format(&r->peer, peer);
	seconds(MAX(r->us, 0), time);
	switch (r->why) {
	case VRRP_WHY_HIGHER:
		snprintf(buf, size, "received advert from %s with higher priority %u, ours %u",
		    peer, r->priority, r->ours);
		break;
	case VRRP_WHY_TIE:
		snprintf(buf, size,
		    "received advert from %s with equal priority %u and a higher address", peer,
		    r->priority);
		break;
	case VRRP_WHY_LATE:
		snprintf(buf, size, "a timer expired %s late, listening first", time);
		break;
	case VRRP_WHY_NO_ADVERT:
		snprintf(
		    buf, size, "no advert%s%s for %s", peer[0] != '\0' ? " from " : "", peer, time);
		break;
	case VRRP_WHY_RESIGNED:
		snprintf(buf, size, "%s resigned (priority 0)", peer);
		break;
	case VRRP_WHY_PREEMPT:
		snprintf(
		    buf, size, "%s has lower priority %u, ours %u", peer, r->priority, r->ours);
		break;
	case VRRP_WHY_DEGRADED:
		snprintf(buf, size, "%s lowered its priority from %u to %u, ours %u", peer, r->was,
		    r->priority, r->ours);
		break;
	case VRRP_WHY_FAULT:
		snprintf(buf, size, "%s", cause);
		break;
	case VRRP_WHY_DEAF:
		snprintf(buf, size,
		    "%s, of priority %u, does not hear us (ours %u): giving way to it, deaf", peer,
		    r->priority, r->ours);
		break;
	case VRRP_WHY_RELEASED:
		snprintf(
		    buf, size, "released by the operator%s%s", cause[0] != '\0' ? ": " : "", cause);
		break;
	case VRRP_WHY_GROUP:
		snprintf(buf, size, "sync group%s%s", cause[0] != '\0' ? ": " : "", cause);
		break;
	case VRRP_WHY_HEARD:
		snprintf(buf, size, "%s hears us again (priority %u, ours %u)", peer, r->priority,
		    r->ours);
		break;
	case VRRP_WHY_NOBODY:
		snprintf(buf, size, "nobody took over for %s", time);
		break;
	case VRRP_WHY_ALONE:
		snprintf(buf, size, "no witness, but alone for %s", time);
		break;
	case VRRP_WHY_NO_WITNESS:
		snprintf(buf, size, "no advert%s%s for %s, but no witness: staying BACKUP",
		    peer[0] != '\0' ? " from " : "", peer, time);
		break;
	case VRRP_WHY_PROBE:
		snprintf(buf, size, "asking whether %s hears us again", peer);
		break;
	case VRRP_WHY_PRIORITY:
		snprintf(buf, size, "from %u to %u%s%s", r->was, r->priority,
		    cause[0] != '\0' ? ": " : "", cause);
		break;
	case VRRP_WHY_LOWER_ADVERT:
		snprintf(buf, size,
		    "received advert from %s with lower priority %u, ours %u, forcing new election",
		    peer, r->priority, r->ours);
		break;
	case VRRP_WHY_LEAVE_HEARD:
		snprintf(buf, size, "received priority 0 advert from %s", peer);
		break;
	default:
		snprintf(buf, size, "%s",
		    (size_t)r->why < ARRAY_LEN(fixed) && fixed[r->why] != NULL ? fixed[r->why]
									       : "");
		break;
	}
	return buf;
}
