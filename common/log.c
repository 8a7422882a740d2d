/*
 * log.c - see log.h.
 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048 /* longer lines are cut: the journal splits them anyway */

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
	for (size_t i = (size_t)n; i < length; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			line[i] = ' '; /* one event, one line; no terminal tricks from scripts */
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
