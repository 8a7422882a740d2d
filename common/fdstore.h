/*
 * fdstore.h - descriptors that outlive the process: the service manager's fd
 * store (sd_notify(3), FDSTORE=1), of systemd or of `trivet run`.
 *
 * What is pushed here comes back to the next process of the unit; a stop drops
 * it.  Pushed with FDPOLL=0: the manager does not look at the descriptor, so a
 * socketpair whose other end is closed stays.  The manager says nothing about a
 * full store, it closes what is too much: count against fdstore_max().
 */
#ifndef COMMON_FDSTORE_H
#define COMMON_FDSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where $FDSTORE does not say (systemd before 254): as many as `trivet run` keeps. */
#define FDSTORE_MAX 512

struct fdstore_entry {
	char *name;
	int fd; /* the taker's; -1 once it has been taken out of here */
};

/* Is there a service manager that could keep something? */
bool fdstore_exists(void);
size_t fdstore_max(void);

/*
 * What was kept for us, close-on-exec; *ret to be freed with fdstore_free.  The
 * second call finds nothing: children must not see it.
 */
size_t fdstore_take(struct fdstore_entry **ret);
void fdstore_free(struct fdstore_entry *, size_t n); /* closes what was not taken out */

/* 0 or -errno; the manager has a descriptor of its own then.  In order with fdstore_remove. */
int fdstore_push(const char *name, int fd);

/* All of that name. */
int fdstore_remove(const char *name);

/* Everything above has been dealt with: wait for it, blocking.  0 or -errno (-ETIMEDOUT). */
int fdstore_barrier(int64_t timeout_us);

#endif
