/*
 * syncgroup.c - see syncgroup.h.
 */
#include "vrrpd/syncgroup.h"

#include "common/event.h"
#include "common/log.h"
#include "common/text.h"
#include "vrrpd/group.h"
#include "vrrpd/roster.h"
#include "vrrpd/voice.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8 /* group_step settles in two or three; more would be a fault of ours */

struct sync_group {
	TAILQ_ENTRY(sync_group) entry;
	char *name;
	bool is_dual; /* to people it is one instance */
	size_t notify[NOTIFY_MAX];
	char digest[17]; /* of the configuration they are from */
	struct instance **members;
	size_t n;
	bool settling;
	enum vrrp_role told; /* what scripts know */
	struct notifier *notifier;
	const struct sync_group_conf *conf; /* in force */
	struct vrrpd *vrrpd;
};

/* ---- telling people ---- */

static void
say(struct sync_group *g, enum notify_kind kind, const char *state, const char *reason)
{
	const char *type = g->is_dual ? "INSTANCE" : "GROUP";
	/* Of a group keepalived says 0: its members have a priority each. */
	const unsigned priority = g->is_dual && g->n > 0 ? g->members[0]->trackers.sum.effective
							 : 0;
	struct text vips = { 0 };

	for (size_t i = 0; g->is_dual && i < g->n; i++)
		voice_add_vips(g->members[i], &vips);
	fifo_tell(g->vrrpd->fifos, &g->conf->fifo,
	    &(struct fifo_news){ .type = type,
		.name = g->name,
		.state = state,
		.priority = priority,
		.is_state = true });
	notifier_tell(g->notifier, g->notify, g->digest,
	    &(struct notify_change){ .type = type,
		.kind = kind,
		.old_state = vrrp_role_str(g->told),
		.new_state = state,
		.priority = priority,
		.reason = reason,
		.vips = text_str(&vips) });
	text_done(&vips);
}

static void
tell(struct sync_group *g, enum vrrp_role role)
{
	static const enum notify_kind kinds[] = {
		[VRRP_INIT] = NOTIFY_STOP,
		[VRRP_BACKUP] = NOTIFY_BACKUP,
		[VRRP_MASTER] = NOTIFY_MASTER,
		[VRRP_FAULT] = NOTIFY_FAULT,
	};
	const char *state = role == VRRP_INIT ? "STOP" : vrrp_role_str(role);
	const struct instance *first = g->members[0];

	event_emit(LOG_NOTICE, g->name,
	    (const char *const[]){
		"from", vrrp_role_str(g->told), "to", vrrp_role_str(role), NULL },
	    "%s %s: %s", g->is_dual ? "Both families are" : "Group is", state, first->reason);
	say(g, kinds[role], state, first->reason);
	g->told = role;
}

/* When all members have come to the same role, and it is another than before. */
static void
tell_if_news(struct sync_group *g)
{
	enum vrrp_role role = g->members[0]->state.role;

	for (size_t i = 1; i < g->n; i++)
		if (g->members[i]->state.role != role)
			return;
	if (role != g->told)
		tell(g, role);
}

/* ---- keeping the members one ---- */

static const char *
cause_of(const struct group_member *m, const struct group_order *order, size_t self,
    char buf[static GROUP_CAUSE_STRLEN])
{
	if (order->kind != VRRP_EV_FAULT && order->kind != VRRP_EV_GROUP_BACKUP)
		return NULL; /* it is because of all of them */
	return group_cause(m, order, self, buf);
}

/* False: it is as it should be. */
static bool
step(struct sync_group *g)
{
	struct group_member *m = xcalloc(g->n, sizeof(*m));
	struct group_order *orders = xcalloc(g->n, sizeof(*orders));
	char cause[GROUP_CAUSE_STRLEN];
	size_t n;

	for (size_t i = 0; i < g->n; i++)
		m[i] = (struct group_member){ .name = g->members[i]->name,
			.state = &g->members[i]->state,
			.fault = g->members[i]->own_fault };
	n = group_step(m, g->n, orders);
	for (size_t i = 0; n > 0 && i < g->n; i++)
		if (orders[i].kind != VRRP_EV_MAX)
			instance_order(
			    g->members[i], orders[i].kind, cause_of(m, &orders[i], i, cause));
	free(orders);
	free(m);
	return n > 0;
}

void
syncgroup_settle(struct instance *in)
{
	struct sync_group *g = in->group;

	if (g == NULL || g->settling || in->vrrpd->groups_held)
		return;
	g->settling = true;
	for (int round = 0; round < ROUNDS_MAX && step(g); round++)
		;
	g->settling = false;
	tell_if_news(g);
}

void
syncgroup_adopt(struct vrrpd *v)
{
	struct sync_group *g;

	TAILQ_FOREACH (g, &v->groups, entry) {
		struct adopt_outcome *out = xcalloc(g->n, sizeof(*out));

		for (size_t i = 0; i < g->n; i++)
			out[i] = g->members[i]->adopt;
		adopt_together(out, g->n);
		for (size_t i = 0; i < g->n; i++)
			g->members[i]->adopt = out[i];
		free(out);
	}
}

/* ---- configuration ---- */

/* One alone is no group: it goes by the ordinary rules. */
static bool
is_group(const struct sync_group_conf *conf)
{
	return conf->n_members > 1;
}

static struct sync_group *
find(const struct vrrpd *v, const char *name)
{
	struct sync_group *g;

	TAILQ_FOREACH (g, &v->groups, entry)
		if (strcmp(g->name, name) == 0)
			return g;
	return NULL;
}

static void
drop(struct vrrpd *v, struct sync_group *g)
{
	/* The configuration that it is from is still there. */
	say(g, g->conf->notify_deleted ? NOTIFY_DELETED : NOTIFY_FAULT,
	    g->conf->notify_deleted ? "DELETED" : "FAULT", "removed from the configuration");
	TAILQ_REMOVE(&v->groups, g, entry);
	notifier_release(g->notifier);
	free(g->members);
	free(g->name);
	free(g);
}

static struct sync_group *
add(struct vrrpd *v, const char *name)
{
	struct sync_group *g = xcalloc(1, sizeof(*g));

	g->name = xstrdup(name);
	g->vrrpd = v;
	g->notifier = notifier_new(v->runner, g->name);
	TAILQ_INSERT_TAIL(&v->groups, g, entry);
	return g;
}

static void
configure(struct vrrpd *v, const struct sync_group_conf *conf)
{
	struct sync_group *g = find(v, conf->name);

	if (g == NULL)
		g = add(v, conf->name);
	g->is_dual = conf->is_dual;
	memcpy(g->notify, conf->notify, sizeof(g->notify));
	memcpy(g->digest, v->conf->digest, sizeof(g->digest));
	g->notifier->runner = v->runner;
	g->conf = conf;
	g->members = xcalloc(conf->n_members, sizeof(struct instance *));
	for (size_t i = 0; i < conf->n_members; i++) {
		struct instance *in = roster_find(v, conf->members[i].name);

		if (in == NULL)
			continue;
		in->group = g;
		g->members[g->n++] = in;
	}
}

static bool
is_wanted(const struct vrrpd *v, const struct sync_group *g)
{
	for (size_t i = 0; i < v->conf->n_groups; i++)
		if (is_group(&v->conf->groups[i]) && strcmp(v->conf->groups[i].name, g->name) == 0)
			return true;
	return false;
}

void
syncgroup_hold(struct vrrpd *v)
{
	struct sync_group *g;
	struct instance *in;

	v->groups_held = true;
	TAILQ_FOREACH (in, &v->instances, entry)
		in->group = NULL;
	TAILQ_FOREACH (g, &v->groups, entry) {
		free(g->members);
		g->members = NULL;
		g->n = 0;
	}
}

/* Which instances are of which group. */
void
syncgroup_join(struct vrrpd *v)
{
	struct sync_group *g, *next;

	for (size_t i = 0; i < v->conf->n_groups; i++)
		if (is_group(&v->conf->groups[i]))
			configure(v, &v->conf->groups[i]);
	for (g = TAILQ_FIRST(&v->groups); g != NULL; g = next) {
		next = TAILQ_NEXT(g, entry);
		if (!is_wanted(v, g))
			drop(v, g);
	}
}

void
syncgroup_apply(struct vrrpd *v)
{
	struct sync_group *g;
	struct instance *in;

	v->groups_held = false;
	TAILQ_FOREACH (g, &v->groups, entry) {
		if (g->n == 0)
			continue;
		/* What goes on where the last process stopped is nothing new to scripts. */
		if (g->members[0]->adopt.verdict != ADOPT_NONE)
			g->told = g->members[0]->state.role;
		syncgroup_settle(g->members[0]);
	}
	TAILQ_FOREACH (in, &v->instances, entry)
		in->adopt = (struct adopt_outcome){ .verdict = ADOPT_NONE };
}

size_t
syncgroup_wait(struct vrrpd *v, void (*on_idle)(void *), void *aux)
{
	struct sync_group *g;
	size_t n = 0;

	TAILQ_FOREACH (g, &v->groups, entry) {
		if (notifier_is_idle(g->notifier))
			continue;
		g->notifier->on_idle = on_idle;
		g->notifier->aux = aux;
		n++;
	}
	return n;
}
