/*
 * exec_error.h - how far a child came on its way to execve, and what stopped
 * it; in words.
 */
#ifndef COMMON_RUNNER_EXEC_ERROR_H
#define COMMON_RUNNER_EXEC_ERROR_H

#include "common/text.h"

enum exec_stage { EXEC_GROUP, EXEC_FILES, EXEC_GROUPS, EXEC_GID, EXEC_UID, EXEC_CAPS, EXEC_EXECVE };

struct exec_error { /* what comes through the pipe; less than PIPE_BUF, so whole */
	int stage, err;
};

/* "cannot become user nobody: Operation not permitted" */
void exec_error_str(
    const struct exec_error *, const char *path, const char *user, struct text *out);

#endif
