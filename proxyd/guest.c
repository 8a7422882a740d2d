/*
 * guest.c - see guest.h.
 */
#include "proxyd/guest.h"

#include "proxyd/clienthello.h"
#include "proxyd/facts.h"
#include "proxyd/listener.h"
#include "proxyd/rules.h"
#include "proxyd/story.h"

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
tell(const struct guest *g, const struct route *r, struct facts *f)
{
	f->words = r->rules != NULL ? r->rules->words : NULL;
	f->client = g->client;
	f->peer = g->peer;
	f->local = g->local;
	f->proxied = g->proxied;
	f->proxied_to = g->proxied_to;
	f->tlvs = g->tlvs;
	f->tlvs_size = g->tlvs_size;
	f->server_name = g->server_name;
	f->alpn = g->alpn;
	f->tls_protocol = g->tls_protocol;
	if (g->story != NULL)
		f->connection = g->story->connection;
}

void
guest_facts(const struct session *s, struct facts *f)
{
	*f = (struct facts){ .first_byte_us = -1 };
	if (s->guest != NULL) {
		tell(s->guest, s->route, f);
		return;
	}
	f->words = s->route->rules != NULL ? s->route->rules->words : NULL;
	ask_socket(s->fd[FLOW_CLIENT], peer_name, &f->peer);
	ask_socket(s->fd[FLOW_CLIENT], own_name, &f->local);
	f->client = f->peer;
}

/* For variables that are worked out before its end. */
static void
learn(const struct worker *w, const struct session *s, struct facts *f)
{
	guest_facts(s, f);
	story_world(f);
	f->session_us = mono_until(s->began, w->now);
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
	g->transparent_port = conf->transparent_port;
	g->stage = s->route->rules->proxy_protocol ? GUEST_HEADER : GUEST_JUDGED;
	g->waits_anew = true;
	g->story = story_new(w, s->route);
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

void
guest_keep_tlvs(struct guest *g, const uint8_t *tlvs, size_t size)
{
	g->tlvs = size > 0 ? malloc(size) : NULL;
	if (g->tlvs == NULL)
		return;
	memcpy(g->tlvs, tlvs, size);
	g->tlvs_size = size;
}

static void
believe(struct guest *g, const struct client_conf *conf, const struct proxyproto *p,
    const uint8_t *header)
{
	guest_keep_tlvs(g, header + p->tlvs_at, p->tlvs_size);
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
	believe(s->guest, s->route->rules->client, &p, w->buffer);
	return GUEST_WELCOME;
}

/* ---- limits ---- */

void
guest_give_back(struct guest *g)
{
	while (g != NULL && g->n_held > 0)
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
	struct facts facts = { .udp = udp, .first_byte_us = -1 };

	if (conf->n_limits == 0)
		return true;
	tell(g, r, &facts);
	story_world(&facts);
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
		guest_give_back(g);
		return conf->limit_dry_run || anyway;
	}
	return true;
}

/* ---- ssl_preread ---- */

static void
note_hello(struct guest *g, const struct clienthello *h)
{
	free(g->server_name);
	free(g->alpn);
	g->server_name = strdup(h->server_name); /* without memory for it nothing was found */
	g->alpn = strdup(h->alpn);
	g->tls_protocol = h->protocol;
}

static void
forget_hello(struct guest *g)
{
	free(g->server_name);
	free(g->alpn);
	g->server_name = g->alpn = NULL;
	g->tls_protocol = NULL;
}

/* The hello stays in the socket: the server gets it as it came. */
static enum guest_word
preread(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	static const struct clienthello nothing = { .protocol = "" };
	const struct rules *rules = s->route->rules;
	struct clienthello h;
	ssize_t n = recv(s->fd[FLOW_CLIENT], w->buffer, rules->preread_size, MSG_PEEK);

	if (n < 0 && errno == EAGAIN)
		return GUEST_WAIT;
	*ret_reason = n < 0 ? FLOW_CLIENT_RST : FLOW_CLIENT_FIN;
	if (n <= 0)
		return GUEST_LEAVE;
	switch (clienthello_parse(w->buffer, (size_t)n, &h)) {
	case CLIENTHELLO_YES:
		note_hello(s->guest, &h);
		return GUEST_WELCOME;
	case CLIENTHELLO_NO:
		forget_hello(s->guest);
		return GUEST_WELCOME;
	case CLIENTHELLO_MORE:
		break;
	}
	if (s->guest->tls_protocol == NULL)
		note_hello(s->guest, &nothing); /* as nginx has it: looked at, nothing found yet */
	if ((size_t)n == rules->preread_size) {
		*ret_reason = FLOW_PREREAD_FULL;
		return GUEST_LEAVE;
	}
	return s->flow.half[FLOW_CLIENT].hup ? GUEST_LEAVE : GUEST_WAIT;
}

/* ---- return ---- */

#define ANSWER_MAX	 (16 * 1024)
#define LINGER_US	 (2 * USEC_PER_SEC) /* what it still sends may not turn the end into a reset */
#define LINGER_READS_MAX 16

static enum guest_word
answer(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	struct guest *g = s->guest;
	char text[ANSWER_MAX];
	struct facts facts;
	size_t size;
	ssize_t n = 0;

	learn(w, s, &facts);
	size = facts_render(
	    &s->route->rules->words->answer, &facts, text, sizeof(text), ESCAPE_NONE);
	if (size > g->answered)
		n = send(s->fd[FLOW_CLIENT], text + g->answered, size - g->answered, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return GUEST_WAIT;
	if (n < 0) {
		*ret_reason = FLOW_CLIENT_RST;
		return GUEST_LEAVE;
	}
	g->answered += (uint32_t)n;
	tally_add(&s->route->tally->bytes_out, (uint64_t)n);
	if (g->answered < size)
		return GUEST_WAIT;
	shutdown(s->fd[FLOW_CLIENT], SHUT_WR);
	return GUEST_CONTENT;
}

static enum guest_word
linger(struct worker *w, struct session *s)
{
	for (int i = 0; i < LINGER_READS_MAX; i++) {
		ssize_t n = recv(s->fd[FLOW_CLIENT], w->buffer, WORKER_READ_SIZE, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return GUEST_CONTENT;
		if (n < 0)
			return GUEST_WAIT;
	}
	return GUEST_CONTENT; /* it sends and sends: the text is on its way before all that */
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

static enum guest_word
do_stage(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	switch (s->guest->stage) {
	case GUEST_HEADER:
		return read_header(w, s, ret_reason);
	case GUEST_JUDGED:
		story_begins(w, s);
		return judge(w, s->route, s->guest, false, ret_reason);
	case GUEST_PREREAD:
		return preread(w, s, ret_reason);
	case GUEST_KNOWN:
		return GUEST_WELCOME;
	case GUEST_ANSWER:
		return answer(w, s, ret_reason);
	case GUEST_LINGER:
		return linger(w, s);
	}
	return GUEST_WELCOME;
}

/* What follows; the same stage: nothing does. */
static enum guest_stage
next_stage(const struct rules *rules, enum guest_stage stage)
{
	switch (stage) {
	case GUEST_HEADER:
		return GUEST_JUDGED;
	case GUEST_JUDGED:
		return rules->preread ? GUEST_PREREAD : next_stage(rules, GUEST_PREREAD);
	case GUEST_PREREAD:
		return rules->words->returns ? GUEST_ANSWER : GUEST_KNOWN;
	case GUEST_ANSWER:
		return GUEST_LINGER;
	default:
		return stage;
	}
}

enum guest_word
guest_greet(struct worker *w, struct session *s, enum flow_reason *ret_reason)
{
	const struct rules *rules = s->route->rules;
	struct guest *g;
	enum guest_word word;

	if (!rules_greet(rules))
		return GUEST_WELCOME;
	if (s->guest == NULL && (s->guest = guest_new(w, s)) == NULL) {
		*ret_reason = FLOW_RESOURCES;
		return GUEST_LEAVE;
	}
	g = s->guest;
	for (;;) {
		enum guest_stage next = next_stage(rules, g->stage);

		word = do_stage(w, s, ret_reason);
		if (word == GUEST_WAIT || word == GUEST_LEAVE || next == g->stage)
			return word;
		g->stage = next;
		g->waits_anew = true;
	}
}

void
guest_free(struct guest *g)
{
	if (g == NULL)
		return;
	guest_give_back(g);
	story_free(g->story);
	free(g->tlvs);
	forget_hello(g);
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
    const struct route *r, const struct endpoint *client, const struct endpoint *local, mono_t now)
{
	const struct client_conf *conf = r->rules->client;
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->client = g->peer = *client;
	g->local = *local;
	g->announce = conf->announce;
	g->transparent = conf->transparent;
	g->transparent_port = conf->transparent_port;
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++)
		rate_init(&g->rates[side], conf->rates[side], now);
	return g;
}

enum guest_word
guest_admit(struct worker *w, const struct route *r, const struct endpoint *client,
    const struct endpoint *local, struct guest **ret, enum flow_reason *ret_reason)
{
	struct guest *g;

	if (!rules_greet(r->rules))
		return GUEST_WELCOME;
	g = guest_of_datagrams(r, client, local, w->now);
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
	struct guest *g = rules_greet(r->rules) ? guest_of_datagrams(r, client, local, w->now)
						: NULL;

	if (g == NULL)
		return NULL;
	take_limits(w, r, g, true, true);
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++)
		g->rates[side].credit = 0; /* what it had was perhaps used up */
	return g;
}

int64_t
guest_timeout_us(const struct session *s)
{
	const struct rules *rules = s->route->rules;

	if (s->guest->stage == GUEST_HEADER)
		return rules->client->header_timeout_us;
	return s->guest->stage == GUEST_LINGER ? LINGER_US : rules->preread_timeout_us;
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

struct endpoint
guest_source(const struct guest *g)
{
	return (struct endpoint){ .addr = g->client.addr,
		.port = g->transparent_port ? g->client.port : 0 };
}

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

struct upstream *
guest_up(const struct session *s)
{
	return s->guest != NULL && s->guest->up != NULL ? s->guest->up : s->route->up;
}

/* proxy_pass with variables: worked out once, when all that a client says first is known. */
static void
find_up(struct worker *w, struct session *s, const struct facts *facts)
{
	const struct rules *rules = s->route->rules;
	char name[FACTS_VALUE_MAX];
	size_t n = facts_render(&rules->words->pass, facts, name, sizeof(name) - 1, ESCAPE_NONE);

	name[n] = '\0';
	s->guest->up = rules_target(rules, name);
	if (s->guest->up == NULL)
		log_limited(&w->guest_log, w->now, LOG_INFO,
		    "listener %s: there is no upstream or server '%.128s' (%s)",
		    s->route->listener->name, name, rules->words->pass.text);
}

struct server *
guest_pick(struct worker *w, struct session *s)
{
	const struct rules *rules = s->route->rules;
	const struct stream_template *by = NULL;
	char key[KEY_MAX];
	struct facts facts;
	size_t n = 0;

	if (rules != NULL && rules->words->pass.n > 0 && s->guest->up == NULL) {
		learn(w, s, &facts);
		find_up(w, s, &facts);
	}
	if (guest_up(s) == NULL)
		return NULL;
	if (rules != NULL)
		by = rules_key(rules, guest_up(s));
	if (by != NULL) {
		learn(w, s, &facts);
		n = facts_render(by, &facts, key, sizeof(key), ESCAPE_NONE);
	}
	return upstream_pick(guest_up(s),
	    &(struct pick_ask){ .tried = &s->tried, .key = key, .key_size = n, .now = w->now });
}
