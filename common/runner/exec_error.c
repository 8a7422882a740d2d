/*
 * exec_error.c - see exec_error.h.
 */
#include "common/runner/exec_error.h"

#include <errno.h>
#include <string.h>

void
exec_error_str(const struct exec_error *e, const char *path, const char *user, struct text *out)
{
	switch ((enum exec_stage)e->stage) {
	case EXEC_GROUP:
		text_addf(out, "cannot make a process group: %s", strerror(e->err));
		return;
	case EXEC_FILES:
		text_addf(out, "cannot arrange its files: %s", strerror(e->err));
		return;
	case EXEC_GROUPS:
	case EXEC_GID:
	case EXEC_UID:
		text_addf(out, "cannot become user %s: %s", user, strerror(e->err));
		return;
	case EXEC_CAPS:
		text_addf(out, "cannot drop capabilities: %s", strerror(e->err));
		return;
	case EXEC_EXECVE:
		break;
	}
	if (e->err == ENOEXEC)
		text_addf(out, "cannot execute %s: no program, and no #! line", path);
	else if (e->err == ENOENT)
		text_addf(
		    out, "cannot execute %s: the interpreter of its #! line does not exist", path);
	else
		text_addf(out, "cannot execute %s as user %s: %s", path, user, strerror(e->err));
}
