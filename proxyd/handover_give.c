/*
 * handover_give.c - at a restart: everything that sessions are, into the store
 * (handover.h).  Oldest first: if not all fit, the longest-lived are the ones
 * that are dearest to lose.
 */
#include "common/fdstore.h"
#include "common/log.h"
#include "proxyd/handover_guest.h"
#include "proxyd/handover_priv.h"
#include "proxyd/relay_tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BARRIER_US	(5 * USEC_PER_SEC)

/*
 * A message is taken whole or not at all.  Who had all descriptors there are has
 * a successor that lacks a few: that shall cost a few sessions, the youngest.
 */
#define YOUNGEST	64
#define YOUNGEST_IN_ONE 4

struct given {
	struct worker *worker;
	struct session *session;
};

struct giver {
	struct handover *handover;
	mono_t stopped;
	struct outbox out;
	struct parcel parcel;
	uint32_t n_messages;
	int files[PARCEL_FDS_MAX]; /* of the parcel, to be closed when it is sent */
	size_t n_files;
	struct given *list; /* all sessions */
	size_t n, next;	    /* up to 'next' they are written */
	size_t sent;	    /* up to here they are on their way */
	size_t n_udp;	    /* sessions of datagrams, written */
	size_t n_udp_sent;
	int error; /* why it stopped */
};

/* ---- messages ---- */

static void
close_files(struct giver *g)
{
	while (g->n_files > 0)
		close(g->files[--g->n_files]);
}

static void
leave_sessions(struct giver *g)
{
	for (; g->sent < g->next; g->sent++)
		relay_leave(g->list[g->sent].worker, g->list[g->sent].session);
}

/* 'last': it says how many there were. */
static void
flush(struct giver *g, bool last)
{
	struct parcel_head head = { .stamp_us = (uint64_t)g->stopped.us,
		.number = g->n_messages + 1 };

	if (g->error < 0 || (g->parcel.n_records == 0 && !last))
		return;
	head.total = last ? head.number : 0;
	parcel_seal(&g->parcel, &head);
	g->error = outbox_send(&g->out, &g->parcel);
	if (g->error == 0) {
		g->n_messages++;
		g->n_udp_sent = g->n_udp;
		leave_sessions(g);
	}
	close_files(g);
	parcel_done(&g->parcel);
	parcel_init(&g->parcel);
}

static void
put(struct giver *g, enum parcel_kind kind, const void *record, const int *fds, size_t n_fds)
{
	if (parcel_put(&g->parcel, kind, record, fds, n_fds) == 0)
		return;
	flush(g, false);
	if (g->error == 0)
		g->error = parcel_put(&g->parcel, kind, record, fds, n_fds);
}

/* ---- health and counters ---- */

static void
give_upstream(struct giver *g, const struct upstream *up)
{
	struct parcel_upstream record = { .tally = up->gone };
	struct parcel_server server;

	handover_copy(record.name, up->name);
	put(g, PARCEL_UPSTREAM, &record, NULL, 0);
	for (size_t i = 0; i < up->pool.n; i++) {
		server_describe(server_of(up->pool.servers[i]), &server);
		put(g, PARCEL_SERVER, &server, NULL, 0);
	}
}

static void
give_counters(struct giver *g, const struct listener *l)
{
	struct parcel_counters record = { 0 };

	handover_address(l, &record.listener);
	tally_sum(l->tallies, l->n_tallies, &record.tally);
	put(g, PARCEL_COUNTERS, &record, NULL, 0);
}

static void
give_state(struct giver *g)
{
	struct proxy *p = g->handover->proxy;
	const struct upstream *up;
	const struct listener *l;

	TAILQ_FOREACH (up, &p->upstreams.list, entry)
		give_upstream(g, up);
	TAILQ_FOREACH (l, &p->listeners, entry)
		give_counters(g, l);
}

/* ---- sessions ---- */

static int
by_age(const void *a, const void *b)
{
	const struct given *x = a, *y = b;

	return x->session->began.us < y->session->began.us   ? -1
	       : x->session->began.us > y->session->began.us ? 1
							     : 0;
}

static void
list_sessions(struct giver *g)
{
	struct proxy *p = g->handover->proxy;

	for (size_t i = 0; i < p->n_workers; i++) {
		struct worker *w = p->workers[i];
		struct session *s;
		uint32_t index = 0;

		g->list = xreallocarray(g->list, g->n + w->sessions.n_used, sizeof(*g->list));
		while ((s = session_each(&w->sessions, &index)) != NULL)
			g->list[g->n++] = (struct given){ w, s };
	}
	qsort(g->list, g->n, sizeof(*g->list), by_age);
}

static uint8_t
half_bits(const struct session *s, enum flow_side side)
{
	const struct flow_half *half = &s->flow.half[side];

	return (uint8_t)((half->eof ? PARCEL_EOF : 0) | (half->fin_sent ? PARCEL_FIN_SENT : 0) |
			 (half->hup ? PARCEL_HUP : 0) | (half->err ? PARCEL_ERR : 0) |
			 (s->urgent[side] ? PARCEL_URGENT : 0));
}

/* Servers it has been through matter only as long as there may be another. */
static void
list_tried(const struct session *s, struct parcel_session *r)
{
	const struct pool *pool = &s->server->up->pool;

	if (s->flow.client_passed || s->flow.server_spoke)
		return;
	for (size_t i = 0; i < pool->n && r->n_tried < PARCEL_TRIED_MAX; i++)
		if (pick_tried_has(&s->tried, pool->servers[i]))
			r->tried[r->n_tried++] = server_of(pool->servers[i])->endpoint;
}

static void
describe(const struct session *s, struct parcel_session *r)
{
	const struct route *route = s->route;

	*r = (struct parcel_session){
		.connect_timeout_us = route->connect_timeout_us,
		.timeout_us = route->timeout_us,
		.next_timeout_us = route->next_timeout_us,
		.half_timeout_us = route->half_timeout_us,
		.age_us = route->age_us,
		.age_jitter_us = route->age_jitter_us,
		.tries = route->tries,
		.read_size = route->read_size,
		.half_close = s->flow.half_close,
		.tcp_nodelay = route->tcp_nodelay,
		.is_open = s->flow.phase == FLOW_OPEN,
		.failure = s->flow.failure,
		.server_spoke = s->flow.server_spoke,
		.client_passed = s->flow.client_passed,
		.server_writes = s->server_writes,
		.attempt = s->attempt,
		.began_us = s->began.us,
		.active_us = s->active.us,
		.connect_deadline_us = s->connect_deadline.us,
	};
	handover_address(route->listener, &r->listener);
	handover_give_guest(s, r);
	if (s->server == NULL)
		return;
	handover_copy(r->upstream, s->server->up->name);
	r->server = s->server->endpoint;
	handover_copy(r->server_name, s->server->name);
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		r->half[side] = half_bits(s, side);
		r->pending[side] = s->flow.pending[side];
		r->bytes[side] = s->bytes[side];
	}
	list_tried(s, r);
}

/* A file in memory: the record stays small whatever waits. */
static int
put_in_file(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("pending", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, bytes + done, size - done);

		if (n < 0) {
			int err = -errno;

			close(fd);
			return err;
		}
		done += (size_t)n;
	}
	return fd;
}

/* A pipe is a file of bytes as it is (session.h). */
static int
take_reading_end(const struct pipe *p)
{
	int fd = fcntl(p->out, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* The bytes that wait, behind the two sockets.  How many descriptors in all, or -errno. */
static int
collect_fds(const struct session *s, int fds[static 4])
{
	int n = 2;

	fds[0] = s->fd[FLOW_CLIENT];
	fds[1] = s->fd[FLOW_SERVER];
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		const struct parked *p = &s->parked[side];
		int fd;

		if (s->flow.pending[side] == 0)
			continue;
		fd = p->pipe != NULL ? take_reading_end(p->pipe)
				     : put_in_file(p->bytes + p->offset, s->flow.pending[side]);
		if (fd < 0) {
			while (n > 2)
				close(fds[--n]);
			return fd;
		}
		fds[n++] = fd;
	}
	return n;
}

static void
give_session(struct giver *g, const struct session *s)
{
	struct parcel_session record;
	int fds[4], n;

	if (s->flow.phase == FLOW_GREETING) { /* what it has said lies in its socket */
		describe(s, &record);
		put(g, PARCEL_GREETING, &record, &s->fd[FLOW_CLIENT], 1);
		return;
	}
	n = collect_fds(s, fds);

	if (n < 0) {
		g->error = n;
		return;
	}
	describe(s, &record);
	put(g, PARCEL_SESSION, &record, fds, (size_t)n);
	for (int i = 2; i < n; i++)
		g->files[g->n_files++] = fds[i];
}

static void
give_sessions(struct giver *g)
{
	list_sessions(g);
	while (g->next < g->n && g->error == 0) {
		give_session(g, g->list[g->next].session);
		g->next += g->error == 0;
		if (g->n - g->next < YOUNGEST && g->parcel.n_records >= YOUNGEST_IN_ONE)
			flush(g, false);
	}
}

/* ---- datagrams ---- */

static void
give_udp(void *aux, const struct udp_left *left)
{
	struct giver *g = aux;
	struct parcel_udp record;

	if (g->error < 0)
		return;
	handover_describe_udp(left, &record);
	put(g, PARCEL_UDP, &record, &left->fd, 1);
	g->n_udp += g->error == 0;
}

static void
give_all_udp(struct giver *g)
{
	const struct proxy *p = g->handover->proxy;

	for (size_t i = 0; i < p->n_workers; i++)
		relay_udp_list(p->workers[i], give_udp, g);
}

/* In the order in which they were listed. */
static void
leave_udp(const struct giver *g)
{
	const struct proxy *p = g->handover->proxy;
	size_t n = g->n_udp_sent;

	for (size_t i = 0; i < p->n_workers; i++)
		n -= relay_udp_leave(p->workers[i], n);
}

/* ---- the whole ---- */

static void
say(const struct giver *g)
{
	long long ms = mono_until(g->stopped, loop_now()) / USEC_PER_MSEC;

	if (g->error < 0)
		log_err("%zu of %zu sessions cannot be handed over: %s", g->n - g->sent, g->n,
		    strerrordesc_np(-g->error));
	log_notice("handed over %zu sessions in %u messages, %zu parcels, %lld ms",
	    g->sent + g->n_udp_sent, g->n_messages, g->out.n_stored, ms);
}

void
handover_give(struct handover *h)
{
	size_t max = fdstore_max();
	struct giver g = { .handover = h, .stopped = loop_now() };
	int rc;

	outbox_init(&g.out, HANDOVER_SESSIONS, max - MIN(max, h->n_boxes));
	parcel_init(&g.parcel);
	give_state(&g);
	give_sessions(&g);
	give_all_udp(&g);
	flush(&g, true);
	leave_udp(&g);
	close_files(&g);
	rc = outbox_store(&g.out);
	if (rc == 0)
		rc = fdstore_barrier(BARRIER_US);
	if (rc < 0)
		log_err("the service manager's store: %s", strerrordesc_np(-rc));
	say(&g);
	outbox_done(&g.out);
	parcel_done(&g.parcel);
	free(g.list);
}
