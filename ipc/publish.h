/*
 * publish.h - the producer's side of Monitor: keyed objects, a snapshot, then
 * whole-object updates.  Each subscriber has a set of dirty keys, not a queue:
 * memory is bounded by the number of objects, and a slow reader skips middle
 * states.  The snapshot is taken in the turn in which the subscriber registers.
 */
#ifndef IPC_PUBLISH_H
#define IPC_PUBLISH_H

#include "ipc/server.h"

struct ipc_publisher;

/* One kind of object: "checks", "instances", "listeners", "servers". */
struct ipc_collection {
	const char *array;  /* its name in snapshots and updates */
	const char *prefix; /* before keys in 'removed': "" or "server/" */
	/* A new reference, or NULL when there is no such object (any more). */
	json_t *(*render)(void *aux, const char *key);
	/* Every key, in the order people expect. */
	void (*each)(void *aux, void (*found)(void *found_aux, const char *key), void *found_aux);
	void *aux;
};

/* 'epoch' and the collections are kept. */
struct ipc_publisher *ipc_publisher_new(
    uv_loop_t *, const char *epoch, const struct ipc_collection *, size_t n_collections);
/* Ends the streams that still run.  Accepts NULL; before or after the server is freed. */
void ipc_publisher_free(struct ipc_publisher *);

/* The object changed, appeared or went; takes the next sequence number and returns it. */
uint64_t ipc_changed(struct ipc_publisher *, const struct ipc_collection *, const char *key);
uint64_t ipc_sequence(const struct ipc_publisher *);

/*
 * Serve a Monitor call: 'filter' of names (NULL or null: all) applies to the
 * keys of every collection; NAME is the key NAME and every key NAME/...
 * Without more: one snapshot.  The method's heartbeatMs is bounded to
 * 100..60000; absent: none.
 *
 * "sequence" in a message is a promise: with it, everything up to there has
 * been sent.  Earlier parts of a snapshot or of a large update promise less.
 */
void ipc_publish_monitor(
    struct ipc_publisher *, struct ipc_call *, json_t *filter, json_t *heartbeat_ms);

/*
 * The same for a call with more, whose owner ends it or is told, once, that it
 * has ended: the caller has left, or the publisher is freed.
 */
struct ipc_stream;
struct ipc_stream *ipc_publish_stream(struct ipc_publisher *, struct ipc_call *, json_t *filter,
    json_t *heartbeat_ms, void (*on_end)(void *aux), void *aux);
void ipc_stream_end(struct ipc_stream *); /* on_end is called */

/*
 * {epoch, sequence, ARRAY: [...]} for a List method; 'name' NULL: all, else as
 * in the filter above; NULL when there is no such object.
 */
json_t *ipc_publish_list(struct ipc_publisher *, const struct ipc_collection *, const char *name);

/* A method's heartbeatMs, bounded to 100..60000, in microseconds; 0: absent or null. */
int64_t ipc_heartbeat_us(const json_t *heartbeat_ms);

#endif
