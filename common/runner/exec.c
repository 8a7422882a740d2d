/*
 * exec.c - see exec.h.
 */
#include "common/runner/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn static void
fail(int error_fd, enum exec_stage stage)
{
	struct exec_error e = { stage, errno };

	if (write(error_fd, &e, sizeof(e)) < 0) {
		/* Then the exit status has to do. */
	}
	_exit(127);
}

/* Handlers do not survive execve, but ignored signals and the mask do. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * 0, 1 and 2, and the pipe for errors as 3 (closed by execve); nothing else.
 * The ends of pipes may themselves be 0 to 3 when the runner was started with
 * those closed: they are moved out of the way first.
 */
static int
arrange_files(const struct exec_plan *plan)
{
	int output = fcntl(plan->output_fd, F_DUPFD_CLOEXEC, 4);
	int error = fcntl(plan->error_fd, F_DUPFD_CLOEXEC, 4);
	int null;

	if (output < 0 || error < 0 || dup3(error, 3, O_CLOEXEC) < 0)
		return -1;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return -1;
	/* dup2 of a descriptor onto itself would leave close-on-exec set. */
	if (null == STDIN_FILENO ? fcntl(null, F_SETFD, 0) < 0 : dup2(null, STDIN_FILENO) < 0)
		return -1;
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		return -1;
	if (close_range(4, ~0u, 0) < 0) /* Linux 5.9; all of ours are close-on-exec anyway */
		for (int fd = 4; fd < 1024; fd++)
			close(fd);
	return 0;
}

/* capabilities(7): a setuid away from 0 clears permitted and effective, never ambient from others.
 */
static int
clear_caps(uid_t uid)
{
	cap_t caps = cap_get_proc();

	if (caps == NULL)
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (uid != 0)
		cap_clear(caps);
	else
		cap_clear_flag(caps, CAP_INHERITABLE);
	return cap_set_proc(caps);
}

static void
become(const struct cred *cred, int error_fd)
{
	if (geteuid() == 0) {
		if (setgroups((size_t)cred->n_groups, cred->groups) < 0)
			fail(error_fd, EXEC_GROUPS);
		if (setresgid(cred->gid, cred->gid, cred->gid) < 0)
			fail(error_fd, EXEC_GID);
		if (setresuid(cred->uid, cred->uid, cred->uid) < 0)
			fail(error_fd, EXEC_UID);
	} else if (cred->uid != geteuid()) {
		errno = EPERM;
		fail(error_fd, EXEC_UID);
	}
	if (clear_caps(cred->uid) < 0)
		fail(error_fd, EXEC_CAPS);
}

_Noreturn void
exec_child(const struct exec_plan *plan)
{
	if (setpgid(0, 0) < 0)
		fail(plan->error_fd, EXEC_GROUP);
	reset_signals();
	if (arrange_files(plan) < 0)
		fail(plan->error_fd, EXEC_FILES);
	umask(022);
	if (chdir("/") < 0)
		fail(3, EXEC_FILES);
	become(plan->cred, 3);
	/* After the change of identity, which clears it (prctl(2)); then look once whether we came
	 * too late. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != plan->parent)
		_exit(127);
	execve(plan->argv[0], plan->argv, plan->env);
	fail(3, EXEC_EXECVE);
}
