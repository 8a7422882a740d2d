/*
 * guest.c - see guest.h.
 */
#include "proxyd/guest.h"

#include "proxyd/facts.h"
#include "proxyd/listener.h"
#include "proxyd/rules.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KEY_MAX 512 /* of a hash; what is longer is cut, for everybody in the same way */

/* ---- who it is ---- */

static void
ask_socket(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), struct endpoint *ret)
{
	struct sockaddr_storage ss;
	socklen_t size = sizeof(ss);

	if (ask(fd, (struct sockaddr *)&ss, &size) == 0)
		endpoint_from_sockaddr((struct sockaddr *)&ss, ret);
}

static int
peer_name(int fd, struct sockaddr *sa, socklen_t *size)
{
	return getpeername(fd, sa, size);
}

static int
own_name(int fd, struct sockaddr *sa, socklen_t *size)
{
	return getsockname(fd, sa, size);
}

struct endpoint
guest_client(const struct session *s)
{
	struct endpoint ep = { 0 };

	if (s->guest != NULL)
		return s->guest->client;
	ask_socket(s->fd[FLOW_CLIENT], peer_name, &ep);
	return ep;
}

static void
tell(const struct guest *g, struct facts *f)
{
	f->client = g->client;
	f->peer = g->peer;
	f->local = g->local;
	f->proxied = g->proxied;
}

static void
learn(const struct session *s, struct facts *f)
{
	*f = (struct facts){ .connection = s->index, .hostname = "" };
	if (s->guest != NULL) {
		tell(s->guest, f);
		return;
	}
	ask_socket(s->fd[FLOW_CLIENT], peer_name, &f->peer);
	ask_socket(s->fd[FLOW_CLIENT], own_name, &f->local);
	f->client = f->peer;
}

static struct guest *
guest_new(struct worker *w, const struct session *s)
{
	const struct client_conf *conf = s->route->rules->client;
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	ask_socket(s->fd[FLOW_CLIENT], peer_name, &g->peer);
	ask_socket(s->fd[FLOW_CLIENT], own_name, &g->local);
	g->client = g->peer;
	g->announce = conf->announce;
	g->transparent = conf->transparent;
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++)
		rate_init(&g->rates[side], conf->rates[side], w->now);
	return g;
}

/* ---- the PROXY header ---- */

static void
say_bad_header(struct worker *w, const struct session *s, const char *why)
{
	char peer[ENDPOINT_STRLEN];

	log_limited(&w->guest_log, w->now, LOG_INFO, "listener %s: client %s: %s",
	    s->route->listener->name, endpoint_format(&s->guest->peer, peer), why);
}

/* An end before the header: of a client that said nothing it is no fault. */
static enum guest_word
ended_early(struct worker *w, const struct session *s, ssize_t n, enum flow_reason *ret_reason)
{
	if (n > 0)
		say_bad_header(w, s, "ended within its PROXY header");
	*ret_reason = n > 0 ? FLOW_BAD_HEADER : FLOW_CLIENT_FIN;
	return GUEST_LEAVE;
}

static void
believe(struct guest *g, const struct client_conf *conf, const struct proxyproto *p)
{
	g->proxied = p->source;
	g->proxied_to = p->destination;
	if (p->source.addr.family != AF_UNSPEC && client_is_trusted(conf, &g->peer.addr))
		g->client = p->source;
}

static enum guest_word
read_header(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	enum proxyproto_error error;
	struct proxyproto p;
	ssize_t n = recv(s->fd[FLOW_CLIENT], w->buffer, PROXYPROTO_MAX, MSG_PEEK);
	int size;

	if (n < 0 && errno == EAGAIN)
		return GUEST_WAIT;
	if (n < 0) {
		*ret_reason = FLOW_CLIENT_RST;
		return GUEST_LEAVE;
	}
	size = proxyproto_parse(w->buffer, (size_t)n, &p, &error);
	if (size < 0) {
		say_bad_header(w, s, proxyproto_error_str(error));
		*ret_reason = FLOW_BAD_HEADER;
		return GUEST_LEAVE;
	}
	if (size == 0) /* peeking does not tell an end behind something */
		return n == 0 || s->flow.half[FLOW_CLIENT].hup ? ended_early(w, s, n, ret_reason)
							       : GUEST_WAIT;
	if (recv(s->fd[FLOW_CLIENT], w->buffer, (size_t)size, 0) != size) {
		*ret_reason = FLOW_CLIENT_RST;
		return GUEST_LEAVE;
	}
	believe(s->guest, s->route->rules->client, &p);
	return GUEST_WELCOME;
}

/* ---- limits ---- */

static void
give_back(struct guest *g)
{
	while (g->n_held > 0)
		limit_give(g->held[--g->n_held]);
}

/* In nginx's words: people look for them. */
static void
say_limit(struct worker *w, const struct route *r, const struct guest *g,
    const struct limit_conf *l, int rc)
{
	const struct client_conf *conf = r->rules->client;
	char client[ENDPOINT_STRLEN];

	log_limited(&w->guest_log, w->now, conf->limit_log_level,
	    "limiting connections%s by zone \"%s\"%s, client: %s, listener %s",
	    conf->limit_dry_run ? ", dry run," : "", l->zone,
	    rc == -ENOSPC ? ", which is full" : "", endpoint_format(&g->client, client),
	    r->listener->name);
}

/* All zones or none.  'anyway': it was let in before, and counts whatever the limit is. */
static bool
take_limits(struct worker *w, const struct route *r, struct guest *g, bool udp, bool anyway)
{
	const struct client_conf *conf = r->rules->client;
	struct facts facts = { .udp = udp, .hostname = "" };

	if (conf->n_limits == 0)
		return true;
	tell(g, &facts);
	for (size_t i = 0; i < conf->n_limits; i++) {
		const struct limit_conf *l = &conf->limits[i];
		char key[LIMIT_KEY_MAX];
		size_t n = facts_render(&l->key, &facts, key, sizeof(key), ESCAPE_NONE);
		int rc = limit_take(
		    r->rules->zones[i], key, n, anyway ? UINT_MAX : l->max, &g->held[g->n_held]);

		if (rc == 0) {
			g->n_held += g->held[g->n_held] != NULL;
			continue;
		}
		say_limit(w, r, g, l, rc);
		give_back(g);
		return conf->limit_dry_run || anyway;
	}
	return true;
}

/* ---- the whole ---- */

static enum guest_word
judge(struct worker *w, const struct route *r, struct guest *g, bool udp,
    enum flow_reason *ret_reason)
{
	if (!client_is_allowed(r->rules->client, &g->client.addr)) {
		*ret_reason = FLOW_DENIED;
		return GUEST_LEAVE;
	}
	if (!take_limits(w, r, g, udp, false)) {
		*ret_reason = FLOW_LIMIT;
		return GUEST_LEAVE;
	}
	return GUEST_WELCOME;
}

enum guest_word
guest_greet(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	const struct rules *rules = s->route->rules;
	enum guest_word word = GUEST_WELCOME;

	if (!rules_greet(rules))
		return GUEST_WELCOME;
	if (s->guest == NULL && (s->guest = guest_new(w, s)) == NULL) {
		*ret_reason = FLOW_RESOURCES;
		return GUEST_LEAVE;
	}
	if (rules->proxy_protocol)
		word = read_header(w, s, ret_reason);
	return word == GUEST_WELCOME ? judge(w, s->route, s->guest, false, ret_reason) : word;
}

void
guest_free(struct guest *g)
{
	if (g == NULL)
		return;
	give_back(g);
	free(g);
}

void
guest_done(struct session *s)
{
	guest_free(s->guest);
	s->guest = NULL;
}

/* ---- of datagrams ---- */

static struct guest *
guest_of_datagrams(
    const struct route *r, const struct endpoint *client, const struct endpoint *local)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->client = g->peer = *client;
	g->local = *local;
	g->announce = r->rules->client->announce;
	return g;
}

enum guest_word
guest_admit(struct worker *w, const struct route *r, const struct endpoint *client,
    const struct endpoint *local, struct guest **ret, enum flow_reason *ret_reason)
{
	struct guest *g;

	if (!rules_greet(r->rules))
		return GUEST_WELCOME;
	g = guest_of_datagrams(r, client, local);
	*ret_reason = FLOW_RESOURCES;
	if (g != NULL && judge(w, r, g, true, ret_reason) == GUEST_WELCOME) {
		*ret = g;
		return GUEST_WELCOME;
	}
	guest_free(g);
	return GUEST_LEAVE;
}

struct guest *
guest_readmit(struct worker *w, const struct route *r, const struct endpoint *client,
    const struct endpoint *local)
{
	struct guest *g = rules_greet(r->rules) ? guest_of_datagrams(r, client, local) : NULL;

	if (g != NULL)
		take_limits(w, r, g, true, true);
	return g;
}

int64_t
guest_timeout_us(const struct session *s)
{
	return s->route->rules->client->header_timeout_us;
}

/* ---- rates ---- */

uint32_t
guest_allows(struct guest *g, enum flow_side from, uint32_t wanted, mono_t now)
{
	return rate_allows(&g->rates[from], wanted, now);
}

void
guest_spent(struct guest *g, enum flow_side from, uint32_t n)
{
	rate_spend(&g->rates[from], n);
}

mono_t
guest_held(const struct guest *g)
{
	return mono_min(g->rates[FLOW_CLIENT].held, g->rates[FLOW_SERVER].held);
}

/* ---- towards servers ---- */

/* Whom the client meant to reach goes with who it is: both as the same header said. */
size_t
guest_preface(const struct guest *g, bool dgram, uint8_t buf[static PROXYPROTO_COMPOSED_MAX])
{
	bool believed;

	if (g == NULL || g->announce == 0)
		return 0;
	believed = g->proxied.addr.family != AF_UNSPEC && endpoint_equal(&g->client, &g->proxied);
	return proxyproto_compose(
	    g->announce, &g->client, believed ? &g->proxied_to : &g->local, dgram, buf);
}

struct server *
guest_pick(struct worker *w, struct session *s)
{
	const struct rules *rules = s->route->rules;
	char key[KEY_MAX];
	struct facts facts;
	size_t n = 0;

	if (rules != NULL && rules->key.n > 0) {
		learn(s, &facts);
		n = facts_render(&rules->key, &facts, key, sizeof(key), ESCAPE_NONE);
	}
	return upstream_pick(s->route->up,
	    &(struct pick_ask){ .tried = &s->tried, .key = key, .key_size = n, .now = w->now });
}
