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

/* What was read about checks that are not there yet (watch.h). */
struct record;

/*
 * Gives each check what was known of it, if it still asks the same and its
 * verdict is not older than its own validity plus its hold.  No file, or one
 * that is not ours or not understood: nothing is known (logged when it is odd).
 * Returns how many were taken up.
 */
size_t record_read(const char *path, const struct checks *, mono_t now, struct record **ret_rest);

/* The same for one check that has come later; 'rest' may be NULL. */
void record_take(const struct record *rest, struct target *, mono_t now);
void record_free(struct record *); /* accepts NULL */

#endif
