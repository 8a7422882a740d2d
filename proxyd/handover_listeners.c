/*
 * handover_listeners.c - listening sockets in the store (handover.h).
 *
 * One message in each box, and it is only peeked at: the box can be read again
 * by the next process, should this one die before it has replaced it.
 */
#include "common/fdstore.h"
#include "common/log.h"
#include "proxyd/handover_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BARRIER_US (2 * USEC_PER_SEC)

/* It says something about IPv6 only. */
static bool
is_ipv6_only(const struct listener *l)
{
	return l->endpoint.addr.family == AF_INET6 && l->ipv6_only;
}

static uint8_t
protocol_of(const struct listener *l)
{
	return l->udp ? IPPROTO_UDP : IPPROTO_TCP;
}

void
handover_address(const struct listener *l, struct parcel_address *ret)
{
	*ret = (struct parcel_address){
		.endpoint = l->endpoint, .ipv6_only = is_ipv6_only(l), .protocol = protocol_of(l)
	};
	handover_copy(ret->name, l->name);
}

/* The name is how it is written, not what it is; but for a unix socket. */
bool
handover_same_address(const struct parcel_address *a, const struct listener *l)
{
	return a->protocol == protocol_of(l) && a->ipv6_only == is_ipv6_only(l) &&
	       endpoint_equal(&a->endpoint, &l->endpoint) &&
	       (!listener_is_unix(l) || strcmp(a->name, l->name) == 0);
}

/* ---- reading ---- */

static bool
has_option(int fd, int option, int expected)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

/* Is it what the record says? */
static bool
is_listener(int fd, const struct parcel_address *a)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	struct endpoint ep;

	if (a->endpoint.addr.family == AF_UNSPEC)
		return has_option(fd, SO_ACCEPTCONN, 1) &&
		       getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
		       unix_equal(a->name, &sa);
	return has_option(fd, SO_PROTOCOL, a->protocol) &&
	       has_option(fd, SO_ACCEPTCONN, a->protocol == IPPROTO_TCP) &&
	       getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
	       endpoint_from_sockaddr((struct sockaddr *)&sa, &ep) == 0 &&
	       endpoint_equal(&ep, &a->endpoint);
}

static uint64_t
cookie(int fd)
{
	uint64_t value = 0;
	socklen_t size = sizeof(value);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &size);
	return value;
}

/* A crash between two sets leaves both: the same sockets twice. */
static bool
is_known(const struct left_listener *l, int fd)
{
	for (size_t i = 0; i < l->n_fds; i++)
		if (cookie(l->fds[i]) == cookie(fd))
			return true;
	return false;
}

static struct left_listener *
find_left(struct handover *h, const struct parcel_address *a)
{
	struct left_listener *l;

	for (size_t i = 0; i < h->n_listeners; i++) {
		const struct parcel_address *b = &h->listeners[i].address;

		if (endpoint_equal(&a->endpoint, &b->endpoint) && a->ipv6_only == b->ipv6_only &&
		    a->protocol == b->protocol &&
		    (a->endpoint.addr.family != AF_UNSPEC || strcmp(a->name, b->name) == 0))
			return &h->listeners[i];
	}
	h->listeners = xreallocarray(h->listeners, h->n_listeners + 1, sizeof(*h->listeners));
	l = &h->listeners[h->n_listeners++];
	*l = (struct left_listener){ .address = *a };
	return l;
}

static void
keep_sockets(struct handover *h, const struct parcel_address *a, int *fds, size_t n)
{
	struct left_listener *l = find_left(h, a);

	for (size_t i = 0; i < n; i++) {
		if (!is_listener(fds[i], a)) {
			handover_refuse(h, HANDOVER_RECORD);
			continue;
		}
		if (is_known(l, fds[i]))
			continue;
		l->fds = xreallocarray(l->fds, l->n_fds + 1, sizeof(*l->fds));
		l->fds[l->n_fds++] = fds[i];
		fds[i] = -1;
	}
}

static int
read_message(struct handover *h, struct post_message *m)
{
	struct parcel_address address;
	struct parcel_reader reader;
	struct parcel_record record;
	struct parcel_head head;
	int rc = parcel_open(m->bytes, m->size, m->n_fds, &reader, &head);

	while (rc == 0 && parcel_next(&reader, &record)) {
		int err = record.kind == PARCEL_LISTENER ? parcel_get(&record, &address)
							 : -EPROTONOSUPPORT;

		if (err < 0)
			handover_refuse(
			    h, err == -EPROTONOSUPPORT ? HANDOVER_VERSION : HANDOVER_RECORD);
		else
			keep_sockets(h, &address, m->fds + record.first_fd, record.n_fds);
	}
	return rc;
}

void
handover_read_listeners(struct handover *h, int box)
{
	struct post_message m;
	int rc = post_read(box, true, &m);

	if (rc == 0) {
		rc = read_message(h, &m);
		post_message_done(&m);
	}
	if (rc < 0)
		handover_refuse(h, handover_refusal_of(rc));
}

/* ---- taking ---- */

bool
handover_take_listener(struct handover *h, struct listener *l)
{
	for (size_t i = 0; i < h->n_listeners; i++) {
		struct left_listener *left = &h->listeners[i];

		if (left->n_fds == 0 || !handover_same_address(&left->address, l))
			continue;
		listener_take(l, left->fds, left->n_fds);
		free(left->fds);
		left->fds = NULL;
		left->n_fds = 0;
		h->counts.listeners++;
		return true;
	}
	return false;
}

void
handover_close_listeners(struct handover *h)
{
	char address[ENDPOINT_STRLEN];

	for (size_t i = 0; i < h->n_listeners; i++) {
		struct left_listener *left = &h->listeners[i];

		if (left->n_fds > 0) {
			log_notice("listener %s is no longer configured: closed",
			    endpoint_format(&left->address.endpoint, address));
			handover_refuse(h, HANDOVER_UNWANTED);
		}
		for (size_t k = 0; k < left->n_fds; k++)
			close(left->fds[k]);
		free(left->fds);
	}
	free(h->listeners);
	h->listeners = NULL;
	h->n_listeners = 0;
}

/* ---- keeping ---- */

void
handover_listeners_changed(struct handover *h)
{
	h->is_changed = true;
}

/* One message, one box. */
static int
send_box(struct outbox *out, struct parcel *p)
{
	int rc;

	if (p->n_records == 0)
		return 0;
	parcel_seal(p, &(struct parcel_head){ .number = 1, .total = 1 });
	rc = outbox_send(out, p);
	if (rc == 0)
		rc = outbox_store(out);
	parcel_done(p);
	parcel_init(p);
	return rc;
}

/* A listener of many sockets is several records, in as many boxes as it takes. */
static int
put_listener(struct outbox *out, struct parcel *p, const struct listener *l)
{
	struct parcel_address address;
	size_t done = 0;
	int rc = 0;

	handover_address(l, &address);
	while (rc == 0 && done < l->n_sockets) {
		size_t n = MIN(l->n_sockets - done, PARCEL_FDS_MAX - p->n_fds);

		if (n == 0 || parcel_put(p, PARCEL_LISTENER, &address, l->fds + done, n) < 0)
			rc = send_box(out, p);
		else
			done += n;
	}
	return rc;
}

static int
store_set(struct handover *h, struct outbox *out)
{
	const struct listener *l;
	struct parcel p;
	int rc = 0;

	parcel_init(&p);
	TAILQ_FOREACH (l, &h->proxy->listeners, entry)
		if (rc == 0 && l->state == LISTENER_LISTENING)
			rc = put_listener(out, &p, l);
	if (rc == 0)
		rc = send_box(out, &p);
	parcel_done(&p);
	return rc;
}

/* Only when the new set is in the manager's hands is the old one let go. */
static void
let_go(struct handover *h)
{
	for (unsigned set = 0; set < HANDOVER_SETS; set++)
		if (h->stored[set] && set != h->set) {
			fdstore_remove(handover_set_name(set));
			h->stored[set] = false;
		}
}

static unsigned
free_set(const struct handover *h)
{
	unsigned set = 0;

	while (set < HANDOVER_SETS - 1 && h->stored[set])
		set++;
	return set;
}

static void
tell(struct handover *h, int error)
{
	char *reason = error < 0 ? xasprintf("listeners would not survive a crash: the service "
					     "manager's store: %s",
				       strerrordesc_np(-error))
				 : NULL;

	daemon_set_degraded(h->proxy->daemon, "handover", reason);
	if (reason != NULL)
		log_warn("%s", reason);
	free(reason);
}

void
handover_keep_listeners(struct handover *h)
{
	struct outbox out;
	int rc;

	if (!h->is_changed || !fdstore_exists())
		return;
	h->is_changed = false;
	h->set = free_set(h);
	outbox_init(
	    &out, handover_set_name(h->set), fdstore_max() - MIN(fdstore_max(), h->n_boxes));
	h->stored[h->set] = true;
	rc = store_set(h, &out);
	if (rc == 0)
		rc = fdstore_barrier(BARRIER_US);
	if (rc == 0) {
		let_go(h);
		h->n_boxes = out.n_stored;
	} else {
		fdstore_remove(handover_set_name(h->set));
		h->stored[h->set] = false;
	}
	outbox_done(&out);
	tell(h, rc);
}
