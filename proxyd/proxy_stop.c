/*
 * proxy_stop.c - the end of proxyd (proxy.h): all sessions end, or all of it goes
 * to the next process.
 */
#include "proxyd/proxy.h"

#include "common/fdstore.h"
#include "common/log.h"
#include "proxyd/active.h"
#include "proxyd/control.h"
#include "proxyd/handover.h"
#include "proxyd/logfile.h"
#include "proxyd/lost.h"

#include <stdlib.h>

#define ACCEPT_GRACE_US	    USEC_PER_SEC       /* VIPs leave before listeners (design.md 5) */
#define SHUTDOWN_TIMEOUT_US (5 * USEC_PER_SEC) /* from the signal to the last session's end */
#define STOP_POLL_US	    (20 * USEC_PER_MSEC)

static size_t
count_sessions(const struct proxy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_workers; i++)
		n += worker_sessions(p->workers[i]);
	return n;
}

/* Three handles live in it. */
static void
free_when_closed(struct proxy *p)
{
	if (++p->n_closed == 3)
		free(p);
}

static void
on_news_closed(uv_handle_t *handle)
{
	free_when_closed(handle->data);
}

static void
on_second_closed(struct loop_timer *timer)
{
	free_when_closed(CONTAINER_OF(timer, struct proxy, second));
}

static void
on_stopping_closed(struct loop_timer *timer)
{
	free_when_closed(CONTAINER_OF(timer, struct proxy, stopping));
}

static void
finish(struct proxy *p)
{
	struct daemon *d = p->daemon;
	struct listener *l;
	size_t left = count_sessions(p);

	if (left > 0)
		log_notice("%zu sessions are reset", left);
	for (size_t i = 0; i < p->n_workers; i++)
		worker_stop(p->workers[i]);
	rolls_done(&p->rolls);
	free(p->workers);
	crowd_done(&p->crowd);
	while ((l = TAILQ_FIRST(&p->listeners)) != NULL) {
		TAILQ_REMOVE(&p->listeners, l, entry);
		listener_free(l);
	}
	lost_free(p->lost);
	active_free(p->active);
	p->active = NULL;
	upstreams_done(&p->upstreams);
	control_free(p->control);
	handover_free(p->handover);
	free(p->status);
	loop_timer_close(&p->second, on_second_closed);
	loop_timer_close(&p->stopping, on_stopping_closed);
	uv_close((uv_handle_t *)&p->news, on_news_closed);
	logfiles_stop();
	daemon_exit(d, EXIT_OK);
}

static void
on_stopping(struct loop_timer *timer, mono_t now)
{
	struct proxy *p = CONTAINER_OF(timer, struct proxy, stopping);

	if (!p->detached) {
		p->detached = true;
		proxy_drain_listeners(p, false);
		handover_keep_listeners(p->handover);
	}
	/* A listener is forgotten when it is detached and its sessions have ended. */
	proxy_sweep_listeners(p);
	if (TAILQ_EMPTY(&p->listeners) || !mono_before(now, p->stop_by))
		finish(p);
	else
		loop_timer_at(timer, mono_add(now, STOP_POLL_US));
}

/* The data threads stop where they are; what they have goes to the successor. */
static void
hand_over(struct proxy *p)
{
	for (size_t i = 0; i < p->n_workers; i++)
		worker_send(p->workers[i], &(struct command){ .kind = COMMAND_QUIESCE });
	for (size_t i = 0; i < p->n_workers; i++)
		worker_join(p->workers[i]);
	handover_keep_listeners(p->handover);
	handover_give(p->handover);
}

/*
 * Stop: accept a while longer, since the VIP leaves first; let sessions end.
 * Restart: everything goes to the successor; what cannot is reset, so that nobody
 * takes it for an orderly end.
 */
void
proxy_stop(struct daemon *d, enum daemon_stop how)
{
	struct proxy *p = d->aux;
	mono_t now = loop_now();

	loop_timer_init(d->loop, &p->stopping, on_stopping);
	if (how == DAEMON_RESTART && fdstore_exists()) {
		hand_over(p);
		finish(p);
		return;
	}
	p->stop_by = how == DAEMON_RESTART ? now : mono_add(now, SHUTDOWN_TIMEOUT_US);
	loop_timer_at(&p->stopping, how == DAEMON_RESTART ? now : mono_add(now, ACCEPT_GRACE_US));
}
