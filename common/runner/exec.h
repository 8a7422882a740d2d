/*
 * exec.h - a process for a run: from the runner to execve, or the exact reason
 * why not, written into a pipe that a successful execve closes.
 *
 * A copy of the runner's memory costs more than all the rest of a short script,
 * so the child borrows it instead (vfork(2)), and the runner stands still until
 * execve.  Who can hold up that execve could hold up the runner, hence:
 * - only what nobody but root can replace, or take a lease on (fcntl(2)), is
 *   started so; everything else gets the copy (fork(2)) and waits alone;
 * - who stops the child in the moment between its new identity and execve, or
 *   serves it a dead file system, ends the runner after EXEC_PATIENCE_S: its
 *   unit starts it again, and its clients count what ran as failed.
 */
#ifndef COMMON_RUNNER_EXEC_H
#define COMMON_RUNNER_EXEC_H

#include "common/runner/cred.h"
#include "common/runner/exec_error.h"

#include <stdbool.h>
#include <sys/types.h>

struct exec_plan {
	char *const *argv;
	char *const *env;
	const struct cred *cred;
	int output_fd, error_fd; /* write ends */
	bool borrows;		 /* nobody but root can put something else in its place */
};

#define EXEC_PATIENCE_S 5

/* The pid of the child, leader of its own process group; or -errno. */
pid_t exec_start(const struct exec_plan *);

#endif
