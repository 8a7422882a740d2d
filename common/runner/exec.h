/*
 * exec.h - the child's side of a run: from fork to execve, or the exact reason
 * why not, written into a pipe that a successful execve closes.
 */
#ifndef COMMON_RUNNER_EXEC_H
#define COMMON_RUNNER_EXEC_H

#include "common/runner/cred.h"
#include "common/runner/exec_error.h"

struct exec_plan {
	char *const *argv;
	char *const *env;
	const struct cred *cred;
	int output_fd, error_fd; /* write ends */
	pid_t parent;		 /* if it is gone already, so are we */
};

/* In the child; does not return. */
_Noreturn void exec_child(const struct exec_plan *);

#endif
