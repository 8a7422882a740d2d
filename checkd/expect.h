/*
 * expect.h - waiting for some bytes in a stream that comes in pieces.  Pure.
 */
#ifndef CHECKD_EXPECT_H
#define CHECKD_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#define EXPECT_WINDOW	 8192  /* twice the longest expect string (4096 bytes, trivet.conf(5)) */
#define EXPECT_READ_MAX	 65536 /* what is read in vain before the check gives up */
#define EXPECT_SHOWN_MAX 64    /* bytes of the answer that evidence quotes */

enum expect_state { EXPECT_MORE, EXPECT_FOUND, EXPECT_NEVER };

struct expect {
	const char *want; /* borrowed */
	size_t want_size; /* 1..EXPECT_WINDOW / 2 */
	bool is_regex, ignore_case;
	char window[EXPECT_WINDOW];
	size_t window_size;
	size_t total;
	char shown[EXPECT_SHOWN_MAX + 1]; /* the answer's beginning, printable; a string */
};

void expect_init(struct expect *, const char *want, size_t want_size);

/* A regular expression (common/regex.h), a string, in the first EXPECT_WINDOW bytes. */
void expect_init_regex(struct expect *, const char *want, bool ignore_case);

/* What these bytes make of it; after FOUND or NEVER (too much read in vain) it is over. */
enum expect_state expect_feed(struct expect *, const char *bytes, size_t size);

#endif
