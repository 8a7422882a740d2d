/*
 * resolve.c - see resolve.h.
 */
#include "proxyd/resolve.h"

#include "common/loop.h"
#include "common/text.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_US     (30 * USEC_PER_SEC)
#define RETRY_MIN_US USEC_PER_SEC

struct resolve {
	uv_getaddrinfo_t req;
	struct loop_timer timer;
	char *host;
	bool again;
	resolve_cb *on_answer;
	void *aux;
	bool is_asking, is_over; /* over: freed when the answer and the timer are through */
	bool timer_closed;
	int64_t retry_us;
	struct addr addrs[RESOLVE_ADDRS_MAX]; /* as last told */
	size_t n;
};

static void
free_when_through(struct resolve *r)
{
	if (!r->is_over || r->is_asking || !r->timer_closed)
		return;
	free(r->host);
	free(r);
}

static int
compare(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

/* Sorted and without doubles, so that two answers can be compared. */
static size_t
collect(const struct addrinfo *list, struct addr *addrs)
{
	size_t n = 0, kept = 0;

	for (const struct addrinfo *ai = list; ai != NULL && n < RESOLVE_ADDRS_MAX;
	     ai = ai->ai_next) {
		struct endpoint ep;

		if (endpoint_from_sockaddr(ai->ai_addr, &ep) == 0)
			addrs[n++] = ep.addr;
	}
	qsort(addrs, n, sizeof(*addrs), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !addr_equal(&addrs[i], &addrs[kept - 1]))
			addrs[kept++] = addrs[i];
	return kept;
}

static bool
is_same(const struct resolve *r, const struct addr *addrs, size_t n)
{
	if (n != r->n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!addr_equal(&addrs[i], &r->addrs[i]))
			return false;
	return true;
}

static void
take_good(struct resolve *r, const struct addr *addrs, size_t n)
{
	r->retry_us = RETRY_MIN_US;
	loop_timer_at(&r->timer, r->again ? mono_add(loop_now(), AGAIN_US) : MONO_NEVER);
	if (is_same(r, addrs, n))
		return;
	memcpy(r->addrs, addrs, n * sizeof(*addrs));
	r->n = n;
	r->on_answer(r->aux, r->addrs, n, NULL);
}

static void
take_bad(struct resolve *r, const char *why)
{
	loop_timer_at(&r->timer, mono_add(loop_now(), r->n > 0 ? AGAIN_US : r->retry_us));
	r->retry_us = MIN(r->retry_us * 2, AGAIN_US);
	if (r->n == 0)
		r->on_answer(r->aux, NULL, 0, why);
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct resolve *r = req->data;
	struct addr addrs[RESOLVE_ADDRS_MAX] = { 0 };
	size_t n = status == 0 ? collect(list, addrs) : 0;

	uv_freeaddrinfo(list);
	r->is_asking = false;
	if (r->is_over)
		free_when_through(r);
	else if (n > 0)
		take_good(r, addrs, n);
	else
		take_bad(r, status != 0 ? uv_strerror(status) : "no address");
}

static void
ask(struct loop_timer *timer, mono_t now)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct resolve *r = CONTAINER_OF(timer, struct resolve, timer);
	int rc;

	(void)now;
	r->req.data = r;
	rc = uv_getaddrinfo(timer->uv.loop, &r->req, on_resolved, r->host, NULL, &hints);
	r->is_asking = rc == 0;
	if (rc < 0)
		take_bad(r, uv_strerror(rc));
}

struct resolve *
resolve_new(uv_loop_t *loop, const char *host, bool again, resolve_cb *on_answer, void *aux)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	r->host = xstrdup(host);
	r->again = again;
	r->on_answer = on_answer;
	r->aux = aux;
	r->retry_us = RETRY_MIN_US;
	loop_timer_init(loop, &r->timer, ask);
	loop_timer_at(&r->timer, loop_now());
	return r;
}

static void
on_timer_closed(struct loop_timer *timer)
{
	struct resolve *r = CONTAINER_OF(timer, struct resolve, timer);

	r->timer_closed = true;
	free_when_through(r);
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	r->is_over = true;
	if (r->is_asking)
		uv_cancel((uv_req_t *)&r->req);
	loop_timer_close(&r->timer, on_timer_closed);
}
