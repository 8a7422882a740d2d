/*
 * handover_take.c - at start: what the process before wrote down becomes health,
 * counters and sessions again (handover.h).
 */
#include "common/event.h"
#include "common/log.h"
#include "proxyd/control.h"
#include "proxyd/dial.h"
#include "proxyd/guest.h"
#include "proxyd/handover_guest.h"
#include "proxyd/handover_priv.h"
#include "proxyd/relay_udp_priv.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What goes to one data thread. */
struct bundle {
	struct session *sessions;
	size_t n;
	struct udp_left *udp;
	size_t n_udp;
	struct route **routes;
	size_t n_routes;
};

/* Sessions that were open by the counters, and have not come yet. */
struct owed {
	struct listener *listener;
	uint64_t n;
};

struct taker {
	struct handover *handover;
	struct proxy *proxy;
	struct bundle *bundles; /* one for each data thread */
	size_t next;
	struct owed *owed;
	size_t n_owed;
};

static void
refuse_record(struct handover *h, int error)
{
	handover_refuse(h, error == -EPROTONOSUPPORT ? HANDOVER_VERSION : HANDOVER_RECORD);
}

/* Each record of each message. */
static void
each_record(struct handover *h,
    void (*found)(void *aux, struct post_message *, const struct parcel_record *), void *aux)
{
	struct parcel_reader reader;
	struct parcel_record record;
	struct parcel_head head;

	for (size_t i = 0; i < h->n_messages; i++) {
		struct post_message *m = &h->messages[i];

		if (parcel_open(m->bytes, m->size, m->n_fds, &reader, &head) < 0)
			continue; /* it was looked at when it came */
		while (parcel_next(&reader, &record))
			found(aux, m, &record);
	}
}

/* ---- upstreams ---- */

struct left_servers {
	struct handover *handover;
	struct parcel_server *list;
	size_t n;
};

static void
restore_upstream(struct handover *h, const struct parcel_record *r)
{
	struct parcel_upstream left;
	struct upstream *up;
	int rc = parcel_get(r, &left);

	if (rc < 0) {
		refuse_record(h, rc);
		return;
	}
	up = upstreams_find(&h->proxy->upstreams, left.name);
	if (up != NULL)
		tally_sum(&left.tally, 1, &up->gone);
}

static void
on_server_record(void *aux, struct post_message *m, const struct parcel_record *r)
{
	struct left_servers *left = aux;
	struct parcel_server server;
	int rc;

	(void)m;
	if (r->kind == PARCEL_UPSTREAM)
		restore_upstream(left->handover, r);
	if (r->kind != PARCEL_SERVER)
		return;
	rc = parcel_get(r, &server);
	if (rc < 0) {
		refuse_record(left->handover, rc);
		return;
	}
	/* aligned like its tally */
	if ((left->n & (left->n - 1)) == 0) {
		size_t room = left->n > 0 ? left->n * 2 : 1;
		struct parcel_server *more = aligned_alloc(
		    _Alignof(struct parcel_server), room * sizeof(*more));

		if (more == NULL)
			return;
		if (left->n > 0)
			memcpy(more, left->list, left->n * sizeof(*more));
		free(left->list);
		left->list = more;
	}
	left->list[left->n++] = server;
}

void
handover_restore_upstreams(struct handover *h)
{
	struct left_servers left = { .handover = h };

	if (h->n_messages == 0)
		return;
	each_record(h, on_server_record, &left);
	if (left.n > 0)
		upstreams_restore(&h->proxy->upstreams, left.list, left.n);
	free(left.list);
}

/* ---- listeners ---- */

static struct listener *
find_listener(const struct proxy *p, const struct parcel_address *a)
{
	struct listener *l, *draining = NULL;

	TAILQ_FOREACH (l, &p->listeners, entry) {
		if (!handover_same_address(a, l))
			continue;
		if (l->state != LISTENER_DRAINING)
			return l;
		draining = l;
	}
	return draining;
}

/* No longer configured: it has no sockets, only sessions. */
static struct listener *
make_listener(struct proxy *p, const struct parcel_session *s)
{
	struct upstream_conf uc = { .name = (char *)s->upstream };
	struct listener_conf lc = {
		.name = (char *)s->listener.name,
		.listen.backlog = 511,
		.endpoint = s->listener.endpoint,
		.ipv6_only = s->listener.ipv6_only,
		.upstream = &uc,
	};
	struct listener *l = listener_new(&lc, 0, p->max_workers + 1);

	free(l->error);
	l->error = NULL;
	l->state = LISTENER_DRAINING;
	TAILQ_INSERT_TAIL(&p->listeners, l, entry);
	control_listener_changed(p->control, l->name);
	return l;
}

/*
 * The control thread's tally takes them.  Sessions open then are not among them:
 * each is added when it comes (begin_session).
 */
static void
restore_counters(struct taker *t, const struct parcel_record *r)
{
	struct parcel_counters left;
	struct listener *l;
	struct tally *own;
	int rc = parcel_get(r, &left);

	if (rc < 0) {
		refuse_record(t->handover, rc);
		return;
	}
	l = find_listener(t->proxy, &left.listener);
	if (l == NULL)
		return;
	own = &l->tallies[l->n_tallies - 1];
	t->owed = xreallocarray(t->owed, t->n_owed + 1, sizeof(*t->owed));
	t->owed[t->n_owed++] = (struct owed){ l,
		left.tally.sessions - MIN(left.tally.sessions, tally_ended(&left.tally)) };
	left.tally.sessions = tally_ended(&left.tally);
	tally_sum(&left.tally, 1, own);
}

static void
begin_session(struct taker *t, struct listener *l)
{
	tally_add(&l->tallies[l->n_tallies - 1].sessions, 1);
	for (size_t i = 0; i < t->n_owed; i++)
		if (t->owed[i].listener == l && t->owed[i].n > 0)
			t->owed[i].n--;
}

/* What did not come has ended. */
static void
settle(struct taker *t)
{
	for (size_t i = 0; i < t->n_owed; i++) {
		struct listener *l = t->owed[i].listener;
		struct tally *own = &l->tallies[l->n_tallies - 1];

		tally_add(&own->sessions, t->owed[i].n);
		tally_add(&own->reasons[FLOW_HANDOVER], t->owed[i].n);
	}
}

/* ---- sessions ---- */

static int
option_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

static bool
is_unix(int fd)
{
	return option_of(fd, SO_DOMAIN) == AF_UNIX;
}

static bool
is_connection(int fd)
{
	return (option_of(fd, SO_PROTOCOL) == IPPROTO_TCP || is_unix(fd)) &&
	       option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 0;
}

/* A file is read from its start, a pipe as it is; neither is waited for. */
static bool
read_bytes(int fd, uint8_t *bytes, size_t size)
{
	struct stat st;
	bool is_file;

	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)))
		return false;
	is_file = S_ISREG(st.st_mode);
	if (!is_file && fcntl(fd, F_SETFL, O_RDONLY | O_NONBLOCK) < 0)
		return false;
	for (size_t done = 0; done < size;) {
		ssize_t n = is_file ? pread(fd, bytes + done, size - done, (off_t)done)
				    : read(fd, bytes + done, size - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void
unpark(struct session *s)
{
	free(s->parked[FLOW_CLIENT].bytes);
	free(s->parked[FLOW_SERVER].bytes);
}

/* The bytes that wait; fds are those behind the two sockets. */
static bool
park(struct session *s, const struct parcel_session *left, const int *fds)
{
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		uint32_t n = left->pending[side];

		if (n == 0)
			continue;
		s->parked[side].bytes = malloc(n);
		if (s->parked[side].bytes == NULL ||
		    !read_bytes(*fds++, s->parked[side].bytes, n)) {
			unpark(s);
			return false;
		}
	}
	return true;
}

static bool
same_terms(const struct route *r, const struct parcel_session *s)
{
	return r->connect_timeout_us == s->connect_timeout_us && r->timeout_us == s->timeout_us &&
	       r->next_timeout_us == s->next_timeout_us && r->tries == s->tries &&
	       r->read_size == s->read_size && r->half_close == s->half_close &&
	       r->tcp_nodelay == s->tcp_nodelay && r->half_timeout_us == s->half_timeout_us &&
	       r->age_us == s->age_us && r->age_jitter_us == s->age_jitter_us;
}

/* The terms it began with, whatever the file says now. */
static struct route *
find_route(struct taker *t, size_t thread, struct listener *l, struct upstream *up,
    const struct parcel_session *s)
{
	struct bundle *b = &t->bundles[thread];
	struct route *r;

	for (size_t i = 0; i < b->n_routes; i++) {
		r = b->routes[i];
		if (r->listener == l && r->up == up && r->rules == l->rules && same_terms(r, s))
			return r;
	}
	r = xcalloc(1, sizeof(*r));
	upstream_ref(up);
	rules_ref(l->rules);
	dial_ref(l->dial);
	*r = (struct route){
		.listener = l,
		.up = up,
		.rules = l->rules,
		.dial = l->dial,
		.tally = &l->tallies[thread],
		.connect_timeout_us = s->connect_timeout_us,
		.timeout_us = s->timeout_us,
		.next_timeout_us = s->next_timeout_us,
		.half_timeout_us = s->half_timeout_us,
		.age_us = s->age_us,
		.age_jitter_us = s->age_jitter_us,
		.tries = s->tries,
		.read_size = s->read_size,
		.half_close = s->half_close,
		.tcp_nodelay = s->tcp_nodelay,
	};
	b->routes = xreallocarray(b->routes, b->n_routes + 1, sizeof(struct route *));
	b->routes[b->n_routes++] = r;
	return r;
}

static struct flow_half
half_of(uint8_t bits)
{
	bool over = (bits & (PARCEL_HUP | PARCEL_ERR)) != 0;

	/* What else it is ready for epoll says when the socket is watched again. */
	return (struct flow_half){
		.can_read = over,
		.hup = (bits & PARCEL_HUP) != 0,
		.err = (bits & PARCEL_ERR) != 0,
		.eof = (bits & PARCEL_EOF) != 0,
		.fin_sent = (bits & PARCEL_FIN_SENT) != 0,
	};
}

static void
fill_session(struct session *s, const struct parcel_session *left)
{
	s->flow = (struct flow){
		.phase = left->is_open ? FLOW_OPEN : FLOW_CONNECTING,
		.failure = left->failure,
		.half_close = left->half_close,
		.server_spoke = left->server_spoke,
		.client_passed = left->client_passed,
	};
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		s->flow.half[side] = half_of(left->half[side]);
		s->flow.pending[side] = left->pending[side];
		s->urgent[side] = (left->half[side] & PARCEL_URGENT) != 0;
		s->bytes[side] = left->bytes[side];
	}
	s->attempt = left->attempt;
	s->server_writes = left->server_writes;
	s->began = (mono_t){ left->began_us };
	s->active = (mono_t){ left->active_us };
	s->connect_deadline = (mono_t){ left->connect_deadline_us };
}

static void
fill_tried(struct session *s, const struct upstream *up, const struct parcel_session *left)
{
	pick_tried_add(&s->tried, &s->server->health);
	for (size_t i = 0; i < up->pool.n; i++)
		for (size_t k = 0; k < left->n_tried; k++)
			if (endpoint_equal(
				&server_of(up->pool.servers[i])->endpoint, &left->tried[k]))
				pick_tried_add(&s->tried, up->pool.servers[i]);
}

/* Everything holds: give it to a data thread. */
static void
enlist(struct taker *t, const struct session *begun, const struct parcel_session *left)
{
	size_t thread = t->next++ % t->proxy->n_workers;
	struct bundle *b = &t->bundles[thread];
	struct listener *l = find_listener(t->proxy, &left->listener);
	struct session *s;

	b->sessions = xreallocarray(b->sessions, b->n + 1, sizeof(*b->sessions));
	s = &b->sessions[b->n++];
	*s = *begun;
	if (l == NULL)
		l = make_listener(t->proxy, left);
	s->server = upstreams_server(
	    &t->proxy->upstreams, left->upstream, left->server_name, &left->server);
	pool_session_begin(&s->server->health);
	s->route = find_route(t, thread, l, s->server->up, left);
	s->route->refs++;
	fill_tried(s, s->server->up, left);
	handover_take_guest(s, left, t->proxy->daemon->conf);
	begin_session(t, l);
	t->handover->counts.sessions++;
}

static void
take_session(struct taker *t, struct post_message *m, const struct parcel_record *r)
{
	struct parcel_session left;
	struct session s = { 0 };
	int *fds = m->fds + r->first_fd, rc = parcel_get(r, &left);

	if (rc == 0 &&
	    (!is_connection(fds[0]) || !is_connection(fds[1]) || !park(&s, &left, fds + 2)))
		rc = -EBADMSG;
	if (rc < 0) {
		refuse_record(t->handover, rc);
		return;
	}
	fill_session(&s, &left);
	s.fd[FLOW_CLIENT] = fds[0];
	s.fd[FLOW_SERVER] = fds[1];
	s.is_unix[FLOW_CLIENT] = is_unix(fds[0]);
	s.is_unix[FLOW_SERVER] = is_unix(fds[1]);
	fds[0] = fds[1] = -1;
	enlist(t, &s, &left);
}

/* ---- datagrams ---- */

static struct route *
find_udp_route(struct taker *t, size_t thread, struct listener *l, struct upstream *up,
    const struct parcel_udp *left)
{
	struct bundle *b = &t->bundles[thread];
	struct route *r;

	for (size_t i = 0; i < b->n_routes; i++) {
		r = b->routes[i];
		if (r->listener == l && r->up == up && r->timeout_us == left->timeout_us &&
		    r->requests == left->max_requests && r->responses == left->max_responses)
			return r;
	}
	r = xcalloc(1, sizeof(*r));
	upstream_ref(up);
	rules_ref(l->rules);
	*r = (struct route){ .listener = l,
		.up = up,
		.rules = l->rules,
		.tally = &l->tallies[thread],
		.timeout_us = left->timeout_us,
		.requests = left->max_requests,
		.responses = left->max_responses };
	b->routes = xreallocarray(b->routes, b->n_routes + 1, sizeof(struct route *));
	b->routes[b->n_routes++] = r;
	return r;
}

/* With more sockets now, the kernel gives the client's datagrams to another. */
static void
settle_home(struct taker *t, struct listener *l, struct udp_left *f, size_t thread)
{
	struct udp_datagram d = { .local = f->local };
	struct udp_key key;

	if (!f->is_current)
		return;
	memcpy(&d.from, &f->client, sizeof(d.from));
	key = udp_key_of(&(struct binding){ 0 }, &d);
	if (l->homes == NULL)
		l->homes = udp_homes_new();
	f->home = udp_homes_add(l->homes, &key, t->proxy->workers[thread], l->fds[f->socket]);
}

/* To the thread that has the socket which the kernel gives the client's datagrams to. */
static void
enlist_udp(struct taker *t, struct listener *l, const struct parcel_udp *left, int fd)
{
	size_t thread = left->socket % t->proxy->n_workers;
	struct bundle *b = &t->bundles[thread];
	struct udp_left *f;

	b->udp = xreallocarray(b->udp, b->n_udp + 1, sizeof(*b->udp));
	f = &b->udp[b->n_udp++];
	handover_fill_udp(left, f);
	f->fd = fd;
	f->listener = l;
	f->server = upstreams_server(
	    &t->proxy->upstreams, left->upstream, left->server_name, &left->server);
	pool_session_begin(&f->server->health);
	f->route = find_udp_route(t, thread, l, f->server->up, left);
	f->route->refs++;
	settle_home(t, l, f, thread);
	begin_session(t, l);
	t->handover->counts.sessions++;
}

static void
take_udp(struct taker *t, struct post_message *m, const struct parcel_record *r)
{
	int *fd = m->fds + r->first_fd, rc;
	struct parcel_udp left;
	struct listener *l;

	rc = parcel_get(r, &left);
	if (rc == 0 && option_of(*fd, SO_PROTOCOL) != IPPROTO_UDP)
		rc = -EBADMSG;
	if (rc < 0) {
		refuse_record(t->handover, rc);
		return;
	}
	l = find_listener(t->proxy, &left.listener);
	if (l == NULL || l->state != LISTENER_LISTENING || left.socket >= l->n_sockets) {
		handover_refuse(t->handover, HANDOVER_UNWANTED); /* replies could not leave */
		return;
	}
	enlist_udp(t, l, &left, *fd);
	*fd = -1;
}

/* A client that has not said everything: for a listener of now, by its terms of now. */
static void
take_greeting(struct taker *t, struct post_message *m, const struct parcel_record *r)
{
	size_t thread = t->next++ % t->proxy->n_workers;
	struct bundle *b = &t->bundles[thread];
	struct parcel_session left;
	struct route *route = NULL;
	struct listener *l;
	struct session *s;
	int *fds = m->fds + r->first_fd, rc = parcel_get(r, &left);

	if (rc == 0 && !is_connection(fds[0]))
		rc = -EBADMSG;
	if (rc < 0) {
		refuse_record(t->handover, rc);
		return;
	}
	l = find_listener(t->proxy, &left.listener);
	if (l != NULL && l->rules != NULL)
		route = proxy_route(t->proxy, l, (unsigned)thread);
	if (route == NULL) {
		handover_refuse(t->handover, HANDOVER_UNWANTED);
		return;
	}
	b->sessions = xreallocarray(b->sessions, b->n + 1, sizeof(*b->sessions));
	s = &b->sessions[b->n++];
	*s = (struct session){ .fd = { fds[0], -1 },
		.is_unix = { is_unix(fds[0]) },
		.route = route,
		.began = { left.began_us },
		.active = { left.active_us },
		.connect_deadline = { left.connect_deadline_us } };
	fds[0] = -1;
	flow_init(&s->flow, s->route->half_close);
	s->flow.phase = FLOW_GREETING;
	handover_take_guest(s, &left, t->proxy->daemon->conf);
	begin_session(t, l);
	t->handover->counts.sessions++;
}

static void
on_counters_record(void *aux, struct post_message *m, const struct parcel_record *r)
{
	(void)m;
	if (r->kind == PARCEL_COUNTERS)
		restore_counters(aux, r);
}

static void
on_session_record(void *aux, struct post_message *m, const struct parcel_record *r)
{
	struct taker *t = aux;

	switch (r->kind) {
	case PARCEL_SESSION:
		take_session(t, m, r);
		return;
	case PARCEL_UDP:
		take_udp(t, m, r);
		return;
	case PARCEL_GREETING:
		take_greeting(t, m, r);
		return;
	case PARCEL_COUNTERS:
	case PARCEL_SERVER:
	case PARCEL_UPSTREAM:
		return;
	}
	handover_refuse(t->handover, HANDOVER_VERSION);
}

static void
send_bundles(struct taker *t)
{
	for (size_t i = 0; i < t->proxy->n_workers; i++) {
		struct bundle *b = &t->bundles[i];

		if (b->n > 0)
			worker_send(t->proxy->workers[i],
			    &(struct command){
				.kind = COMMAND_ADOPT, .adopted = b->sessions, .n_adopted = b->n });
		if (b->n_udp > 0)
			worker_send(
			    t->proxy->workers[i], &(struct command){ .kind = COMMAND_ADOPT_UDP,
						      .adopted_udp = b->udp,
						      .n_adopted = b->n_udp });
		free(b->routes);
	}
	free(t->bundles);
}

/* ---- words ---- */

static void
say_refused(const struct handover_counts *c)
{
	struct text words = { 0 };

	for (int r = 0; r < HANDOVER_REFUSALS; r++)
		if (c->refused[r] > 0)
			text_addf(&words, ", %llu %s", (unsigned long long)c->refused[r],
			    handover_refusal_str((enum handover_refusal)r));
	if (words.length > 0)
		log_warn(
		    "not everything that was left could be taken over: %s", text_str(&words) + 2);
	text_done(&words);
}

static void
say(const struct handover *h)
{
	const struct handover_counts *c = &h->counts;
	const char *const fields[] = { "handover", "taken", NULL };
	unsigned long long n_listeners = c->listeners, n_sessions = c->sessions;

	if (h->stamp_us > 0)
		event_emit(LOG_NOTICE, "", fields,
		    "took over %llu listeners, %llu sessions in %lld ms", n_listeners, n_sessions,
		    (long long)(mono_until((mono_t){ (int64_t)h->stamp_us }, loop_now()) /
				USEC_PER_MSEC));
	else if (n_listeners > 0)
		event_emit(
		    LOG_NOTICE, "", fields, "took over %llu listeners, no sessions", n_listeners);
	say_refused(c);
}

void
handover_take_sessions(struct handover *h)
{
	struct taker t = { .handover = h, .proxy = h->proxy };

	t.bundles = xcalloc(h->proxy->n_workers, sizeof(*t.bundles));
	each_record(h, on_counters_record, &t);
	each_record(h, on_session_record, &t);
	settle(&t);
	free(t.owed);
	send_bundles(&t);
	handover_close_listeners(h);
	say(h);
	for (size_t i = 0; i < h->n_messages; i++)
		post_message_done(&h->messages[i]);
	free(h->messages);
	h->messages = NULL;
	h->n_messages = 0;
}
