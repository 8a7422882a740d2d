/*
 * main.c - trivet-runner: runs the scripts of the configuration for daemons
 * that have no privileges themselves (design.md section 3).
 *
 * Root's only place: hence small, without network and without JSON, and the
 * list of what may be run comes from the configuration, not from a peer.
 */
#include "common/daemon.h"
#include "common/log.h"
#include "common/notify.h"
#include "common/runner/protocol.h"
#include "common/runner/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	const char *run_dir;
	int fd;		  /* -1: listen */
	unsigned allowed; /* over fd */
	bool verbose;
	struct book book;
	struct server *server;
	uv_loop_t *loop;
	uv_signal_t hup, term, intr;
	bool stopping;
} runner = {
	.run_dir = DAEMON_RUN_DIR,
	.fd = -1,
	.book = { .conf_path = DAEMON_CONF_PATH, .state_dir = DAEMON_STATE_DIR },
};

/* ---- options ---- */

static void
usage(FILE *out)
{
	fprintf(out,
	    "usage: trivet-runner [-v] [-c FILE] [-i ID] [--run-dir DIR] [--state-dir DIR]\n"
	    "                     [--fd N --for checkd|vrrpd]\n"
	    "       trivet-runner --version\n"
	    "  -c FILE          configuration (default %s)\n"
	    "  -i ID            name of this node for @ID lines (default: the short host name)\n"
	    "  --run-dir DIR    where its socket is (default %s)\n"
	    "  --state-dir DIR  what outlives a start (default %s)\n"
	    "  --fd N           serve one daemon on this descriptor instead\n"
	    "  --for DAEMON     which one: checkd starts checks, vrrpd notify scripts\n"
	    "  -v               log what is done in detail\n"
	    "See trivet-runner(8).\n",
	    DAEMON_CONF_PATH, DAEMON_RUN_DIR, DAEMON_STATE_DIR);
}

static int
parse_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	return *text != '\0' && *end == '\0' && fd >= 0 && fd <= 65535 ? (int)fd : -1;
}

static unsigned
parse_role(const char *daemon)
{
	if (strcmp(daemon, "checkd") == 0)
		return SERVE_CHECKS;
	return strcmp(daemon, "vrrpd") == 0 ? SERVE_NOTIFY : 0;
}

enum { OPT_RUN_DIR = 256, OPT_STATE_DIR, OPT_VERSION, OPT_FD, OPT_FOR };

/* Returns -1 to go on, or the exit code. */
static int
take_option(int c)
{
	switch (c) {
	case 'c':
		runner.book.conf_path = optarg;
		return -1;
	case 'i':
		runner.book.node_id = optarg;
		return -1;
	case 'v':
		runner.verbose = true;
		return -1;
	case OPT_RUN_DIR:
		runner.run_dir = optarg;
		return -1;
	case OPT_STATE_DIR:
		runner.book.state_dir = optarg;
		return -1;
	case OPT_FD:
		if ((runner.fd = parse_fd(optarg)) >= 0)
			return -1;
		break;
	case OPT_FOR:
		if ((runner.allowed = parse_role(optarg)) != 0)
			return -1;
		break;
	case OPT_VERSION:
		printf("trivet-runner (trivet) %s\n", TRIVET_VERSION);
		return EXIT_OK;
	case 'h':
		usage(stdout);
		return EXIT_OK;
	default:
		break;
	}
	usage(stderr);
	return EXIT_USAGE;
}

static int
parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
		{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
		{ "fd", required_argument, NULL, OPT_FD },
		{ "for", required_argument, NULL, OPT_FOR },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, code;

	while ((c = getopt_long(argc, argv, "c:i:vh", longs, NULL)) != -1)
		if ((code = take_option(c)) >= 0)
			return code;
	if (optind == argc && (runner.fd >= 0) == (runner.allowed != 0))
		return -1;
	usage(stderr);
	return EXIT_USAGE;
}

/* ---- life ---- */

static void
on_idle(void *aux)
{
	(void)aux;
	uv_stop(runner.loop);
}

static void
begin_stop(const char *why)
{
	if (runner.stopping)
		return;
	runner.stopping = true;
	log_info("stopping: %s", why);
	notify_send("STOPPING=1");
	server_stop(runner.server);
}

static void
on_end_signal(uv_signal_t *handle, int signum)
{
	(void)handle;
	begin_stop(strsignal(signum));
}

static void
on_hup(uv_signal_t *handle, int signum)
{
	(void)handle;
	(void)signum;
	notify_send("RELOADING=1");
	book_refresh(&runner.book);
	notify_send("READY=1");
}

static void
on_lost(void *aux)
{
	(void)aux;
	begin_stop("the daemon it serves has ended");
}

static void
watch_signals(void)
{
	static const struct {
		uv_signal_t *handle;
		int signum;
		uv_signal_cb on_signal;
	} table[] = {
		{ &runner.hup, SIGHUP, on_hup },
		{ &runner.term, SIGTERM, on_end_signal },
		{ &runner.intr, SIGINT, on_end_signal },
	};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uv_signal_init(runner.loop, table[i].handle);
		uv_signal_start(table[i].handle, table[i].on_signal, table[i].signum);
	}
}

static int
open_doors(void)
{
	int err;

	runner.server = server_new(runner.loop, &runner.book, on_idle, NULL);
	if (runner.fd >= 0) {
		if (fcntl(runner.fd, F_SETFD, FD_CLOEXEC) < 0) {
			log_err("descriptor %d: %s", runner.fd, strerror(errno));
			return EXIT_FAILED;
		}
		server_adopt(runner.server, runner.fd, runner.allowed, on_lost, NULL);
		return EXIT_OK;
	}
	if (mkdir(runner.run_dir, 0755) < 0 && errno != EEXIST) {
		log_err("%s: %s", runner.run_dir, strerror(errno));
		return EXIT_FAILED;
	}
	err = server_listen(runner.server, runner.run_dir);
	if (err < 0)
		log_err("%s/%s: %s", runner.run_dir, RUNNER_SOCKET,
		    err == -EADDRINUSE ? "a running trivet-runner serves it already"
				       : strerror(-err));
	return err < 0 ? EXIT_FAILED : EXIT_OK;
}

int
main(int argc, char **argv)
{
	int code = parse_options(argc, argv);

	if (code >= 0)
		return code;
	log_init("trivet-runner", runner.verbose ? LOG_DEBUG : LOG_INFO);
	umask(022);
	if (book_open(&runner.book) < 0)
		return EXIT_CONFIG;
	if (geteuid() != 0)
		log_warn("not root: scripts of other users will count as failed");
	runner.loop = uv_default_loop();
	watch_signals();
	code = open_doors();
	if (code != EXIT_OK)
		return code;
	notify_send("READY=1");
	uv_run(runner.loop, UV_RUN_DEFAULT);
	book_close(&runner.book);
	return EXIT_OK;
}
