/*
 * watch.h - org.trivet.check.Watch: checks for the servers that proxyd has
 * found behind names, for as long as its connection lives.
 */
#ifndef CHECKD_WATCH_H
#define CHECKD_WATCH_H

#include "checkd/checks.h"
#include "ipc/publish.h"

#define WATCH_SERVERS_MAX 1024 /* of one upstream */

struct watches;

struct watches *watches_new(struct checks *, struct ipc_publisher *);
void watches_free(struct watches *); /* accepts NULL; before the checks */

void watch_serve(struct watches *, struct ipc_call *, const json_t *parameters);

/* After a reload: a stream whose checks have other names now is ended, so that it is asked for
 * anew. */
void watches_reload(struct watches *);

#endif
