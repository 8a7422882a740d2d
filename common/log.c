/*
 * log.c - see log.h.
 */
#include "common/log.h"

#include "common/systemd.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES	2048 /* longer lines are cut: the journal splits them anyway */
#define FIELDS_MAX	16   /* of one event; beside the four that each has */
#define FIELD_MAX_BYTES 512

static const char *ident = "trivet";
static int max_level = LOG_INFO;
static bool to_journal;

static const char *const level_names[] = {
	[LOG_EMERG] = "emerg",
	[LOG_ALERT] = "alert",
	[LOG_CRIT] = "crit",
	[LOG_ERR] = "err",
	[LOG_WARNING] = "warning",
	[LOG_NOTICE] = "notice",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

/* systemd.exec(5): JOURNAL_STREAM holds device:inode of the stream it connected us to. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void
log_init(const char *name, int level)
{
	ident = name;
	max_level = level;
	to_journal = stderr_is_journal();
}

int
log_set_level(int level)
{
	int previous = max_level;

	max_level = level;
	return previous;
}

const char *
log_level_name(int level)
{
	return level >= 0 && (size_t)level < ARRAY_LEN(level_names) ? level_names[level]
								    : "unknown";
}

int
log_level_parse(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcmp(level_names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

/* "<6>text" for the journal, "2026-11-21T22:10:00.123Z vrrpd: text" for people. */
static int
prefix(char *buf, size_t size, int level)
{
	struct timespec now;
	struct tm tm;
	char when[32];

	if (to_journal)
		return snprintf(buf, size, "<%d>", level);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(buf, size, "%s.%03ldZ %s: %s", when, now.tv_nsec / 1000000, ident,
	    level <= LOG_ERR	   ? "error: "
	    : level == LOG_WARNING ? "warning: "
				   : "");
}

/* One event, one line; no terminal tricks from scripts. */
static void
make_printable(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\t')
			text[i] = ' ';
}

static void
line_v(int level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int saved = errno, n, m;
	size_t length;

	if (level > max_level)
		return;
	n = prefix(line, sizeof(line), level);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	length = MIN((size_t)n + (size_t)MAX(m, 0), sizeof(line) - 2);
	make_printable(line + n, length - (size_t)n);
	line[length] = '\n';
	/* One write a line, so that daemons sharing a terminal do not mix theirs. */
	if (write(STDERR_FILENO, line, length + 1) < 0) {
		/* There is nowhere left to complain to. */
	}
	errno = saved;
}

void
log_line(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_v(level, fmt, ap);
	va_end(ap);
}

/* A field of the journal, "NAME=text", printable and not too long. */
static void
add_field(struct iovec *iov, char buf[static FIELD_MAX_BYTES], const char *name, const char *text)
{
	int n = snprintf(buf, FIELD_MAX_BYTES, "%s=%s", name, text);

	*iov = (struct iovec){ buf, (size_t)MIN(MAX(n, 0), FIELD_MAX_BYTES - 1) };
	make_printable(buf, iov->iov_len);
}

/* "validUntil" of an event is TRIVET_VALIDUNTIL here. */
static void
name_field(char name[static 64], const char *key)
{
	snprintf(name, 64, "TRIVET_%s", key);
	for (char *p = name; *p != '\0'; p++)
		*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
}

static int
send_to_journal(int level, const char *id, const char *const *fields, const char *line)
{
	static char text[4 + FIELDS_MAX][FIELD_MAX_BYTES]; /* one thread emits events */
	struct iovec iov[4 + FIELDS_MAX];
	char priority[4], name[64], message[LINE_MAX_BYTES];
	const struct systemd *sd = systemd();
	int n = 0, saved = errno, r;

	r = snprintf(message, sizeof(message), "MESSAGE=%s", line);
	iov[n] = (struct iovec){ message, (size_t)MIN(MAX(r, 0), LINE_MAX_BYTES - 1) };
	make_printable(message, iov[n++].iov_len);
	snprintf(priority, sizeof(priority), "%d", level);
	add_field(&iov[n], text[n], "PRIORITY", priority);
	n++;
	add_field(&iov[n], text[n], "SYSLOG_IDENTIFIER", ident);
	n++;
	if (id != NULL) {
		add_field(&iov[n], text[n], "MESSAGE_ID", id);
		n++;
	}
	for (; fields != NULL && fields[0] != NULL && n < 4 + FIELDS_MAX; fields += 2) {
		name_field(name, fields[0]);
		add_field(&iov[n], text[n], name, fields[1]);
		n++;
	}
	r = sd != NULL ? sd->sd_journal_sendv(iov, n) : -ENOSYS;
	errno = saved;
	return r;
}

void
log_event(int level, const char *id, const char *const *fields, const char *line)
{
	if (level > max_level)
		return;
	if (!to_journal || send_to_journal(level, id, fields, line) < 0)
		log_line(level, "%s", line);
}

void
log_limited(struct log_limit *limit, mono_t now, int level, const char *fmt, ...)
{
	int64_t interval = limit->interval_us > 0 ? limit->interval_us : 10 * USEC_PER_SEC;
	unsigned burst = limit->burst > 0 ? limit->burst : 5;
	va_list ap;

	if (limit->used == 0 || mono_until(limit->since, now) >= interval) {
		if (limit->suppressed > 0)
			log_line(level, "%u similar lines suppressed", limit->suppressed);
		limit->since = now;
		limit->used = limit->suppressed = 0;
	}
	if (limit->used >= burst) {
		limit->suppressed++;
		return;
	}
	limit->used++;
	va_start(ap, fmt);
	line_v(level, fmt, ap);
	va_end(ap);
}
