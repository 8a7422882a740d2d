/*
 * daemon.c - see daemon.h: from argv to the exit code.
 */
#include "common/daemon.h"

#include "common/caps.h"
#include "common/daemon_priv.h"
#include "common/event.h"
#include "common/log.h"
#include "common/notify.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* One daemon a process: what signal handlers and timers of this file refer to. */
static struct {
	uv_signal_t hup, usr1, term, intr;
	struct loop_timer watchdog;
	int exit_code;
} life;

/* ---- options ---- */

static void
usage(const struct daemon_class *class, FILE *out)
{
	fprintf(out,
	    "usage: %s [-tv] [-c FILE] [-i ID] [--run-dir DIR] [--state-dir DIR]\n"
	    "       %s --version\n"
	    "  -c FILE          configuration (default %s)\n"
	    "  -t               check it and exit\n"
	    "  -i ID            name of this node for @ID lines (default: the short host name)\n"
	    "  --run-dir DIR    sockets (default %s)\n"
	    "  --state-dir DIR  what outlives a start (default %s)\n"
	    "  -v               log what is done in detail\n"
	    "See %s(8) and trivet.conf(5).\n",
	    class->name, class->name, DAEMON_CONF_PATH, DAEMON_RUN_DIR, DAEMON_STATE_DIR,
	    class->name);
}

/* Returns -1 to go on, or the exit code. */
static int
parse_options(const struct daemon_class *class, int argc, char **argv, struct daemon_options *ret)
{
	enum { OPT_RUN_DIR = 256, OPT_STATE_DIR, OPT_VERSION, OPT_HELP };
	static const struct option longs[] = {
		{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
		{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*ret = (struct daemon_options){
		.conf_path = DAEMON_CONF_PATH,
		.run_dir = DAEMON_RUN_DIR,
		.state_dir = DAEMON_STATE_DIR,
	};
	while ((c = getopt_long(argc, argv, "c:i:tvh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->conf_path = optarg;
			break;
		case 'i':
			ret->node_id = optarg;
			break;
		case 't':
			ret->check_only = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case OPT_RUN_DIR:
			ret->run_dir = optarg;
			break;
		case OPT_STATE_DIR:
			ret->state_dir = optarg;
			break;
		case OPT_VERSION:
			printf("%s (trivet) %s\n", class->name, TRIVET_VERSION);
			return EXIT_OK;
		case 'h':
		case OPT_HELP:
			usage(class, stdout);
			return EXIT_OK;
		default:
			usage(class, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\n", class->name, argv[optind]);
		usage(class, stderr);
		return EXIT_USAGE;
	}
	return -1;
}

/* ---- health ---- */

static struct daemon_degraded *
find_degraded(struct daemon *d, const char *key)
{
	struct daemon_degraded *item;

	TAILQ_FOREACH (item, &d->degraded, entry)
		if (strcmp(item->key, key) == 0)
			return item;
	return NULL;
}

void
daemon_set_degraded(struct daemon *d, const char *key, const char *reason)
{
	struct daemon_degraded *item = find_degraded(d, key);

	if (item != NULL) {
		TAILQ_REMOVE(&d->degraded, item, entry);
		free(item->key);
		free(item->reason);
		free(item);
	}
	if (reason == NULL)
		return;
	item = xcalloc(1, sizeof(*item));
	item->key = xstrdup(key);
	item->reason = xstrdup(reason);
	TAILQ_INSERT_TAIL(&d->degraded, item, entry);
}

void
daemon_status(struct daemon *d, const char *line)
{
	char *status = xasprintf("STATUS=%s", line);

	(void)d;
	notify_send(status);
	free(status);
}

/* ---- signals, watchdog, end ---- */

static void
on_hup(uv_signal_t *handle, int signum)
{
	const struct daemon_reload reload = { 0 };
	struct daemon_reload_result result;

	(void)signum;
	daemon_reload(handle->data, &reload, &result);
	daemon_reload_result_done(&result);
}

static void
on_usr1(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;

	(void)signum;
	if (d->class->reopen != NULL)
		d->class->reopen(d);
}

static void
begin_stop(struct daemon *d, enum daemon_stop how, const char *why)
{
	log_notice("%s%s%s", how == DAEMON_RESTART ? "ending for a restart" : "stopping",
	    why[0] != '\0' ? ": " : "", why);
	d->class->stop(d, how);
}

static void
on_job(void *aux, enum notify_job job, const char *why)
{
	begin_stop(aux, job == NOTIFY_JOB_RESTART ? DAEMON_RESTART : DAEMON_STOP, why);
}

static void
on_end_signal(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;

	if (d->stopping)
		return;
	d->stopping = true;
	notify_send("STOPPING=1");
	if (signum == SIGTERM)
		notify_ask_job(d->loop, d->class->name, on_job, d);
	else
		begin_stop(d, DAEMON_STOP, "interrupted");
}

static void
on_watchdog(struct loop_timer *t, mono_t now)
{
	notify_send("WATCHDOG=1");
	loop_timer_at(t, mono_add(now, (int64_t)notify_watchdog_us()));
}

static void
watch_signals(struct daemon *d)
{
	static const struct {
		uv_signal_t *handle;
		int signum;
		uv_signal_cb on_signal;
	} table[] = {
		{ &life.hup, SIGHUP, on_hup },
		{ &life.usr1, SIGUSR1, on_usr1 },
		{ &life.term, SIGTERM, on_end_signal },
		{ &life.intr, SIGINT, on_end_signal },
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uv_signal_init(d->loop, table[i].handle);
		table[i].handle->data = d;
		uv_signal_start(table[i].handle, table[i].on_signal, table[i].signum);
	}
}

void
daemon_ready(struct daemon *d)
{
	notify_send("READY=1");
	daemon_keep(d);
	if (notify_watchdog_us() > 0)
		loop_timer_at(&life.watchdog, loop_now());
}

void
daemon_exit(struct daemon *d, int code)
{
	life.exit_code = code;
	uv_stop(d->loop);
}

/* ---- start ---- */

static void
make_epoch(char epoch[static 17])
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint64_t)loop_now().us ^ (uint64_t)getpid() << 40;
	snprintf(epoch, 17, "%016" PRIx64, random);
}

/*
 * prctl(2): a change of credentials clears the parent-death signal that `trivet
 * run` set for us, so it is set again; if the parent died meanwhile, end.
 */
static int
tie_to_supervisor(pid_t parent)
{
	if (getenv("TRIVET_SUPERVISOR") == NULL)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() == parent ? 0 : -ESRCH;
}

static int
drop_privileges(struct daemon *d)
{
	struct text why = { 0 };
	uint64_t more = d->class->more_caps != NULL ? d->class->more_caps(d->conf) : 0;
	int err = caps_drop(d->class->user, d->class->keep_caps | more, &why);

	if (err < 0)
		log_err("%s", text_str(&why));
	text_done(&why);
	return err;
}

static void
warn_if_unreadable(const struct daemon *d)
{
	if (access(d->options.conf_path, R_OK) < 0)
		log_warn("%s: %s for user %s: a reload will be refused (mode 0640, group %s)",
		    d->options.conf_path, strerror(errno), d->class->user, DAEMON_GROUP);
}

/* Everything that may need root, then never again. */
static int
prepare(struct daemon *d)
{
	pid_t parent = getppid();
	bool root = geteuid() == 0;

	if (root && daemon_make_dirs(d) < 0)
		return EXIT_FAILED;
	if (daemon_config_start(d) < 0)
		return EXIT_CONFIG;
	if (root && d->class->wants_runner && daemon_fork_runner(d) < 0)
		return EXIT_FAILED;
	if (drop_privileges(d) < 0 || tie_to_supervisor(parent) < 0 || daemon_check_dirs(d) < 0)
		return EXIT_FAILED;
	warn_if_unreadable(d);
	return EXIT_OK;
}

/*
 * Where the service manager allows it (LimitMEMLOCK=infinity); with a limit, memory
 * beyond it could not be had at all.
 */
static void
lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY &&
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_warn("cannot lock memory: %s", strerror(errno));
}

static int
run(struct daemon *d)
{
	int code = prepare(d);

	if (code != EXIT_OK)
		return code;
	if (d->class->locks_memory)
		lock_memory();
	daemon_brake(d);
	d->loop = uv_default_loop();
	watch_signals(d);
	loop_timer_init(d->loop, &life.watchdog, on_watchdog);
	if (d->class->start(d) < 0)
		return EXIT_FAILED;
	uv_run(d->loop, UV_RUN_DEFAULT);
	if (life.exit_code == EXIT_OK)
		daemon_brake_end(d);
	return life.exit_code;
}

int
daemon_main(const struct daemon_class *class, int argc, char **argv)
{
	static struct daemon d; /* one a process; lives as long as it */
	int code;

	code = parse_options(class, argc, argv, &d.options);
	if (code >= 0)
		return code;
	d.class = class;
	TAILQ_INIT(&d.degraded);
	log_init(class->name, d.options.verbose ? LOG_DEBUG : LOG_INFO);
	if (d.options.check_only)
		return daemon_config_check(&d);
	make_epoch(d.epoch);
	d.started = loop_now();
	loop_wallclock(d.started_at);
	code = run(&d);
	/* Nothing of the daemon may refer to it any more; what is left dies with the process. */
	return code;
}
