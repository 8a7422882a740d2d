/*
 * mirror.h - a peer's objects as its messages tell them: snapshot in parts,
 * updates, removed keys.  Knows no connection; for view.c.
 */
#ifndef IPC_MIRROR_H
#define IPC_MIRROR_H

#include "ipc/view.h"

#include <stdbool.h>

struct ipc_mirror;

struct ipc_mirror *ipc_mirror_new(const struct ipc_view_config *);
void ipc_mirror_free(struct ipc_mirror *);

/*
 * One message's parameters; calls config.arrays[].on_object for what came,
 * changed or went.  NULL, or what makes it nonsense: then disconnect.
 */
const char *ipc_mirror_apply(struct ipc_mirror *, const json_t *parameters);

/* Since connecting a whole snapshot has come. */
bool ipc_mirror_is_complete(const struct ipc_mirror *);

/* Objects stay as they are until the next whole snapshot. */
void ipc_mirror_disconnected(struct ipc_mirror *);

/* Sets epoch and sequence, or null. */
void ipc_mirror_describe(const struct ipc_mirror *, json_t *link);

#endif
