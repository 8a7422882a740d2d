/*
 * record.c - see record.h.
 */
#include "checkd/record.h"

#include "checkd/render.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/loop.h"
#include "ipc/varlink.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With the version: what begins in another way is not understood. */
#define HEAD	  "{\"version\": 1, \"checks\": ["
#define STATE_MAX (64u * 1024 * 1024) /* many ten thousand checks */
#define COUNT_MAX 1000000000	      /* more in a row mean nothing more */

/* ---- writing ---- */

static json_t *
pack_flap(const struct flap *f)
{
	json_t *counts = json_array();

	for (size_t i = 0; flap_count(*f, loop_now()) > 0 && i < FLAP_MINUTES; i++)
		json_array_append_new(counts, json_integer(f->counts[i]));
	return json_pack("{sI so}", "minute", (json_int_t)f->minute, "counts", counts);
}

static json_t *
pack_admin(const struct admin *a)
{
	if (a->mode == ADMIN_AUTO)
		return json_null();
	return json_pack("{ss sI so}", "mode", admin_mode_str(a->mode), "untilUsec",
	    (json_int_t)a->until.us, "comment", varlink_string(a->comment));
}

static json_t *
pack(const struct target *t)
{
	const struct check_conf *conf = target_conf(t);
	const struct target_status *s = target_status(t);
	struct text target = { 0 };
	json_t *o;

	render_target(conf, &target);
	o = json_pack("{so ss so ss sI sI ss so sI sI sI ss sI sI sI so so so}", "name",
	    varlink_string(conf->name), "kind", check_kind_str(conf->kind), "target",
	    varlink_string(text_str(&target)), "state", check_state_str(s->verdict.state),
	    "successes", (json_int_t)s->verdict.successes, "failures",
	    (json_int_t)s->verdict.failures, "reason", check_reason_str(s->verdict.reason),
	    "detail", varlink_string(s->detail), "checkedUsec", (json_int_t)s->checked.us,
	    "validUntilUsec", (json_int_t)s->valid_until.us, "changedUsec",
	    (json_int_t)s->changed.us, "changedAt", s->changed_at, "durationUsec",
	    (json_int_t)s->duration_us, "runs", (json_int_t)s->runs, "failedRuns",
	    (json_int_t)s->failed_runs, "changes", pack_flap(&s->flap), "administrative",
	    pack_admin(&s->admin), "value", s->has_value ? json_integer(s->value) : json_null());
	text_done(&target);
	return o;
}

/* One after the other, because the tree of thousands would take more than their text. */
static void
add(const struct target *t, bool first, struct text *out)
{
	json_t *o = pack(t);
	char *text = json_dumps(o, 0);

	json_decref(o);
	if (text == NULL)
		return; /* no memory: it begins without what is known, as with an older file */
	text_add(out, first ? "\n" : ",\n");
	text_add(out, text);
	free(text);
}

int
record_begin(struct record_writer *w, const char *path, const struct checks *checks)
{
	int err;

	*w = (struct record_writer){ .fd = daemon_file_begin(path, 0600),
		.generation = checks_generation(checks) };
	if (w->fd < 0)
		return w->fd;
	err = daemon_file_add(w->fd, HEAD, sizeof(HEAD) - 1);
	return err < 0 ? record_end(w, path, err) : 0;
}

int
record_more(struct record_writer *w, const struct checks *checks, size_t n)
{
	size_t end = MIN(w->next + n, checks_count(checks));
	struct text text = { 0 };
	int err;

	for (; w->next < end; w->next++) {
		const struct target *t = checks_at(checks, w->next);

		if (mono_is_never(target_status(t)->checked) &&
		    target_status(t)->admin.mode == ADMIN_AUTO)
			continue;
		add(t, !w->any, &text);
		w->any = true;
	}
	if (end == checks_count(checks))
		text_add(&text, "\n]}\n");
	err = daemon_file_add(w->fd, text_str(&text), text.length);
	text_done(&text);
	return err < 0 ? err : end < checks_count(checks);
}

int
record_end(struct record_writer *w, const char *path, int err)
{
	err = daemon_file_end(path, w->fd, err);
	w->fd = -1;
	return err;
}

/* ---- reading ---- */

static bool
parse_state(const char *name, enum check_state *ret)
{
	static const enum check_state known[] = { CHECK_UP, CHECK_DOWN };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(check_state_str(known[i]), name) != 0)
			continue;
		*ret = known[i];
		return true;
	}
	return false;
}

static uint64_t
count_of(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n > 0 ? (uint64_t)n : 0;
}

/* Nothing, if it is not of a kind that we wrote. */
static void
unpack_flap(const json_t *o, struct flap *ret)
{
	const json_t *counts = json_object_get(o, "counts");

	if (json_array_size(counts) != FLAP_MINUTES)
		return;
	ret->minute = json_integer_value(json_object_get(o, "minute"));
	for (size_t i = 0; i < FLAP_MINUTES; i++)
		ret->counts[i] = (uint8_t)json_integer_value(json_array_get(counts, i));
}

static bool
unpack_value(const json_t *o, int32_t *ret)
{
	json_int_t value = json_integer_value(o);

	if (!json_is_integer(o) || value < INT32_MIN || value > INT32_MAX)
		return false;
	*ret = (int32_t)value;
	return true;
}

static struct admin
unpack_admin(const json_t *check, mono_t now)
{
	const json_t *o = json_object_get(check, "administrative");
	const char *mode, *comment;
	struct admin a = { 0 };
	json_int_t until;

	if (json_unpack((json_t *)o, "{ss sI ss}", "mode", &mode, "untilUsec", &until, "comment",
		&comment) < 0 ||
	    until <= now.us || admin_mode_parse(mode, &a.mode) < 0)
		return (struct admin){ 0 };
	a.until.us = until;
	snprintf(a.comment, sizeof(a.comment), "%s", comment);
	return a;
}

static bool
unpack(const json_t *o, struct target_status *ret)
{
	json_int_t successes, failures, checked, valid_until, changed, duration;
	const char *state, *reason, *detail, *changed_at;
	struct target_status s = { 0 };

	if (json_unpack((json_t *)o, "{ss sI sI ss ss sI sI sI ss sI}", "state", &state,
		"successes", &successes, "failures", &failures, "reason", &reason, "detail",
		&detail, "checkedUsec", &checked, "validUntilUsec", &valid_until, "changedUsec",
		&changed, "changedAt", &changed_at, "durationUsec", &duration) < 0 ||
	    successes < 0 || successes > COUNT_MAX || failures < 0 || failures > COUNT_MAX ||
	    !parse_state(state, &s.verdict.state))
		return false;
	s.verdict.successes = (uint32_t)successes;
	s.verdict.failures = (uint32_t)failures;
	s.verdict.reason = check_reason_parse(reason);
	s.checked.us = checked;
	s.valid_until.us = valid_until;
	s.changed.us = changed;
	s.duration_us = duration;
	snprintf(s.changed_at, sizeof(s.changed_at), "%s", changed_at);
	snprintf(s.detail, sizeof(s.detail), "%s", detail);
	s.runs = count_of(o, "runs");
	s.failed_runs = count_of(o, "failedRuns");
	s.has_value = unpack_value(json_object_get(o, "value"), &s.value);
	unpack_flap(json_object_get(o, "changes"), &s.flap);
	*ret = s;
	return true;
}

static bool
is_about(const json_t *o, const struct check_conf *conf)
{
	const char *kind = json_string_value(json_object_get(o, "kind"));
	const char *target = json_string_value(json_object_get(o, "target"));
	struct text now = { 0 };
	bool same;

	render_target(conf, &now);
	same = kind != NULL && target != NULL && strcmp(kind, check_kind_str(conf->kind)) == 0 &&
	       strcmp(target, text_str(&now)) == 0;
	text_done(&now);
	return same;
}

/* From this boot, and not so old that nobody would go by it any more. */
static bool
is_young(const struct target_status *s, const struct check_conf *conf, mono_t now)
{
	return !mono_before(now, s->checked) &&
	       mono_before(now, mono_add(s->valid_until, conf->hold_us));
}

/* True: it was taken up. */
static bool
take_up(const json_t *o, struct target *t, mono_t now)
{
	struct target_status status;
	struct admin admin = unpack_admin(o, now);

	/* Kept as it is by name, however old the verdict, and whatever is asked now. */
	if (admin.mode != ADMIN_AUTO)
		target_keep_admin(t, &admin);
	if (!is_about(o, target_conf(t)) || !unpack(o, &status) ||
	    !is_young(&status, target_conf(t), now))
		return false;
	status.admin = admin;
	target_restore(t, &status);
	return true;
}

struct record {
	json_t *by_name;
};

static bool
take_one(json_t *o, const struct checks *checks, mono_t now, struct record *rest)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	struct target *t = name != NULL ? checks_find(checks, name) : NULL;

	if (t != NULL)
		return take_up(o, t, now);
	if (name != NULL)
		json_object_set(rest->by_name, name, o);
	return false;
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n'))
		p++;
	return p;
}

/* False: it is not a list to its end.  As when it is written: the tree of all would take more
 * memory than everything else. */
static bool
take_all(const char *p, const char *end, const struct checks *checks, mono_t now,
    struct record *rest, size_t *n)
{
	for (p = skip_blanks(p, end); p < end && *p != ']'; p = skip_blanks(p, end)) {
		json_error_t at;
		json_t *o = json_loadb(
		    p, (size_t)(end - p), JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &at);

		if (o == NULL)
			return false;
		*n += take_one(o, checks, now, rest);
		json_decref(o);
		p = skip_blanks(p + at.position, end);
		if (p < end && *p == ',')
			p++;
	}
	return p < end;
}

void
record_take(const struct record *rest, struct target *t, mono_t now)
{
	const json_t *o = rest != NULL ? json_object_get(rest->by_name, target_conf(t)->name)
				       : NULL;

	if (o != NULL)
		take_up(o, t, now);
}

void
record_free(struct record *r)
{
	if (r == NULL)
		return;
	json_decref(r->by_name);
	free(r);
}

size_t
record_read(const char *path, const struct checks *checks, mono_t now, struct record **ret_rest)
{
	char *text;
	size_t size, n = 0;
	int err = daemon_read_file(path, STATE_MAX, &text, &size);
	const size_t head = sizeof(HEAD) - 1;
	struct record *rest;

	*ret_rest = NULL;
	if (err < 0) {
		if (err != -ENOENT)
			log_warn("%s: %s: beginning without it", path, strerror(-err));
		return 0;
	}
	rest = xcalloc(1, sizeof(*rest));
	rest->by_name = json_object();
	if (size < head || memcmp(text, HEAD, head) != 0 ||
	    !take_all(text + head, text + size, checks, now, rest, &n))
		log_warn("%s: not understood: beginning without %s", path,
		    n > 0 ? "the rest of it" : "it");
	free(text);
	*ret_rest = rest;
	return n;
}
