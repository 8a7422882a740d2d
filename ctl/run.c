/*
 * run.c - `trivet run`: the three daemons and the runner in the foreground,
 * without systemd (run.h).  Fit to be the first process of a container: it
 * reaps strangers, ends everything in order, and passes the daemons' own log
 * lines through untouched.
 */
#include "ctl/run.h"

#include "common/caps.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/text.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * VIPs come after listeners and leave before them (design.md section 5): the
 * rank is the order.  A daemon that says nothing for WATCHDOG_US has hung; its
 * lease is over long before.
 */
#define WATCHDOG_US (5 * USEC_PER_SEC)

static const struct {
	struct supervise_params params;
	const char *user;
} CHILDREN[] = {
	{ { "trivet-runner", 0, 100 * USEC_PER_MSEC, 0 }, NULL },
	{ { "checkd", 1, 100 * USEC_PER_MSEC, WATCHDOG_US }, "_trivet-checkd" },
	{ { "proxyd", 1, 100 * USEC_PER_MSEC, WATCHDOG_US }, "_trivet-proxyd" },
	{ { "vrrpd", 2, 50 * USEC_PER_MSEC, WATCHDOG_US }, "_trivet-vrrpd" },
};

struct run_child *
run_find(struct run *run, const char *name)
{
	for (size_t i = 0; i < run->n; i++)
		if (strcmp(run->params[i].name, name) == 0)
			return &run->children[i];
	return NULL;
}

/* ---- a child's state: the only writer ---- */

static void settle(struct run *);

static void
describe_end(struct text *t, int status)
{
	if (status < 0)
		text_addf(t, "cannot be started: %s", strerror(-status));
	else if (WIFSIGNALED(status))
		text_addf(
		    t, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		text_addf(t, "ended with status %d", WEXITSTATUS(status));
}

static void
log_end(const struct run_child *c, mono_t now)
{
	enum supervise_phase phase = c->state.phase;
	struct text how = { 0 };

	describe_end(&how, c->wait_status);
	if (phase == SUPERVISE_REFUSED)
		log_err("(%s) %s: it refuses its configuration; not tried again before a reload",
		    c->params->name, text_str(&how));
	else if (phase == SUPERVISE_WAITING)
		log_warn("(%s) %s; again in %.3f s", c->params->name, text_str(&how),
		    (double)mono_until(now, c->state.deadline) / USEC_PER_SEC);
	else
		log_info("(%s) %s", c->params->name, text_str(&how));
	text_done(&how);
}

static void
send_signals(const struct run_child *c, enum supervise_phase before, unsigned actions)
{
	const char *name = c->params->name;

	if ((actions & SUPERVISE_ABORT) != 0) {
		log_err("(%s) silent for %.1f s: aborting it", name,
		    (double)c->params->watchdog_us / USEC_PER_SEC);
		kill(c->pid, SIGABRT);
	}
	if ((actions & SUPERVISE_TERM) != 0) {
		log_notice("(%s) %s", name, c->state.again ? "restarting, as asked" : "stopping");
		kill(c->pid, SIGTERM);
	}
	if ((actions & SUPERVISE_KILL) != 0) {
		log_err("(%s) %s: killing it", name,
		    before == SUPERVISE_STARTING ? "not ready in time" : "does not end");
		kill(c->pid, SIGKILL);
	}
}

/* One event through the machine; then processes catch up with the result. */
static void
feed(struct run_child *c, struct supervise_event ev)
{
	mono_t now = loop_now();
	struct supervise_outcome out = supervise_step(c->params, c->state, ev, now);
	enum supervise_phase before = c->state.phase;

	c->state = out.next; /* the only assignment */
	if (ev.kind == SUPERVISE_EV_EXIT)
		log_end(c, now);
	if (c->state.phase == SUPERVISE_READY && before != SUPERVISE_READY)
		log_info("(%s) ready after %.3f s", c->params->name,
		    (double)mono_until(c->state.spawned, now) / USEC_PER_SEC);
	send_signals(c, before, out.actions);
	if ((out.actions & SUPERVISE_SPAWN) != 0 && (c->wait_status = run_spawn(c)) < 0) {
		feed(c, (struct supervise_event){ .kind = SUPERVISE_EV_EXIT });
		return;
	}
	loop_timer_at(&c->timer, c->state.phase == SUPERVISE_IDLE ? MONO_NEVER : c->state.deadline);
	if (c->state.phase != before || out.actions != 0) {
		run_ask_changed(c->run, c);
		settle(c->run);
	}
}

void
run_child_event(struct run_child *c, enum supervise_event_kind kind)
{
	feed(c, (struct supervise_event){ .kind = kind });
}

static void
on_timer(struct loop_timer *t, mono_t now)
{
	(void)now;
	run_child_event(CONTAINER_OF(t, struct run_child, timer), SUPERVISE_EV_TIMER);
}

/* ---- all of them: who may start, who may stop, is it over ---- */

static void
collect_states(const struct run *run, struct supervise_state states[static ARRAY_LEN(CHILDREN)])
{
	for (size_t i = 0; i < run->n; i++)
		states[i] = run->children[i].state;
}

/* The first child whose turn it is, or NULL. */
static struct run_child *
next_turn(struct run *run)
{
	struct supervise_state states[ARRAY_LEN(CHILDREN)];

	collect_states(run, states);
	for (size_t i = 0; i < run->n; i++) {
		struct run_child *c = &run->children[i];
		enum supervise_phase phase = c->state.phase;

		if (run->stopping && phase != SUPERVISE_DONE &&
		    (phase != SUPERVISE_ENDING || c->state.again) &&
		    supervise_may_stop(run->params, states, run->n, i))
			return c;
		if (!run->stopping && phase == SUPERVISE_IDLE &&
		    supervise_may_start(run->params, states, run->n, i))
			return c;
	}
	return NULL;
}

static size_t
count(const struct run *run, enum supervise_phase phase)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++)
		n += run->children[i].state.phase == phase;
	return n;
}

/* Ready means that somebody serves; the runner alone, or a crash loop, is not that. */
static bool
any_daemon_ready(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].user != NULL &&
		    run->children[i].state.phase == SUPERVISE_READY)
			return true;
	return false;
}

static void
announce(struct run *run)
{
	size_t ready = count(run, SUPERVISE_READY);
	char *line = xasprintf("READY=1\nSTATUS=%zu of %zu ready", ready, run->n);

	notify_send(line);
	free(line);
	if (!run->announced)
		log_notice("%zu of %zu ready", ready, run->n);
	run->announced = true;
}

static bool
all_settled(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!supervise_settled(&run->children[i].state))
			return false;
	return true;
}

/* No daemon accepts the configuration, and the runner alone serves nobody. */
static bool
all_refused(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].user != NULL &&
		    run->children[i].state.phase != SUPERVISE_REFUSED)
			return false;
	return true;
}

static void
begin_stop(struct run *run, int code)
{
	if (run->stopping)
		return;
	run->stopping = true;
	run->exit_code = code;
	notify_send("STOPPING=1");
	settle(run);
}

static void
settle(struct run *run)
{
	struct run_child *c;

	if (run->settling) /* called from below: the loop there goes on */
		return;
	run->settling = true;
	while ((c = next_turn(run)) != NULL)
		run_child_event(c, run->stopping ? SUPERVISE_EV_STOP : SUPERVISE_EV_START);
	run->settling = false;
	if (run->stopping && count(run, SUPERVISE_DONE) == run->n)
		uv_stop(run->loop);
	else if (!run->stopping && all_refused(run))
		begin_stop(run, EXIT_CONFIG);
	else if (!run->stopping && all_settled(run) && any_daemon_ready(run))
		announce(run);
}

/* ---- ends ---- */

static void
on_child_exit(struct run_child *c, int status)
{
	/* Trying again with the same words and the same file cannot end otherwise. */
	bool refused = WIFEXITED(status) &&
		       (WEXITSTATUS(status) == EXIT_CONFIG || WEXITSTATUS(status) == EXIT_USAGE);

	run_notify_drain(c);
	c->pid = 0;
	c->wait_status = status;
	feed(c, (struct supervise_event){ SUPERVISE_EV_EXIT, refused });
}

static void
on_exit_of(struct run *run, pid_t pid, int status)
{
	if (pid == run->reloader) {
		run->reloader = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_OK)
			log_err("reload refused: nothing changed");
		return;
	}
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].pid == pid) {
			on_child_exit(&run->children[i], status);
			return;
		}
	/* As process 1 we inherit orphans; they are nobody's any more. */
}

static void
on_sigchld(uv_signal_t *handle, int signum)
{
	pid_t pid;
	int status;

	(void)signum;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_exit_of(handle->data, pid, status);
}

/* ---- signals to us ---- */

/* The second time it is meant: nobody is waited for. */
static void
on_end_signal(uv_signal_t *handle, int signum)
{
	struct run *run = handle->data;

	if (!run->stopping) {
		log_notice("stopping (%s)", strsignal(signum));
		begin_stop(run, EXIT_OK);
		return;
	}
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].pid > 0)
			kill(run->children[i].pid, SIGKILL);
}

/* All or none of them: that is what `trivet reload` is for. */
static void
on_hup(uv_signal_t *handle, int signum)
{
	struct run *run = handle->data;

	(void)signum;
	if (run->stopping || run->reloader > 0)
		return;
	run->reloader = fork();
	if (run->reloader == 0) {
		execl("/proc/self/exe", "trivet", "reload", "--run-dir", run->options.run_dir,
		    (char *)NULL);
		_exit(127);
	}
	for (size_t i = 0; i < run->n; i++)
		run_child_event(&run->children[i], SUPERVISE_EV_RETRY);
}

/* Log files are proxyd's: it opens them anew. */
static void
on_usr1(uv_signal_t *handle, int signum)
{
	struct run *run = handle->data;

	(void)signum;
	for (size_t i = 0; i < run->n; i++)
		if (run->children[i].pid > 0 &&
		    strcmp(run->children[i].params->name, "proxyd") == 0)
			kill(run->children[i].pid, SIGUSR1);
}

static void
on_watchdog(struct loop_timer *t, mono_t now)
{
	notify_send("WATCHDOG=1");
	loop_timer_at(t, mono_add(now, (int64_t)notify_watchdog_us()));
}

static void
watch_signals(struct run *run)
{
	static const struct {
		int signum;
		uv_signal_cb on_signal;
	} table[] = { { SIGCHLD, on_sigchld }, { SIGTERM, on_end_signal },
		{ SIGINT, on_end_signal }, { SIGHUP, on_hup }, { SIGUSR1, on_usr1 } };

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uv_signal_init(run->loop, &run->signals[i]);
		run->signals[i].data = run;
		uv_signal_start(&run->signals[i], table[i].on_signal, table[i].signum);
	}
	loop_timer_init(run->loop, &run->watchdog, on_watchdog);
	if (notify_watchdog_us() > 0)
		loop_timer_at(&run->watchdog, loop_now());
}

/* ---- before the first child ---- */

/* Scripts are started for checkd (checks) and vrrpd (notify scripts). */
static bool
wants_child(const char *only, const char *name)
{
	if (strcmp(name, "trivet-runner") == 0)
		return ctl_among(only, "checkd") || ctl_among(only, "vrrpd");
	return ctl_among(only, name);
}

static int
choose_children(struct run *run, const char *only)
{
	run->children = xcalloc(ARRAY_LEN(CHILDREN), sizeof(*run->children));
	run->params = xcalloc(ARRAY_LEN(CHILDREN), sizeof(*run->params));
	for (size_t i = 0; i < ARRAY_LEN(CHILDREN); i++) {
		struct run_child *c = &run->children[run->n];

		if (!wants_child(only, CHILDREN[i].params.name))
			continue;
		run->params[run->n] = CHILDREN[i].params;
		c->params = &run->params[run->n++];
		c->run = run;
		c->user = CHILDREN[i].user;
		c->notify_fd = -1;
		c->program = run_find_program(c->params->name);
		if (c->program == NULL) {
			log_err("%s: not found beside trivet", c->params->name);
			return -ENOENT;
		}
	}
	return 0;
}

static int
open_children(struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		struct run_child *c = &run->children[i];
		int err = run_notify_open(c);

		if (err < 0)
			return err;
		loop_timer_init(run->loop, &c->timer, on_timer);
	}
	return 0;
}

/* ---- the verb ---- */

static int
supervise(struct run *run)
{
	if (run_prepare_dirs(run) < 0)
		return EXIT_FAILED;
	run->loop = uv_default_loop();
	run_raise_nofile(run);
	watch_signals(run);
	if (run_ask_open(run) < 0 || open_children(run) < 0)
		return EXIT_FAILED;
	settle(run);
	if (!run->stopping || count(run, SUPERVISE_DONE) < run->n)
		uv_run(run->loop, UV_RUN_DEFAULT);
	for (size_t i = 0; i < run->n; i++) {
		run_store_done(&run->children[i].store);
		run_notify_close(&run->children[i]);
	}
	run_ask_close(run);
	return run->exit_code;
}

/* Returns -1 to go on, or the exit code. */
static int
parse_options(int argc, char **argv, struct run_options *o, const char **ret_only)
{
	enum { OPT_STATE_DIR = 256, OPT_ONLY };
	static const struct option longs[] = {
		{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
		{ "only", required_argument, NULL, OPT_ONLY },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:i:v", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_path = optarg;
			break;
		case 'i':
			o->node_id = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case OPT_STATE_DIR:
			o->state_dir = optarg;
			break;
		case OPT_ONLY:
			*ret_only = optarg;
			break;
		default:
			return ctl_usage("run", "unknown option");
		}
	}
	return optind < argc ? ctl_usage("run", "unexpected argument '%s'", argv[optind]) : -1;
}

/* Every word of --only is a daemon. */
static bool
only_ok(const char *only)
{
	size_t n;

	for (const char *p = only; p != NULL; p = p[n] == ',' ? p + n + 1 : NULL) {
		bool known = false;

		n = strcspn(p, ",");
		for (size_t i = 0; i < CTL_N_DAEMONS; i++)
			known |= strlen(ctl_daemons[i]) == n && strncmp(p, ctl_daemons[i], n) == 0;
		if (!known)
			return false;
	}
	return true;
}

int
verb_run(const struct ctl *ctl, int argc, char **argv)
{
	static struct run run; /* one a process */
	const char *only = NULL;
	int code;

	run.options = (struct run_options){
		.conf_path = DAEMON_CONF_PATH,
		.run_dir = ctl->run_dir,
		.state_dir = DAEMON_STATE_DIR,
	};
	code = parse_options(argc, argv, &run.options, &only);
	if (code >= 0)
		return code;
	if (!only_ok(only))
		return ctl_usage("run", "--only takes checkd, proxyd, vrrpd, not '%s'", only);
	log_init("trivet", run.options.verbose ? LOG_DEBUG : LOG_INFO);
	if (geteuid() != 0) {
		log_err("run needs root: the daemons give it away themselves");
		return EXIT_FAILED;
	}
	if (choose_children(&run, only) < 0)
		return EXIT_FAILED;
	return supervise(&run);
}
