/*
 * verdicts.c - see verdicts.h.  The objects are org.trivet.check's type Check.
 */
#include "vrrpd/verdicts.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "ipc/once.h"
#include "ipc/view.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define HEARTBEAT_MS   1000

/* Of the 16 connections that checkd grants us, at once; further checks wait for their turn. */
#define ASKS_MAX       8
#define ASK_TIMEOUT_US (10 * USEC_PER_SEC) /* longer than any run; nothing waits for it */

struct known {
	TAILQ_ENTRY(known) entry;
	char *name;
	struct verdict verdict;
	struct verdicts *of;
	struct ipc_once *asked; /* on its way */
	bool wanted;		/* to be asked for (again) as soon as may be */
};

struct verdicts {
	uv_loop_t *loop;
	struct ipc_view *view;
	char *path; /* of checkd's socket, for questions */
	struct ipc_trust trust;
	unsigned n_asked, n_wanted;
	bool away;
	TAILQ_HEAD(, known) entries;
	void *by_name;	  /* the same, tsearch(3): checkd may have ten thousands */
	bool heard, news; /* by the message that is being taken */
	void (*on_heard)(void *aux, bool news);
	void *aux;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

static struct known *
find(const struct verdicts *v, const char *name)
{
	const struct known key = { .name = (char *)name };
	void *node = tfind(&key, &v->by_name, compare);

	return node != NULL ? *(struct known **)node : NULL;
}

static struct known *
find_or_add(struct verdicts *v, const char *name)
{
	struct known *e = find(v, name);

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		e->name = xstrdup(name);
		e->of = v;
		TAILQ_INSERT_TAIL(&v->entries, e, entry);
		tsearch(e, &v->by_name, compare);
	}
	return e;
}

const struct verdict *
verdicts_find(const struct verdicts *v, const char *check)
{
	const struct known *e = find(v, check);

	return e != NULL ? &e->verdict : NULL;
}

bool
verdicts_away(const struct verdicts *v)
{
	return v->away;
}

json_t *
verdicts_describe(const struct verdicts *v)
{
	return ipc_view_describe(v->view);
}

/* A wall clock time of another process on this node, on our clock; now when it is nonsense. */
static mono_t
mono_from_stamp(const char *stamp)
{
	mono_t now = loop_now();
	struct tm tm = { 0 };
	int64_t age_s;

	if (stamp == NULL || strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return now;
	age_s = (int64_t)time(NULL) - (int64_t)timegm(&tm);
	return mono_add(now, -MAX(age_s, 0) * USEC_PER_SEC);
}

static char *
evidence_of(const json_t *check)
{
	const char *detail = json_string_value(json_object_get(check, "lastDetail"));
	const char *reason = json_string_value(json_object_get(check, "lastReason"));

	if (detail != NULL && detail[0] != '\0')
		return xstrdup(detail);
	return reason != NULL && reason[0] != '\0' ? xstrdup(reason) : NULL;
}

static enum prio_verdict
verdict_of(const json_t *check)
{
	const char *state = json_string_value(json_object_get(check, "state"));

	if (state != NULL && strcmp(state, "up") == 0)
		return PRIO_UP;
	if (state != NULL && strcmp(state, "down") == 0)
		return PRIO_DOWN;
	return PRIO_UNKNOWN; /* and whatever a newer checkd may say */
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* True: it says something else than before. */
static bool
take(struct verdict *v, const json_t *check)
{
	enum prio_verdict verdict = verdict_of(check);
	const json_t *until = json_object_get(check, "validUntilUsec");
	const json_t *value = json_object_get(check, "value");
	const char *admin = json_string_value(json_object_get(check, "administrative"));
	bool away = verdict == PRIO_UNKNOWN;
	bool news = away != v->away;
	char *evidence;

	/* A fresh checkd does not know yet: what the last one knew stands. */
	v->away = away;
	if (away)
		return news;
	evidence = evidence_of(check);
	news |= verdict != v->verdict || !same_text(evidence, v->evidence) ||
		v->value != (int)json_integer_value(value);
	v->has_value = json_is_integer(value) &&
		       (admin == NULL || strncmp(admin, "forced", 6) != 0);
	v->value = (int)json_integer_value(value);
	free(v->evidence);
	v->evidence = evidence;
	v->verdict = verdict;
	v->valid_until = json_is_integer(until) ? (mono_t){ json_integer_value(until) }
						: MONO_NEVER;
	v->checked.us = json_integer_value(json_object_get(check, "lastCheckedUsec"));
	v->took_us = json_integer_value(json_object_get(check, "lastDurationUsec"));
	v->held = strcmp(admin != NULL ? admin : "auto", "auto") != 0;
	v->wavers = verdict == PRIO_UP &&
		    json_integer_value(json_object_get(check, "consecutiveFailures")) > 0;
	v->since = mono_from_stamp(json_string_value(json_object_get(check, "lastChangeAt")));
	return news;
}

static void
on_check(void *aux, const char *name, const json_t *check)
{
	struct verdicts *v = aux;
	struct known *e = check != NULL ? find_or_add(v, name) : find(v, name);
	bool news = true;

	if (e == NULL)
		return;
	if (check != NULL)
		news = take(&e->verdict, check);
	else
		e->verdict.away = true;
	v->heard = true;
	v->news |= news;
}

/* Once for a snapshot of thousands: whoever goes by them looks at all of his own. */
static void
on_applied(void *aux)
{
	struct verdicts *v = aux;
	bool heard = v->heard, news = v->news;

	v->heard = v->news = false;
	if (heard)
		v->on_heard(v->aux, news);
}

static void
on_state(void *aux, enum ipc_view_state state, const char *why)
{
	struct verdicts *v = aux;
	bool away = state != IPC_VIEW_LIVE;

	if (away == v->away)
		return;
	v->away = away;
	if (away)
		event_emit(LOG_WARNING, "",
		    (const char *const[]){ "producer", "silent", "daemon", "checkd", NULL },
		    "checkd is silent (%s): its last verdicts are held", why);
	else
		event_emit(LOG_INFO, "",
		    (const char *const[]){ "producer", "answers", "daemon", "checkd", NULL },
		    "checkd answers");
	v->on_heard(v->aux, true);
}

/* ---- asking ---- */

static void
set_wanted(struct known *e, bool wanted)
{
	e->of->n_wanted += wanted;
	e->of->n_wanted -= e->wanted;
	e->wanted = wanted;
}

static void
on_asked(void *aux, const struct varlink_reply *reply, const char *why)
{
	struct known *e = aux, *next;
	struct verdicts *v = e->of;

	/* The verdict itself comes with the stream. */
	if (reply == NULL || reply->error != NULL)
		log_debug("check %s: not run now: %s", e->name, reply != NULL ? reply->error : why);
	e->asked = NULL;
	v->n_asked--;
	for (next = TAILQ_FIRST(&v->entries); next != NULL && v->n_wanted > 0;
	     next = TAILQ_NEXT(next, entry))
		if (next->wanted)
			verdicts_ask(v, next->name);
}

void
verdicts_ask(struct verdicts *v, const char *check)
{
	struct known *e = find(v, check);
	const struct ipc_once_config config = {
		.path = v->path,
		.trust = &v->trust,
		.method = "org.trivet.check.CheckNow",
		.timeout_us = ASK_TIMEOUT_US,
		.on_reply = on_asked,
		.aux = e,
	};
	int r;

	if (e == NULL)
		return;
	/* The run that is on may have begun before whatever we are asked about. */
	set_wanted(e, e->asked != NULL || v->n_asked >= ASKS_MAX);
	if (e->wanted)
		return;
	r = ipc_once_call(
	    v->loop, &config, json_pack("{so}", "name", varlink_string(check)), &e->asked);
	if (r == 0)
		v->n_asked++;
	else
		log_debug("check %s: cannot be asked for: %s", check, strerror(-r));
}

/* ---- life ---- */

static const char *
name_of(const json_t *object, char *buf, size_t size)
{
	(void)buf, (void)size;
	return json_string_value(json_object_get(object, "name"));
}

struct verdicts *
verdicts_new(uv_loop_t *loop, const char *run_dir, void (*on_heard)(void *, bool), void *aux)
{
	static const struct ipc_view_array arrays[] = {
		{ .array = "checks", .key = name_of, .prefix = "", .on_object = on_check },
	};
	struct verdicts *v = xcalloc(1, sizeof(*v));
	const struct ipc_view_config config = {
		.daemon = "checkd",
		.run_dir = run_dir,
		.method = "org.trivet.check.Monitor",
		.heartbeat_ms = HEARTBEAT_MS,
		.arrays = arrays,
		.n_arrays = ARRAY_LEN(arrays),
		.on_state = on_state,
		.on_applied = on_applied,
		.aux = v,
	};

	v->loop = loop;
	v->path = ipc_socket_path(run_dir, "checkd");
	v->trust = ipc_trust_daemon("checkd");
	v->away = true;
	v->on_heard = on_heard;
	v->aux = aux;
	TAILQ_INIT(&v->entries);
	v->view = ipc_view_new(loop, &config);
	return v;
}

void
verdicts_free(struct verdicts *v)
{
	struct known *e;

	if (v == NULL)
		return;
	ipc_view_free(v->view);
	while ((e = TAILQ_FIRST(&v->entries)) != NULL) {
		TAILQ_REMOVE(&v->entries, e, entry);
		tdelete(e, &v->by_name, compare);
		ipc_once_cancel(e->asked);
		free(e->verdict.evidence);
		free(e->name);
		free(e);
	}
	free(v->path);
	free(v);
}
