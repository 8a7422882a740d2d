/*
 * control.c - see control.h.  The objects are those of
 * ipc/model/org.trivet.vrrp.varlink.
 */
#include "vrrpd/control.h"

#include "common/text.h"
#include "ipc/publish.h"
#include "ipc/service.h"
#include "vrrpd/metrics.h"
#include "vrrpd/operator.h"
#include "vrrpd/roster.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct control {
	struct vrrpd *vrrpd;
	struct service *service;
	struct ipc_publisher *publisher;
};

/* ---- an instance as an object ---- */

static json_t *
string_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

/* A moment on our clock as people write it; null: unknown. */
static json_t *
stamp(mono_t at, mono_t now)
{
	char buf[LOOP_STAMP_STRLEN];
	time_t wall;
	struct tm tm;

	if (at.us <= 0 || mono_is_never(at))
		return json_null();
	wall = time(NULL) - (time_t)(mono_until(at, now) / USEC_PER_SEC);
	gmtime_r(&wall, &tm);
	strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(buf);
}

static json_t *
base_term(const struct instance *in)
{
	return json_pack("{s:s, s:s, s:n, s:i, s:b, s:n, s:n}", "kind", prio_kind_str(PRIO_BASE),
	    "name", "", "up", "contribution", in->trackers.base, "fault", 0, "since", "evidence");
}

static json_t *
up_or_null(const struct prio_term *term)
{
	return term->verdict == PRIO_UNKNOWN || term->kind == PRIO_OPERATOR
		   ? json_null()
		   : json_boolean(term->verdict == PRIO_UP);
}

/* What stands behind it, and first whether it still does. */
static json_t *
evidence(const struct prio_term *term, const struct prio_line *line)
{
	const char *standing = line->standing == PRIO_FIRM ? "" : prio_standing_str(line->standing);
	const char *text = term->evidence != NULL ? term->evidence : "";
	char *joined = xasprintf(
	    "%s%s%s", standing, standing[0] != '\0' && text[0] != '\0' ? ": " : "", text);
	json_t *json = string_or_null(joined);

	free(joined);
	return json;
}

static json_t *
term_object(const struct prio_term *term, const struct prio_line *line, mono_t now)
{
	return json_pack("{s:s, s:s, s:o, s:i, s:b, s:o, s:o}", "kind", prio_kind_str(term->kind),
	    "name", term->name, "up", up_or_null(term), "contribution", line->contribution, "fault",
	    (int)line->fault, "since", stamp(term->since, now), "evidence", evidence(term, line));
}

static json_t *
terms(const struct instance *in, mono_t now)
{
	const struct trackers *t = &in->trackers;
	json_t *array = json_array();

	json_array_append_new(array, base_term(in));
	for (size_t i = 0; i < t->n; i++)
		if (t->terms[i].kind != PRIO_OPERATOR || t->terms[i].value != 0)
			json_array_append_new(array, term_object(&t->terms[i], &t->lines[i], now));
	return array;
}

static json_t *
vip_object(const struct vip *vip, mono_t now)
{
	bool leased = vip->present && vip->lease_s != 0;
	mono_t end = mono_add(vip->renewed, vip->lease_s * USEC_PER_SEC);
	char buf[ADDR_STRLEN];

	return json_pack("{s:s, s:i, s:s, s:b, s:o}", "address",
	    addr_format(&vip->request.local, buf), "prefixLength", vip->request.prefix_length,
	    "device", vip->device, "present", (int)(vip->present || vip->native), "leaseMs",
	    leased ? json_integer(MAX(mono_until(now, end), 0) / USEC_PER_MSEC) : json_null());
}

static json_t *
vip_objects(const struct instance *in, mono_t now)
{
	json_t *array = json_array();

	for (size_t i = 0; i < in->vips.n; i++)
		json_array_append_new(array, vip_object(&in->vips.vips[i], now));
	return array;
}

static json_t *
counters(const struct instance *in)
{
	const struct advert *a = &in->advert;
	json_t *errors = json_object();

	for (int err = VRRP_PKT_OK + 1; err < VRRP_PKT_ERR_MAX; err++)
		json_object_set_new(errors, vrrp_pkt_err_str((enum vrrp_pkt_err)err),
		    json_integer((json_int_t)a->dropped[err]));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "advertisementsReceived",
	    (json_int_t)a->received, "advertisementsSent", (json_int_t)a->sent, "becameMaster",
	    (json_int_t)in->became_master, "releasedMaster", (json_int_t)in->released_master,
	    "priorityZeroReceived", (json_int_t)a->zero_received, "priorityZeroSent",
	    (json_int_t)a->zero_sent, "packetErrors", errors);
}

static json_t *
peer_differs(const struct instance *in)
{
	json_t *array = json_array();

	if (in->differs & VRRP_DIFFERS_INTERVAL)
		json_array_append_new(array, json_string("interval"));
	if (in->differs & VRRP_DIFFERS_ADDRESSES)
		json_array_append_new(array, json_string("addresses"));
	if (in->differs & VRRP_DIFFERS_CLOCK)
		json_array_append_new(array, json_string("clock"));
	return array;
}

static void
set_master(const struct instance *in, json_t *object)
{
	const struct vrrp_heard *heard = &in->state.heard;
	bool is_us = in->state.role == VRRP_MASTER;
	const struct addr *who = is_us ? &in->params.primary : &heard->source;
	bool known = who->family != AF_UNSPEC && (is_us || heard->priority != 0);
	char buf[ADDR_STRLEN];

	json_object_set_new(
	    object, "masterAddress", known ? json_string(addr_format(who, buf)) : json_null());
	json_object_set_new(object, "masterPriority",
	    known ? json_integer(is_us ? in->state.priority : heard->priority) : json_null());
}

const char *
control_state_word(enum vrrp_role role)
{
	static const char *const words[] = {
		[VRRP_INIT] = "init",
		[VRRP_BACKUP] = "backup",
		[VRRP_MASTER] = "master",
		[VRRP_FAULT] = "fault",
	};

	return words[role];
}

/* To be freed. */
static char *
no_witness(const struct instance *in, mono_t now)
{
	const struct vrrp_state *s = &in->state;
	const struct trackers *t = &in->trackers;
	char cause[PRIO_CAUSE_STRLEN] = "";

	for (size_t i = 0; i < t->n; i++)
		if (t->terms[i].kind == PRIO_WITNESS)
			prio_cause(&t->terms[i], &t->lines[i], cause);
	if (s->alone && !mono_is_never(s->alone_until))
		return xasprintf("no witness, for %lld s more (%s)",
		    (long long)(MAX(mono_until(now, s->alone_until), 0) / USEC_PER_SEC), cause);
	return xasprintf("no witness (%s)", cause);
}

/* Why it would not take over although it might. */
static json_t *
barred(const struct instance *in, mono_t now)
{
	const struct vrrp_state *s = &in->state;
	char buf[ADDR_STRLEN], *words = NULL;
	json_t *json;

	if (s->role == VRRP_MASTER || s->role == VRRP_INIT)
		return json_null();
	if (s->release.on)
		words = xasprintf("released by the operator%s", s->release.force ? ", forced" : "");
	else if (s->deaf.on)
		words = xasprintf("%s did not hear us", addr_format(&s->deaf.peer, buf));
	else if (s->wants)
		words = xasprintf("waiting for the rest of %s", in->conf->group);
	else if (s->pending)
		words = xstrdup("a tracker has no verdict yet");
	else if (s->no_witness)
		words = no_witness(in, now);
	else if (vrrp_leaves_master(&in->params, s))
		words = xasprintf("the master has lowered itself to %u, and we ourselves are "
				  "lowered by as much",
		    s->heard.priority);
	if (words != NULL && s->release.on && !mono_is_never(s->release.until)) {
		char *longer = xasprintf("%s, for %lld s more", words,
		    (long long)(MAX(mono_until(now, s->release.until), 0) / USEC_PER_SEC));

		free(words);
		words = longer;
	}
	json = string_or_null(words);
	free(words);
	return json;
}

static json_t *
instance_object(const struct instance *in)
{
	const struct vrrp_conf *conf = in->conf;
	mono_t now = loop_now();
	json_t *object = json_pack(
	    "{s:s, s:s, s:o, s:s, s:s, s:i, s:i, s:s, s:s, s:i, s:i, s:I, s:b}", "key", in->name,
	    "name", conf->dual != NULL ? conf->dual : in->name, "group", string_or_null(conf->dual),
	    "device", conf->interface, "family", conf->family == AF_INET6 ? "ipv6" : "ipv4",
	    "virtualRouterId", conf->vrid, "protocolVersion", conf->version, "state",
	    control_state_word(in->state.role), "reason", in->reason, "basePriority",
	    conf->priority, "effectivePriority", in->trackers.sum.effective,
	    "advertisementIntervalMs", (json_int_t)(conf->advert_us / USEC_PER_MSEC), "preempt",
	    (int)!conf->nopreempt);

	set_master(in, object);
	json_object_set_new(object, "syncGroup",
	    string_or_null(
		conf->group != NULL && conf->dual != NULL && strcmp(conf->group, conf->dual) == 0
		    ? NULL
		    : conf->group));
	json_object_set_new(object, "barred", barred(in, now));
	if (in->state.alone) /* why it is BACKUP still, where it would be MASTER by now */
		json_object_set(object, "reason", json_object_get(object, "barred"));
	json_object_set_new(object, "peerDiffers", peer_differs(in));
	json_object_set_new(object, "lastTransitionAt", json_string(in->changed_stamp));
	json_object_set_new(object, "lastTransitionUsec", json_integer(in->changed_at.us));
	json_object_set_new(object, "terms", terms(in, now));
	json_object_set_new(object, "virtualAddresses", vip_objects(in, now));
	json_object_set_new(object, "counters", counters(in));
	return object;
}

/* ---- the collection and its methods ---- */

static json_t *
render(void *aux, const char *key)
{
	const struct instance *in = roster_find(aux, key);

	return in != NULL ? instance_object(in) : NULL;
}

static void
each(void *aux, void (*found)(void *, const char *), void *found_aux)
{
	struct vrrpd *v = aux;
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		found(found_aux, in->name);
}

static struct ipc_collection instances = {
	.array = "instances",
	.prefix = "",
	.render = render,
	.each = each,
};

/* Both halves of a dual-stack instance under its one name; NULL: there is none. */
static json_t *
list_halves(struct control *c, const char *name)
{
	struct instance *in = roster_next_half(c->vrrpd, name, NULL);
	json_t *list = in != NULL ? ipc_publish_list(c->publisher, &instances, in->name) : NULL;

	while (list != NULL && (in = roster_next_half(c->vrrpd, name, in)) != NULL)
		json_array_append_new(json_object_get(list, "instances"), instance_object(in));
	return list;
}

/* Names as people know them: a dual-stack instance stands for its halves.  New reference. */
static json_t *
keys_of(const struct control *c, const json_t *names)
{
	json_t *keys = json_array();

	if (!json_is_array(names)) {
		json_decref(keys);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		struct instance *in = NULL;

		json_array_append(keys, json_array_get(names, i));
		while (name != NULL && (in = roster_next_half(c->vrrpd, name, in)) != NULL)
			json_array_append_new(keys, json_string(in->name));
	}
	return keys;
}

static void
list_instances(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;
	const char *name = json_string_value(json_object_get(parameters, "name"));
	json_t *list = ipc_publish_list(c->publisher, &instances, name);

	if (list == NULL)
		list = list_halves(c, name);
	if (list != NULL)
		ipc_reply(call, list);
	else
		ipc_error(call, "org.trivet.vrrp.NoSuchInstance", json_pack("{s:s}", "name", name));
}

static void
monitor(struct ipc_call *call, json_t *parameters, void *aux)
{
	struct control *c = aux;

	json_t *keys = keys_of(c, json_object_get(parameters, "names"));

	ipc_publish_monitor(c->publisher, call, keys, json_object_get(parameters, "heartbeatMs"));
	json_decref(keys);
}

void
control_changed(struct control *c, const char *name)
{
	if (c != NULL)
		ipc_changed(c->publisher, &instances, name);
}

uint64_t
control_sequence(const struct control *c)
{
	return ipc_sequence(c->publisher);
}

static void
metrics(void *aux, struct service_metrics *m)
{
	const struct control *c = aux;

	metrics_of(c->vrrpd, m);
}

static void
peers(void *aux, json_t *array)
{
	const struct control *c = aux;

	if (c->vrrpd->verdicts != NULL)
		json_array_append_new(array, verdicts_describe(c->vrrpd->verdicts));
	if (c->vrrpd->proxy != NULL)
		json_array_append_new(array, proxyview_describe(c->vrrpd->proxy));
}

int
control_start(struct vrrpd *v, struct control **ret)
{
	static struct ipc_method methods[] = {
		{ .name = "org.trivet.vrrp.ListInstances", .handle = list_instances },
		{ .name = "org.trivet.vrrp.Monitor", .handle = monitor },
	};
	struct control *c = xcalloc(1, sizeof(*c));
	const struct service_config config = {
		.daemon = v->daemon, .metrics = metrics, .peers = peers, .aux = c
	};
	int r;

	c->vrrpd = v;
	instances.aux = v;
	if ((r = service_start(&config, &c->service)) != 0) {
		free(c);
		return r;
	}
	c->publisher = ipc_publisher_new(v->daemon->loop, v->daemon->epoch, &instances, 1);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		methods[i].aux = c;
	ipc_server_add(service_server(c->service), methods, ARRAY_LEN(methods));
	operator_serve(v, service_server(c->service));
	*ret = c;
	return 0;
}
