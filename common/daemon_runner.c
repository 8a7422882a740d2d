/*
 * daemon_runner.c - a daemon started by hand as root, on a node without a
 * runner: fork one for it before privileges are dropped (design.md section 3).
 */
#include "common/daemon_priv.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RUNNER_FD 3 /* where the runner finds its end of the socket pair */

/* Is there a runner for the whole node already? */
static bool
runner_serves(const char *run_dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/runner.sock", run_dir);
	bool serves;

	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	serves = connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return serves;
}

/* The runner stands beside the daemon: in build/, or in the same sbin. */
static void
exec_runner(const struct daemon *d, int fd)
{
	char path[PATH_MAX + sizeof("/trivet-runner")];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(path, '/')) == NULL || dup2(fd, RUNNER_FD) < 0 ||
	    fcntl(RUNNER_FD, F_SETFD, 0) < 0)
		return;
	strcpy(slash, "/trivet-runner");
	execl(path, "trivet-runner", "-c", d->options.conf_path, "--run-dir", d->options.run_dir,
	    "--state-dir", d->options.state_dir, "--fd", "3", "--for", d->class->name,
	    d->options.node_id != NULL ? "-i" : NULL, d->options.node_id, NULL);
}

int
daemon_fork_runner(const struct daemon *d)
{
	char number[16];
	int pair[2];
	pid_t pid;

	if (getenv("TRIVET_SUPERVISOR") != NULL || runner_serves(d->options.run_dir))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (pid = fork()) < 0) {
		log_err("cannot start a runner for scripts: %s", strerror(errno));
		return -errno;
	}
	if (pid == 0) {
		unsetenv("NOTIFY_SOCKET"); /* our readiness is not its to tell */
		exec_runner(d, pair[1]);
		log_err("cannot execute trivet-runner: %s: scripts will count as failed",
		    strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	snprintf(number, sizeof(number), "%d", pair[0]);
	setenv("TRIVET_RUNNER_FD", number, 1);
	return 0;
}
