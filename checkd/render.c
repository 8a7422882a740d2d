/*
 * render.c - see render.h.
 */
#include "checkd/render.h"

#include "checkd/active.h"
#include "common/loop.h"
#include "ipc/varlink.h"

#include <limits.h>

static json_t *
stamp_or_null(mono_t at)
{
	return mono_is_never(at) ? json_null() : json_integer(at.us);
}

void
render_target(const struct check_conf *conf, struct text *out)
{
	char where[ENDPOINT_STRLEN];

	switch (conf->kind) {
	case CHECK_SCRIPT:
		for (size_t i = 0; i < conf->argc; i++)
			text_addf(out, "%s%s", i > 0 ? " " : "", conf->argv[i]);
		return;
	case CHECK_PORT:
		if (conf->endpoint.addr.family == AF_UNSPEC)
			text_addf(out, "*:%u", conf->endpoint.port);
		else
			text_add(out, endpoint_format(&conf->endpoint, where));
		if (conf->udp)
			text_add(out, " udp");
		return;
	case CHECK_HTTP:
		text_add(out, conf->http->url);
		return;
	case CHECK_DNS:
		check_peer_format(conf, out);
		text_addf(out, " %s %s", conf->dns_name, dns_type_str(conf->dns_type));
		return;
	case CHECK_FILE:
		text_add(out, conf->file);
		return;
	case CHECK_PROCESS:
		text_add(out, conf->process.name);
		for (size_t i = 0; i < conf->process.n_params; i++)
			text_addf(out, " %s", conf->process.params[i]);
		if (conf->process.quorum != 1)
			text_addf(out, " quorum %u", conf->process.quorum);
		if (conf->process.quorum_max != UINT_MAX)
			text_addf(out, " quorum_max %u", conf->process.quorum_max);
		return;
	default: /* they ask a peer */
		check_peer_format(conf, out);
		return;
	}
}

static json_t *
used_by(const struct conf *conf, const struct check_conf *check)
{
	json_t *names = json_array();
	size_t n;

	if (check->is_server) {
		const char *const *users = active_users(check, &n);

		for (size_t i = 0; i < n; i++)
			json_array_append_new(names, varlink_string(users[i]));
	}
	for (size_t i = 0; check->is_tracked && i < conf->n_instances; i++) {
		const struct vrrp_conf *vrrp = &conf->instances[i];

		for (size_t k = 0; k < vrrp->n_tracks; k++)
			if (vrrp->tracks[k].check == check)
				json_array_append_new(names, varlink_string(vrrp->name));
		if (vrrp->witness.check == check)
			json_array_append_new(names, varlink_string(vrrp->name));
	}
	return names;
}

/* What is said only of those of which there is something to say. */
static json_t *
rare(const struct target_status *s)
{
	bool says = s->admin.mode != ADMIN_AUTO;

	return json_pack("{so so sI so}", "administrativeUntilUsec",
	    stamp_or_null(admin_end(&s->admin)), "administrativeComment",
	    says ? varlink_string(s->admin.comment) : json_null(), "changesLastHour",
	    (json_int_t)flap_count(s->flap, loop_now()), "value",
	    s->has_value ? json_integer(s->value) : json_null());
}

json_t *
render_check(const struct checks *checks, const struct target *t)
{
	const struct check_conf *conf = target_conf(t);
	const struct target_status *s = target_status(t);
	bool ran = !mono_is_never(s->checked);
	struct text target = { 0 }, why = { 0 };
	json_t *o;

	render_target(conf, &target);
	target_explain(t, &why);
	o = json_pack("{so ss so so ss ss si sI sI so so ss so so so}", "name",
	    varlink_string(conf->name), "kind", check_kind_str(conf->kind), "target",
	    varlink_string(text_str(&target)), "usedBy", used_by(checks_conf(checks), conf),
	    "state", check_state_str(s->state), "administrative", admin_mode_str(s->admin.mode),
	    "weight", conf->weight, "consecutiveSuccesses", (json_int_t)s->verdict.successes,
	    "consecutiveFailures", (json_int_t)s->verdict.failures, "lastCheckedUsec",
	    stamp_or_null(s->checked), "validUntilUsec", stamp_or_null(s->valid_until),
	    "lastChangeAt", s->changed_at, "lastDurationUsec",
	    ran ? json_integer(s->duration_us) : json_null(), "lastReason",
	    ran ? json_string(check_reason_str(s->verdict.reason)) : json_null(), "lastDetail",
	    ran || why.length > 0 ? varlink_string(text_str(&why)) : json_null());
	json_object_update_new(o, rare(s));
	text_done(&why);
	text_done(&target);
	return o;
}
