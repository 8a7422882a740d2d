/*
 * vrrp_group.c - vrrp_sync_group: instances that are master together or not at
 * all.  The members are looked up when all instances are known.
 */
#include "common/conf/bind.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX 255

static void
bind_members(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	struct sync_group_conf *g = object;

	(void)d;
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		for (size_t i = 0; i < s->n_words; i++) {
			if (!bind_room(b, s->words[i].pos, g->n_members, MEMBERS_MAX, "members"))
				return;
			g->members = conf_grow(g->members, g->n_members, sizeof(*g->members));
			g->members[g->n_members++] = (struct group_member_conf){
				xstrdup(s->words[i].text), s->words[i].pos
			};
		}
	}
}

static void
bind_group_notify(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct sync_group_conf *g = object;

	char *of = xasprintf("group %s", g->name);

	vrrp_bind_notify(b, s, d, of, g->notify);
	free(of);
}

static void
bind_group_deleted(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	((struct sync_group_conf *)object)->notify_deleted = true;
	if (s->n_words > 1)
		bind_group_notify(b, s, d, object);
}

/* Looked up when all checks are known (suite.c); one member's, so all have it. */
static void
bind_group_track(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	(void)object;
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		if (!vrrp_list_line(b, s))
			continue;
		b->tracks = conf_grow(b->tracks, b->n_tracks, sizeof(*b->tracks));
		b->tracks[b->n_tracks++] = (struct reference){ .stmt = s,
			.object = b->conf->n_groups,
			.of_group = true,
			.word = (enum track_word)d->low };
	}
}

/* Its members' when they are known. */
static void
bind_group_interface(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	struct sync_group_conf *g = object;

	(void)d;
	vrrp_bind_track_interface(b, block, &g->track_interfaces, &g->n_track_interfaces);
}

/* clang-format off */
static const struct directive group_rows[] = {
	{ "track_script", 0, 0, D_BLOCK | D_REPEAT, bind_group_track, 0, 0, 0, NULL },
	{ "track_check", 0, 0, D_BLOCK | D_REPEAT, bind_group_track, 0, 0, 0, NULL },
	{ "track_process", 0, 0, D_BLOCK | D_REPEAT, bind_group_track, 0, TRACK_PROCESS, 0, NULL },
	{ "track_file", 0, 0, D_BLOCK | D_REPEAT, bind_group_track, 0, TRACK_FILE, 0, NULL },
	{ "track_interface", 0, 0, D_BLOCK | D_REPEAT, bind_group_interface, 0, 0, 0, NULL },
	{ "group", 0, 0, D_BLOCK | D_REPEAT, bind_members, 0, 0, 0, NULL },
	{ "notify_master", 1, 3, 0, bind_group_notify, 0, NOTIFY_MASTER, 0, NULL },
	{ "notify_backup", 1, 3, 0, bind_group_notify, 0, NOTIFY_BACKUP, 0, NULL },
	{ "notify_fault", 1, 3, 0, bind_group_notify, 0, NOTIFY_FAULT, 0, NULL },
	{ "notify_stop", 1, 3, 0, bind_group_notify, 0, NOTIFY_STOP, 0, NULL },
	{ "notify", 1, 3, 0, bind_group_notify, 0, NOTIFY_ANY, 0, NULL },
	{ "notify_deleted", 0, 3, 0, bind_group_deleted, 0, NOTIFY_DELETED, 0, NULL },
	{ "notify_fifo", 1, 3, 0, vrrp_bind_fifo, offsetof(struct sync_group_conf, fifo), 0, 0, NULL },
	{ "notify_fifo_script", 1, 3, 0, vrrp_bind_fifo_script, offsetof(struct sync_group_conf, fifo),
	    0, 0, NULL },
	{ "notify_priority_changes", 0, 1, 0, bind_accepted, 0, 0, 0, NULL },	/* it has none */
	{ "global_tracking", 0, 0, 0, bind_accepted, 0, 0, 0, NULL },	/* members track for all */
	{ "sync_group_tracking_weight", 0, 0, 0, bind_accepted, 0, 0, 0, NULL },	/* as they do */
	GUARD("track_bfd", "what it watches does not count"),
	KNOWN("smtp_alert"),
};
/* clang-format on */

void
vrrp_bind_group(struct binder *b, struct stmt *s)
{
	struct sync_group_conf g = { .name = xstrdup(s->words[1].text), .pos = s->words[1].pos };
	const struct context in = { .kind = "vrrp_sync_group",
		.name = g.name,
		.part = CONF_VRRP,
		.rows = group_rows,
		.n_rows = ARRAY_LEN(group_rows) };
	const struct context *outer = b->in;
	struct conf *conf = b->conf;

	for (size_t i = 0; i < NOTIFY_MAX; i++)
		g.notify[i] = SIZE_MAX;
	g.fifo.script = SIZE_MAX;
	b->in = &in;
	bind_block(b, s, &in, &g);
	vrrp_settle_fifo(b, g.pos, &g.fifo);
	for (size_t i = 0; i < conf->n_groups; i++)
		if (!conf->groups[i].is_dual && strcmp(conf->groups[i].name, g.name) == 0)
			bind_say(b, CONF_ERROR, g.pos,
			    "there is a vrrp_sync_group '%s' already, in line %u", g.name,
			    conf->groups[i].pos.line);
	b->in = outer;
	conf->groups = conf_grow(conf->groups, conf->n_groups, sizeof(*conf->groups));
	conf->groups[conf->n_groups++] = g;
}

static struct vrrp_conf *
find_instance(struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_instances; i++)
		if (strcmp(conf->instances[i].name, name) == 0)
			return &conf->instances[i];
	return NULL;
}

struct vrrp_conf *
vrrp_first_member(struct binder *b, size_t group)
{
	const struct sync_group_conf *g = &b->conf->groups[group];

	return g->n_members > 0 ? find_instance(b->conf, g->members[0].name) : NULL;
}

/* ---- dual-stack instances: a group that nobody wrote ---- */

void
vrrp_group_halves(struct binder *b, const struct word *name)
{
	struct conf *conf = b->conf;
	struct vrrp_conf *half = &conf->instances[conf->n_instances - 2];
	struct sync_group_conf g = {
		.name = xstrdup(name->text), .is_dual = true, .pos = name->pos
	};

	g.n_members = 2;
	g.members = xcalloc(g.n_members, sizeof(*g.members));
	for (size_t i = 0; i < g.n_members; i++)
		g.members[i] = (struct group_member_conf){ xstrdup(half[i].name), name->pos };
	/* Scripts are told of the whole. */
	memcpy(g.notify, half[0].notify, sizeof(g.notify));
	for (size_t i = 0; i < NOTIFY_MAX; i++)
		half[0].notify[i] = SIZE_MAX;
	g.notify_deleted = half[0].notify_deleted;
	g.fifo = half[0].fifo;
	half[0].fifo = (struct fifo_conf){ .script = SIZE_MAX };
	conf->groups = conf_grow(conf->groups, conf->n_groups, sizeof(*conf->groups));
	conf->groups[conf->n_groups++] = g;
}

static struct sync_group_conf *
find_dual(struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (conf->groups[i].is_dual && strcmp(conf->groups[i].name, name) == 0)
			return &conf->groups[i];
	return NULL;
}

/*
 * A group that names a dual-stack instance has both halves as members, and is
 * the only one they are in; what is left tells the instance's own scripts.
 */
static void
take_halves(struct binder *b, struct sync_group_conf *g)
{
	struct conf *conf = b->conf;

	for (size_t i = 0, n = g->n_members; i < n; i++) {
		struct sync_group_conf *dual = find_dual(conf, g->members[i].name);
		struct vrrp_conf *first;

		if (dual == NULL || dual->n_members == 0)
			continue;
		g->members = conf_grow(g->members, g->n_members, sizeof(*g->members));
		free(g->members[i].name);
		g->members[i].name = dual->members[0].name;
		g->members[g->n_members++] = (struct group_member_conf){ dual->members[1].name,
			g->members[i].pos };
		free(dual->members);
		dual->members = NULL;
		dual->n_members = 0;
		if ((first = find_instance(conf, g->members[i].name)) != NULL) {
			memcpy(first->notify, dual->notify, sizeof(first->notify));
			first->fifo = dual->fifo;
			dual->fifo = (struct fifo_conf){ .script = SIZE_MAX };
		}
		for (size_t k = 0; k < NOTIFY_MAX; k++)
			dual->notify[k] = SIZE_MAX;
	}
}

static void
say_no_instance(struct binder *b, const struct group_member_conf *m)
{
	char *hint = bind_did_you_mean(
	    b, m->name, b->conf->instances, b->conf->n_instances, sizeof(*b->conf->instances));

	bind_say(b, CONF_ERROR, m->pos, "there is no vrrp_instance '%.64s'%s", m->name, hint);
	free(hint);
}

static bool
has_interface(const struct vrrp_conf *v, const char *name)
{
	for (size_t i = 0; i < v->n_track_interfaces; i++)
		if (strcmp(v->track_interfaces[i].name, name) == 0)
			return true;
	return false;
}

static void
resolve_member(struct binder *b, const struct sync_group_conf *g, const struct group_member_conf *m)
{
	struct vrrp_conf *v = find_instance(b->conf, m->name);

	if (v == NULL) {
		say_no_instance(b, m);
	} else if (v->group != NULL) {
		bind_say(b, CONF_ERROR, m->pos, "'%s' is in group '%s' already", m->name, v->group);
	} else {
		if (g->n_members > 1)
			v->group = xstrdup(g->name);
		if (v->priority == 255 && !g->is_dual)
			bind_say(b, CONF_WARNING, m->pos,
			    "'%s' is an owner (priority 255): in a group it waits for the others",
			    m->name);
	}
}

/* One member's, so all have it (vrrp_share_trackers; FAULT is the group's in any case). */
static void
hand_on_interfaces(struct binder *b, struct sync_group_conf *g)
{
	struct vrrp_conf *v = vrrp_first_member(b, (size_t)(g - b->conf->groups));

	for (size_t i = 0; i < g->n_track_interfaces; i++) {
		struct track_interface_conf t = g->track_interfaces[i];

		if (v == NULL || has_interface(v, t.name)) {
			free(t.name);
			continue;
		}
		v->track_interfaces = conf_grow(
		    v->track_interfaces, v->n_track_interfaces, sizeof(*v->track_interfaces));
		v->track_interfaces[v->n_track_interfaces++] = t;
	}
	free(g->track_interfaces);
	g->track_interfaces = NULL;
	g->n_track_interfaces = 0;
}

void
vrrp_resolve_groups(struct binder *b)
{
	for (size_t i = 0; i < b->conf->n_groups; i++)
		if (!b->conf->groups[i].is_dual && find_dual(b->conf, b->conf->groups[i].name))
			bind_say(b, CONF_ERROR, b->conf->groups[i].pos,
			    "'%s' is the name of a dual-stack instance, which is a group of its own",
			    b->conf->groups[i].name);
	for (size_t i = 0; i < b->conf->n_groups; i++)
		if (!b->conf->groups[i].is_dual)
			take_halves(b, &b->conf->groups[i]);
	for (size_t i = 0; i < b->conf->n_groups; i++) {
		struct sync_group_conf *g = &b->conf->groups[i];

		hand_on_interfaces(b, g);
		if (g->n_members < 2 && !g->is_dual)
			bind_say(b, CONF_WARNING, g->pos, "group '%s' has %s", g->name,
			    g->n_members == 0 ? "no member" : "one member only: it does nothing");
		for (size_t k = 0; k < g->n_members; k++)
			resolve_member(b, g, &g->members[k]);
	}
}

/* ---- what one member tracks, all do ---- */

static bool
has_check(const struct vrrp_conf *v, const struct check_conf *check)
{
	for (size_t i = 0; i < v->n_tracks; i++)
		if (v->tracks[i].check == check)
			return true;
	return false;
}

static bool
has_upstream(const struct vrrp_conf *v, const char *name)
{
	for (size_t i = 0; i < v->n_track_upstreams; i++)
		if (strcmp(v->track_upstreams[i].name, name) == 0)
			return true;
	return false;
}

static bool
has_listener(const struct track_proxy_conf *t, const char *name)
{
	for (size_t i = 0; i < t->n_listeners; i++)
		if (strcmp(t->listeners[i], name) == 0)
			return true;
	return false;
}

static void
share_proxy(const struct track_proxy_conf *from, struct track_proxy_conf *to)
{
	if (from->mode != TRACK_PROXY_ON || from->weight == 0)
		return;
	if (to->mode != TRACK_PROXY_ON) {
		to->mode = TRACK_PROXY_ON;
		to->weight = from->weight;
		to->hold_us = from->hold_us;
	}
	for (size_t i = 0; i < from->n_listeners; i++) {
		if (has_listener(to, from->listeners[i]))
			continue;
		to->listeners = conf_grow(to->listeners, to->n_listeners, sizeof(*to->listeners));
		to->listeners[to->n_listeners++] = xstrdup(from->listeners[i]);
	}
}

/*
 * A weight that lowers one member only would leave the group where it is: the
 * other members still outrank the peer.  FAULT is the group's in any case.
 */
static void
share(const struct vrrp_conf *from, struct vrrp_conf *to)
{
	for (size_t i = 0; i < from->n_tracks; i++) {
		if (from->tracks[i].weight == 0 || has_check(to, from->tracks[i].check))
			continue;
		to->tracks = conf_grow(to->tracks, to->n_tracks, sizeof(*to->tracks));
		to->tracks[to->n_tracks++] = from->tracks[i];
	}
	for (size_t i = 0; i < from->n_track_interfaces; i++) {
		struct track_interface_conf t = from->track_interfaces[i];

		if (t.weight == 0 || has_interface(to, t.name))
			continue;
		t.name = xstrdup(t.name);
		to->track_interfaces = conf_grow(
		    to->track_interfaces, to->n_track_interfaces, sizeof(*to->track_interfaces));
		to->track_interfaces[to->n_track_interfaces++] = t;
	}
	for (size_t i = 0; i < from->n_track_upstreams; i++) {
		struct track_upstream_conf t = from->track_upstreams[i];

		if (t.weight == 0 || has_upstream(to, t.name))
			continue;
		t.name = xstrdup(t.name);
		to->track_upstreams = conf_grow(
		    to->track_upstreams, to->n_track_upstreams, sizeof(*to->track_upstreams));
		to->track_upstreams[to->n_track_upstreams++] = t;
	}
	share_proxy(&from->track_proxy, &to->track_proxy);
}

void
vrrp_share_trackers(struct binder *b)
{
	for (size_t i = 0; i < b->conf->n_groups; i++) {
		const struct sync_group_conf *g = &b->conf->groups[i];
		struct vrrp_conf *first = g->n_members > 1
					      ? find_instance(b->conf, g->members[0].name)
					      : NULL;

		/* All into the first, and from there to all. */
		for (size_t k = 1; first != NULL && k < g->n_members; k++) {
			const struct vrrp_conf *v = find_instance(b->conf, g->members[k].name);

			if (v != NULL && v != first)
				share(v, first);
		}
		for (size_t k = 1; first != NULL && k < g->n_members; k++) {
			struct vrrp_conf *v = find_instance(b->conf, g->members[k].name);

			if (v != NULL && v != first)
				share(first, v);
		}
	}
}

void
sync_group_conf_done(struct sync_group_conf *g)
{
	for (size_t i = 0; i < g->n_members; i++)
		free(g->members[i].name);
	free(g->members);
	fifo_conf_done(&g->fifo);
	free(g->name);
}
