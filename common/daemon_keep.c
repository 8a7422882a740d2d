/*
 * daemon_keep.c - last-good.conf, written where a disk that stalls holds up
 * nobody: by a thread of libuv's pool.  A reload does not wait for it; of
 * several in a row the newest is written, each whole or not at all.  The end of
 * the process does wait: a thread that is held up by a disk cannot be killed.
 */
#include "common/daemon_priv.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

static struct {
	uv_work_t work;
	char *path;
	char *text; /* the thread's until on_written; NULL: it has nothing to do */
	char *next; /* what came meanwhile, or NULL */
	int err;
} keeper; /* one a process, as the daemon is */

static void
write_down(uv_work_t *work)
{
	(void)work;
	keeper.err = daemon_write_file(keeper.path, keeper.text, strlen(keeper.text), 0600);
}

static void on_written(uv_work_t *, int status);

static void
write_next(uv_loop_t *loop)
{
	keeper.text = keeper.next;
	keeper.next = NULL;
	if (keeper.text != NULL)
		uv_queue_work(loop, &keeper.work, write_down, on_written);
}

static void
on_written(uv_work_t *work, int status)
{
	(void)status; /* nobody cancels it */
	if (keeper.err < 0)
		log_warn("%s: %s: a broken file at the next start will be fatal", keeper.path,
		    strerror(-keeper.err));
	free(keeper.text);
	write_next(work->loop);
}

void
daemon_keep(struct daemon *d)
{
	if (d->reload_error != NULL)
		return; /* what runs is last-good itself, or not wholly good */
	if (keeper.path == NULL)
		keeper.path = daemon_state_path(d, DAEMON_LAST_GOOD);
	free(keeper.next);
	keeper.next = xstrdup(d->conf->normal);
	if (keeper.text == NULL)
		write_next(d->loop);
}
