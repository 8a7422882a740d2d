/*
 * relay_udp_left.c - UDP sessions over a restart (relay_udp.h): a list of what
 * they are, and going on with those of the process before.
 */
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/relay_udp_priv.h"

#include "common/text.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- giving ---- */

static unsigned
socket_number(const struct udp_flow *f)
{
	const struct listener *l = f->binding->listener;
	unsigned i = 0;

	while (i < l->n_sockets && l->fds[i] != f->arrives_by)
		i++;
	return i;
}

void
relay_udp_list(const struct worker *w, void (*each)(void *aux, const struct udp_left *), void *aux)
{
	const struct udp_flow *f;

	if (w->udp == NULL)
		return;
	TAILQ_FOREACH (f, &w->udp->flows, entry) {
		struct udp_left left = { .listener = f->binding->listener,
			.socket = socket_number(f),
			.fd = f->fd,
			.route = f->route,
			.server = f->server,
			.local = f->local,
			.requests = f->requests,
			.responses = f->responses,
			.connection = f->connection,
			.bytes = { f->bytes[FLOW_CLIENT], f->bytes[FLOW_SERVER] },
			.began = f->began,
			.active = f->active,
			.is_current = f->is_hashed };

		memcpy(&left.client, &f->client, sizeof(left.client));
		each(aux, &left);
	}
}

size_t
relay_udp_leave(struct worker *w, size_t n)
{
	struct udp_flow *f;
	size_t left = 0;

	while (w->udp != NULL && left < n && (f = TAILQ_FIRST(&w->udp->flows)) != NULL) {
		udp_flow_end(w, f, FLOW_REASON_NONE);
		left++;
	}
	return left;
}

/* ---- taking ---- */

void
relay_udp_adopt(struct worker *w, const struct udp_left *left, size_t n)
{
	struct udp *u = udp_of(w);

	for (size_t i = 0; i < n; i++) {
		struct udp_flow *f = xcalloc(1, sizeof(*f));

		f->fd = left[i].fd;
		f->listener_fd = left[i].listener->fds[left[i].socket];
		f->home = left[i].home;
		f->route = left[i].route;
		f->server = left[i].server;
		memcpy(&f->client, &left[i].client, sizeof(f->client));
		f->local = left[i].local;
		f->requests = left[i].requests;
		f->responses = left[i].responses;
		f->began = left[i].began;
		f->active = left[i].active;
		f->connection = left[i].connection;
		memcpy(f->bytes, left[i].bytes, sizeof(f->bytes));
		f->up = f->server->up;
		f->tried = f->server->endpoint;
		f->has_tried = true;
		f->is_hashed = left[i].is_current; /* put into its bucket when it is attached */
		TAILQ_INSERT_TAIL(&u->waiting, f, entry);
		u->n_flows++;
		udp_counted(w);
	}
}

static void
arm_adopted(struct worker *w, struct udp_flow *f)
{
	udp_flow_arm(w, f);
	if (f->timer.is_set)
		wheel_set(&w->udp->wheel, &f->timer,
		    mono_max(f->timer.deadline, mono_add(w->now, WORKER_ADOPTED_US)));
}

static void
go_on(struct worker *w, struct binding *b, struct udp_flow *f)
{
	struct udp *u = w->udp;
	struct udp_datagram d = { .local = f->local };
	struct endpoint client, local = udp_local_endpoint(b, &f->local);

	memcpy(&d.from, &f->client, sizeof(d.from));
	f->binding = b;
	f->arrives_by = b->fd;
	f->key = udp_key_of(b, &d);
	TAILQ_REMOVE(&u->waiting, f, entry);
	TAILQ_INSERT_TAIL(&u->flows, f, entry);
	if (f->route->rules != NULL && endpoint_from_sockaddr(&d.from.sa, &client) == 0)
		f->guest = guest_readmit(w, f->route, &client, &local);
	if (f->is_hashed)
		udp_flow_hash(u, f);
	if (udp_flow_watch(w, f) < 0)
		udp_flow_end(w, f, FLOW_HANDOVER);
	else
		arm_adopted(w, f);
}

void
relay_udp_attached(struct worker *w, struct binding *b)
{
	struct udp_flow *f, *next;

	if (w->udp == NULL)
		return;
	for (f = TAILQ_FIRST(&w->udp->waiting); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (f->listener_fd == b->fd)
			go_on(w, b, f);
	}
}

/* Their socket was not attached, which is not asked for: for completeness. */
void
udp_drop_waiting(struct worker *w)
{
	struct udp_flow *f;

	while ((f = TAILQ_FIRST(&w->udp->waiting)) != NULL) {
		TAILQ_REMOVE(&w->udp->waiting, f, entry);
		TAILQ_INSERT_TAIL(&w->udp->flows, f, entry);
		f->is_hashed = false;
		udp_flow_end(w, f, FLOW_HANDOVER);
	}
}
