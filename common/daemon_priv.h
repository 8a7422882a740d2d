/*
 * daemon_priv.h - between the files that make up common/daemon.h; nobody else's.
 */
#ifndef COMMON_DAEMON_PRIV_H
#define COMMON_DAEMON_PRIV_H

#include "common/daemon.h"

#define DAEMON_LAST_GOOD "last-good.conf" /* in the state directory, normalised */

/* As root: the run and state directories and the link, owned as design.md says.  0, or -errno
 * after logging. */
int daemon_make_dirs(const struct daemon *);

/* Dropped: both are there and ours to write.  0, or -errno after logging. */
int daemon_check_dirs(const struct daemon *);

/*
 * The configuration to start with: the file, else last-good (then degraded).
 * 0, or -EINVAL after logging every diagnostic.
 */
int daemon_config_start(struct daemon *);

/*
 * Remember what runs now, if the whole file is without errors: soon, not when
 * this returns.  A failure is logged.
 */
void daemon_keep(struct daemon *);

/* -t: print what is to be said on standard error; the exit code. */
int daemon_config_check(const struct daemon *);

/* By hand as root, with no runner on the node: fork one that serves us alone.  0 or -errno
 * after logging. */
int daemon_fork_runner(const struct daemon *);

/*
 * Under systemd: note that a process begins, and sleep if those before it ended
 * again and again soon after their start (brake.h).  To be called dropped, before
 * anything is served; daemon_brake_end() when it ends in order.
 */
void daemon_brake(const struct daemon *);
void daemon_brake_end(const struct daemon *);

#endif
