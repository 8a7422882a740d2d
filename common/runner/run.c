/*
 * run.c - see run.h.
 *
 * The leader of the group is reaped last: as long as it is a zombie its number
 * cannot be given to a stranger, so signals to the group reach the group.
 */
#include "common/runner/run.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/runner/exec.h"
#include "common/runner/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READS_PER_TURN 16 /* times 4 KiB: a chatty script must not starve the others */

struct run {
	char *path, user[33];
	pid_t pid;
	int pidfd, output_fd, error_fd; /* read ends */
	bool end_group, ending, answered;
	mono_t started;
	int64_t timeout_us;
	struct output output;
	uv_poll_t exit_poll, output_poll;
	struct loop_timer timer; /* first the time limit, then the grace */
	unsigned open_handles;
	void (*on_answer)(void *, const struct runner_answer *);
	void (*on_gone)(void *);
	void *aux;
};

/* ---- the end ---- */

static void
handle_closed(struct run *run)
{
	if (--run->open_handles > 0)
		return;
	close(run->pidfd);
	close(run->output_fd);
	close(run->error_fd);
	run->on_gone(run->aux);
	free(run->path);
	free(run);
}

static void
on_exit_poll_closed(uv_handle_t *h)
{
	handle_closed(CONTAINER_OF((uv_poll_t *)h, struct run, exit_poll));
}

static void
on_output_poll_closed(uv_handle_t *h)
{
	handle_closed(CONTAINER_OF((uv_poll_t *)h, struct run, output_poll));
}

static void
on_timer_closed(struct loop_timer *t)
{
	handle_closed(CONTAINER_OF(t, struct run, timer));
}

static void
run_close(struct run *run)
{
	uv_close((uv_handle_t *)&run->exit_poll, on_exit_poll_closed);
	uv_close((uv_handle_t *)&run->output_poll, on_output_poll_closed);
	loop_timer_close(&run->timer, on_timer_closed);
}

static void
answer(struct run *run, enum runner_outcome outcome, int code, const char *reason)
{
	char head[OUTPUT_STR_MAX], last[OUTPUT_STR_MAX];
	const struct runner_answer a = {
		.outcome = outcome,
		.code = code,
		.duration_us = mono_until(run->started, loop_now()),
		.reason = reason,
		.output = output_head(&run->output, head),
		.last_line = output_last_line(&run->output, last),
	};

	if (run->answered)
		return;
	run->answered = true;
	run->on_answer(run->aux, &a);
}

/* ---- output ---- */

/* False when there is no more to come. */
static bool
read_output(struct run *run)
{
	char buf[4096];

	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(run->output_fd, buf, sizeof(buf));

		if (n > 0)
			output_add(&run->output, buf, (size_t)n);
		else
			return n < 0 && (errno == EAGAIN || errno == EINTR);
	}
	return true;
}

static void
on_output(uv_poll_t *poll, int status, int events)
{
	struct run *run = CONTAINER_OF(poll, struct run, output_poll);

	(void)events;
	if (status < 0 || !read_output(run))
		uv_poll_stop(poll);
}

/* ---- exit ---- */

static void
answer_exit(struct run *run, const siginfo_t *info)
{
	struct exec_error e;
	struct text why = { 0 };

	read_output(run); /* what is in the pipe; grandchildren may hold it open: no waiting for EOF
			   */
	if (read(run->error_fd, &e, sizeof(e)) == (ssize_t)sizeof(e)) {
		exec_error_str(&e, run->path, run->user, &why);
		answer(run, RUNNER_NOT_RUN, 0, text_str(&why));
		text_done(&why);
	} else if (info->si_code == CLD_EXITED) {
		answer(run, RUNNER_EXITED, info->si_status, "");
	} else {
		answer(run, RUNNER_SIGNALED, info->si_status, "");
	}
}

static void
on_exit_poll(uv_poll_t *poll, int status, int events)
{
	struct run *run = CONTAINER_OF(poll, struct run, exit_poll);
	siginfo_t info = { 0 };

	(void)status;
	(void)events;
	if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return; /* not yet: the next wake-up tells */
	answer_exit(run, &info);
	if (run->end_group || run->ending)
		kill(-run->pid, SIGKILL); /* what it left behind, or what outlived TERM */
	waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG);
	run_close(run);
}

/* ---- the time limit ---- */

static void
on_grace_over(struct loop_timer *t, mono_t now)
{
	struct run *run = CONTAINER_OF(t, struct run, timer);

	(void)now;
	kill(-run->pid, SIGKILL);
}

static void
end_group(struct run *run)
{
	if (run->ending)
		return;
	run->ending = true;
	kill(-run->pid, SIGTERM);
	run->timer.on_due = on_grace_over;
	loop_timer_at(&run->timer, mono_add(loop_now(), RUN_GRACE_US));
}

static void
on_time_over(struct loop_timer *t, mono_t now)
{
	struct run *run = CONTAINER_OF(t, struct run, timer);
	char *reason = xasprintf("timeout after %.3g s", (double)run->timeout_us / 1e6);

	(void)now;
	read_output(run);
	answer(run, RUNNER_TIMEOUT, 0, reason); /* now, whatever it still does */
	end_group(run);
	free(reason);
}

void
run_end(struct run *run)
{
	end_group(run);
}

/* ---- the start ---- */

struct pipes {
	int output[2], error[2];
};

static void
pipes_close(const struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->output[i] >= 0)
			close(p->output[i]);
		if (p->error[i] >= 0)
			close(p->error[i]);
	}
}

/* Only our ends are non-blocking: the script's belong to its own open file descriptions. */
static int
pipes_open(struct pipes *p)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 } };
	if (pipe2(p->output, O_CLOEXEC) < 0 || pipe2(p->error, O_CLOEXEC) < 0 ||
	    fcntl(p->output[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(p->error[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int
spawn(const struct run_order *order, const struct pipes *pipes, pid_t *ret_pid, int *ret_pidfd)
{
	const struct exec_plan plan = {
		.argv = order->argv,
		.env = order->env,
		.cred = order->cred,
		.output_fd = pipes->output[1],
		.error_fd = pipes->error[1],
		.borrows = order->only_roots,
	};
	pid_t pid = exec_start(&plan);
	int fd;

	if (pid < 0)
		return pid;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		int err = -errno;

		kill(-pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	*ret_pid = pid;
	*ret_pidfd = fd;
	return 0;
}

static void
watch(uv_loop_t *loop, struct run *run, int64_t timeout_us)
{
	uv_poll_init(loop, &run->exit_poll, run->pidfd);
	uv_poll_start(&run->exit_poll, UV_READABLE, on_exit_poll);
	uv_poll_init(loop, &run->output_poll, run->output_fd);
	uv_poll_start(&run->output_poll, UV_READABLE, on_output);
	loop_timer_init(loop, &run->timer, on_time_over);
	loop_timer_at(&run->timer, mono_add(run->started, timeout_us));
	run->open_handles = 3;
}

int
run_start(uv_loop_t *loop, const struct run_order *order, struct run **ret, struct text *why)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct pipes pipes;
	int err = pipes_open(&pipes);

	run->started = loop_now();
	if (err == 0)
		err = spawn(order, &pipes, &run->pid, &run->pidfd);
	if (err < 0) {
		text_addf(why, "cannot start a process: %s", strerror(-err));
		pipes_close(&pipes);
		free(run);
		return err;
	}
	close(pipes.output[1]);
	close(pipes.error[1]);
	run->output_fd = pipes.output[0];
	run->error_fd = pipes.error[0];
	run->path = xstrdup(order->argv[0]);
	memcpy(run->user, order->cred->name, sizeof(run->user));
	run->timeout_us = order->timeout_us;
	run->end_group = order->end_group;
	run->on_answer = order->on_answer;
	run->on_gone = order->on_gone;
	run->aux = order->aux;
	watch(loop, run, order->timeout_us);
	*ret = run;
	return 0;
}
