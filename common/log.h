/*
 * log.h - lines on standard error, with syslog priorities when that is the journal.
 * Shells log; cores return.  The same names as in every OpenBSD daemon, without
 * errno: whoever logs says what failed and why, in the words the field greps for.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/mono.h"
#include "common/util.h"

#include <syslog.h>

/* Levels are syslog's: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG. */

/* 'ident' stands before each line unless the journal writes it; kept, not copied. */
void log_init(const char *ident, int level);

/* Returns the level before. */
int log_set_level(int level);
const char *log_level_name(int level); /* "err", "warning", ... */
int log_level_parse(const char *name); /* or -EINVAL */

void log_line(int level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * A line for an event (common/event.h).  In the journal it carries more than its
 * words: MESSAGE_ID, if 'id' is not NULL, and TRIVET_KEY=value for each pair of
 * 'fields' (key, value ...; NULL-terminated; or NULL).
 */
void log_event(int level, const char *id, const char *const *fields, const char *line);

#define log_err(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * What a stranger can cause is logged at most 'burst' times in 'interval_us';
 * the next line allowed says how many were suppressed.  Zeroed: 5 in 10 s.
 */
struct log_limit {
	int64_t interval_us;
	unsigned burst;
	unsigned used, suppressed;
	mono_t since;
};

void log_limited(struct log_limit *, mono_t now, int level, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
