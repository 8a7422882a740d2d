/*
 * pool.h - the servers of one upstream and their health, as one truth for all
 * data threads (config.md section 4: max_fails, fail_timeout).
 *
 * Pure: told the time, opens nothing, logs nothing.  Nothing here locks.  The
 * owner (proxyd/upstream.c) serialises every call with one mutex per pool, which
 * a data thread takes once when it picks a server for a new connection and once
 * when a connect failed or a lone server answered again: never for a byte, and
 * not when a connection ends.  Only 'sessions' is touched without it, by the
 * atomic helpers below.
 *
 * A failure is a connect that was refused or timed out, or a connection that
 * the server reset before its first byte.  max_fails of them inside any span of
 * fail_timeout (a true sliding window; success forgets nothing) make the server
 * down.  After fail_timeout the owner tries one connect of its own (a probe),
 * never a client's, and again each fail_timeout until one succeeds; while the
 * pool has no server that is up, sooner (pool_hurry): an outage of all must not
 * outlast its cause by a long fail_timeout.
 * max_fails 0: never down.
 *
 * The operator's word (ready, drain, maintenance; a weight) stands above all of
 * it, over reloads, until it is taken back or its time is over.
 *
 * The only server of a pool (one that is not marked down; backups count) is
 * never withheld from clients, as in nginx: there is nobody else to ask.  It is
 * still *said* to be down, which is what status and track_upstream want to know.
 */
#ifndef PROXYD_POOL_H
#define PROXYD_POOL_H

#include "common/mono.h"
#include "common/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_REASON_MAX 160
#define POOL_FAILS_MAX	1024 /* failures remembered for each server, whatever max_fails says */

/* Health is up or down; the other two are only ever said (pool_said). */
enum pool_state { POOL_UP, POOL_DOWN, POOL_DRAINING, POOL_MAINTENANCE };
const char *pool_state_str(enum pool_state); /* "up", "down", "draining", "maintenance" */

/*
 * What the operator wants of a server.  DRAIN: no new sessions.  MAINTENANCE:
 * the same, and it counts as down for those that are open (on_server_down).
 */
enum pool_admin { POOL_READY, POOL_DRAIN, POOL_MAINTAIN };

/* Who says so (org.trivet.proxy Server.stateSource). */
enum pool_source { POOL_PASSIVE, POOL_ADMINISTRATOR, POOL_RESOLVER, POOL_CHECKD };
const char *pool_source_str(enum pool_source); /* "passive", "administrator", ... */

struct pool_params {	 /* fixed between two reloads */
	unsigned weight; /* at least 1 */
	unsigned max_fails;
	unsigned max_conns; /* 0: no limit */
	int64_t fail_timeout_us;
	int64_t slow_start_us; /* its weight grows for so long after it came up; 0: at once */
	bool backup, down;
	bool mandatory; /* down until an active check found it good */
};

struct pool_server { /* embedded in its owner's record */
	struct pool_params params;
	uint8_t slot; /* its bit in a struct pick_tried; set by the owner */
	bool has_address;
	bool is_condemned; /* an active check says it is down, for ... */
	char verdict[POOL_REASON_MAX];

	enum pool_state state;
	enum pool_source source;
	char reason[POOL_REASON_MAX];
	mono_t since;	 /* of the last change of state */
	mono_t probe_at; /* a recovery probe is due; MONO_NEVER: none, or one is under way */

	mono_t *fails; /* ring of the last max_fails failures */
	unsigned n_fails, fails_next;

	enum pool_admin admin;
	mono_t admin_until;	       /* then it is ready again; MONO_NEVER */
	char comment[POOL_REASON_MAX]; /* the operator's, on 'admin' */
	unsigned weight_set;	       /* by the operator; 0: as configured */
	mono_t slow_since;	       /* slow_start began; MONO_NEVER: it is over */
	char *line;		       /* as written in the file; for the ring (balance_ketama.c) */

	int64_t current;   /* smooth weighted round robin */
	unsigned sessions; /* being connected or open; atomic */
};

struct balancer;
struct ketama;

struct pool { /* the array is the owner's */
	struct pool_server **servers;
	size_t n;
	const struct balancer *balance; /* NULL: round robin */
	struct ketama *ring;		/* of balance_ketama */
	struct rng rng;			/* of balance_random */
};

/* The servers, their weights or the algorithm changed. */
void pool_prepare(struct pool *);
void pool_done(struct pool *); /* what pool_prepare made */

void pool_server_init(struct pool_server *, const struct pool_params *, bool has_address, mono_t);
void pool_server_done(struct pool_server *);

/* What a server was in the process before. */
struct pool_left {
	enum pool_state state;
	const char *reason;
	mono_t since, probe_at; /* MONO_NEVER: one was under way, or none */
	int64_t current;
	const int64_t *fails_us; /* times of failures, oldest first */
	size_t n_fails;
};

/*
 * Go on from there, if nobody but clients and probes decides about it now: not
 * if it is marked down or its name is not resolved.  After pool_server_init.
 */
void pool_server_restore(struct pool_server *, const struct pool_left *, mono_t now);

/* The times of its failures, oldest first; at most max, the last ones.  How many. */
size_t pool_server_fails(const struct pool_server *, int64_t *ret_us, size_t max);

/* Copies; what the server is called in the file. */
void pool_server_set_line(struct pool_server *, const char *line);

/*
 * The operator's word, for hold_us (0: until it is taken back).  True when what
 * is said of the server changed.
 */
bool pool_server_administer(
    struct pool_server *, enum pool_admin, int64_t hold_us, const char *comment, mono_t now);
void pool_server_set_weight(struct pool_server *, unsigned weight); /* 0: as configured */

/* The time of the operator's word is over at 'now'?  True when that changed what is said. */
bool pool_server_expire(struct pool_server *, mono_t now);

/* What is to be said of it: health, or the operator's word above it. */
struct pool_said {
	enum pool_state state;
	enum pool_source source;
	const char *reason; /* the server's own text */
};
struct pool_said pool_said(const struct pool_server *);

/* Its weight; and as it is now, slow_start included, in units of 1/POOL_WEIGHT_UNIT. */
#define POOL_WEIGHT_UNIT 64
unsigned pool_weight(const struct pool_server *);
unsigned pool_weight_now(const struct pool_server *, mono_t now);

/* After a reload; health is kept.  True when the state changed. */
bool pool_server_update(struct pool_server *, const struct pool_params *, mono_t now);

/* The name resolved (why NULL), or did not.  True when state or reason changed. */
bool pool_server_resolved(struct pool_server *, const char *why, mono_t now);

/*
 * What an active check says (health_check): 'why' it is bad, NULL for good;
 * unchecked: nobody says anything any more, clients and probes decide alone.  A
 * bad one is down whatever they find; a good one is up again,
 * its failures forgotten, when it was bad before, else clients' failures stand
 * until a probe succeeds.  True when state or reason changed.
 */
bool pool_server_checked(struct pool_server *, const char *why, mono_t now);
bool pool_server_unchecked(struct pool_server *, mono_t now);

/* A failure at 'now'; 'what' in words: "connect: Connection refused".  True when it is down now. */
bool pool_server_failed(struct pool_server *, const char *what, mono_t now);

/* A connection was made.  True when that brought it up (only a lone server's client can). */
bool pool_server_connected(struct pool_server *, mono_t now);

/* The probe has begun; it ended: 'what' as above, NULL for success.  True when the state changed.
 */
void pool_probe_begin(struct pool_server *);
bool pool_probe_end(struct pool_server *, const char *what, mono_t now);
/* Of datagrams nothing more can be known of a server that need not answer. */
bool pool_probe_unrefused(struct pool_server *, mono_t now);

/* With no server up: probe each POOL_HURRY_US at the latest.  After any change. */
#define POOL_HURRY_US USEC_PER_SEC
void pool_hurry(struct pool *, mono_t now);

/* When the next probe of the pool is due, or an operator's word ends; MONO_NEVER. */
mono_t pool_next_due(const struct pool *);

/* The server that is not withheld whatever its health, or NULL. */
const struct pool_server *pool_lone(const struct pool *);

/* May a client be given this server?  Health only, max_conns is pick's. */
bool pool_usable(const struct pool *, const struct pool_server *);

/* How many are up and not withheld by the operator, and how many there are that are not marked
 * down. */
size_t pool_available(const struct pool *);
size_t pool_total(const struct pool *);

static inline void
pool_session_begin(struct pool_server *s)
{
	__atomic_fetch_add(&s->sessions, 1, __ATOMIC_RELAXED);
}

/* Release: whoever sees 0 with acquire may free the server. */
static inline void
pool_session_end(struct pool_server *s)
{
	__atomic_fetch_sub(&s->sessions, 1, __ATOMIC_RELEASE);
}

static inline unsigned
pool_sessions(const struct pool_server *s)
{
	return __atomic_load_n(&s->sessions, __ATOMIC_ACQUIRE);
}

#endif
