/*
 * brake.h - a daemon that ends again and again soon after its start waits a
 * little before the next try.  The service manager's own pause is short and
 * always the same (RestartSec=), because one crash must not be felt; a crash
 * loop at that pace would only load the machine.  Pure.
 *
 * What has to be known from one process to the next is a line of text: how
 * high the brake is, whether the last process ended as it should, and when
 * those before it did not.
 */
#ifndef COMMON_BRAKE_H
#define COMMON_BRAKE_H

#include "common/mono.h"
#include "common/text.h"

#include <stdbool.h>

#define BRAKE_CRASHES	3		    /* so many ... */
#define BRAKE_WINDOW_US (10 * USEC_PER_SEC) /* ... in this time, pauses not counted */
#define BRAKE_FIRST_US	(500 * USEC_PER_MSEC)
#define BRAKE_LEVEL_MAX 5 /* the pause doubles from level to level: 8 s at most */

struct brake {
	unsigned level;		       /* 0: off */
	bool is_running;	       /* a process has begun and not ended in order */
	unsigned n;		       /* of crashes[] */
	mono_t crashes[BRAKE_CRASHES]; /* noticed at the next start; the oldest first */
};

/* A process begins at 'now' (CLOCK_BOOTTIME): how long shall it wait before it serves? */
int64_t brake_begin(struct brake *, mono_t now);

/* It ends because it was told to. */
void brake_end(struct brake *);

void brake_encode(const struct brake *, struct text *ret);

/* 0, or -EBADMSG: not ours, or damaged; *ret is untouched then. */
int brake_decode(const char *text, struct brake *ret);

#endif
