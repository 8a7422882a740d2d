/*
 * resolve.c - see resolve.h.
 */
#include "proxyd/resolve.h"

#include "common/loop.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_US     (30 * USEC_PER_SEC)
#define RETRY_MIN_US USEC_PER_SEC

struct resolve {
	uv_work_t req;
	struct loop_timer timer;
	char *host;
	struct resolver_conf of;
	bool is_service, again;
	resolve_cb *on_answer;
	void *aux;
	bool is_asking, is_over; /* over: freed when the answer and the timer are through */
	bool timer_closed;
	int64_t retry_us;
	struct answer answer; /* the pool thread's while it is asking */
	struct answer told;
};

static void
free_when_through(struct resolve *r)
{
	if (!r->is_over || r->is_asking || !r->timer_closed)
		return;
	free(r->host);
	free(r);
}

static void
take_good(struct resolve *r)
{
	int64_t us = r->answer.ttl_s > 0 ? r->answer.ttl_s * USEC_PER_SEC : AGAIN_US;

	r->retry_us = RETRY_MIN_US;
	loop_timer_at(&r->timer, r->again ? mono_add(loop_now(), us) : MONO_NEVER);
	if (answer_equal(&r->answer, &r->told))
		return;
	r->told = r->answer;
	r->on_answer(r->aux, &r->told);
}

static void
take_bad(struct resolve *r)
{
	loop_timer_at(&r->timer, mono_add(loop_now(), r->retry_us));
	r->retry_us = MIN(r->retry_us * 2, AGAIN_US);
	if (r->told.n == 0)
		r->on_answer(r->aux, &r->answer);
}

static void
take(struct resolve *r)
{
	if (r->answer.n > 0)
		take_good(r);
	else
		take_bad(r);
}

/* In the pool. */
static void
look_up(uv_work_t *req)
{
	struct resolve *r = req->data;

	if (r->is_service)
		lookup_service(r->host, &r->of, &r->answer);
	else
		lookup_addresses(r->host, &r->of, &r->answer);
}

static void
on_looked_up(uv_work_t *req, int status)
{
	struct resolve *r = req->data;

	(void)status; /* cancelled only when it is over */
	r->is_asking = false;
	if (r->is_over)
		free_when_through(r);
	else
		take(r);
}

static void
ask(struct loop_timer *timer, mono_t now)
{
	struct resolve *r = CONTAINER_OF(timer, struct resolve, timer);
	int rc;

	(void)now;
	r->req.data = r;
	rc = uv_queue_work(timer->uv.loop, &r->req, look_up, on_looked_up);
	r->is_asking = rc == 0;
	if (rc < 0) {
		r->answer = (struct answer){ .why = uv_strerror(rc) };
		take(r);
	}
}

struct resolve *
resolve_new(uv_loop_t *loop, const char *host, const struct resolver_conf *of, bool is_service,
    bool again, resolve_cb *on_answer, void *aux)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	r->host = xstrdup(host);
	r->of = *of;
	r->is_service = is_service;
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
