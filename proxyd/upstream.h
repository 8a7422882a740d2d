/*
 * upstream.h - upstreams as they run: each a pool with its mutex, its servers
 * with their counters, the names behind them and the probes.
 *
 * Two kinds of caller.  Data threads pick a server, say what became of it and
 * let it go (the first three functions below, any thread).  Everything else
 * belongs to the control thread, which alone adds and removes servers.
 *
 * Lifetime: a server lives while it is in its pool or has sessions; an upstream
 * while it is configured or a route (worker.h) points to it; one that is no
 * longer configured goes on serving, unseen.  upstreams_sweep frees the rest.
 */
#ifndef PROXYD_UPSTREAM_H
#define PROXYD_UPSTREAM_H

#include "common/addr.h"
#include "common/conf/conf.h"
#include "common/loop.h"
#include "proxyd/pick.h"
#include "proxyd/probe.h"
#include "proxyd/tally.h"

#include <pthread.h>
#include <sys/queue.h>

struct upstream;
struct upstreams;
struct probe;
struct resolve;

struct server {
	struct pool_server health; /* under up->lock, but for its atomics */
	struct upstream *up;
	char *name;		  /* on the bus: as written; NAME@ADDRESS if it has several */
	struct endpoint endpoint; /* AF_UNSPEC: its name is not resolved, or it is a unix socket */
	struct sockaddr_storage sockaddr;
	socklen_t sockaddr_size;
	struct tally *tallies; /* one for each data thread, the last the control thread's */
	struct probe *probe;
	enum pool_state told; /* what the bus and the log know; the control thread's */
	mono_t told_since;
	enum pool_source told_source;
	char *told_reason;
	char changed_at[LOOP_STAMP_STRLEN];
	uint64_t transitions;
	mono_t down_since; /* as told; MONO_NEVER while up */
	int64_t downtime_us;
	mono_t close_at; /* on_server_down: its sessions end then; MONO_NEVER */
	bool keep;	 /* mark of a rebuild */
	TAILQ_ENTRY(server) retired;
};

/* ---- data threads ---- */

/* The next server for a session, its session begun and noted in ask->tried; NULL: none. */
struct server *upstream_pick(struct upstream *, const struct pick_ask *);
static inline void
server_release(struct server *s)
{
	pool_session_end(&s->health);
}

/* What became of a connect; 'what' in words.  Changes reach the control thread at once. */
void server_failed(struct server *, const char *what, mono_t now);
void server_connected(struct server *, mono_t now);

/* An active check's word (pool_server_checked, with 'why'; pool_server_unchecked). */
void server_checked(struct server *, const char *why, mono_t now);
void server_unchecked(struct server *, mono_t now);

/* ---- the control thread ---- */

struct upstream {
	char *name;
	pthread_mutex_t lock;
	struct pool pool; /* of struct server.health; array replaced under the lock */
	unsigned refs;	  /* routes; atomic */

	struct upstreams *all;
	bool configured;
	struct spec *specs; /* the server lines */
	size_t n_specs;
	enum down_policy on_down;
	int64_t drain_us;
	const struct balancer *balance; /* as configured; the pool's follows under the lock */
	unsigned next_slot;
	enum probe_kind probe_kind;
	int64_t probe_timeout_us;
	const struct health_conf *health; /* NULL: no active checks; valid until the next apply */
	struct loop_timer probe_timer;
	bool news; /* a server's state may have changed; set by any thread, atomic */
	size_t told_available;
	struct tally gone; /* what servers counted that are no longer here */
	TAILQ_ENTRY(upstream) entry;
};

struct upstream_events {
	/* From any thread: make the control thread call upstreams_tell soon. */
	void (*wake)(void *aux);
	/* On the control thread.  NULL for 's': the upstream itself. 'gone': it is being removed.
	 */
	void (*on_server)(void *aux, struct upstream *, struct server *, bool gone);
	void (*on_upstream)(void *aux, struct upstream *, bool gone);
	/* Its time is over (on_server_down): end its open sessions. */
	void (*close_server)(void *aux, struct server *);
	void *aux;
};

struct upstreams {
	uv_loop_t *loop;
	size_t n_tallies; /* of a server: one for each data thread, the last ours */
	struct upstream_events events;
	TAILQ_HEAD(, upstream) list;	/* configured, in the order of the file */
	TAILQ_HEAD(, upstream) leaving; /* no longer configured, still pointed to */
	TAILQ_HEAD(, server) retired;	/* out of their pool, still with sessions */
};

void upstreams_init(
    struct upstreams *, uv_loop_t *, size_t n_tallies, const struct upstream_events *);

/* Go over to these: those of the same name and server keep health and counters. */
void upstreams_apply(struct upstreams *, const struct conf *);
struct upstream *upstreams_find(struct upstreams *, const char *name);

/* Tell the log and on_server/on_upstream what changed since the last call. */
void upstream_tell(struct upstream *);
void upstreams_tell(struct upstreams *);

/* Everything its servers have counted, those that left included. */
void upstream_tally(const struct upstream *, struct tally *sum);

/* How many of its servers are up, as told. */
size_t upstream_available(const struct upstream *);

/* The addresses behind names that may serve, up to 'max' of them. */
size_t upstream_found(const struct upstream *, struct endpoint *ret, size_t max);

/* Free what nobody uses any more; cheap, once a second. */
void upstreams_sweep(struct upstreams *);

/* At the end, when no data thread runs. */
void upstreams_done(struct upstreams *);

/* ---- over a restart (upstream_left.c) ---- */

struct parcel_server;

/* A server as the next process shall find it; threads have stopped. */
void server_describe(const struct server *, struct parcel_server *ret);

/* What the process before wrote down, for servers that there are; says nothing. */
void upstreams_restore(struct upstreams *, const struct parcel_server *left, size_t n);

/*
 * The server that a session goes on with.  One that is no longer configured is
 * made, for this session alone, and so is its upstream.
 */
struct server *upstreams_server(
    struct upstreams *, const char *upstream, const char *name, const struct endpoint *);

static inline bool
server_is_unix(const struct server *s)
{
	return s->sockaddr.ss_family == AF_UNIX;
}

/* Where it is, for people. */
static inline const char *
server_where(const struct server *s, char buf[static ENDPOINT_STRLEN])
{
	return s->endpoint.addr.family == AF_UNSPEC ? s->name : endpoint_format(&s->endpoint, buf);
}

static inline struct server *
server_of(struct pool_server *health)
{
	return CONTAINER_OF(health, struct server, health);
}

static inline void
upstream_ref(struct upstream *up)
{
	__atomic_fetch_add(&up->refs, 1, __ATOMIC_RELAXED);
}

static inline void
upstream_unref(struct upstream *up)
{
	__atomic_fetch_sub(&up->refs, 1, __ATOMIC_RELEASE);
}

#endif
