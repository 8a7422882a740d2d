/*
 * proc.h - what /proc says of one process, parsed.  Pure; procs.c reads.
 */
#ifndef CHECKD_PROC_H
#define CHECKD_PROC_H

#include "common/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROC_COMM_MAX	 15   /* TASK_COMM_LEN without its NUL */
#define PROC_CMDLINE_MAX 4096 /* of /proc/PID/cmdline; what is longer is cut */

struct proc {
	pid_t pid;
	char comm[PROC_COMM_MAX + 1];
	char *cmdline; /* arguments, each with its NUL; NULL: none, as of kernel threads */
	size_t cmdline_size;
};

/* "nginx\n" of /proc/PID/comm. */
void proc_set_comm(struct proc *, const char *bytes, size_t size);

/*
 * Does it bear that name: its command name, as for `killall`, or the last part
 * of its argv[0]?  The kernel keeps 15 characters of a command name; a longer
 * name is found by argv[0] only.
 */
bool proc_is_named(const struct proc *, const char *name);

/* One of those that a check counts: by its name, or by its command line alone. */
bool proc_matches(const struct proc *, const struct process_conf *);

/* Of /proc/PID/stat: neither a zombie nor dead, and parsed at all. */
bool proc_is_alive(const char *stat, size_t size);

#endif
