/*
 * lookup.c - see lookup.h.
 */
#include "proxyd/lookup.h"

#include "common/mono.h"
#include "common/util.h"
#include "common/wire.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65535
#define ROUNDS	    2 /* of questions to all name servers */

/* ---- questions ---- */

/* One answer in the making (answer.h), and who is asked for it. */
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

static bool
begin(struct lookup *l, const struct resolver_conf *of)
{
	*l = (struct lookup){ .of = of, .bytes = malloc(MESSAGE_MAX) };
	if (l->bytes == NULL || res_ninit(&l->state) < 0) {
		free(l->bytes);
		answer_fail(&l->answer, "out of memory");
		return false;
	}
	answer_begin(&l->answer);
	if (of->n == 0 || use_name_servers(l))
		return true;
	answer_fail(&l->answer, "no name server has an address");
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

/* told: name servers said how long it holds. */
static void
end(struct lookup *l, bool told, struct answer *ret)
{
	res_nclose(&l->state);
	free(l->bytes);
	answer_settle(&l->answer, told, l->of->n > 0 ? l->of->valid_us : 0);
	*ret = l->answer;
}

/* ---- addresses ---- */

/* getaddrinfo(3), which does not say how long it holds. */
static void
ask_system(const char *name, struct answer_part *ret)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(name, NULL, &hints, &list);
	struct endpoint at;

	*ret = (struct answer_part){ .outcome = ANSWER_FOUND, .ttl_s = UINT_MAX };
	if (rc != 0) {
		ret->outcome = rc == EAI_AGAIN || rc == EAI_SYSTEM || rc == EAI_MEMORY
				   ? ANSWER_LOST
				   : ANSWER_NONE;
		ret->why = gai_strerror(rc);
		return;
	}
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		if (endpoint_from_sockaddr(ai->ai_addr, &at) == 0)
			answer_part_add(ret, &at.addr, UINT_MAX);
	freeaddrinfo(list);
}

/* The records of one family, and those of other names on the way to them. */
static void
ask_family(struct lookup *l, const char *name, int family, struct answer_part *ret)
{
	ns_type type = family == AF_INET ? ns_t_a : ns_t_aaaa;
	struct addr addr = { .family = (uint8_t)family };
	ns_rr rr;

	*ret = (struct answer_part){ .outcome = ANSWER_FOUND, .ttl_s = UINT_MAX };
	ret->why = question(l, name, type);
	if (ret->why != NULL) {
		ret->outcome = l->state.res_h_errno == HOST_NOT_FOUND ||
				       l->state.res_h_errno == NO_DATA
				   ? ANSWER_NONE
				   : ANSWER_LOST;
		return;
	}
	for (int i = 0; i < ns_msg_count(l->message, ns_s_an); i++) {
		if (ns_parserr(&l->message, ns_s_an, i, &rr) < 0)
			continue;
		if (ns_rr_type(rr) == ns_t_cname)
			answer_part_holds(ret, ns_rr_ttl(rr));
		if (ns_rr_type(rr) != type || ns_rr_rdlen(rr) != addr_size(&addr))
			continue;
		memcpy(addr.bytes, ns_rr_rdata(rr), ns_rr_rdlen(rr));
		answer_part_add(ret, &addr, ns_rr_ttl(rr));
	}
}

/* No second question once the first is lost: it would be waited for in vain. */
static enum answer_outcome
add_addresses(struct lookup *l, const char *name, const struct target *like)
{
	struct answer_part parts[2];
	size_t n = 0;

	if (l->of->n == 0)
		ask_system(name, &parts[n++]);
	if (l->of->n > 0 && !l->of->no_ipv4)
		ask_family(l, name, AF_INET, &parts[n++]);
	if (l->of->n > 0 && !l->of->no_ipv6 && (n == 0 || parts[0].outcome != ANSWER_LOST))
		ask_family(l, name, AF_INET6, &parts[n++]);
	return answer_add(&l->answer, like, parts, n);
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
	add_addresses(&l, name, &plain);
	end(&l, of->n > 0, ret);
}

/* ---- services ---- */

/* The n-th record of the answer; false: it is no SRV record that we can read. */
static bool
read_record(ns_msg *message, int n, struct answer_service *ret)
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

/* All of the message, before its place is taken by the next one: at most ANSWER_MAX. */
static size_t
read_records(ns_msg *message, struct answer_service *ret)
{
	size_t n = 0;

	for (int i = 0; i < ns_msg_count(*message, ns_s_an) && n < ANSWER_MAX; i++)
		if (read_record(message, i, &ret[n]))
			n++;
	return n;
}

static void
add_services(struct lookup *l, struct answer_service *services)
{
	size_t n = read_records(&l->message, services);
	unsigned best = answer_best(services, n);
	struct target like;

	for (size_t i = 0; i < n; i++)
		if (answer_like(&l->answer, &services[i], best, &like) &&
		    add_addresses(l, services[i].name, &like) == ANSWER_LOST)
			return;
}

void
lookup_service(const char *name, const struct resolver_conf *of, struct answer *ret)
{
	struct answer_service *services;
	struct lookup l;
	const char *why;

	if (!begin(&l, of)) {
		*ret = l.answer;
		return;
	}
	services = malloc(ANSWER_MAX * sizeof(*services));
	why = services != NULL ? question(&l, name, ns_t_srv) : "out of memory";
	if (why != NULL)
		answer_fail(&l.answer, why);
	else
		add_services(&l, services);
	free(services);
	end(&l, true, ret);
}
