/*
 * lookup.c - see lookup.h.
 */
#include "proxyd/lookup.h"

#include "common/mono.h"
#include "common/util.h"
#include "common/wire.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65535
#define ROUNDS	    2	/* of questions to all name servers */
#define TTL_MAX_S   300 /* a server that is gone shall not be known for a day */

/* ---- putting in order ---- */

static int
compare(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int d = addr_cmp(&x->at.addr, &y->at.addr);

	if (d == 0)
		d = (int)x->at.port - (int)y->at.port;
	return d != 0 ? d : (int)x->backup - (int)y->backup; /* the better one is kept */
}

static void
settle(struct answer *a)
{
	size_t kept = 0;

	qsort(a->targets, a->n, sizeof(*a->targets), compare);
	for (size_t i = 0; i < a->n; i++)
		if (kept == 0 || !endpoint_equal(&a->targets[i].at, &a->targets[kept - 1].at))
			a->targets[kept++] = a->targets[i];
	a->n = kept;
	if (kept == 0 && a->why == NULL)
		a->why = "no address";
}

bool
answer_equal(const struct answer *a, const struct answer *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!endpoint_equal(&a->targets[i].at, &b->targets[i].at) ||
		    a->targets[i].weight != b->targets[i].weight ||
		    a->targets[i].backup != b->targets[i].backup)
			return false;
	return true;
}

/* ---- questions ---- */

/* One answer in the making, and who is asked for it. */
struct lookup {
	const struct resolver_conf *of;
	struct __res_state state;
	uint8_t *bytes; /* the last message */
	ns_msg message;
	struct answer answer;
};

/* The address of a name server that is given by name: the first that the system knows. */
static bool
find_name_server(const struct name_server *ns, struct endpoint *ret)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	bool found;

	*ret = ns->at;
	if (ns->host[0] == '\0')
		return true;
	if (getaddrinfo(ns->host, NULL, &hints, &list) != 0)
		return false;
	found = endpoint_from_sockaddr(list->ai_addr, ret) == 0;
	freeaddrinfo(list);
	ret->port = ns->at.port;
	return found;
}

/* Its IPv6 servers are in a part of the state that res_nclose() frees (resolv.h). */
static void
add_name_server(struct __res_state *state, const struct endpoint *ep)
{
	struct sockaddr_storage ss;
	socklen_t size = endpoint_to_sockaddr(ep, &ss);
	void *copy;

	if (ep->addr.family == AF_INET) {
		memcpy(&state->nsaddr_list[state->nscount++], &ss, size);
	} else if ((copy = malloc(sizeof(struct sockaddr_in6))) != NULL) {
		memcpy(copy, &ss, sizeof(struct sockaddr_in6));
		state->nsaddr_list[state->nscount] = (struct sockaddr_in){ 0 };
		free(state->_u._ext.nsaddrs[state->nscount]);
		state->_u._ext.nsaddrs[state->nscount++] = copy;
	}
}

/* Its own name servers instead of resolv.conf's; false: none has an address. */
static bool
use_name_servers(struct lookup *l)
{
	struct __res_state *state = &l->state;
	struct endpoint ep;

	state->nscount = 0;
	state->_u._ext.nscount = 0; /* made anew from what follows */
	for (size_t i = 0; i < l->of->n; i++)
		if (find_name_server(&l->of->servers[i], &ep))
			add_name_server(state, &ep);
	state->retry = ROUNDS;
	state->retrans = (int)MAX(l->of->timeout_us / USEC_PER_SEC / ROUNDS / (int64_t)l->of->n, 1);
	return state->nscount > 0;
}

static void
fail(struct lookup *l, const char *why)
{
	l->answer = (struct answer){ .why = why };
}

static bool
begin(struct lookup *l, const struct resolver_conf *of)
{
	*l = (struct lookup){ .of = of, .bytes = malloc(MESSAGE_MAX) };
	if (l->bytes == NULL || res_ninit(&l->state) < 0) {
		free(l->bytes);
		fail(l, "out of memory");
		return false;
	}
	l->answer.ttl_s = TTL_MAX_S;
	if (of->n == 0 || use_name_servers(l))
		return true;
	fail(l, "no name server has an address");
	res_nclose(&l->state);
	free(l->bytes);
	return false;
}

static const char *
why_not(int error)
{
	switch (error) {
	case HOST_NOT_FOUND:
		return "no such name";
	case NO_DATA:
		return "no record of that type";
	}
	return "no name server answers";
}

/* Ask, and be ready to read; NULL, or why not. */
static const char *
question(struct lookup *l, const char *name, ns_type type)
{
	int n = res_nquery(&l->state, name, ns_c_in, type, l->bytes, MESSAGE_MAX);

	if (n < 0)
		return why_not(l->state.res_h_errno);
	if (ns_initparse(l->bytes, MIN(n, MESSAGE_MAX), &l->message) < 0)
		return "an answer that makes no sense";
	return NULL;
}

/* An answer is no longer good when its first record is not. */
static void
take_ttl(struct lookup *l, unsigned ttl_s)
{
	l->answer.ttl_s = MIN(l->answer.ttl_s, MAX(ttl_s, 1));
}

static void
end(struct lookup *l, struct answer *ret)
{
	res_nclose(&l->state);
	free(l->bytes);
	if (l->of->n > 0 && l->of->valid_us > 0)
		l->answer.ttl_s = (unsigned)MIN(l->of->valid_us / USEC_PER_SEC, TTL_MAX_S);
	settle(&l->answer);
	*ret = l->answer;
}

/* ---- addresses ---- */

/* What became of a question for addresses. */
enum outcome {
	FOUND,
	IS_NOT,	 /* there are none, for sure */
	NOT_NOW, /* nobody can say */
};

static void
add_address(struct lookup *l, const struct target *like, const struct endpoint *at)
{
	struct answer *a = &l->answer;

	if (a->n == LOOKUP_MAX)
		return;
	a->targets[a->n] = *like;
	a->targets[a->n++].at.addr = at->addr;
}

/* getaddrinfo(3), each address as 'like'. */
static enum outcome
ask_system(struct lookup *l, const char *name, const struct target *like)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(name, NULL, &hints, &list);
	struct endpoint at;

	if (rc != 0) {
		l->answer.why = gai_strerror(rc);
		return rc == EAI_AGAIN || rc == EAI_SYSTEM || rc == EAI_MEMORY ? NOT_NOW : IS_NOT;
	}
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		if (endpoint_from_sockaddr(ai->ai_addr, &at) == 0)
			add_address(l, like, &at);
	freeaddrinfo(list);
	return FOUND;
}

/* The records of one family; those of other types (CNAME) are passed over. */
static enum outcome
ask_family(struct lookup *l, const char *name, int family, const struct target *like)
{
	ns_type type = family == AF_INET ? ns_t_a : ns_t_aaaa;
	const char *why = question(l, name, type);
	ns_rr rr;

	if (why != NULL) {
		l->answer.why = why;
		return l->state.res_h_errno == HOST_NOT_FOUND || l->state.res_h_errno == NO_DATA
			   ? IS_NOT
			   : NOT_NOW;
	}
	for (int i = 0; i < ns_msg_count(l->message, ns_s_an); i++) {
		struct endpoint at = { .addr.family = (uint8_t)family };

		if (ns_parserr(&l->message, ns_s_an, i, &rr) < 0 || ns_rr_type(rr) != type ||
		    ns_rr_rdlen(rr) != addr_size(&at.addr))
			continue;
		memcpy(at.addr.bytes, ns_rr_rdata(rr), ns_rr_rdlen(rr));
		take_ttl(l, ns_rr_ttl(rr));
		add_address(l, like, &at);
	}
	return FOUND;
}

/* A question that was lost spoils both: half of the servers must not vanish by it. */
static enum outcome
add_addresses(struct lookup *l, const char *name, const struct target *like)
{
	enum outcome four = IS_NOT, six = IS_NOT;

	if (l->of->n == 0)
		return ask_system(l, name, like);
	if (!l->of->no_ipv4)
		four = ask_family(l, name, AF_INET, like);
	if (!l->of->no_ipv6 && four != NOT_NOW)
		six = ask_family(l, name, AF_INET6, like);
	if (four == NOT_NOW || six == NOT_NOW)
		return NOT_NOW;
	return four == FOUND || six == FOUND ? FOUND : IS_NOT;
}

void
lookup_addresses(const char *name, const struct resolver_conf *of, struct answer *ret)
{
	static const struct target plain;
	struct lookup l;

	if (!begin(&l, of)) {
		*ret = l.answer;
		return;
	}
	if (add_addresses(&l, name, &plain) != FOUND)
		fail(&l, l.answer.why);
	if (of->n == 0)
		l.answer.ttl_s = 0;
	end(&l, ret);
}

/* ---- services ---- */

struct service {
	uint16_t priority, weight, port;
	unsigned ttl_s;
	char name[NS_MAXDNAME];
};

/* The n-th record of the answer; false: it is no SRV record that we can read. */
static bool
read_record(ns_msg *message, int n, struct service *ret)
{
	ns_rr rr;
	const uint8_t *data;

	if (ns_parserr(message, ns_s_an, n, &rr) < 0 || ns_rr_type(rr) != ns_t_srv ||
	    ns_rr_rdlen(rr) < 7)
		return false;
	data = ns_rr_rdata(rr);
	ret->ttl_s = ns_rr_ttl(rr);
	ret->priority = wire_get16(data);
	ret->weight = wire_get16(data + 2);
	ret->port = wire_get16(data + 4);
	return ret->port != 0 && dn_expand(ns_msg_base(*message), ns_msg_end(*message), data + 6,
				     ret->name, sizeof(ret->name)) > 0;
}

static unsigned
best_priority(ns_msg *message)
{
	unsigned best = UINT16_MAX;
	struct service s;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++)
		if (read_record(message, i, &s))
			best = MIN(best, s.priority);
	return best;
}

/* All of the message, before its place is taken by the next one: at most LOOKUP_MAX. */
static size_t
read_records(ns_msg *message, struct service *ret)
{
	size_t n = 0;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an) && n < LOOKUP_MAX; i++)
		if (read_record(message, i, &ret[n]))
			n++;
	return n;
}

/* "." as the name: the service is decidedly not there (RFC 2782). */
static void
add_services(struct lookup *l, struct service *services)
{
	unsigned best = best_priority(&l->message);
	size_t n = read_records(&l->message, services);

	for (size_t i = 0; i < n; i++) {
		const struct service *s = &services[i];
		struct target like = { 0 };

		if (s->name[0] == '\0')
			continue;
		like.at.port = s->port;
		like.weight = MAX(s->weight, 1);
		like.backup = s->priority != best;
		take_ttl(l, s->ttl_s);
		if (add_addresses(l, s->name, &like) == NOT_NOW) {
			fail(l, l->answer.why);
			return;
		}
	}
}

void
lookup_service(const char *name, const struct resolver_conf *of, struct answer *ret)
{
	struct service *services;
	struct lookup l;
	const char *why;

	if (!begin(&l, of)) {
		*ret = l.answer;
		return;
	}
	services = malloc(LOOKUP_MAX * sizeof(*services));
	why = services != NULL ? question(&l, name, ns_t_srv) : "out of memory";
	if (why != NULL)
		fail(&l, why);
	else
		add_services(&l, services);
	free(services);
	end(&l, ret);
}
