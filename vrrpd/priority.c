/*
 * priority.c - the sum of the trackers; see priority.h.
 */
#include "vrrpd/priority.h"

#include "common/util.h"

#include <stdio.h>
#include <string.h>

#define EFFECTIVE_MIN 1
#define EFFECTIVE_MAX 254
#define OWNER	      255
#define PART_MAX      253 /* of one term */

const char *
prio_kind_str(enum prio_kind kind)
{
	static const char *const names[PRIO_KIND_MAX] = {
		[PRIO_BASE] = "base",
		[PRIO_SCRIPT] = "script",
		[PRIO_INTERFACE] = "interface",
		[PRIO_PROCESS] = "process",
		[PRIO_FILE] = "file",
		[PRIO_UPSTREAM] = "upstream",
		[PRIO_PROXY] = "proxy",
		[PRIO_OPERATOR] = "operator",
		[PRIO_WITNESS] = "witness",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "?";
}

const char *
prio_verdict_str(enum prio_verdict verdict)
{
	static const char *const names[] = {
		[PRIO_UNKNOWN] = "unknown",
		[PRIO_UP] = "up",
		[PRIO_DOWN] = "down",
	};

	return (size_t)verdict < ARRAY_LEN(names) ? names[verdict] : "?";
}

const char *
prio_standing_str(enum prio_standing standing)
{
	static const char *const names[] = {
		[PRIO_FIRM] = "firm",
		[PRIO_PENDING] = "pending",
		[PRIO_HELD] = "held",
		[PRIO_LOST] = "lost",
		[PRIO_NEVER] = "never",
	};

	return (size_t)standing < ARRAY_LEN(names) ? names[standing] : "?";
}

/*
 * The verdict as it counts now.  *again_at is lowered to when time alone
 * changes it.
 */
static enum prio_verdict
counted(const struct prio_term *t, mono_t now, enum prio_standing *ret, mono_t *again_at)
{
	mono_t end;

	*ret = PRIO_FIRM;
	if (t->verdict == PRIO_UNKNOWN) {
		end = mono_add(t->asked_at, t->hold_us);
		*ret = mono_before(now, end) ? PRIO_PENDING : PRIO_NEVER;
		if (*ret == PRIO_NEVER)
			return PRIO_DOWN;
		*again_at = mono_min(*again_at, end);
		return PRIO_UNKNOWN;
	}
	if (!t->away || mono_is_never(t->valid_until))
		return t->verdict;

	/* Its time and then its hold; shown as held only once its own time is over. */
	end = mono_add(t->valid_until, t->hold_us);
	if (mono_before(now, t->valid_until)) {
		*again_at = mono_min(*again_at, t->valid_until);
		return t->verdict;
	}
	*ret = PRIO_HELD;
	if (!t->on_lost_fail)
		return t->verdict;
	if (mono_before(now, end)) {
		*again_at = mono_min(*again_at, end);
		return t->verdict;
	}
	*ret = PRIO_LOST;
	return PRIO_DOWN;
}

/*
 * keepalived's track_file: the number times the weight; beyond the range it is
 * a FAULT, and with weight 0 any number but 0 is (reverse: 0 is).  Without a
 * number the worst that a weight can do.
 */
static struct prio_line
line_of_file(const struct prio_term *t, struct prio_line line)
{
	int64_t part = (int64_t)t->value * t->weight * (t->reverse ? -1 : 1);

	if (t->weight == 0) {
		line.fault = line.counted == PRIO_DOWN || (t->value != 0) != t->reverse;
	} else if (line.counted == PRIO_DOWN) {
		line.contribution = -PART_MAX;
	} else {
		line.fault = part < -PART_MAX;
		line.contribution = line.fault ? 0 : (int)MIN(part, PART_MAX);
	}
	return line;
}

/* Up adds a positive weight, down subtracts a negative one; reverse turns the sign. */
static int
contribution(const struct prio_term *t, bool up)
{
	int added = (t->weight > 0) == up ? t->weight : 0;

	return t->reverse ? -added : added;
}

/*
 * keepalived's rules, and weight 0: down is FAULT (reverse: up is).  A verdict
 * that should be there and is not counts as the worse of the two, whatever the
 * direction: fail-closed.
 */
static struct prio_line
line_of(const struct prio_term *t, mono_t now, mono_t *again_at)
{
	struct prio_line line = { .counted = PRIO_UP };
	bool missing;

	if (t->kind == PRIO_OPERATOR) {
		if (!mono_before(now, t->valid_until))
			return line;
		*again_at = mono_min(*again_at, t->valid_until);
		line.contribution = t->value;
		return line;
	}
	line.counted = counted(t, now, &line.standing, again_at);
	missing = line.standing == PRIO_NEVER || line.standing == PRIO_LOST;
	if (line.counted == PRIO_UNKNOWN)
		return line; /* pending: bars a takeover, changes nothing else */
	if (t->kind == PRIO_WITNESS)
		return line;
	if (t->kind == PRIO_FILE)
		return line_of_file(t, line);
	if (t->weight == 0)
		line.fault = missing || (line.counted == PRIO_UP) == t->reverse;
	else if (missing)
		line.contribution = MIN(contribution(t, true), contribution(t, false));
	else
		line.contribution = contribution(t, line.counted == PRIO_UP);
	return line;
}

/* The most that this term can add; the operator means what he says. */
static int
best_contribution(const struct prio_term *t, const struct prio_line *line)
{
	if (t->kind == PRIO_OPERATOR || t->kind == PRIO_WITNESS)
		return line->contribution;
	if (t->kind == PRIO_FILE) /* nobody knows how much more it might say */
		return line->counted == PRIO_DOWN ? 0 : line->contribution;
	return MAX(contribution(t, true), contribution(t, false));
}

static uint8_t
clamped(int total)
{
	return (uint8_t)MIN(MAX(total, EFFECTIVE_MIN), EFFECTIVE_MAX);
}

struct prio_sum
prio_sum(uint8_t base, const struct prio_term *terms, size_t n, mono_t now, struct prio_line *lines)
{
	struct prio_sum sum = { .total = base, .fault_term = SIZE_MAX, .again_at = MONO_NEVER };
	int best = base;

	for (size_t i = 0; i < n; i++) {
		struct prio_line line = line_of(&terms[i], now, &sum.again_at);

		if (base == OWNER)
			line.contribution = 0;
		sum.total += line.contribution;
		best += best_contribution(&terms[i], &line);
		if (line.fault && !sum.fault)
			sum.fault_term = i;
		sum.fault |= line.fault;
		sum.pending |= line.standing == PRIO_PENDING;
		sum.no_witness |= terms[i].kind == PRIO_WITNESS && line.counted != PRIO_UP;
		sum.degraded |= line.standing == PRIO_HELD || line.standing == PRIO_LOST ||
				line.standing == PRIO_NEVER;
		if (lines != NULL)
			lines[i] = line;
	}
	sum.effective = base == OWNER ? OWNER : clamped(sum.total);
	sum.lowered = base == OWNER ? 0 : (uint8_t)(clamped(best) - sum.effective);
	return sum;
}

size_t
prio_changed(const struct prio_line *before, const struct prio_line *after, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (before[i].contribution != after[i].contribution ||
		    before[i].fault != after[i].fault)
			return i;
	return SIZE_MAX;
}

/* What the field calls it in a sentence, its two states, and who should know. */
static const struct words {
	const char *noun, *up, *down, *producer;
} words[PRIO_KIND_MAX] = {
	[PRIO_BASE] = { "base", "changed", "changed", "vrrpd" },
	[PRIO_SCRIPT] = { "check", "passed", "failed", "checkd" },
	[PRIO_INTERFACE] = { "interface", "is up", "is down", "the kernel" },
	[PRIO_PROCESS] = { "process", "is running", "is not running", "checkd" },
	[PRIO_FILE] = { "file", "says", "has no number", "checkd" },
	[PRIO_UPSTREAM] = { "upstream", "is available", "is not available", "proxyd" },
	[PRIO_PROXY] = { "proxyd", "is serving", "is not serving", "proxyd" },
	[PRIO_OPERATOR] = { "operator", "adjusted", "adjusted", "vrrpd" },
	[PRIO_WITNESS] = { "witness", "passed", "failed", "checkd" },
};

const char *
prio_cause(
    const struct prio_term *t, const struct prio_line *line, char buf[static PRIO_CAUSE_STRLEN])
{
	const struct words *w = &words[(size_t)t->kind < PRIO_KIND_MAX ? t->kind : PRIO_BASE];
	const char *name = t->name != NULL ? t->name : "";
	const char *gap = name[0] != '\0' ? " " : "";
	const char *evidence = t->evidence != NULL ? t->evidence : "";
	const char *colon = evidence[0] != '\0' ? ": " : "";
	const size_t size = PRIO_CAUSE_STRLEN;

	switch (line->standing) {
	case PRIO_PENDING:
		snprintf(buf, size, "%s%s%s has no verdict yet", w->noun, gap, name);
		break;
	case PRIO_NEVER:
		snprintf(buf, size, "%s%s%s: %s never answered", w->noun, gap, name, w->producer);
		break;
	case PRIO_LOST:
		snprintf(
		    buf, size, "%s%s%s: %s silent for too long", w->noun, gap, name, w->producer);
		break;
	case PRIO_FIRM:
	case PRIO_HELD:
		snprintf(buf, size, "%s%s%s %s%s%s", w->noun, gap, name,
		    line->counted == PRIO_DOWN ? w->down : w->up, colon, evidence);
		break;
	}
	return buf;
}
