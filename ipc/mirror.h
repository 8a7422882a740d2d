/*
 * mirror.h - a peer's objects as its messages tell them: snapshot in parts,
 * updates, removed keys.  Pure; view.c owns one and feeds it.
 */
#ifndef IPC_MIRROR_H
#define IPC_MIRROR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct ipc_view_array {
	const char *array; /* "checks" */
	/* The key of an object, borrowed from it ("name"), or NULL: ignore it. */
	const char *(*key)(const json_t *object, char *buf, size_t size);
	/* As in struct ipc_collection: which keys of 'removed' are this array's. */
	const char *prefix;
	/* Came or changed; NULL: it is gone. */
	void (*on_object)(void *aux, const char *key, const json_t *object);
};

struct ipc_mirror;

/* The arrays are kept; 'aux' is what on_object gets. */
struct ipc_mirror *ipc_mirror_new(const struct ipc_view_array *, size_t n_arrays, void *aux);
void ipc_mirror_free(struct ipc_mirror *);

/*
 * One message's parameters; calls on_object for what came,
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
