/*
 * cmdline.h - is this the command line of a process that a check counts?  Pure.
 */
#ifndef CHECKD_CMDLINE_H
#define CHECKD_CMDLINE_H

#include "common/conf/conf.h"

/*
 * 'bytes' are /proc/PID/cmdline: the words, each with a NUL behind it.  A name
 * without a slash is found behind any path.
 */
bool cmdline_matches(const struct process_conf *, const char *bytes, size_t size);

#endif
