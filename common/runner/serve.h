/*
 * serve.h - who may ask for which script, one run of a script at a time, and
 * the way of the answer back.
 */
#ifndef COMMON_RUNNER_SERVE_H
#define COMMON_RUNNER_SERVE_H

#include "common/runner/book.h"

#include <uv.h>

enum { /* a mask */
	SERVE_CHECKS = 1 << 0,
	SERVE_NOTIFY = 1 << 1,
	SERVE_ALL = SERVE_CHECKS | SERVE_NOTIFY,
};

struct server;

/* 'book' is kept.  on_idle: the last script has ended after server_stop(). */
struct server *server_new(uv_loop_t *, struct book *book, void (*on_idle)(void *aux), void *aux);

/* A daemon's end of a socket pair: what it may start is known from the start.  on_lost: it closed.
 */
void server_adopt(struct server *, int fd, unsigned allowed, void (*on_lost)(void *aux), void *aux);

/* Listen on RUN_DIR/runner.sock, 0660 root:_trivet.  0, -EADDRINUSE: a living runner has it. */
int server_listen(struct server *, const char *run_dir);

/* No more requests; checks end now, notify scripts within seconds; then on_idle (never from within
 * this call). */
void server_stop(struct server *);

#endif
