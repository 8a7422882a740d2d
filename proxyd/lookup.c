/*
 * lookup.c - see lookup.h.
 */
#include "proxyd/lookup.h"

#include "common/util.h"
#include "common/wire.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 65535
#define TTL_MAX_S   300 /* a server that is gone shall not be known for a day */

static void
fail(struct answer *a, const char *why)
{
	*a = (struct answer){ .why = why };
}

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

/* ---- addresses ---- */

/* getaddrinfo(3), each address as 'like'.  Its error. */
static int
add_addresses(struct answer *a, const char *name, const struct target *like)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(name, NULL, &hints, &list);

	if (rc != 0)
		return rc;
	for (const struct addrinfo *ai = list; ai != NULL && a->n < LOOKUP_MAX; ai = ai->ai_next) {
		struct target t = *like;

		if (endpoint_from_sockaddr(ai->ai_addr, &t.at) < 0)
			continue;
		t.at.port = like->at.port;
		a->targets[a->n++] = t;
	}
	freeaddrinfo(list);
	return 0;
}

void
lookup_addresses(const char *name, struct answer *ret)
{
	static const struct target plain;
	struct answer a = { 0 };
	int rc = add_addresses(&a, name, &plain);

	if (rc != 0)
		fail(&a, gai_strerror(rc));
	settle(&a);
	*ret = a;
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

static bool
is_for_now(int error)
{
	return error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY;
}

/* "." as the name: the service is decidedly not there (RFC 2782). */
static void
read_services(ns_msg *message, struct answer *a)
{
	unsigned best = best_priority(message);
	struct service s;

	a->ttl_s = TTL_MAX_S;
	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		struct target like = { 0 };
		int rc;

		if (!read_record(message, i, &s) || s.name[0] == '\0')
			continue;
		like.at.port = s.port;
		like.weight = MAX(s.weight, 1);
		like.backup = s.priority != best;
		a->ttl_s = MIN(a->ttl_s, MAX(s.ttl_s, 1));
		rc = add_addresses(a, s.name, &like);
		if (rc != 0 && is_for_now(rc)) {
			fail(a, gai_strerror(rc));
			return;
		}
	}
}

static const char *
why_not(int error)
{
	switch (error) {
	case HOST_NOT_FOUND:
		return "no such name";
	case NO_DATA:
		return "no SRV record";
	}
	return "no name server answers";
}

void
lookup_service(const char *name, struct answer *ret)
{
	struct __res_state state = { 0 };
	uint8_t *bytes = malloc(MESSAGE_MAX);
	struct answer a = { 0 };
	ns_msg message;
	int n;

	if (bytes == NULL || res_ninit(&state) < 0) {
		free(bytes);
		fail(ret, "out of memory");
		return;
	}
	n = res_nquery(&state, name, ns_c_in, ns_t_srv, bytes, MESSAGE_MAX);
	if (n < 0)
		fail(&a, why_not(state.res_h_errno));
	else if (ns_initparse(bytes, MIN(n, MESSAGE_MAX), &message) < 0)
		fail(&a, "an answer that makes no sense");
	else
		read_services(&message, &a);
	res_nclose(&state);
	free(bytes);
	settle(&a);
	*ret = a;
}
