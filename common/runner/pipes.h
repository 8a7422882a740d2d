/*
 * pipes.h - the FIFOs that a configuration names for vrrpd (notify_fifo), made
 * by the runner because vrrpd may not write where people want them: owned by
 * who is to read, writable by the group _trivet.
 */
#ifndef COMMON_RUNNER_PIPES_H
#define COMMON_RUNNER_PIPES_H

#include "common/conf/conf.h"

/*
 * Make what is missing, and give what is root's to its reader.  Only in
 * directories that are root's alone; what somebody else has made stays as it is.
 * Failures are logged.
 */
void pipes_make(const struct conf *);

#endif
