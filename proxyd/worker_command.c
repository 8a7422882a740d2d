/*
 * worker_command.c - what the control thread asks of a data thread: listeners come, change
 * hands and go, sessions are listed, ended, taken over.  See worker.h.
 */
#include "proxyd/worker_priv.h"

#include "common/text.h"
#include "proxyd/accept.h"
#include "proxyd/listener.h"
#include "proxyd/relay_tcp.h"
#include "proxyd/relay_udp.h"
#include "proxyd/roll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct binding *
worker_binding(struct worker *w, uint32_t id)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->id == id)
			return b;
	return NULL;
}

static void
attach(struct worker *w, const struct command *c)
{
	struct binding *b = xcalloc(1, sizeof(*b));

	b->listener = c->listener;
	b->fd = c->fd;
	b->route = c->route;
	b->id = w->next_binding++;
	TAILQ_INSERT_TAIL(&w->bindings, b, entry);
	if (c->listener->udp)
		relay_udp_attached(w, b);
	if (accept_watch(w, b, EPOLL_CTL_ADD, EPOLLIN) < 0)
		log_err("listener %s: epoll_ctl: %s", b->listener->name, strerrordesc_np(errno));
}

static void
forget_binding(struct worker *w, struct binding *b)
{
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, b->fd, NULL);
	TAILQ_REMOVE(&w->bindings, b, entry);
	route_unref(b->route);
	free(b);
}

/* Who is queued on it is not touched: the other thread has the same socket. */
static void
release(struct worker *w, const struct command *c)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry)
		if (b->listener == c->listener && b->fd == c->fd)
			break;
	if (b != NULL)
		forget_binding(w, b);
}

static void
set_route(struct worker *w, const struct command *c)
{
	struct binding *b;

	TAILQ_FOREACH (b, &w->bindings, entry) {
		if (b->listener != c->listener)
			continue;
		route_unref(b->route);
		b->route = c->route;
		route_ref(b->route);
	}
	route_unref(c->route); /* the command's own */
}

static void
detach(struct worker *w, struct listener *l)
{
	struct binding *b, *next;

	for (b = TAILQ_FIRST(&w->bindings); b != NULL; b = next) {
		next = TAILQ_NEXT(b, entry);
		if (b->listener != l)
			continue;
		if (!l->udp)
			accept_all(w, b);
		relay_udp_end(w, b, FLOW_SHUTDOWN); /* they answer through its socket */
		forget_binding(w, b);
		listener_detached(l);
	}
	w->wake(w->wake_aux);
}

void
worker_abort_all(struct worker *w, enum flow_reason reason)
{
	struct session *s;
	uint32_t index = 0;

	while ((s = session_each(&w->sessions, &index)) != NULL)
		relay_abort(w, s, reason);
	relay_udp_end(w, NULL, reason);
}

/* What the client knows as our address; an IPv4 client of an IPv6 socket as IPv4. */
static bool
is_local_address(int fd, const struct addr *addr)
{
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&sa;
	struct endpoint ep;

	if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0 ||
	    endpoint_from_sockaddr((const struct sockaddr *)&sa, &ep) < 0)
		return false;
	if (addr->family == AF_INET && sa.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
		return memcmp(&sin6->sin6_addr.s6_addr[12], addr->bytes, 4) == 0;
	return addr_equal(&ep.addr, addr);
}

static void
abort_lost(struct worker *w, const struct addr *addr)
{
	struct session *s;
	uint32_t index = 0;

	while ((s = session_each(&w->sessions, &index)) != NULL)
		if (is_local_address(s->fd[FLOW_CLIENT], addr))
			relay_abort(w, s, FLOW_ADDRESS_LOST);
	relay_udp_lost(w, addr);
}

/* A record of our own for each; what does not fit the table is reset. */
static void
adopt(struct worker *w, const struct command *c)
{
	for (size_t i = 0; i < c->n_adopted; i++)
		relay_adopt(w, &c->adopted[i]);
	free(c->adopted);
}

static void
obey(struct worker *w, const struct command *c)
{
	switch (c->kind) {
	case COMMAND_ATTACH:
		attach(w, c);
		break;
	case COMMAND_RELEASE:
		release(w, c);
		break;
	case COMMAND_ROUTE:
		set_route(w, c);
		break;
	case COMMAND_DETACH:
		detach(w, c->listener);
		break;
	case COMMAND_ABORT:
		worker_abort_all(w, c->reason);
		break;
	case COMMAND_ROLL:
		roll_answer(c->roll, w);
		break;
	case COMMAND_LOST:
		abort_lost(w, &c->addr);
		break;
	case COMMAND_ADOPT:
		adopt(w, c);
		break;
	case COMMAND_ADOPT_UDP:
		relay_udp_adopt(w, c->adopted_udp, c->n_adopted);
		free(c->adopted_udp);
		break;
	case COMMAND_DATAGRAM:
		__atomic_fetch_sub(&w->n_handed, 1, __ATOMIC_RELAXED);
		relay_udp_handed(w, c);
		free(c->datagram);
		break;
	case COMMAND_QUIESCE:
		w->quit = w->quiesced = true;
		break;
	case COMMAND_QUIT:
		w->quit = true;
		break;
	}
}

static struct command *
next_command(struct worker *w)
{
	struct command *c;

	pthread_mutex_lock(&w->lock);
	c = STAILQ_FIRST(&w->commands);
	if (c != NULL)
		STAILQ_REMOVE_HEAD(&w->commands, entry);
	pthread_mutex_unlock(&w->lock);
	return c;
}

void
worker_obey(struct worker *w)
{
	struct command *c;
	uint64_t count;

	if (read(w->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_err("eventfd: %s", strerrordesc_np(errno));
	while ((c = next_command(w)) != NULL) {
		obey(w, c);
		free(c);
	}
}

void
worker_send(struct worker *w, const struct command *command)
{
	struct command *c = xcalloc(1, sizeof(*c));
	const uint64_t one = 1;

	*c = *command;
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->commands, c, entry);
	pthread_mutex_unlock(&w->lock);
	if (write(w->event_fd, &one, sizeof(one)) < 0)
		log_err("eventfd: %s", strerrordesc_np(errno));
}
