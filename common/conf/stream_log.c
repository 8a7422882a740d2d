/*
 * stream_log.c - what is logged of sessions: log_format, access_log, error_log.
 * nginx's words; ours are the formats main and json, which are there without
 * being written, and when=start.
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define FLUSH_US	(1 * US_PER_S) /* with buffer= and without flush= */
#define BUFFER_SIZE	(64 * 1024)    /* with flush= and without buffer= */
#define BUFFER_SIZE_MAX (1024 * 1024)
#define LINES_MAX	16 /* logs of one server */

/* Escaped as its kind wants it, so that a line of it always parses. */
static const char main_line[] =
    "$remote_addr:$remote_port [$time_local] $protocol $server_addr:$server_port "
    "\"$upstream_addr\" $status \"$close_reason\" $bytes_sent $bytes_received $session_time "
    "\"$upstream_connect_time\"";
static const char json_line[] =
    "{\"time\":\"$time_iso8601\",\"connection\":$connection,\"protocol\":\"$protocol\","
    "\"client\":\"$remote_addr\",\"clientPort\":\"$remote_port\",\"local\":\"$server_addr\","
    "\"localPort\":\"$server_port\",\"upstream\":\"$upstream_addr\",\"status\":$status,"
    "\"closeReason\":\"$close_reason\",\"bytesSent\":$bytes_sent,"
    "\"bytesReceived\":$bytes_received,\"sessionTime\":$session_time,"
    "\"connectTime\":\"$upstream_connect_time\","
    "\"firstByteTime\":\"$upstream_first_byte_time\","
    "\"serverName\":\"$ssl_preread_server_name\"}";

/* ---- log_format ---- */

static const struct log_format_conf *
find_format(const struct binder *b, const char *name)
{
	for (size_t i = 0; i < b->n_formats; i++)
		if (strcmp(b->formats[i].name, name) == 0)
			return &b->formats[i];
	return NULL;
}

static bool
parse_escape(struct binder *b, const struct word *w, enum log_escape *ret)
{
	const char *value = stream_value_of(w->text, "escape");

	if (value == NULL)
		return false;
	if (strcmp(value, "default") == 0)
		*ret = ESCAPE_DEFAULT;
	else if (strcmp(value, "json") == 0)
		*ret = ESCAPE_JSON;
	else if (strcmp(value, "none") == 0)
		*ret = ESCAPE_NONE;
	else
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not default, json or none", value);
	return true;
}

/* log_format NAME [escape=] PART...: the parts are one line. */
void
stream_bind_format(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct log_format_conf f = { .escape = ESCAPE_DEFAULT };
	struct word line = s->words[2];
	struct text text = { 0 };

	(void)d, (void)object;
	if (find_format(b, s->words[1].text) != NULL) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "there is a log_format '%.64s' already",
		    s->words[1].text);
		return;
	}
	for (size_t i = 2; i < s->n_words; i++)
		if (i > 2 || !parse_escape(b, &s->words[i], &f.escape))
			text_add(&text, s->words[i].text);
	line.text = text_take(&text);
	if (stream_template(b, &line, false, &f.line)) {
		f.name = xstrdup(s->words[1].text);
		b->formats = conf_grow(b->formats, b->n_formats, sizeof(*b->formats));
		b->formats[b->n_formats++] = f;
	}
	free(line.text);
}

void
stream_forget_formats(struct binder *b)
{
	for (size_t i = 0; i < b->n_formats; i++) {
		free(b->formats[i].name);
		template_done(&b->formats[i].line);
	}
	free(b->formats);
}

/* False: there is none of that name, which is said. */
static bool
use_format(struct binder *b, const struct word *w, const char *name, struct access_log_conf *a)
{
	const struct log_format_conf *f = find_format(b, name);
	const char *ours = strcmp(name, "main") == 0   ? main_line
			   : strcmp(name, "json") == 0 ? json_line
						       : NULL;
	char *hint;

	if (f != NULL) {
		template_copy(&f->line, &a->line);
		a->escape = f->escape;
		return true;
	}
	if (ours != NULL) {
		template_parse(ours, NULL, &a->line);
		a->escape = strcmp(name, "json") == 0 ? ESCAPE_JSON : ESCAPE_DEFAULT;
		return true;
	}
	hint = bind_did_you_mean(b, name, b->formats, b->n_formats, sizeof(*b->formats));
	bind_say(b, CONF_ERROR, w->pos, "there is no log_format '%.64s'%s", name, hint);
	free(hint);
	return false;
}

/* ---- where lines go ---- */

static bool
take_name(const char *const *names, size_t n, const char *name, size_t size, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] != NULL && strlen(names[i]) == size &&
		    strncmp(names[i], name, size) == 0) {
			*ret = (uint8_t)i;
			return true;
		}
	return false;
}

static const char *const severities[] = { "emerg", "alert", "crit", "error", "warn", "notice",
	"info", "debug" };

/* One "name=value" of syslog:, of 'size' bytes. */
static bool
syslog_option(struct log_target *t, const char *option, size_t size)
{
	static const char *const facilities[] = { "kern", "user", "mail", "daemon", "auth",
		"intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp", "ntp", "audit",
		"alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5",
		"local6", "local7" };
	const char *value = memchr(option, '=', size);
	size_t n = value != NULL ? (size_t)(value - option) : size;
	size_t rest = value != NULL ? size - n - 1 : 0;

	if (value == NULL) {
		t->no_hostname = size == 10 && strncmp(option, "nohostname", 10) == 0;
		return t->no_hostname;
	}
	value++;
	if (n == 6 && strncmp(option, "server", n) == 0 && rest > 0) {
		free(t->syslog);
		t->syslog = xstrndup(value, rest);
		return true;
	}
	if (n == 3 && strncmp(option, "tag", n) == 0 && rest > 0 && rest <= 32) {
		free(t->tag);
		t->tag = xstrndup(value, rest);
		return true;
	}
	if (n == 8 && strncmp(option, "facility", n) == 0)
		return take_name(facilities, ARRAY_LEN(facilities), value, rest, &t->facility);
	return n == 8 && strncmp(option, "severity", n) == 0 &&
	       take_name(severities, ARRAY_LEN(severities), value, rest, &t->severity);
}

/* "10.0.0.1", "10.0.0.1:514", "[::1]:514", "unix:/dev/log": an address, not a name. */
static bool
is_syslog_server(const char *text)
{
	struct endpoint ep;
	struct addr a;

	return (strncmp(text, "unix:/", 6) == 0 && strlen(text) < 100) ||
	       addr_parse(text, &a) == 0 || endpoint_parse(text, &ep) == 0;
}

static bool
parse_syslog(struct binder *b, const struct word *w, struct log_target *t)
{
	t->facility = LOG_LOCAL7 >> 3;
	t->severity = LOG_INFO;
	t->tag = xstrdup("trivet");
	for (const char *p = w->text + strlen("syslog:"); *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (!syslog_option(t, p, n)) {
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.*s' is not server=, facility=, severity=, tag= or nohostname",
			    (int)MIN(n, 64), p);
			return false;
		}
		p += n + (p[n] == ',');
	}
	if (t->syslog == NULL || !is_syslog_server(t->syslog)) {
		bind_say(b, CONF_ERROR, w->pos,
		    "syslog needs server=ADDRESS[:PORT] or server=unix:/PATH");
		return false;
	}
	return true;
}

/* False: said. */
static bool
parse_target(struct binder *b, const struct word *w, struct log_target *t)
{
	if (strncmp(w->text, "syslog:", 7) == 0)
		return parse_syslog(b, w, t);
	if (strcmp(w->text, "stderr") == 0) {
		t->to_stderr = true;
		return true;
	}
	if (strchr(w->text, '$') != NULL) {
		bind_say(b, CONF_ERROR, w->pos,
		    "a path with variables is not supported: whoever connects would choose a file");
		return false;
	}
	if (w->text[0] != '/') {
		bind_say(b, CONF_ERROR, w->pos, "the path of a log begins with '/'");
		return false;
	}
	t->path = xstrdup(w->text);
	return true;
}

/* ---- access_log, error_log ---- */

static void
remember(struct binder *b, struct stmt *s, struct stmt ***list, size_t *n)
{
	if (!bind_room(b, stmt_pos(s), *n, LINES_MAX, "logs of one server"))
		return;
	*list = conf_grow(*list, *n, sizeof(struct stmt *));
	(*list)[(*n)++] = s;
}

/* Read when all formats are known. */
void
stream_bind_access(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;

	(void)d;
	remember(b, s, &draft->logs.access, &draft->logs.n_access);
}

void
stream_bind_error_log(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;

	(void)d;
	remember(b, s, &draft->logs.errors, &draft->logs.n_errors);
}

void
stream_forget_lines(struct log_lines *l)
{
	free(l->access);
	free(l->errors);
	*l = (struct log_lines){ 0 };
}

/* False: said. */
static bool
access_option(struct binder *b, const struct word *w, struct access_log_conf *a)
{
	static const char *const names[] = { "buffer=", "flush=", "gzip", "if=", "when=" };
	const char *value;
	struct word part;
	int64_t size;
	char *hint;

	if ((value = stream_value_of(w->text, "buffer")) != NULL) {
		part = stream_part_of(w, value);
		if (!value_nginx_size(b, &part, 1, BUFFER_SIZE_MAX, &size))
			return false;
		a->buffer_size = (size_t)size;
	} else if ((value = stream_value_of(w->text, "flush")) != NULL) {
		part = stream_part_of(w, value);
		return value_nginx_time(b, &part, &a->flush_us);
	} else if ((value = stream_value_of(w->text, "if")) != NULL) {
		part = stream_part_of(w, value);
		template_done(&a->condition);
		return stream_template(b, &part, false, &a->condition);
	} else if (strcmp(w->text, "when=start") == 0 || strcmp(w->text, "when=end") == 0) {
		a->at_start = strcmp(w->text, "when=start") == 0;
	} else if (strcmp(w->text, "gzip") == 0 || strncmp(w->text, "gzip=", 5) == 0) {
		bind_say(b, CONF_WARNING, w->pos,
		    "'%.64s': lines are written as they are; logrotate compresses them", w->text);
	} else {
		hint = bind_did_you_mean(b, w->text, names, ARRAY_LEN(names), sizeof(*names));
		bind_say(
		    b, CONF_ERROR, w->pos, "unknown option '%.64s' of access_log%s", w->text, hint);
		free(hint);
		return false;
	}
	return true;
}

/* access_log PATH [FORMAT] [OPTION...] */
static bool
parse_access(struct binder *b, const struct stmt *s, struct access_log_conf *a)
{
	const struct word *format = s->n_words > 2 && strchr(s->words[2].text, '=') == NULL &&
					    strcmp(s->words[2].text, "gzip") != 0
					? &s->words[2]
					: NULL;
	bool ok = parse_target(b, &s->words[1], &a->target);

	a->pos = stmt_pos(s);
	ok = use_format(b, format != NULL ? format : &s->words[1],
		 format != NULL ? format->text : "main", a) &&
	     ok;
	for (size_t i = format != NULL ? 3 : 2; i < s->n_words; i++)
		ok = access_option(b, &s->words[i], a) && ok;
	if (a->flush_us > 0 && a->buffer_size == 0)
		a->buffer_size = BUFFER_SIZE;
	if (a->buffer_size > 0 && a->flush_us == 0)
		a->flush_us = FLUSH_US;
	return ok;
}

static bool
is_off(const struct stmt *s)
{
	return s->n_words == 2 && strcmp(s->words[1].text, "off") == 0;
}

static void
add_access(struct binder *b, const struct stmt *s, struct server_words *words)
{
	struct access_log_conf a = { .pos = stmt_pos(s) };

	if (!parse_access(b, s, &a)) {
		access_log_conf_done(&a);
		return;
	}
	words->access = conf_grow(words->access, words->n_access, sizeof(*words->access));
	words->access[words->n_access++] = a;
}

/* error_log PATH [LEVEL] */
static void
add_error(struct binder *b, const struct stmt *s, struct server_words *words)
{
	struct error_log_conf e = { .level = LOG_ERR, .pos = stmt_pos(s) };
	const struct word *w = s->n_words > 2 ? &s->words[2] : NULL;
	uint8_t level = LOG_ERR;
	char *hint;

	if (w != NULL &&
	    !take_name(severities, ARRAY_LEN(severities), w->text, strlen(w->text), &level)) {
		hint = bind_did_you_mean(
		    b, w->text, severities, ARRAY_LEN(severities), sizeof(*severities));
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a level%s", w->text, hint);
		free(hint);
		return;
	}
	e.level = level;
	if (!parse_target(b, &s->words[1], &e.target)) {
		target_done(&e.target);
		return;
	}
	words->errors = conf_grow(words->errors, words->n_errors, sizeof(*words->errors));
	words->errors[words->n_errors++] = e;
}

void
stream_settle_logs(struct binder *b, const struct log_lines *own, const struct log_lines *outer,
    struct server_words *words)
{
	const struct log_lines *access = own->n_access > 0 ? own : outer;
	const struct log_lines *errors = own->n_errors > 0 ? own : outer;
	bool off = false;

	for (size_t i = 0; i < access->n_access; i++)
		off |= is_off(access->access[i]);
	for (size_t i = 0; i < access->n_access && !off; i++)
		add_access(b, access->access[i], words);
	for (size_t i = 0; i < errors->n_errors; i++)
		add_error(b, errors->errors[i], words);
}
