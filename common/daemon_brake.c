/*
 * daemon_brake.c - the brake of a crash loop (brake.h) in a daemon's start: its
 * line of text in the run directory, and the pause.
 */
#include "common/brake.h"

#include "common/daemon_priv.h"
#include "common/log.h"
#include "common/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STARTS	   "starts"
#define STARTS_MAX 256

/* Only systemd tries again at once and for ever; `trivet run` has a pause of its own that grows. */
static bool
is_wanted(void)
{
	return getenv("NOTIFY_SOCKET") != NULL && getenv("TRIVET_SUPERVISOR") == NULL;
}

static void
read_brake(const char *path, struct brake *b)
{
	char *text;
	size_t size;

	if (daemon_read_file(path, STARTS_MAX, &text, &size) < 0)
		return; /* the first start; or damaged: as if it were the first */
	brake_decode(text, b);
	free(text);
}

static void
write_brake(const char *path, const struct brake *b)
{
	struct text text = { 0 };
	int err;

	brake_encode(b, &text);
	err = daemon_write_file(path, text_str(&text), text.length, 0600);
	if (err < 0)
		log_warn("cannot write %s: %s: a crash loop would not be slowed down", path,
		    strerror(-err));
	text_done(&text);
}

static void
wait_for(int64_t pause_us)
{
	const struct timespec ts = { pause_us / USEC_PER_SEC, pause_us % USEC_PER_SEC * 1000 };
	char status[96];

	snprintf(status, sizeof(status), "STATUS=%d crashes in a short time: waiting for %.1f s",
	    BRAKE_CRASHES, (double)pause_us / USEC_PER_SEC);
	log_warn("%s", status + strlen("STATUS="));
	notify_send(status);
	signal(SIGHUP, SIG_IGN); /* what it would read is read afterwards; SIGTERM ends us */
	nanosleep(&ts, NULL);
}

void
daemon_brake(const struct daemon *d)
{
	char *path;
	struct brake b = { 0 };
	int64_t pause_us;

	if (!is_wanted())
		return;
	path = daemon_run_path(d, STARTS);
	read_brake(path, &b);
	pause_us = brake_begin(&b, loop_now());
	write_brake(path, &b);
	if (pause_us > 0)
		wait_for(pause_us);
	free(path);
}

void
daemon_brake_end(const struct daemon *d)
{
	char *path;
	struct brake b = { 0 };

	if (!is_wanted())
		return;
	path = daemon_run_path(d, STARTS);
	brake_end(&b);
	write_brake(path, &b);
	free(path);
}
