/*
 * resolve.c - see resolve.h.
 */
#include "checkd/resolve.h"

#include "common/loop.h"
#include "common/text.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_US (30 * USEC_PER_SEC)

/* A query outlives its resolver: a thread may be in it. */
struct query {
	uv_getaddrinfo_t uv;
	struct resolver *owner; /* NULL: nobody wants it any more */
};

struct resolver {
	uv_loop_t *loop;
	char *host;
	struct query *query; /* NULL: none is on */
	struct addr address; /* AF_UNSPEC: not known */
	mono_t fresh_until;
	char why[128];
	void (*on_answer)(void *aux);
	void *aux;
};

/* ---- answers ---- */

static bool
pick(const struct addrinfo *list, int family, struct addr *ret)
{
	struct endpoint e;

	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		if (ai->ai_family == family && endpoint_from_sockaddr(ai->ai_addr, &e) == 0) {
			*ret = e.addr;
			return true;
		}
	return false;
}

static void
take_answer(struct resolver *r, int status, const struct addrinfo *list)
{
	if (status == 0 &&
	    (pick(list, AF_INET, &r->address) || pick(list, AF_INET6, &r->address))) {
		r->fresh_until = mono_add(loop_now(), KEEP_US);
		return;
	}
	if (status == 0 || status == UV_EAI_NONAME || status == UV_EAI_NODATA)
		r->address = (struct addr){ 0 };
	snprintf(
	    r->why, sizeof(r->why), "%s", status == 0 ? "it has no address" : uv_strerror(status));
	/* While an old address serves, ask again at leisure. */
	r->fresh_until = r->address.family != AF_UNSPEC ? mono_add(loop_now(), KEEP_US / 6)
							: loop_now();
}

static void
on_answered(uv_getaddrinfo_t *uv, int status, struct addrinfo *list)
{
	struct query *q = CONTAINER_OF(uv, struct query, uv);
	struct resolver *r = q->owner;

	free(q);
	if (r != NULL) {
		r->query = NULL;
		take_answer(r, status, list);
	}
	uv_freeaddrinfo(list);
	if (r != NULL)
		r->on_answer(r->aux);
}

/* ---- questions ---- */

static void
ask(struct resolver *r)
{
	static const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG
	};
	struct query *q = xcalloc(1, sizeof(*q));
	int err = uv_getaddrinfo(r->loop, &q->uv, on_answered, r->host, NULL, &hints);

	if (err < 0) {
		snprintf(r->why, sizeof(r->why), "%s", uv_strerror(err));
		free(q);
		return;
	}
	q->owner = r;
	r->query = q;
}

bool
resolver_address(struct resolver *r, struct addr *ret)
{
	if (r->query == NULL && !mono_before(loop_now(), r->fresh_until))
		ask(r);
	if (r->address.family == AF_UNSPEC)
		return false;
	*ret = r->address;
	return true;
}

bool
resolver_is_asking(const struct resolver *r)
{
	return r->query != NULL;
}

const char *
resolver_why(const struct resolver *r)
{
	return r->why;
}

/* ---- life ---- */

struct resolver *
resolver_new(uv_loop_t *loop, const char *host, void (*on_answer)(void *aux), void *aux)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	/* A thread that waits for a dead name server holds up the end of the process and other
	 * names: 2 s for each server instead of 10, unless somebody decided otherwise. */
	setenv("RES_OPTIONS", "timeout:1 attempts:2", 0);
	r->loop = loop;
	r->host = xstrdup(host);
	r->on_answer = on_answer;
	r->aux = aux;
	return r;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	if (r->query != NULL) {
		r->query->owner = NULL;
		uv_cancel((uv_req_t *)&r->query->uv);
	}
	free(r->host);
	free(r);
}
