/*
 * owed.h - what a full FIFO is still owed: for each object the last line that
 * could not be written, so that whoever reads late ends up knowing how things
 * are.  Lines that another took the place of are counted.  Pure.
 */
#ifndef VRRPD_OWED_H
#define VRRPD_OWED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Objects owed at once: as many as there are instances, and groups, and some removed. */
#define OWED_MAX 8192

struct owed_line {
	TAILQ_ENTRY(owed_line) entry;
	char *key, *line;
};

struct owed {
	TAILQ_HEAD(, owed_line) lines; /* in the order of the last change of each */
	size_t n;
	uint64_t lost; /* lines never to be written */
};

void owed_init(struct owed *);
void owed_done(struct owed *);

/* 'key' names what the line is about: an older line about it is lost. */
void owed_add(struct owed *, const char *key, const char *line);

/* The line to be written next; NULL: none.  Valid until owed_paid. */
const char *owed_next(const struct owed *);
void owed_paid(struct owed *); /* it was written */

#endif
