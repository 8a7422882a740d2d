/*
 * event.c - the names of events, actions and reasons, and the sentence that a
 * reason makes; see event.h.
 */
#include "vrrpd/event.h"

#include "common/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/*
 * In words.  After a '%': p the peer, P the same with "from", q its priority, w what that
 * was before, o ours, t the time, c the cause, C the same after a colon; of what is not
 * known nothing is said.
 */
static const char *const sentences[VRRP_WHY_MAX] = {
	[VRRP_WHY_START] = "init",
	[VRRP_WHY_LISTEN] = "found our addresses in place, listening first",
	[VRRP_WHY_HIGHER] = "received advert from %p with higher priority %q, ours %o",
	[VRRP_WHY_TIE] = "received advert from %p with equal priority %q and a higher address",
	[VRRP_WHY_LATE] = "a timer expired %t late, listening first",
	[VRRP_WHY_FAULT_CLEARED] = "fault cleared",
	[VRRP_WHY_DEAF] = "%p, of priority %q, does not hear us (ours %o): giving way to it, deaf",
	[VRRP_WHY_RELEASED] = "released by the operator%C",
	[VRRP_WHY_GROUP] = "sync group%C",
	[VRRP_WHY_OWNER] = "owner of the addresses (priority 255)",
	[VRRP_WHY_RESUMED] = "resumed from the last process",
	[VRRP_WHY_NO_ADVERT] = "no advert%P for %t",
	[VRRP_WHY_RESIGNED] = "%p resigned (priority 0)",
	[VRRP_WHY_PREEMPT] = "%p has lower priority %q, ours %o",
	[VRRP_WHY_DEGRADED] = "%p lowered its priority from %w to %q, ours %o",
	[VRRP_WHY_HEARD] = "%p hears us again (priority %q, ours %o)",
	[VRRP_WHY_NOBODY] = "nobody took over for %t",
	[VRRP_WHY_ALONE] = "no witness, but alone for %t",
	[VRRP_WHY_FAULT] = "%c",
	[VRRP_WHY_STOP] = "stopped",
	[VRRP_WHY_PRIORITY] = "from %w to %q%C",
	[VRRP_WHY_LOWER_ADVERT] =
	    "received advert from %p with lower priority %q, ours %o, forcing new election",
	[VRRP_WHY_LEAVE_HEARD] = "received priority 0 advert from %p",
	[VRRP_WHY_VIP_LOST] = "an address was removed by somebody else, putting it back",
	[VRRP_WHY_PROBE] = "asking whether %p hears us again",
	[VRRP_WHY_NO_WITNESS] = "no advert%P for %t, but no witness: staying BACKUP",
	[VRRP_WHY_UNBARRED] = "free to take over again",
};

#define PART_STRLEN (ADDR_STRLEN + 8)

static const char *
part_of(const struct vrrp_reason *r, char letter, char buf[static PART_STRLEN])
{
	uint8_t number = letter == 'q' ? r->priority : letter == 'w' ? r->was : r->ours;

	switch (letter) {
	case 'p':
	case 'P':
		return addr_format(&r->peer, buf);
	case 't':
		return seconds(MAX(r->us, 0), buf);
	case 'c':
	case 'C':
		return r->cause != NULL ? r->cause : "";
	default:
		snprintf(buf, PART_STRLEN, "%u", number);
		return buf;
	}
}

const char *
vrrp_reason_format(const struct vrrp_reason *r, char buf[static VRRP_REASON_STRLEN])
{
	const char *s = (size_t)r->why < ARRAY_LEN(sentences) ? sentences[r->why] : NULL;
	size_t n = 0;

	buf[0] = '\0';
	for (; s != NULL && *s != '\0' && n < VRRP_REASON_STRLEN - 1; s++) {
		char part[PART_STRLEN];
		const char *text, *before = "";

		if (*s != '%') {
			buf[n++] = *s;
			buf[n] = '\0';
			continue;
		}
		text = part_of(r, *++s, part);
		if (text[0] != '\0')
			before = *s == 'P' ? " from " : *s == 'C' ? ": " : "";
		snprintf(buf + n, VRRP_REASON_STRLEN - n, "%s%s", before, text);
		n += strlen(buf + n);
	}
	return buf;
}
