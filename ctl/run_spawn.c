/*
 * run_spawn.c - a child's process (run.h): its command line, its environment,
 * the descriptors that wait for it.
 *
 * fork(2) by hand, not uv_spawn: LISTEN_PID and WATCHDOG_PID name the child,
 * and the parent-death signal must be set before anything of it runs.  The
 * supervisor has one thread, so the child may prepare itself in plain C.
 */
#include "common/text.h"
#include "ctl/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

/* What a service manager says to its own child is not said to ours. */
static const char *const OURS[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
	"LISTEN_FDNAMES", "LISTEN_PID", "TRIVET_SUPERVISOR", "TRIVET_RUNNER_FD" };

static void
set_number(const char *name, int64_t value)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%lld", (long long)value);
	setenv(name, buf, 1);
}

static void
set_store_names(const struct run_store *s)
{
	struct text names = { 0 };

	for (size_t i = 0; i < s->n; i++)
		text_addf(&names, "%s%s", i > 0 ? ":" : "", s->items[i].name);
	setenv("LISTEN_FDNAMES", text_str(&names), 1);
	text_done(&names);
}

static void
set_environment(const struct run_child *c)
{
	for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
		unsetenv(OURS[i]);
	setenv("NOTIFY_SOCKET", c->notify_path, 1);
	setenv("TRIVET_SUPERVISOR", c->run->ask_path, 1);
	if (c->params->watchdog_us > 0) {
		set_number("WATCHDOG_USEC", c->params->watchdog_us);
		set_number("WATCHDOG_PID", getpid());
	}
	if (c->store.n > 0) {
		set_number("LISTEN_PID", getpid());
		set_number("LISTEN_FDS", (int64_t)c->store.n);
		set_store_names(&c->store);
	}
}

/* The store becomes 3, 4, ...: first out of the way of those numbers, then into place. */
static int
place_fds(const struct run_store *s)
{
	int above = FIRST_FD + (int)s->n;
	int tmp[RUN_STORE_MAX];

	for (size_t i = 0; i < s->n; i++)
		if ((tmp[i] = fcntl(s->items[i].fd, F_DUPFD_CLOEXEC, above)) < 0)
			return -errno;
	for (size_t i = 0; i < s->n; i++)
		if (dup2(tmp[i], FIRST_FD + (int)i) < 0)
			return -errno;
	return 0;
}

/* signal(7): what is ignored or blocked stays so over exec. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int signum = 1; signum < NSIG; signum++)
		signal(signum, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Its own process group: the terminal's ^C is for us, who end things in order. */
static int
become_child(const struct run_child *c, pid_t parent)
{
	int null;

	setpgid(0, 0);
	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		return -ESRCH;
	set_environment(c);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	setrlimit(RLIMIT_NOFILE, &c->run->nofile);
	return place_fds(&c->store);
}

static void
add(char **argv, size_t *n, const char *word)
{
	argv[(*n)++] = (char *)word;
}

static void
compose(const struct run_child *c, char *argv[static 16])
{
	const struct run_options *o = &c->run->options;
	size_t n = 0;

	add(argv, &n, c->params->name);
	add(argv, &n, "-c");
	add(argv, &n, o->conf_path);
	if (o->node_id != NULL) {
		add(argv, &n, "-i");
		add(argv, &n, o->node_id);
	}
	add(argv, &n, "--run-dir");
	add(argv, &n, o->run_dir);
	add(argv, &n, "--state-dir");
	add(argv, &n, o->state_dir);
	if (o->verbose)
		add(argv, &n, "-v");
	argv[n] = NULL;
}

int
run_spawn(struct run_child *c)
{
	pid_t parent = getpid(), pid;
	char *argv[16];
	int err;

	run_store_prune(&c->store);
	compose(c, argv);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		c->pid = pid;
		return 0;
	}
	err = become_child(c, parent);
	if (err == 0) {
		execv(c->program, argv);
		err = -errno;
	}
	dprintf(STDERR_FILENO, "trivet: %s: %s\n", c->program, strerror(-err));
	_exit(127);
}
