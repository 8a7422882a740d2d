/*
 * relay_udp_server.c - where the datagrams of a session go: a server is chosen,
 * a socket connected to it, and left again (relay_udp.h).
 */
#include "proxyd/relay_udp_priv.h"

#include "proxyd/dial.h"
#include "proxyd/facts.h"
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/rules.h"

#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX 512 /* of a hash (guest.c) */

/* Where it comes from: proxy_bind, or as the client.  0 or -errno. */
static int
bind_source(struct worker *w, const struct udp_flow *f, unsigned n)
{
	const struct dial *dial = f->route->dial;
	int family = f->server->sockaddr.ss_family, rc = 0;
	struct endpoint as;

	if (dial != NULL) {
		dial_prepare(dial, f->fd);
		rc = dial_bind(dial, f->fd, family, n);
	}
	if (rc == 0 && f->guest != NULL && f->guest->transparent) {
		as = guest_source(f->guest);
		rc = dial_bind_as(&as, f->fd, family);
	}
	if (rc < 0)
		log_limited(&w->ports_log, w->now, LOG_ERR, "proxy_bind: %s", strerrordesc_np(-rc));
	return rc;
}

static int
connect_from(struct worker *w, struct udp_flow *f, unsigned n)
{
	const struct server *to = f->server;
	int rc;

	f->fd = socket(to->sockaddr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return -errno;
	rc = bind_source(w, f, n);
	if (rc < 0)
		return rc;
	if (connect(f->fd, (const struct sockaddr *)&to->sockaddr, to->sockaddr_size) < 0)
		return -errno;
	return udp_flow_watch(w, f);
}

/* udp(7): EAGAIN is that all ports are taken. */
static bool
is_out_of_ports(int error)
{
	return error == -EAGAIN || error == -EADDRNOTAVAIL || error == -EADDRINUSE;
}

/* Local addresses take turns; one whose ports are used up is followed by the next. */
static int
connect_server(struct worker *w, struct udp_flow *f)
{
	unsigned n = dial_sources(f->route->dial, f->server->sockaddr.ss_family);
	unsigned first = n > 1 ? w->next_source++ : 0;
	char address[ENDPOINT_STRLEN];
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		rc = connect_from(w, f, (first + i) % n);
		if (!is_out_of_ports(rc))
			break;
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
	}
	if (is_out_of_ports(rc))
		dial_say_no_port(server_where(f->server, address), n, w->now);
	return rc;
}

void
udp_leave_server(struct worker *w, struct udp_flow *f, enum flow_reason reason)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->server == NULL)
		return;
	if (reason != FLOW_REASON_NONE)
		tally_end(&f->server->tallies[w->number], reason);
	server_release(f->server);
	f->server = NULL;
}

static struct server *
pick(const struct worker *w, struct udp_flow *f, struct pick_tried *tried)
{
	const struct rules *rules = f->route->rules;
	struct pick_ask ask = { .tried = tried, .now = w->now };
	const struct stream_template *by = NULL;
	struct facts facts;
	char text[MAX(KEY_MAX, FACTS_VALUE_MAX)];
	size_t n;

	if (rules != NULL && rules->words->pass.n > 0 && f->up == NULL) {
		udp_learn(w, f, &facts);
		n = facts_render(&rules->words->pass, &facts, text, sizeof(text) - 1, ESCAPE_NONE);
		text[n] = '\0';
		f->up = rules_target(rules, text);
	}
	if (f->up == NULL && f->route->up == NULL)
		return NULL;
	if (rules != NULL)
		by = rules_key(rules, f->up != NULL ? f->up : f->route->up);
	if (by != NULL) {
		udp_learn(w, f, &facts);
		ask.key = text;
		ask.key_size = facts_render(by, &facts, text, KEY_MAX, ESCAPE_NONE);
	}
	return upstream_pick(f->up != NULL ? f->up : f->route->up, &ask);
}

static void
use_server(struct worker *w, struct udp_flow *f, struct server *s)
{
	f->server = s;
	f->tried = s->endpoint;
	f->has_tried = true;
	tally_add(&s->tallies[w->number].sessions, 1);
}

void
udp_blame(struct worker *w, struct udp_flow *f, int error)
{
	char what[96];

	snprintf(what, sizeof(what), "udp: %s", strerrordesc_np(-error));
	tally_add(&f->route->tally->connection_errors, 1);
	tally_add(&f->server->tallies[w->number].connection_errors, 1);
	server_failed(f->server, what, w->now);
}

/* Ours to be short of, and no fault of the server (socket(2), connect(2)). */
static bool
is_local_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM ||
	       error == -ENOSPC || error == -EPERM || error == -EACCES || is_out_of_ports(error);
}

/* The next server that can be connected to, or the end.  'tried' says who is out. */
bool
udp_find_server(struct worker *w, struct udp_flow *f, struct pick_tried *tried)
{
	struct server *s;
	int rc;

	while ((s = pick(w, f, tried)) != NULL) {
		udp_leave_server(w, f, FLOW_CONNECT_FAILED);
		use_server(w, f, s);
		rc = connect_server(w, f);
		if (rc == 0)
			return true;
		if (rc == -EAFNOSUPPORT)
			continue; /* proxy_bind as a client of another family: not asked at all */
		if (is_local_shortage(rc)) {
			if (!is_out_of_ports(rc))
				log_limited(&w->connect_log, w->now, LOG_WARNING, "udp session: %s",
				    strerrordesc_np(-rc));
			udp_flow_end(w, f, FLOW_RESOURCES);
			return false;
		}
		udp_blame(w, f, rc);
	}
	udp_flow_end(w, f, FLOW_NO_SERVER);
	return false;
}

/* Its server is down: to another, if there is one that is not. */
void
udp_leave_dead_server(struct worker *w, struct udp_flow *f)
{
	struct pick_tried tried = { 0 };
	struct server *s;

	if (__atomic_load_n(&f->server->health.state, __ATOMIC_RELAXED) == POOL_UP)
		return;
	s = pick(w, f, &tried);
	if (s == NULL)
		return;
	if (s == f->server) {
		server_release(s);
		return;
	}
	tally_add(&f->route->tally->retries, 1);
	udp_leave_server(w, f, FLOW_CONNECT_FAILED);
	use_server(w, f, s);
	if (connect_server(w, f) < 0)
		udp_flow_end(w, f, FLOW_RESOURCES);
}
