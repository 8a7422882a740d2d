/*
 * relay_udp.c - see relay_udp.h.
 */
#include "proxyd/relay_udp_priv.h"

#include "proxyd/accept.h"
#include "proxyd/facts.h"
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/rules.h"
#include "proxyd/story.h"

#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define UDP_ANSWER_MAX 4096 /* return */

struct udp *
udp_of(struct worker *w)
{
	struct udp *u = w->udp;

	if (u != NULL)
		return u;
	u = w->udp = xcalloc(1, sizeof(*u));
	u->batch = udp_batch_new();
	TAILQ_INIT(&u->flows);
	TAILQ_INIT(&u->ended);
	TAILQ_INIT(&u->waiting);
	wheel_init(&u->wheel, w->now);
	if (getrandom(u->secret, sizeof(u->secret), 0) != sizeof(u->secret))
		log_warn("getrandom: %s", strerrordesc_np(errno));
	return u;
}

/* ---- what is known of it ---- */

void
udp_learn(const struct worker *w, const struct udp_flow *f, struct facts *facts)
{
	const struct rules *rules = f->route->rules;

	*facts = (struct facts){ .udp = true,
		.first_byte_us = -1,
		.connection = f->connection,
		.words = rules != NULL ? rules->words : NULL,
		.session_us = mono_until(f->began, w->now) };
	endpoint_from_sockaddr((const struct sockaddr *)&f->client, &facts->peer);
	facts->client = facts->peer;
	facts->local = udp_local_endpoint(f->binding, &f->local);
	story_world(facts);
}

/* A line of its log, when it begins (FLOW_REASON_NONE) and when it ends. */
static void
tell(const struct worker *w, const struct udp_flow *f, enum flow_reason reason)
{
	const struct rules *rules = f->route->rules;
	struct facts_try tried = { .server = f->tried };
	struct facts facts;

	if (rules == NULL || rules->words->n_access == 0 || f->binding == NULL)
		return;
	udp_learn(w, f, &facts);
	facts.received = facts.server_sent = f->bytes[FLOW_CLIENT];
	facts.sent = facts.server_received = f->bytes[FLOW_SERVER];
	tried.session_us = facts.session_us;
	facts.tries = &tried;
	facts.n_tries = f->has_tried;
	if (reason != FLOW_REASON_NONE) {
		facts.close_reason = flow_reason_str(reason);
		facts.status = story_status(reason);
	}
	story_write(rules, &facts, reason == FLOW_REASON_NONE);
}

/* ---- the end ---- */

void
udp_flow_end(struct worker *w, struct udp_flow *f, enum flow_reason reason)
{
	struct udp *u = w->udp;

	if (reason != FLOW_REASON_NONE)
		tell(w, f, reason);
	udp_flow_unhash(f);
	udp_leave_server(w, f, reason);
	guest_free(f->guest);
	f->guest = NULL;
	wheel_set(&u->wheel, &f->timer, MONO_NEVER);
	TAILQ_REMOVE(&u->flows, f, entry);
	TAILQ_INSERT_TAIL(&u->ended, f, entry);
	u->n_flows--;
	udp_counted(w);
	if (reason != FLOW_REASON_NONE)
		tally_end(f->route->tally, reason);
	route_unref(f->route); /* the listener may be gone after it */
}

static void
free_ended(struct udp *u)
{
	struct udp_flow *f;

	while ((f = TAILQ_FIRST(&u->ended)) != NULL) {
		TAILQ_REMOVE(&u->ended, f, entry);
		free(f);
	}
}

static bool
is_over(const struct udp_flow *f)
{
	return f->server == NULL;
}

/* ---- its socket towards the server ---- */

int
udp_flow_watch(struct worker *w, struct udp_flow *f)
{
	struct epoll_event ev = { .events = EPOLLIN,
		.data.u64 = (uint64_t)TAG_UDP << 62 | (uintptr_t)f };

	f->held = MONO_NEVER;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, f->fd, &ev) < 0 ? -errno : 0;
}

struct endpoint
udp_local_endpoint(const struct binding *b, const struct udp_local *local)
{
	struct endpoint ep = b->listener->endpoint;

	ep.addr.family = local->family != AF_UNSPEC ? local->family : ep.addr.family;
	if (local->family == AF_INET)
		memcpy(ep.addr.bytes, &local->v4, sizeof(local->v4));
	else if (local->family == AF_INET6)
		memcpy(ep.addr.bytes, &local->v6.ipi6_addr, sizeof(local->v6.ipi6_addr));
	return ep;
}

/* Back through the socket it came in by. */
static struct udp_peer
to_client(const struct udp_flow *f)
{
	return (struct udp_peer){ .fd = f->binding->fd,
		.to = (const struct sockaddr *)&f->client,
		.to_size = f->client.sin6_family == AF_INET ? sizeof(struct sockaddr_in)
							    : sizeof(struct sockaddr_in6),
		.local = &f->local };
}

/* ---- from clients ---- */

/* Who is kept out is a session that ends as it begins. */
static bool
admit(struct worker *w, struct binding *b, const struct udp_datagram *d, struct guest **ret)
{
	struct endpoint client, local = udp_local_endpoint(b, &d->local);
	enum flow_reason reason = FLOW_REASON_NONE;

	if (b->route->rules == NULL || endpoint_from_sockaddr(&d->from.sa, &client) < 0 ||
	    guest_admit(w, b->route, &client, &local, ret, &reason) == GUEST_WELCOME)
		return true;
	tally_add(&b->route->tally->sessions, 1);
	tally_end(b->route->tally, reason);
	return false;
}

/* return: its text, and that is all. */
static void
answer(struct worker *w, struct udp_flow *f, const struct udp_datagram *d)
{
	char text[UDP_ANSWER_MAX];
	struct iovec iov = { .iov_base = text };
	struct udp_peer peer = to_client(f);
	struct facts facts;
	int error;

	udp_learn(w, f, &facts);
	iov.iov_len = facts_render(
	    &f->route->rules->words->answer, &facts, text, sizeof(text), ESCAPE_NONE);
	f->bytes[FLOW_CLIENT] = d->data.iov_len;
	if (udp_send(&peer, &iov, 1, &error) == 1)
		f->bytes[FLOW_SERVER] = iov.iov_len;
	tally_add(&f->route->tally->bytes_in, f->bytes[FLOW_CLIENT]);
	tally_add(&f->route->tally->bytes_out, f->bytes[FLOW_SERVER]);
	udp_flow_end(w, f, FLOW_ANSWERED);
}

static struct udp_flow *
new_flow(struct worker *w, struct binding *b, const struct udp_datagram *d, const struct udp_key *k)
{
	struct udp *u = w->udp;
	struct pick_tried tried = { 0 };
	struct guest *guest = NULL;
	struct udp_flow *f;

	if (u->n_flows >= UDP_FLOWS_MAX) {
		log_limited(&u->full_log, w->now, LOG_WARNING,
		    "listener %s: %u udp sessions: new clients are dropped", b->listener->name,
		    u->n_flows);
		tally_add(&b->route->tally->dropped, 1);
		return NULL;
	}
	if (!crowd_has_room(w->crowd)) {
		accept_full(w, false);
		tally_add(&b->route->tally->dropped, 1);
		return NULL;
	}
	if (!admit(w, b, d, &guest))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		guest_free(guest);
		return NULL;
	}
	f->guest = guest;
	f->key = *k;
	f->fd = -1;
	f->held = MONO_NEVER;
	f->binding = b;
	f->arrives_by = b->fd;
	f->route = b->route;
	route_ref(f->route);
	memcpy(&f->client, &d->from, sizeof(f->client));
	f->local = d->local;
	f->began = f->active = w->now;
	f->connection = ++w->n_stories * 256 + w->number;
	tally_add(&f->route->tally->sessions, 1);
	TAILQ_INSERT_TAIL(&u->flows, f, entry);
	u->n_flows++;
	udp_counted(w);
	tell(w, f, FLOW_REASON_NONE);
	if (f->route->rules != NULL && f->route->rules->words->returns) {
		answer(w, f, d);
		return NULL;
	}
	if (!udp_find_server(w, f, &tried))
		return NULL;
	udp_flow_hash(u, f);
	udp_flow_arm(w, f);
	return f;
}

/* Enough replies for what was asked (ngx_stream_proxy_module: proxy_responses). */
static bool
is_complete(const struct udp_flow *f)
{
	const struct route *r = f->route;

	return r->responses != UDP_UNLIMITED && f->requests >= r->requests &&
	       f->responses >= (uint64_t)r->responses * f->requests;
}

static void
count(struct worker *w, struct udp_flow *f, const struct iovec *iov, unsigned n, bool from_client)
{
	struct tally *route = f->route->tally, *server = &f->server->tallies[w->number];
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	tally_add(from_client ? &route->bytes_in : &route->bytes_out, bytes);
	f->bytes[from_client ? FLOW_CLIENT : FLOW_SERVER] += bytes;
	tally_add(from_client ? &server->bytes_in : &server->bytes_out, bytes);
	f->active = w->now;
}

/*
 * proxy_upload_rate: what comes too fast is dropped, as nginx does.  The socket it
 * comes by is everybody's, so that it cannot wait there.  How many are left.
 */
static unsigned
drop_hasty(struct worker *w, struct udp_flow *f, struct iovec *iov, unsigned n)
{
	unsigned left = 0;

	if (f->guest == NULL)
		return n;
	for (unsigned i = 0; i < n; i++) {
		if (guest_allows(f->guest, FLOW_CLIENT, 1, w->now) == 0)
			continue;
		guest_spent(f->guest, FLOW_CLIENT, (uint32_t)iov[i].iov_len);
		iov[left++] = iov[i];
	}
	tally_add(&f->route->tally->dropped, n - left);
	return left;
}

/*
 * To the server.  The error of an earlier datagram (ICMP) comes with this one,
 * which has not been sent then: the next server gets it.
 */
static void
send_to_server(struct worker *w, struct udp_flow *f, struct iovec *iov, unsigned n)
{
	struct pick_tried tried = { 0 };
	uint8_t header[PROXYPROTO_COMPOSED_MAX];
	unsigned done = 0;
	int error = 0;

	n = drop_hasty(w, f, iov, n);
	if (n == 0)
		return;
	udp_leave_dead_server(w, f);
	if (is_over(f))
		return;
	count(w, f, iov, n, true);
	f->requests += n;
	for (;;) {
		struct udp_peer peer = { .fd = f->fd,
			.head = header,
			.head_size = f->guest != NULL ? guest_preface(f->guest, true, header) : 0 };

		done += udp_send(&peer, iov + done, n - done, &error);
		if (done == n)
			break;
		udp_blame(w, f, error);
		pick_tried_add(&tried, &f->server->health);
		tally_add(&f->route->tally->retries, 1);
		if (!udp_find_server(w, f, &tried))
			return;
	}
	if (f->route->requests > 0 && f->requests >= f->route->requests)
		udp_flow_unhash(f); /* the client's next datagram begins another session */
	if (is_complete(f))
		udp_flow_end(w, f, FLOW_COMPLETE);
}

/* May this session take one more datagram of this batch? */
static bool
has_room(const struct udp_flow *f, unsigned n)
{
	return f->route->requests == 0 || f->requests + n < f->route->requests;
}

/*
 * The first datagram that has not been dealt with, and with it all others of the
 * batch that are the same session's.
 */
static void
pass_on(struct worker *w, struct binding *b, unsigned first, unsigned n, bool *done)
{
	struct udp *u = w->udp;
	struct iovec iov[UDP_BATCH] = { { 0 } };
	struct udp_key k = udp_key_of(b, udp_batch_at(u->batch, first));
	struct udp_flow *f = udp_flow_find(u, &k);
	unsigned n_iov = 0;

	if (f == NULL && udp_homes_hand(b->listener->homes, &k, b->listener, b->fd,
			     udp_batch_at(u->batch, first))) {
		done[first] = true;
		return;
	}
	if (f == NULL)
		f = new_flow(w, b, udp_batch_at(u->batch, first), &k);
	for (unsigned i = first; i < n && (i == first || f == NULL || has_room(f, n_iov)); i++) {
		struct udp_key other = udp_key_of(b, udp_batch_at(u->batch, i));

		if (done[i] || memcmp(&other, &k, sizeof(k)) != 0)
			continue;
		iov[n_iov++] = udp_batch_at(u->batch, i)->data;
		done[i] = true;
	}
	if (f != NULL)
		send_to_server(w, f, iov, n_iov);
}

void
relay_udp_clients(struct worker *w, struct binding *b)
{
	struct udp *u = udp_of(w);
	bool done[UDP_BATCH] = { false };
	int n = udp_batch_receive(u->batch, b->fd, UDP_BATCH);

	/* An error is some earlier reply's that a client did not want (ICMP). */
	for (int i = 0; i < n; i++)
		if (!done[i])
			pass_on(w, b, (unsigned)i, (unsigned)n, done);
}

/* A session that has ended meanwhile: one datagram is lost, the next finds another thread. */
void
relay_udp_handed(struct worker *w, const struct command *c)
{
	struct iovec data = c->datagram->data;
	struct udp_flow *f;
	struct udp_key k;
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->listener == c->listener && b->fd == c->fd)
			break;
	if (b == NULL)
		return;
	k = udp_key_of(b, c->datagram);
	f = udp_flow_find(udp_of(w), &k);
	if (f == NULL)
		return;
	f->arrives_by = c->via;
	send_to_server(w, f, &data, 1);
}

/* ---- from a server ---- */

static bool
is_limited(const struct udp_flow *f)
{
	return f->guest != NULL && f->guest->rates[FLOW_SERVER].bytes_s > 0;
}

static void
reply(struct worker *w, struct udp_flow *f, unsigned n)
{
	const struct udp *u = w->udp;
	struct udp_peer peer = to_client(f);
	struct iovec iov[UDP_BATCH] = { { 0 } };
	int error;

	for (unsigned i = 0; i < n; i++)
		iov[i] = udp_batch_at(u->batch, i)->data;
	count(w, f, iov, n, false);
	if (is_limited(f))
		guest_spent(f->guest, FLOW_SERVER, (uint32_t)iov[0].iov_len);
	f->responses += n;
	for (unsigned done = 0; done < n; done++) /* what cannot be sent is lost, and only that */
		done += udp_send(&peer, iov + done, n - done, &error);
	if (is_complete(f))
		udp_flow_end(w, f, FLOW_COMPLETE);
}

/* proxy_download_rate: replies wait in the session's socket, each is passed on whole. */
static bool
is_held(struct worker *w, struct udp_flow *f)
{
	if (!mono_is_never(f->held))
		return true; /* the event was on its way already */
	if (f->guest == NULL || guest_allows(f->guest, FLOW_SERVER, 1, w->now) > 0)
		return false;
	f->held = f->guest->rates[FLOW_SERVER].held;
	epoll_ctl(
	    w->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL); /* an error would wake us all the time */
	udp_flow_arm(w, f);
	return true;
}

void
relay_udp_server(struct worker *w, struct udp_flow *f)
{
	struct udp *u = w->udp;
	int n;

	if (is_over(f) || is_held(w, f))
		return;
	n = udp_batch_receive(u->batch, f->fd, is_limited(f) ? 1 : UDP_BATCH);
	if (n > 0)
		reply(w, f, (unsigned)n);
	else if (n < 0 && n != -EAGAIN) {
		udp_blame(w, f, n);
		udp_flow_end(
		    w, f, FLOW_CONNECT_FAILED); /* the client's next datagram finds another */
	}
}

/* ---- time ---- */

mono_t
relay_udp_next(const struct worker *w)
{
	return w->udp != NULL ? wheel_next(&w->udp->wheel) : MONO_NEVER;
}

/* While replies wait for their turn it is not idle. */
static mono_t
due(const struct udp_flow *f)
{
	if (!mono_is_never(f->held))
		return f->held;
	return f->route->timeout_us > 0 ? mono_add(f->active, f->route->timeout_us) : MONO_NEVER;
}

void
udp_flow_arm(struct worker *w, struct udp_flow *f)
{
	wheel_set(&w->udp->wheel, &f->timer, due(f));
}

/* Its replies may come again. */
static void
let_go(struct worker *w, struct udp_flow *f)
{
	f->active = w->now;
	if (udp_flow_watch(w, f) < 0)
		udp_flow_end(w, f, FLOW_RESOURCES);
	else
		udp_flow_arm(w, f);
}

/* A server that owes replies is as good as one that refuses. */
static void
time_out(struct worker *w, struct udp_flow *f)
{
	tally_add(&f->route->tally->timeouts, 1);
	tally_add(&f->server->tallies[w->number].timeouts, 1);
	if (f->route->responses != UDP_UNLIMITED && !is_complete(f) && f->responses == 0)
		udp_blame(w, f, -ETIMEDOUT);
	udp_flow_end(w, f, FLOW_IDLE);
}

void
relay_udp_expire(struct worker *w)
{
	struct udp *u = w->udp;
	struct wheel_timer *t;

	if (u == NULL)
		return;
	while ((t = wheel_pop(&u->wheel, w->now)) != NULL) {
		struct udp_flow *f = CONTAINER_OF(t, struct udp_flow, timer);

		if (mono_before(w->now, due(f)))
			udp_flow_arm(w, f);
		else if (!mono_is_never(f->held))
			let_go(w, f);
		else
			time_out(w, f);
	}
	free_ended(u);
}

/* ---- from outside ---- */

void
relay_udp_end(struct worker *w, const struct binding *b, enum flow_reason reason)
{
	struct udp_flow *f, *next;

	if (w->udp == NULL)
		return;
	for (f = TAILQ_FIRST(&w->udp->flows); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (b == NULL || f->binding == b)
			udp_flow_end(w, f, reason);
	}
}

static bool
is_local(const struct udp_flow *f, const struct addr *addr)
{
	const struct in6_addr *v6 = &f->local.v6.ipi6_addr;

	if (f->local.family == AF_INET)
		return addr->family == AF_INET && memcmp(&f->local.v4, addr->bytes, 4) == 0;
	if (f->local.family != AF_INET6)
		return false;
	if (addr->family == AF_INET)
		return IN6_IS_ADDR_V4MAPPED(v6) && memcmp(&v6->s6_addr[12], addr->bytes, 4) == 0;
	return memcmp(v6, addr->bytes, 16) == 0;
}

void
relay_udp_lost(struct worker *w, const struct addr *addr)
{
	struct udp_flow *f, *next;

	if (w->udp == NULL)
		return;
	for (f = TAILQ_FIRST(&w->udp->flows); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (is_local(f, addr))
			udp_flow_end(w, f, FLOW_ADDRESS_LOST);
	}
}

void
relay_udp_free(struct worker *w)
{
	if (w->udp == NULL)
		return;
	relay_udp_end(w, NULL, FLOW_SHUTDOWN);
	udp_drop_waiting(w);
	free_ended(w->udp);
	udp_batch_free(w->udp->batch);
	free(w->udp);
	w->udp = NULL;
}
