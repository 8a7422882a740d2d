/*
 * record.h - RUN_DIR/checkd/state: the verdicts and counters that a successor
 * takes up, so that a restart neither forgets "2 of 3 failures" nor lets one
 * lucky run bring a check up that was down.
 */
#ifndef CHECKD_RECORD_H
#define CHECKD_RECORD_H

#include "checkd/checks.h"

/* 0 or -errno. */
int record_write(const char *path, const struct checks *);

/*
 * Gives each check what was known of it, if it still asks the same and its
 * verdict is not older than its own validity plus its hold.  No file, or one
 * that is not ours or not understood: nothing is known (logged when it is odd).
 * Returns how many were taken up.
 */
size_t record_read(const char *path, const struct checks *, mono_t now);

#endif
