/*
 * proxy_threads.c - how many data threads there are, and which of a listener's
 * sockets is whose (proxy.h).
 *
 * A reload may change their number.  Sockets go from hand to hand as they are,
 * with whoever is queued on them; a session stays with its thread, which ends
 * with the process: without sockets it takes no new ones, and asleep it costs
 * nothing.  Sockets for datagrams stay where they are, since the sessions that
 * answer through them do.
 */
#include "proxyd/proxy.h"

#include "common/log.h"
#include "proxyd/handover.h"
#include "proxyd/udp_homes.h"

#include <sched.h>
#include <string.h>

#define WORKERS_MAX 256

static size_t
cpu_count(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (size_t)CPU_COUNT(&cpus) : 1;
}

static size_t
thread_count(const struct conf *conf)
{
	size_t n = conf->data_threads > 0 ? conf->data_threads : cpu_count();

	return MIN(MAX(n, 1), WORKERS_MAX);
}

/* Until there are n, or one cannot be started. */
static int
start_up_to(struct proxy *p, size_t n)
{
	while (p->n_workers < n) {
		unsigned i = (unsigned)p->n_workers;
		int rc = worker_start(i, &p->crowd, proxy_wake, p, &p->workers[i]);

		if (rc < 0) {
			log_err("data thread %u: %s", i, strerrordesc_np(-rc));
			return rc;
		}
		p->n_workers++;
	}
	return 0;
}

int
proxy_start_threads(struct proxy *p)
{
	size_t n = thread_count(p->daemon->conf);
	int rc;

	p->max_workers = MIN(MAX(n, cpu_count()), WORKERS_MAX);
	p->workers = xcalloc(p->max_workers, sizeof(struct worker *));
	crowd_init(&p->crowd, (unsigned)p->max_workers);
	rc = start_up_to(p, n);
	p->n_active = p->n_workers;
	return rc;
}

void
proxy_set_threads(struct proxy *p, const struct conf *conf)
{
	size_t n = thread_count(conf), before = p->n_active;

	if (n > p->max_workers) {
		log_warn("worker_processes %zu: more than %zu data threads take a restart", n,
		    p->max_workers);
		n = p->max_workers;
	}
	start_up_to(p, n);
	p->n_active = MIN(n, p->n_workers);
	if (p->n_active != before)
		log_notice("%zu data threads take new clients, %zu before", p->n_active, before);
}

static void
give(struct proxy *p, struct listener *l, const struct listener_conf *lc, size_t i, size_t turn)
{
	unsigned thread = (unsigned)(turn % p->n_active), before = l->threads[i];

	if (thread == before)
		return;
	l->threads[i] = thread;
	worker_send(p->workers[thread], &(struct command){ .kind = COMMAND_ATTACH,
					    .listener = l,
					    .fd = l->fds[i],
					    .route = proxy_route_new(p, l, lc, thread) });
	if (before != LISTENER_NOBODYS)
		worker_send(p->workers[before],
		    &(struct command){ .kind = COMMAND_RELEASE, .listener = l, .fd = l->fds[i] });
}

void
proxy_attach(struct proxy *p, struct listener *l, const struct listener_conf *lc)
{
	l->is_attached = true;
	udp_homes_hold(l->homes);
	for (size_t i = 0; i < l->n_sockets; i++)
		give(p, l, lc, i, listener_is_unix(l) ? p->next_unix++ : i);
	udp_homes_go_on(l->homes);
}

void
proxy_share_out(struct proxy *p, struct listener *l, const struct listener_conf *lc)
{
	if (l->udp)
		return;
	if (listener_is_unix(l)) {
		if (l->threads[0] >= p->n_active)
			give(p, l, lc, 0, p->next_unix++);
		return;
	}
	if (listener_grow(l, listener_sockets(l->n_sockets, p->n_active)))
		handover_listeners_changed(p->handover);
	for (size_t i = 0; i < l->n_sockets; i++)
		give(p, l, lc, i, i);
}
