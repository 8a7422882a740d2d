/*
 * describe.h - an object of the configuration as a list of names and values, for telling
 * what differs between two (diff.c).  A secret's value is never in such a list, only
 * whether it changed.  One file for each subject, as they are read.
 */
#ifndef COMMON_CONF_DESCRIBE_H
#define COMMON_CONF_DESCRIBE_H

#include "common/conf/conf.h"
#include "common/text.h"

#define FIELDS_MAX 96

struct field {
	const char *name;
	char *value;
	bool secret;
};

struct description {
	struct field fields[FIELDS_MAX];
	size_t n;
};

void describe_done(struct description *); /* empty again; what it holds is freed */

/* One more; of more than FIELDS_MAX the rest is not looked at.  'name' is borrowed. */
void describe_add(struct description *, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
void describe_addr(struct description *, const char *name, const struct addr *);
void describe_time(struct description *, const char *name, int64_t us); /* "1.5s"; 0: "off" */
void describe_flag(struct description *, const char *name, bool on);
void describe_words(struct description *, const char *name, char *const *words, size_t n);
void describe_fifo(
    struct description *, const struct conf *, const char *name, const struct fifo_conf *);

/* 'object' is of the kind that the name says, of that configuration. */
void describe_globals(const struct conf *, const void *object, struct description *);
void describe_check(const struct conf *, const void *object, struct description *);
void describe_vrrp(const struct conf *, const void *object, struct description *);
void describe_group(const struct conf *, const void *object, struct description *);
void describe_match(const struct conf *, const void *object, struct description *);
void describe_upstream(const struct conf *, const void *object, struct description *);
void describe_listener(const struct conf *, const void *object, struct description *);
void describe_statics(const struct conf *, struct description *);

#endif
