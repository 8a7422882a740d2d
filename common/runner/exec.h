/*
 * exec.h - the child's side of a run: from fork to execve, or the exact reason
 * why not, written into a pipe that a successful execve closes.
 */
#ifndef COMMON_RUNNER_EXEC_H
#define COMMON_RUNNER_EXEC_H

#include "common/runner/cred.h"

enum exec_stage { EXEC_GROUP, EXEC_FILES, EXEC_GROUPS, EXEC_GID, EXEC_UID, EXEC_CAPS, EXEC_EXECVE };

struct exec_error { /* what comes through the pipe; less than PIPE_BUF, so whole */
	int stage, err;
};

struct exec_plan {
	char *const *argv;
	char *const *env;
	const struct cred *cred;
	int output_fd, error_fd; /* write ends */
	pid_t parent;		 /* if it is gone already, so are we */
};

/* In the child; does not return. */
_Noreturn void exec_child(const struct exec_plan *);

/* "cannot become user nobody: Operation not permitted" */
void exec_error_str(
    const struct exec_error *, const char *path, const char *user, struct text *out);

#endif
