/*
 * metrics.c - counters and gauges under the suffixes that HAProxy's exporter
 * uses, so that a dashboard needs another prefix only: a listener is a frontend,
 * an upstream a backend (ipc.md section 5).
 */
#include "ipc/service.h"
#include "proxyd/control_priv.h"
#include "proxyd/handover.h"
#include "proxyd/logfile.h"
#include "proxyd/proxy.h"

#include <stdio.h>
#include <string.h>

/* What listeners, upstreams and servers all count. */
static void
add_tally(struct service_metrics *m, const char *kind, const char *const *labels,
    const struct tally *t, uint64_t current)
{
	const struct {
		const char *suffix, *help;
		uint64_t value;
	} rows[] = {
		{ "current_sessions", "Sessions open now", current },
		{ "sessions_total", "Sessions begun", t->sessions },
		{ "bytes_in_total", "Bytes from clients to servers", t->bytes_in },
		{ "bytes_out_total", "Bytes from servers to clients", t->bytes_out },
		{ "connection_errors_total", "Connects that failed", t->connection_errors },
		{ "datagrams_dropped_total",
		    "Datagrams that found no room or came faster than they may", t->dropped },
		{ "timeouts_total", "Connects and idle sessions that timed out", t->timeouts },
	};
	char name[96];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(name, sizeof(name), "proxyd_%s_%s", kind, rows[i].suffix);
		service_metric(m, name, rows[i].help, labels, (double)rows[i].value);
	}
}

/* One 0/1 series for each state: no state names as values. */
static void
add_status(struct service_metrics *m, const char *name, const char *const *labels, size_t n_labels,
    const char *const *states, const char *state)
{
	const char *with_state[8];

	memcpy(with_state, labels, n_labels * sizeof(*labels));
	with_state[n_labels] = "state";
	with_state[n_labels + 2] = NULL;
	for (; *states != NULL; states++) {
		with_state[n_labels + 1] = *states;
		service_metric(
		    m, name, "1 for the state it is in", with_state, strcmp(*states, state) == 0);
	}
}

static void
add_close_reasons(struct service_metrics *m, const char *listener, const struct tally *t)
{
	for (int r = FLOW_CLIENT_FIN; r < FLOW_REASON_MAX; r++) {
		const char *labels[] = { "proxy", listener, "reason",
			flow_reason_str((enum flow_reason)r), NULL };

		if (t->reasons[r] > 0)
			service_metric(m, "proxyd_frontend_sessions_closed_total",
			    "Sessions ended, by reason", labels, (double)t->reasons[r]);
	}
}

static void
add_listener(struct service_metrics *m, const struct listener *l)
{
	static const char *const states[] = { "listening", "failed", "draining", NULL };
	const char *labels[] = { "proxy", l->name, NULL };
	struct tally sum = { 0 };

	tally_sum(l->tallies, l->n_tallies, &sum);
	add_tally(m, "frontend", labels, &sum, sum.sessions - tally_ended(&sum));
	service_metric(m, "proxyd_frontend_retry_warnings_total",
	    "Sessions that went on to another server", labels, (double)sum.retries);
	service_metric(m, "proxyd_frontend_denied_connections_total", "Clients that deny kept out",
	    labels, (double)sum.reasons[FLOW_DENIED]);
	service_metric(m, "proxyd_frontend_limited_connections_total",
	    "Clients that limit_conn kept out", labels, (double)sum.reasons[FLOW_LIMIT]);
	add_status(m, "proxyd_frontend_status", labels, 2, states, listener_state_str(l->state));
	add_close_reasons(m, l->name, &sum);
}

static double
seconds(int64_t us)
{
	return (double)us / USEC_PER_SEC;
}

static void
add_server(struct service_metrics *m, const struct upstream *up, const struct server *s, mono_t now)
{
	static const char *const states[] = { "up", "down", "draining", "maintenance", NULL };
	const char *labels[] = { "proxy", up->name, "server", s->name, NULL };
	int64_t down = s->downtime_us;
	struct tally sum = { 0 };

	tally_sum(s->tallies, up->all->n_tallies, &sum);
	if (!mono_is_never(s->down_since))
		down += mono_until(s->down_since, now);
	add_tally(m, "server", labels, &sum, pool_sessions(&s->health));
	add_status(m, "proxyd_server_status", labels, 4, states, pool_state_str(s->told));
	service_metric(
	    m, "proxyd_server_weight", "As configured or set", labels, pool_weight(&s->health));
	service_metric(m, "proxyd_server_check_up_down_total", "Changes of state", labels,
	    (double)s->transitions);
	service_metric(m, "proxyd_server_check_last_change_seconds",
	    "Since the last change of state", labels, seconds(mono_until(s->told_since, now)));
	service_metric(
	    m, "proxyd_server_downtime_seconds_total", "Time spent down", labels, seconds(down));
	if (sum.connects > 0)
		service_metric(m, "proxyd_server_connect_time_average_seconds",
		    "Mean time of a connect", labels,
		    seconds((int64_t)(sum.connect_us / sum.connects)));
}

static void
add_upstream(struct service_metrics *m, const struct upstream *up, mono_t now)
{
	static const char *const states[] = { "up", "down", NULL };
	const char *labels[] = { "proxy", up->name, NULL };
	size_t available = upstream_available(up), current = 0;
	struct tally sum = { 0 };

	upstream_tally(up, &sum);
	for (size_t i = 0; i < up->pool.n; i++)
		current += pool_sessions(up->pool.servers[i]);
	add_tally(m, "backend", labels, &sum, current);
	service_metric(
	    m, "proxyd_backend_active_servers", "Servers that are up", labels, (double)available);
	add_status(m, "proxyd_backend_status", labels, 2, states, available > 0 ? "up" : "down");
	for (size_t i = 0; i < up->pool.n; i++)
		add_server(m, up, server_of(up->pool.servers[i]), now);
}

static void
add_handover(struct service_metrics *m, const struct handover_counts *c)
{
	service_metric(m, "proxyd_process_handover_listeners_total",
	    "Listeners taken over from the process before", NULL, (double)c->listeners);
	service_metric(m, "proxyd_process_handover_sessions_total",
	    "Sessions taken over from the process before", NULL, (double)c->sessions);
	for (int r = 0; r < HANDOVER_REFUSALS; r++) {
		const char *labels[] = { "reason", handover_refusal_str((enum handover_refusal)r),
			NULL };

		service_metric(m, "proxyd_process_handover_refused_total",
		    "What the process before left and was closed instead", labels,
		    (double)c->refused[r]);
	}
}

static void
add_log(void *aux, const struct logfile_counts *c)
{
	const char *labels[] = { "log", c->name, NULL };

	service_metric(aux, "proxyd_log_lines_total", "Lines for a log", labels, (double)c->lines);
	service_metric(aux, "proxyd_log_lines_lost_total",
	    "Lines that could not be written, or found no room to wait", labels, (double)c->lost);
}

void
metrics_collect(struct proxy *p, struct service_metrics *m)
{
	const struct listener *l;
	const struct upstream *up;
	mono_t now = loop_now();

	service_metric(m, "proxyd_process_nbthread", "Data threads", NULL, (double)p->n_active);
	if (p->crowd.max > 0)
		service_metric(m, "proxyd_process_max_sessions",
		    "Sessions that there may be (worker_connections)", NULL, (double)p->crowd.max);
	service_metric(m, "proxyd_process_full_total",
	    "Times that a new client found as many sessions as there may be", NULL,
	    (double)crowd_full(&p->crowd));
	add_handover(m, handover_counts(p->handover));
	TAILQ_FOREACH (l, &p->listeners, entry)
		add_listener(m, l);
	TAILQ_FOREACH (up, &p->upstreams.list, entry)
		add_upstream(m, up, now);
	logfiles_each(add_log, m);
}
