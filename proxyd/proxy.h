/*
 * proxy.h - proxyd as a whole, on the control thread: data threads, listeners,
 * upstreams, and going over from one configuration to the next.
 */
#ifndef PROXYD_PROXY_H
#define PROXYD_PROXY_H

#include "common/daemon.h"
#include "proxyd/listener.h"
#include "proxyd/roll.h"
#include "proxyd/upstream.h"
#include "proxyd/worker.h"

struct active;
struct control;
struct lost;
struct handover;

struct proxy {
	struct daemon *daemon;
	struct control *control;
	struct handover *handover;
	struct worker **workers;
	size_t n_workers;   /* data threads that run */
	size_t n_active;    /* the first of them take new clients (worker_processes) */
	size_t max_workers; /* there are counters for so many; fixed at start */
	struct crowd crowd;
	uint64_t n_full;   /* of it, as last looked at */
	mono_t full_until; /* what is said of it in status stands until then */
	size_t next_unix;  /* the data thread of the next unix socket */
	struct lost *lost; /* NULL: addresses are not watched */
	struct upstreams upstreams;
	struct rolls rolls;		  /* questions on their way round the data threads */
	struct active *active;		  /* what checkd says of servers */
	TAILQ_HEAD(, listener) listeners; /* in the order of the file; draining ones last */
	uv_async_t news;		  /* data threads wake us */
	struct loop_timer second;	  /* bind again, free what is no longer used */
	struct loop_timer stopping;
	char *status;		 /* as the service manager shows it */
	mono_t stop_by;		 /* end what is still open then */
	bool may_be_transparent; /* the privilege for it was kept at the start */
	bool detached;		 /* stopping: no more accepts */
	unsigned n_closed;	 /* handles, at the end */
};

/* A route by the terms of 'lc', for COMMAND_ATTACH and COMMAND_ROUTE. */
struct route *proxy_route_new(
    struct proxy *, struct listener *, const struct listener_conf *lc, unsigned thread);

/* For a session of this thread, by the terms of now; NULL: the listener is not configured. */
struct route *proxy_route(struct proxy *, struct listener *, unsigned thread);

/* Does a listener of it want transparent binds, and with them CAP_NET_ADMIN? */
bool proxy_is_transparent(const struct conf *);

/* From any thread: it has news. */
void proxy_wake(void *proxy);

/* ---- proxy_threads.c: which thread serves what ---- */

/* As many as the configuration says.  0 or -errno. */
int proxy_start_threads(struct proxy *);

/* At a reload: start what is missing; those that are too many keep what sessions they have. */
void proxy_set_threads(struct proxy *, const struct conf *);

/* All its sockets to the threads, or at a reload those that are to change hands. */
void proxy_attach(struct proxy *, struct listener *, const struct listener_conf *);
void proxy_share_out(struct proxy *, struct listener *, const struct listener_conf *);

/* ---- for proxy_stop.c ---- */

/* Listeners take no more clients, and go with their last session. */
void proxy_drain_listeners(struct proxy *, bool only_unconfigured);
void proxy_sweep_listeners(struct proxy *);

/* The members of struct daemon_class (common/daemon.h). */
int proxy_start(struct daemon *);
int proxy_reload(struct daemon *, const struct conf *next, bool dry_run, struct text *why);
void proxy_reopen(struct daemon *);
void proxy_stop(struct daemon *, enum daemon_stop);

#endif
