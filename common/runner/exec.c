/*
 * exec.c - see exec.h.
 *
 * What the child does it may do in the runner's memory: system calls and
 * writes to its own part of the stack.  It does not allocate, and takes the
 * identity by bare system calls: the C library's tell all threads (nptl(7)),
 * and would take the runner's for the child's.
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
#include <sys/syscall.h>
#include <unistd.h>

/* Where ids once had 16 bits, the calls for 32 have names of their own. */
#ifdef SYS_setgroups32
#define CALL_SETGROUPS SYS_setgroups32
#define CALL_SETRESGID SYS_setresgid32
#define CALL_SETRESUID SYS_setresuid32
#else
#define CALL_SETGROUPS SYS_setgroups
#define CALL_SETRESGID SYS_setresgid
#define CALL_SETRESUID SYS_setresuid
#endif

struct child {
	const struct exec_plan *plan;
	cap_t caps;   /* what it keeps of the runner's */
	pid_t parent; /* if it is gone already, so is the child */
};

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

static void
become(const struct cred *cred, cap_t caps, int error_fd)
{
	if (geteuid() == 0) {
		if (syscall(CALL_SETGROUPS, (size_t)cred->n_groups, cred->groups) < 0)
			fail(error_fd, EXEC_GROUPS);
		if (syscall(CALL_SETRESGID, cred->gid, cred->gid, cred->gid) < 0)
			fail(error_fd, EXEC_GID);
		if (syscall(CALL_SETRESUID, cred->uid, cred->uid, cred->uid) < 0)
			fail(error_fd, EXEC_UID);
	} else if (cred->uid != geteuid()) {
		errno = EPERM;
		fail(error_fd, EXEC_UID);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (cap_set_proc(caps) < 0)
		fail(error_fd, EXEC_CAPS);
}

_Noreturn static void
run_child(const struct child *child)
{
	const struct exec_plan *plan = child->plan;

	if (setpgid(0, 0) < 0)
		fail(plan->error_fd, EXEC_GROUP);
	reset_signals();
	if (arrange_files(plan) < 0)
		fail(plan->error_fd, EXEC_FILES);
	umask(022);
	if (chdir("/") < 0)
		fail(3, EXEC_FILES);
	become(plan->cred, child->caps, 3);
	/* After the change of identity, which clears it (prctl(2)); then look once whether we came
	 * too late. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != child->parent)
		_exit(127);
	execve(plan->argv[0], plan->argv, plan->env);
	fail(3, EXEC_EXECVE);
}

/* capabilities(7): a setuid away from 0 clears permitted and effective, never ambient from others.
 */
static cap_t
caps_for(uid_t uid)
{
	cap_t caps = uid != 0 ? cap_init() : cap_get_proc();

	if (caps != NULL && uid == 0)
		cap_clear_flag(caps, CAP_INHERITABLE);
	return caps;
}

static pid_t
copy(const struct child *child)
{
	pid_t pid = fork();

	if (pid == 0)
		run_child(child);
	return pid < 0 ? -errno : pid;
}

/*
 * No handler of ours may run in the child, which would write to our memory: all
 * signals wait but the alarm, which ends us.  A new identity of the child also
 * makes the memory both have unfit for core dumps (prctl(2), PR_SET_DUMPABLE);
 * by the time we go on it is ours alone again.
 */
static pid_t
borrow(const struct child *child)
{
	int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), err;
	sigset_t all_but_alarm, before;
	pid_t pid;

	sigfillset(&all_but_alarm);
	sigdelset(&all_but_alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &all_but_alarm, &before);
	signal(SIGALRM, SIG_DFL);
	alarm(EXEC_PATIENCE_S);
	pid = vfork();
	if (pid == 0)
		run_child(child);
	err = errno;
	alarm(0);
	if (dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

pid_t
exec_start(const struct exec_plan *plan)
{
	const struct child child = {
		.plan = plan,
		.caps = caps_for(plan->cred->uid),
		.parent = getpid(),
	};
	pid_t pid = child.caps == NULL ? -errno : plan->borrows ? borrow(&child) : copy(&child);

	if (child.caps != NULL)
		cap_free(child.caps);
	if (pid > 0)
		setpgid(pid, pid); /* both sides, so that it is true for whoever asks first */
	return pid;
}
