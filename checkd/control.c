/*
 * control.c - see control.h.
 */
#include "checkd/control.h"

#include "checkd/now.h"
#include "checkd/operator.h"
#include "checkd/render.h"
#include "checkd/watch.h"
#include "common/text.h"
#include "ipc/publish.h"
#include "ipc/service.h"

#include <stdlib.h>

struct control {
	struct service *service;
	struct ipc_publisher *publisher;
	struct ipc_collection collection;
	struct ipc_method methods[5];
	struct watches *watches;     /* NULL until shown */
	const struct checks *checks; /* NULL until shown */
};

/* ---- the collection ---- */

static json_t *
render(void *aux, const char *key)
{
	const struct control *c = aux;
	const struct target *t = c->checks != NULL ? checks_find(c->checks, key) : NULL;

	return t != NULL ? render_check(c->checks, t) : NULL;
}

static void
each(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	const struct control *c = aux;

	for (size_t i = 0; c->checks != NULL && i < checks_count(c->checks); i++)
		found(found_aux, target_conf(checks_at(c->checks, i))->name);
}

/* ---- methods ---- */

static void
list_checks(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = json_string_value(json_object_get(parameters, "name"));
	json_t *reply = ipc_publish_list(c->publisher, &c->collection, name);

	if (reply != NULL)
		ipc_reply(call, reply);
	else
		ipc_error(call, "org.trivet.check.NoSuchCheck", json_pack("{ss}", "name", name));
}

static void
monitor(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	json_t *names = json_object_get(parameters, "names");

	ipc_publish_monitor(c->publisher, call, json_is_array(names) ? names : NULL,
	    json_object_get(parameters, "heartbeatMs"));
}

static void
check_now(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = json_string_value(json_object_get(parameters, "name"));
	struct target *t = c->checks != NULL ? checks_find(c->checks, name) : NULL;

	if (!ipc_call_peer(call)->is_ours)
		ipc_error(call, "org.varlink.service.PermissionDenied", NULL);
	else if (t == NULL)
		ipc_error(call, "org.trivet.check.NoSuchCheck", json_pack("{ss}", "name", name));
	else
		now_serve(call, t, c->publisher);
}

static void
watch(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;

	if (!ipc_call_peer(call)->is_ours)
		ipc_error(call, "org.varlink.service.PermissionDenied", NULL);
	else if (c->watches == NULL) /* still starting */
		ipc_error(call, "org.trivet.check.NoSuchUpstream",
		    json_pack("{sO}", "name", json_object_get(parameters, "upstream")));
	else
		watch_serve(c->watches, call, parameters);
}

static void
set_administrative(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = json_string_value(json_object_get(parameters, "name"));
	struct target *t = c->checks != NULL ? checks_find(c->checks, name) : NULL;

	if (t != NULL)
		operator_serve(call, parameters, t, c->publisher);
	else
		ipc_error(
		    call, "org.trivet.check.control.NoSuchCheck", json_pack("{ss}", "name", name));
}

/* ---- metrics ---- */

static void
add_state_metrics(struct service_metrics *m, const struct check_conf *conf, enum check_state state)
{
	static const enum check_state states[] = { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		const char *const labels[] = { "name", conf->name, "state",
			check_state_str(states[i]), NULL };

		service_metric(m, "checkd_target_state",
		    "One series for each state a check can be in: 1 for the present one.", labels,
		    states[i] == state);
	}
}

static void
add_histogram(struct service_metrics *m, const char *name, const char *help, const char *kind,
    const struct histogram *h)
{
	const char *labels[] = { "le", "+Inf", kind != NULL ? "kind" : NULL, kind, NULL };
	char *bucket = xasprintf("%s_bucket", name), *sum = xasprintf("%s_sum", name);
	char *count = xasprintf("%s_count", name);

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		labels[1] = histogram_bound(i);
		service_metric(m, bucket, help, labels, (double)histogram_below(h, i));
	}
	labels[1] = "+Inf";
	service_metric(m, bucket, help, labels, (double)h->count);
	service_metric(m, sum, help, kind != NULL ? labels + 2 : NULL, (double)h->sum_us / 1e6);
	service_metric(m, count, help, kind != NULL ? labels + 2 : NULL, (double)h->count);
	free(bucket);
	free(sum);
	free(count);
}

static void
add_histograms(const struct probe_env *env, struct service_metrics *m)
{
	add_histogram(m, "checkd_schedule_lateness_seconds",
	    "How long after its time a run began, of all checks.", NULL, &env->late);
	for (int kind = 0; kind < CHECK_KINDS; kind++)
		if (env->took[kind].count > 0)
			add_histogram(m, "checkd_run_duration_seconds",
			    "How long runs took, by the kind of check.",
			    check_kind_str((enum check_kind)kind), &env->took[kind]);
}

static void
add_metrics(void *aux, struct service_metrics *m)
{
	const struct control *c = aux;

	if (c->checks != NULL)
		add_histograms(checks_env(c->checks), m);
	for (size_t i = 0; c->checks != NULL && i < checks_count(c->checks); i++) {
		const struct target *t = checks_at(c->checks, i);
		const struct target_status *s = target_status(t);
		const char *const labels[] = { "name", target_conf(t)->name, NULL };

		service_metric(m, "checkd_target_up", "The check's verdict is up.", labels,
		    s->state == CHECK_UP);
		add_state_metrics(m, target_conf(t), s->state);
		service_metric(m, "checkd_check_runs_total", "Runs of the check that ended.",
		    labels, (double)s->runs);
		service_metric(m, "checkd_check_failures_total",
		    "Runs of the check that failed, whether or not the verdict changed.", labels,
		    (double)s->failed_runs);
		service_metric(m, "checkd_check_duration_seconds", "How long its last run took.",
		    labels, (double)s->duration_us / 1e6);
	}
}

/* ---- life ---- */

int
control_start(struct daemon *d, struct control **ret)
{
	struct control *c = xcalloc(1, sizeof(*c));
	const struct service_config config = { .daemon = d, .metrics = add_metrics, .aux = c };
	int err = service_start(&config, &c->service);

	if (err < 0) {
		free(c);
		return err;
	}
	c->collection = (struct ipc_collection){
		.array = "checks", .prefix = "", .render = render, .each = each, .aux = c
	};
	c->methods[0] = (struct ipc_method){ "org.trivet.check.ListChecks", list_checks, c };
	c->methods[1] = (struct ipc_method){ "org.trivet.check.Monitor", monitor, c };
	c->methods[2] = (struct ipc_method){ "org.trivet.check.CheckNow", check_now, c };
	c->methods[3] = (struct ipc_method){ "org.trivet.check.control.SetAdministrative",
		set_administrative, c };
	c->methods[4] = (struct ipc_method){ "org.trivet.check.Watch", watch, c };
	c->publisher = ipc_publisher_new(d->loop, d->epoch, &c->collection, 1);
	ipc_server_add(service_server(c->service), c->methods, ARRAY_LEN(c->methods));
	*ret = c;
	return 0;
}

void
control_show(struct control *c, struct checks *checks)
{
	c->checks = checks;
	c->watches = watches_new(checks, c->publisher);
	for (size_t i = 0; i < checks_count(checks); i++)
		control_changed(c, target_conf(checks_at(checks, i))->name);
}

void
control_changed(struct control *c, const char *name)
{
	if (c->checks != NULL)
		ipc_changed(c->publisher, &c->collection, name);
}

void
control_reloaded(struct control *c)
{
	watches_reload(c->watches);
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	watches_free(c->watches);
	ipc_publisher_free(c->publisher); /* says good-bye over the service's connections */
	service_free(c->service);
	free(c);
}
