/*
 * story.c - see story.h.
 */
#include "proxyd/story.h"

#include "common/text.h"
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/logfile.h"
#include "proxyd/rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the world ---- */

/* Asked once, in small letters as nginx has it. */
static const char *
host_name(void)
{
	static char name[65];
	static bool asked;

	if (!__atomic_load_n(&asked, __ATOMIC_ACQUIRE)) {
		char mine[sizeof(name)] = "";

		gethostname(mine, sizeof(mine) - 1);
		for (char *p = mine; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		memcpy(name, mine, sizeof(name)); /* whoever asks finds the same */
		__atomic_store_n(&asked, true, __ATOMIC_RELEASE);
	}
	return name;
}

/* It changes at a quarter of an hour, if ever. */
static long
utc_offset(time_t now)
{
	static _Thread_local time_t quarter = -1;
	static _Thread_local long offset;
	struct tm tm;

	if (now / 900 != quarter) {
		localtime_r(&now, &tm);
		offset = tm.tm_gmtoff;
		quarter = now / 900;
	}
	return offset;
}

void
story_world(struct facts *f)
{
	static _Thread_local long pid;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (pid == 0)
		pid = (long)getpid();
	f->hostname = host_name();
	f->version = TRIVET_VERSION;
	f->pid = pid;
	f->wall_us = (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
	f->utc_offset_s = utc_offset(ts.tv_sec);
}

unsigned
story_status(enum flow_reason reason)
{
	switch (reason) {
	case FLOW_NO_SERVER:
	case FLOW_CONNECT_FAILED:
	case FLOW_CONNECT_TIMEOUT:
		return 502;
	case FLOW_RESOURCES:
	case FLOW_HANDOVER:
		return 500;
	case FLOW_DENIED:
		return 403;
	case FLOW_LIMIT:
		return 503;
	case FLOW_BAD_HEADER:
	case FLOW_PREREAD_FULL:
		return 400;
	default:
		return 200;
	}
}

/* ---- lines ---- */

static void
write_access(struct logfile *to, const struct access_log_conf *a, const struct facts *f)
{
	char line[LOGFILE_LINE_MAX];

	if (a->condition.n > 0 && !facts_holds(&a->condition, f))
		return;
	logfile_add(to, a->target.severity != 0 ? a->target.severity : LOG_INFO, line,
	    facts_render(&a->line, f, line, sizeof(line), a->escape));
}

void
story_write(const struct rules *rules, const struct facts *f, bool at_start)
{
	for (size_t i = 0; i < f->words->n_access; i++)
		if (f->words->access[i].at_start == at_start)
			write_access(rules->access[i], &f->words->access[i], f);
}

/* ---- error_log ---- */

static bool
wants_error(const struct server_words *words, int level)
{
	for (size_t i = 0; i < words->n_errors; i++)
		if (level <= words->errors[i].level)
			return true;
	return false;
}

/* "2026/11/28 00:12:01 [info] 99#0: *7 " before it, as people grep for it. */
static void
write_error(const struct rules *rules, const struct facts *f, int level, const char *text)
{
	static const char *const names[] = { "emerg", "alert", "crit", "error", "warn", "notice",
		"info", "debug" };
	time_t t = (time_t)(f->wall_us / USEC_PER_SEC + f->utc_offset_s);
	char line[1024];
	struct tm tm;
	int n, head;

	gmtime_r(&t, &tm);
	head = snprintf(line, sizeof(line), "%04d/%02d/%02d %02d:%02d:%02d ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	n = snprintf(line + head, sizeof(line) - (size_t)head, "[%s] %ld#0: *%llu %s", names[level],
	    f->pid, (unsigned long long)f->connection, text);
	n = MIN(n, (int)sizeof(line) - head - 1);
	for (size_t i = 0; i < f->words->n_errors; i++) {
		/* a syslog server and our own log have their times themselves */
		int skip = f->words->errors[i].target.path != NULL ? 0 : head;

		if (level <= f->words->errors[i].level)
			logfile_add(
			    rules->errors[i], level, line + skip, (size_t)(head + n - skip));
	}
}

/* ---- what there is to tell of a TCP session ---- */

static void
gather(const struct worker *w, const struct session *s, struct facts *f)
{
	const struct story *story = s->guest->story;
	const struct flow *flow = &s->flow;
	bool over = flow->phase == FLOW_DONE;

	guest_facts(s, f);
	story_world(f);
	f->received = s->bytes[FLOW_CLIENT];
	f->server_received = s->bytes[FLOW_SERVER];
	f->server_sent = s->bytes[FLOW_CLIENT] -
			 MIN(s->bytes[FLOW_CLIENT], flow->pending[FLOW_CLIENT]);
	f->sent = s->bytes[FLOW_SERVER] - MIN(s->bytes[FLOW_SERVER], flow->pending[FLOW_SERVER]) +
		  s->guest->answered;
	f->session_us = mono_until(s->began, w->now);
	f->close_reason = over ? flow_reason_str((enum flow_reason)flow->reason) : NULL;
	f->status = over ? story_status((enum flow_reason)flow->reason) : 0;
	f->tries = story->tries;
	f->n_tries = story->n_tries;
	f->first_byte_us = mono_is_never(story->first_byte)
			       ? -1
			       : mono_until(story->tried_at, story->first_byte);
	f->connection = story->connection;
}

/* Nobody tells of it? */
static bool
is_untold(const struct session *s)
{
	return s->guest == NULL || s->guest->story == NULL;
}

/* "client: 10.0.0.9, server: 10.0.0.1:80, upstream: "10.0.0.2:80", bytes ..." */
static void
add_where(char *buf, size_t size, const struct facts *f)
{
	const struct facts_try *t = f->n_tries > 0 ? &f->tries[f->n_tries - 1] : NULL;
	char client[ENDPOINT_STRLEN], local[ENDPOINT_STRLEN], server[ENDPOINT_STRLEN];
	size_t n = strlen(buf);

	addr_format(&f->client.addr, client);
	endpoint_format(&f->local, local);
	if (t != NULL && t->server.addr.family != AF_UNSPEC)
		endpoint_format(&t->server, server);
	else
		snprintf(server, sizeof(server), "%s", t != NULL && t->name != NULL ? t->name : "");
	snprintf(buf + n, size - n,
	    ", %s, client: %s, server: %s%s%s%s, bytes from/to client:%llu/%llu, "
	    "bytes from/to upstream:%llu/%llu",
	    f->udp ? "udp" : "tcp", client[0] != '\0' ? client : "unix:", local,
	    t != NULL ? ", upstream: \"" : "", server, t != NULL ? "\"" : "",
	    (unsigned long long)f->received, (unsigned long long)f->sent,
	    (unsigned long long)f->server_received, (unsigned long long)f->server_sent);
}

static void
tell_error(struct worker *w, struct session *s, int level, const char *what)
{
	const struct rules *rules = s->route->rules;
	char text[512];
	struct facts f;

	if (rules == NULL || !wants_error(rules->words, level))
		return;
	gather(w, s, &f);
	snprintf(text, sizeof(text), "%s", what);
	if (level <= LOG_ERR || s->flow.phase == FLOW_DONE)
		add_where(text, sizeof(text), &f);
	write_error(rules, &f, level, text);
}

/* ---- its life ---- */

struct story *
story_new(struct worker *w, const struct route *route)
{
	const struct rules *rules = route->rules;
	struct story *story;

	if (rules == NULL || rules->words == NULL ||
	    (rules->words->n_access == 0 && rules->words->n_errors == 0))
		return NULL;
	story = calloc(1, sizeof(*story));
	if (story == NULL)
		return NULL;
	/* one number in the process, without asking the other threads */
	if (w != NULL)
		story->connection = ++w->n_stories * 256 + w->number;
	story->first_byte = MONO_NEVER;
	return story;
}

void
story_free(struct story *story)
{
	if (story == NULL)
		return;
	for (uint32_t i = 0; i < story->n_tries; i++)
		free((char *)story->tries[i].name);
	free(story->tries);
	free(story);
}

void
story_begins(struct worker *w, struct session *s)
{
	const struct rules *rules = s->route->rules;
	char text[160], client[ENDPOINT_STRLEN], local[ENDPOINT_STRLEN];
	struct facts f;

	if (is_untold(s))
		return;
	gather(w, s, &f);
	story_write(rules, &f, true);
	if (!wants_error(rules->words, LOG_INFO))
		return;
	snprintf(text, sizeof(text), "client %s connected to %s",
	    f.client.addr.family != AF_UNSPEC ? endpoint_format(&f.client, client) : "unix:",
	    endpoint_format(&f.local, local));
	write_error(rules, &f, LOG_INFO, text);
}

static void
end_try(struct worker *w, struct story *story)
{
	if (story->n_tries > 0)
		story->tries[story->n_tries - 1].session_us = mono_until(story->tried_at, w->now);
}

static struct facts_try *
add_try(struct worker *w, struct story *story)
{
	struct facts_try *more;

	end_try(w, story);
	if (story->n_tries == STORY_TRIES_MAX) {
		free((char *)story->tries[0].name);
		memmove(
		    story->tries, story->tries + 1, (STORY_TRIES_MAX - 1) * sizeof(*story->tries));
		story->n_tries--;
	}
	if ((story->n_tries & (story->n_tries - 1)) == 0) {
		more = realloc(story->tries, MAX(story->n_tries * 2, 1) * sizeof(*more));
		if (more == NULL)
			return NULL;
		story->tries = more;
	}
	story->tried_at = w->now;
	story->first_byte = MONO_NEVER;
	more = &story->tries[story->n_tries++];
	*more = (struct facts_try){ .connect_us = -1 };
	return more;
}

void
story_tried(struct worker *w, struct session *s)
{
	struct facts_try *t;

	if (is_untold(s))
		return;
	t = add_try(w, s->guest->story);
	if (t == NULL)
		return;
	t->server = s->server->endpoint;
	if (t->server.addr.family == AF_UNSPEC)
		t->name = strdup(s->server->name);
}

void
story_no_server(struct worker *w, struct session *s)
{
	struct facts_try *t;

	if (is_untold(s) || s->attempt > 0)
		return; /* those that were tried are told of */
	t = add_try(w, s->guest->story);
	if (t != NULL)
		t->name = strdup(guest_up(s) != NULL ? guest_up(s)->name : "");
	tell_error(w, s, LOG_ERR, "no live upstreams while connecting to upstream");
}

void
story_connected(struct worker *w, struct session *s)
{
	struct story *story;
	char text[160], address[ENDPOINT_STRLEN];

	if (is_untold(s) || s->guest->story->n_tries == 0)
		return;
	story = s->guest->story;
	story->tries[story->n_tries - 1].connect_us = mono_until(story->tried_at, w->now);
	if (!wants_error(s->route->rules->words, LOG_INFO))
		return;
	snprintf(text, sizeof(text), "proxy connected to %s",
	    endpoint_format(&s->server->endpoint, address));
	tell_error(w, s, LOG_INFO, text);
}

void
story_failed(struct worker *w, struct session *s, const char *what)
{
	char text[160];

	if (is_untold(s) || !wants_error(s->route->rules->words, LOG_ERR))
		return;
	snprintf(text, sizeof(text), "%s while connecting to upstream", what);
	tell_error(w, s, LOG_ERR, text);
}

void
story_first_byte(struct worker *w, struct session *s)
{
	if (!is_untold(s) && mono_is_never(s->guest->story->first_byte))
		s->guest->story->first_byte = w->now;
}

void
story_ends(struct worker *w, struct session *s)
{
	const struct rules *rules = s->route->rules;
	struct facts f;
	char text[96];

	if (is_untold(s) || rules == NULL)
		return;
	end_try(w, s->guest->story);
	gather(w, s, &f);
	story_write(rules, &f, false);
	snprintf(text, sizeof(text), "session ended: %s", f.close_reason);
	/* what became of each server was said when it became so */
	tell_error(w, s, f.status >= 400 && f.status != 502 ? LOG_ERR : LOG_INFO, text);
}
