/*
 * record.h - RUN_DIR/checkd/state: the verdicts and counters that a successor
 * takes up, so that a restart neither forgets "2 of 3 failures" nor lets one
 * lucky run bring a check up that was down.
 */
#ifndef CHECKD_RECORD_H
#define CHECKD_RECORD_H

#include "checkd/checks.h"

/* Being written: beside the file, which it replaces when it is whole. */
struct record_writer {
	int fd;
	size_t next;
	bool any;
	uint64_t generation; /* of the checks it is about */
};

int record_begin(struct record_writer *, const char *path, const struct checks *); /* or -errno */

/* Up to so many checks more.  1: there are more; 0: that was all; or -errno. */
int record_more(struct record_writer *, const struct checks *, size_t n);

/* The file is replaced, or left as it is when 'err' is an error.  0 or -errno. */
int record_end(struct record_writer *, const char *path, int err);

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
