/*
 * vrrp.c - vrrp_instance blocks.
 *
 * Where a nicer reading would change what goes on the wire, keepalived's holds
 * (config.md 1); what it reads was tried with keepalived 2.2.7.
 */
#include "common/conf/vrrp_draft.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define V(field) offsetof(struct draft, vrrp.field)

/* ---- the addresses ---- */

static void
bind_vips(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	struct draft *draft = object;
	bool excluded = d->low;

	if (!excluded)
		draft->vip_block = block;
	vrrp_bind_vips(b, block, &draft->vrrp, excluded);
}

static void
bind_no_vips(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)b, (void)s, (void)d;
	((struct draft *)object)->no_address = true;
}

static void
bind_routes(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	(void)d;
	routes_bind(b, block, &((struct draft *)object)->vrrp.routing);
}

static void
bind_rules(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	(void)d;
	rules_bind(b, block, &((struct draft *)object)->vrrp.routing);
}

/* ---- authentication (vrrp_auth.c) ---- */

static void
bind_authentication(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	vrrp_bind_authentication(b, s, &((struct draft *)object)->auth);
}

static void
bind_hmac(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	(void)d;
	draft->auth.hmac = s;
	vrrp_bind_hmac(b, s, &draft->vrrp);
}

/* ---- the other words ---- */

static void
bind_state(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	(void)d;
	draft->vrrp.state_master = strcmp(s->words[1].text, "MASTER") == 0;
	if (!draft->vrrp.state_master && strcmp(s->words[1].text, "BACKUP") != 0)
		bind_say(b, CONF_WARNING, s->words[1].pos,
		    "'%.64s' is neither MASTER nor BACKUP; taken as BACKUP", s->words[1].text);
}

static void
bind_interface(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	vrrp_check_interface(b, &s->words[1]);
	bind_string(b, s, d, object);
}

/* A number on which keepalived's reading and ours differ when a ';' follows it (seen). */
static void
bind_semicolon_u8(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	if (s->semicolon.line > 0)
		bind_say(b, CONF_WARNING, s->semicolon,
		    "keepalived does not read '%.16s;' and %s; %.16s is used here: remove the ';'",
		    s->words[1].text, d->note, s->words[1].text);
	bind_u8(b, s, d, object);
}

static void
bind_priority(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	draft->priority = s;
	bind_semicolon_u8(b, s, d, object);
}

/* keepalived ignores "2;" and keeps its default of one second (seen). */
static void
bind_advert(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	int64_t us;

	if (s->semicolon.line > 0) {
		bind_say(b, CONF_WARNING, s->semicolon,
		    "keepalived does not read '%.16s;' and advertises every second, and so does "
		    "trivet: remove the ';' on every node",
		    s->words[1].text);
		s->left_out = true;
		return;
	}
	if (value_seconds(b, &s->words[1], d->low, d->high, &us)) {
		draft->vrrp.advert_us = us;
		draft->advert = s;
	}
}

static void
bind_instance_version(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	bind_u8(b, s, d, object);
	draft->version_written = true;
}

static void
bind_nopreempt(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	(void)b;
	draft->vrrp.nopreempt = d->low;
	draft->nopreempt = stmt_pos(s);
}

static void
bind_preempt_delay(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	((struct draft *)object)->preempt_delay = s;
	bind_seconds(b, s, d, object);
}

/* References to checks are looked up when all of them are known (suite.c). */
static void
bind_track_script(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	(void)object;
	for (struct stmt *s = block->first; s != NULL; s = s->next) {
		if (!vrrp_list_line(b, s))
			continue;
		b->tracks = conf_grow(b->tracks, b->n_tracks, sizeof(*b->tracks));
		b->tracks[b->n_tracks++] = (struct reference){
			.stmt = s, .object = b->conf->n_instances, .word = (enum track_word)d->low
		};
	}
}

static void
bind_track_interface(struct binder *b, struct stmt *block, const struct directive *d, void *object)
{
	struct vrrp_conf *v = &((struct draft *)object)->vrrp;

	(void)d;
	vrrp_bind_track_interface(b, block, &v->track_interfaces, &v->n_track_interfaces);
}

static void
bind_track_upstream(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	vrrp_bind_track_upstream(b, s, &((struct draft *)object)->vrrp);
}

static void
bind_track_proxy(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	vrrp_bind_track_proxy(b, s, &((struct draft *)object)->vrrp);
}

static void
bind_witness(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d;
	vrrp_bind_witness(b, s, &((struct draft *)object)->vrrp);
}

static void
bind_lease(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	int64_t us;

	if (strcmp(s->words[1].text, "off") == 0) {
		draft->vrrp.lease_us = 0;
		return;
	}
	if (!value_duration(b, &s->words[1], d->low, d->high, &us))
		return;
	if (us % US_PER_S != 0)
		bind_say(b, CONF_ERROR, s->words[1].pos, "a lease is whole seconds");
	else
		draft->vrrp.lease_us = us;
}

/* notify_master "cmd" [user [group]] */
static void
bind_notify(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct vrrp_conf *v = &draft->vrrp;

	if (draft->half != AF_INET6) /* one of the halves speaks for both */
		vrrp_bind_notify(b, s, d, v->dual != NULL ? v->dual : v->name, v->notify);
}

/* Alone it says that a removed instance is to be called that. */
static void
bind_notify_deleted(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	((struct draft *)object)->vrrp.notify_deleted = true;
	if (s->n_words > 1)
		bind_notify(b, s, d, object);
}

static void
bind_fifo(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	if (((struct draft *)object)->half != AF_INET6)
		vrrp_bind_fifo(b, s, d, object);
}

static void
bind_fifo_script(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	if (((struct draft *)object)->half != AF_INET6)
		vrrp_bind_fifo_script(b, s, d, object);
}

static void
bind_accept(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)b, (void)s;
	((struct draft *)object)->vrrp.no_accept = d->low;
}

static int
hex_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* "00:00:5e:00:01:33" */
static bool
parse_mac(const char *text, uint8_t ret[static 6])
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_of(text[3 * i]), low = hex_of(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return (ret[0] & 1) == 0; /* no group's */
}

/* use_vmac [NAME] [MAC] */
static void
bind_vmac(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct vmac_conf *vmac = &((struct draft *)object)->vrrp.vmac;

	(void)d;
	vmac->on = true;
	for (size_t i = 1; i < s->n_words; i++) {
		const struct word *w = &s->words[i];
		size_t n = strlen(w->text);

		if (strchr(w->text, ':') != NULL) {
			if (!parse_mac(w->text, vmac->mac))
				bind_say(b, CONF_ERROR, w->pos,
				    "'%.64s' is not a MAC address of one station", w->text);
		} else if (n == 0 || n >= IFNAMSIZ || strchr(w->text, '/') != NULL)
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.64s' cannot be an interface: a name has 1 to 15 characters",
			    w->text);
		else
			memcpy(vmac->name, w->text, n);
	}
}

/* clang-format off */
static const struct directive instance_rows[] = {
	{ "state", 1, 1, 0, bind_state, 0, 0, 0, NULL },
	{ "interface", 1, 1, 0, bind_interface, V(interface), 0, 0, NULL },
	{ "virtual_router_id", 1, 1, D_SEMICOLON, bind_semicolon_u8, V(vrid), 1, 255,
	    "goes on without a virtual_router_id" },
	{ "priority", 1, 1, D_SEMICOLON, bind_priority, V(priority), 1, 255, "takes 100" },
	{ "advert_int", 1, 1, D_SEMICOLON, bind_advert, 0, 10 * US_PER_MS, 255 * US_PER_S, NULL },
	{ "version", 1, 1, 0, bind_instance_version, V(version), 2, 3, NULL },
	{ "authentication", 0, 0, D_BLOCK, bind_authentication, 0, 0, 0, NULL },
	{ "auth_hmac", 0, 0, D_BLOCK, bind_hmac, 0, 0, 0, NULL },
	{ "nopreempt", 0, 0, D_REPEAT, bind_nopreempt, 0, true, 0, NULL },
	{ "preempt", 0, 0, D_REPEAT, bind_nopreempt, 0, false, 0, NULL },
	{ "preempt_delay", 1, 1, 0, bind_preempt_delay, V(preempt_delay_us), 0, 1000 * US_PER_S, NULL },
	{ "unicast_src_ip", 1, 1, D_SEMICOLON | D_REPEAT, vrrp_bind_source, 0, 0, 0, NULL },
	{ "mcast_src_ip", 1, 1, D_SEMICOLON | D_REPEAT, vrrp_bind_source, 0, 0, 0, NULL },
	{ "mcast_dst_ip", 1, 1, D_SEMICOLON | D_REPEAT, vrrp_bind_destination, 0, 0, 0, NULL },
	{ "unicast_peer", 0, 0, D_BLOCK, vrrp_bind_peers, 0, 0, 0, NULL },
	{ "virtual_ipaddress", 0, 0, D_BLOCK | D_REPEAT, bind_vips, 0, false, 0, NULL },
	{ "virtual_ipaddress_excluded", 0, 0, D_BLOCK | D_REPEAT, bind_vips, 0, true, 0, NULL },
	{ "promote_secondaries", 0, 0, 0, bind_flag, V(promote_secondaries), 0, 0, NULL },
	{ "use_vmac", 0, 2, 0, bind_vmac, 0, 0, 0, NULL },
	{ "vmac_xmit_base", 0, 0, 0, bind_flag, V(vmac.xmit_base), 0, 0, NULL },
	{ "use_vmac_addr", 0, MANY, 0, bind_refused, 0, 0, 0,
	    "not supported: with use_vmac all addresses have the virtual MAC" },
	{ "use_ipvlan", 0, MANY, 0, bind_refused, 0, 0, 0,
	    "not supported: it has the MAC of its interface; leave it out, or write use_vmac" },
	{ "virtual_routes", 0, 0, D_BLOCK | D_REPEAT, bind_routes, 0, 0, 0, NULL },
	{ "virtual_rules", 0, 0, D_BLOCK | D_REPEAT, bind_rules, 0, 0, 0, NULL },
	{ "track_script", 0, 0, D_BLOCK | D_REPEAT, bind_track_script, 0, 0, 0, NULL },
	{ "track_check", 0, 0, D_BLOCK | D_REPEAT, bind_track_script, 0, 0, 0, NULL },
	{ "track_process", 0, 0, D_BLOCK | D_REPEAT, bind_track_script, 0, TRACK_PROCESS, 0, NULL },
	{ "track_file", 0, 0, D_BLOCK | D_REPEAT, bind_track_script, 0, TRACK_FILE, 0, NULL },
	{ "track_interface", 0, 0, D_BLOCK | D_REPEAT, bind_track_interface, 0, 0, 0, NULL },
	{ "track_upstream", 1, 5, D_REPEAT, bind_track_upstream, 0, 0, 0, NULL },
	{ "track_proxy", 0, 4, 0, bind_track_proxy, 0, 0, 0, NULL },
	{ "witness", 1, 3, 0, bind_witness, 0, 0, 0, NULL },
	{ "track_src_ip", 0, 1, 0, bind_flag, V(track_src_ip), 0, 0, NULL },
	{ "fast_preempt", 1, 1, 0, bind_flag, V(fast_preempt), 0, 0, NULL },
	{ "yield_when_deaf", 1, 1, 0, bind_flag, V(yield_when_deaf), 0, 0, NULL },
	{ "dont_track_primary", 0, 0, 0, bind_flag, V(dont_track_primary), 0, 0, NULL },
	{ "strict_mode", 0, 1, 0, bind_flag, V(strict), 0, 0, NULL },
	{ "vip_lease", 1, 1, 0, bind_lease, 0, 0, 86400 * US_PER_S, NULL },
	{ "down_timer_adverts", 1, 1, 0, bind_unsigned, V(down_timer_adverts), 1, 100, NULL },
	{ "v3_checksum_as_v2", 0, 1, 0, bind_flag, V(v3_checksum_as_v2), 0, 0, NULL },
	{ "garp_master_delay", 1, 1, 0, bind_seconds, V(garp_delay_us), 0, 86400 * US_PER_S, NULL },
	{ "garp_master_repeat", 1, 1, 0, bind_unsigned, V(garp_repeat), 1, 255, NULL },
	{ "garp_master_refresh", 1, 1, 0, bind_seconds, V(garp_refresh_us), 0, 86400 * US_PER_S, NULL },
	{ "garp_master_refresh_repeat", 1, 1, 0, bind_unsigned, V(garp_refresh_repeat), 1, 255, NULL },
	{ "notify_master", 1, 3, 0, bind_notify, 0, NOTIFY_MASTER, 0, NULL },
	{ "notify_backup", 1, 3, 0, bind_notify, 0, NOTIFY_BACKUP, 0, NULL },
	{ "notify_fault", 1, 3, 0, bind_notify, 0, NOTIFY_FAULT, 0, NULL },
	{ "notify_stop", 1, 3, 0, bind_notify, 0, NOTIFY_STOP, 0, NULL },
	{ "notify", 1, 3, 0, bind_notify, 0, NOTIFY_ANY, 0, NULL },
	{ "notify_deleted", 0, 3, 0, bind_notify_deleted, 0, NOTIFY_DELETED, 0, NULL },
	{ "notify_master_rx_lower_pri", 1, 3, 0, bind_notify, 0, NOTIFY_RX_LOWER, 0, NULL },
	{ "notify_priority_changes", 0, 1, 0, bind_flag, V(notify_priority_changes), 0, 0, NULL },
	{ "notify_fifo", 1, 3, 0, bind_fifo, V(fifo), 0, 0, NULL },
	{ "notify_fifo_script", 1, 3, 0, bind_fifo_script, V(fifo), 0, 0, NULL },
	{ "unicast_ttl", 1, 1, 0, bind_u8, V(unicast_ttl), 1, 255, NULL },
	{ "garp_lower_prio_delay", 1, 1, 0, bind_seconds, V(garp_lower_delay_us), 0, 86400 * US_PER_S, NULL },
	{ "garp_lower_prio_repeat", 1, 1, 0, bind_unsigned, V(garp_lower_repeat), 1, 255, NULL },
	{ "garp_interval", 1, 1, 0, bind_seconds, V(garp_interval_us), 0, 10 * US_PER_S, NULL },
	{ "gna_interval", 1, 1, 0, bind_seconds, V(gna_interval_us), 0, 10 * US_PER_S, NULL },
	{ "lower_prio_no_advert", 0, 1, 0, bind_flag, V(lower_prio_no_advert), 0, 0, NULL },
	{ "higher_prio_send_advert", 0, 1, 0, bind_flag, V(higher_prio_send_advert), 0, 0, NULL },
	{ "skip_check_adv_addr", 0, 1, 0, bind_flag, V(skip_check_adv_addr), 0, 0, NULL },
	{ "owner_ignore_adverts", 0, 1, 0, bind_flag, V(owner_ignore_adverts), 0, 0, NULL },
	{ "timer_expired_backup", 0, 0, 0, bind_accepted, 0, 0, 0, NULL }, /* unless strict, always */
	{ "sync_group_tracking_weight", 0, 0, 0, bind_accepted, 0, 0, 0, NULL }, /* as they do */
	NOTHING("old_unicast_checksum", "nobody sends the checksum of keepalived 1.3.6 any more"),
	NOTHING("garp_extra_if", "addresses are announced on the interface that they are on"),
	NOTHING("debug", "vrrpd -v logs in detail"),
	NOTHING("kernel_rx_buf_size", "vrrpd sizes its buffers itself"),
	NOTHING("linkbeat_use_polling", "links are heard of from the kernel at once"),
	NOTHING("lvs_sync_daemon_interface", "it is about kernel forwarding (LVS)"),
	{ "native_ipv6", 0, 0, 0, bind_accepted, 0, 0, 0, NULL },	/* the addresses decide */
	{ "check_unicast_src", 0, 1, 0, bind_accepted, 0, 0, 0, NULL },	/* always on */
	{ "unicast_fault_no_peer", 0, 0, 0, bind_accepted, 0, 0, 0, NULL }, /* an error anyway */
	{ "accept", 0, 0, D_REPEAT, bind_accept, 0, false, 0, NULL }, /* the default */
	{ "no_accept", 0, 0, D_REPEAT, bind_accept, 0, true, 0, NULL },
	{ "no_virtual_ipaddress", 0, 0, 0, bind_no_vips, 0, 0, 0, NULL },
	NOTHING("vrf", "the interface says which VRF it is in"),
	GUARD("track_bfd", "what it watches does not count"),
	KNOWN("smtp_alert"),
	{ "dual_stack", 0, 0, 0, bind_accepted, 0, 0, 0, NULL },	/* decided by its addresses */
};
/* clang-format on */

/* ---- one instance ---- */

static bool
same_name(struct binder *b, const struct vrrp_conf *v)
{
	const struct vrrp_conf *other = conf_instance(b->conf, v->name);

	if (other == NULL)
		return false;
	bind_say(b, CONF_ERROR, v->pos, "there is a vrrp_instance '%s' already, in line %u",
	    v->name, other->pos.line);
	return true;
}

static void
set_defaults(struct binder *b, struct vrrp_conf *v)
{
	const struct globals *g = &b->globals;

	v->priority = 100;
	v->advert_us = US_PER_S;
	v->lease_us = -1;
	vrrp_track_proxy_init(&v->track_proxy);
	v->fast_preempt = v->yield_when_deaf = true;
	v->strict = g->strict;
	v->down_timer_adverts = g->down_timer_adverts;
	v->garp_delay_us = g->garp_delay_us;
	v->garp_refresh_us = g->garp_refresh_us;
	v->garp_repeat = g->garp_repeat;
	v->garp_refresh_repeat = g->garp_refresh_repeat;
	v->garp_lower_delay_us = g->garp_lower_delay_us;
	v->garp_lower_repeat = g->garp_lower_repeat;
	v->garp_interval_us = g->garp_interval_us;
	v->gna_interval_us = g->gna_interval_us;
	v->lower_prio_no_advert = g->lower_prio_no_advert;
	v->higher_prio_send_advert = g->higher_prio_send_advert;
	v->skip_check_adv_addr = g->skip_check_adv_addr;
	v->owner_ignore_adverts = g->owner_ignore_adverts;
	v->unicast_ttl = 255;
	for (size_t i = 0; i < NOTIFY_MAX; i++)
		v->notify[i] = SIZE_MAX;
	v->fifo.script = SIZE_MAX;
	v->notify_priority_changes = g->notify_priority_changes;
}

/* half: AF_UNSPEC: the whole. */
static void
bind_instance(struct binder *b, struct stmt *s, uint8_t half)
{
	const char *name = s->words[1].text;
	struct draft draft = { .half = half,
		.vrrp = { .name = half == AF_UNSPEC
				      ? xstrdup(name)
				      : xasprintf("%s/ipv%d", name, half == AF_INET ? 4 : 6),
		    .dual = half != AF_UNSPEC ? xstrdup(name) : NULL,
		    .pos = s->words[1].pos } };
	struct vrrp_conf *v = &draft.vrrp;
	struct context in = { .kind = "vrrp_instance",
		.name = name,
		.part = CONF_VRRP,
		.rows = instance_rows,
		.n_rows = ARRAY_LEN(instance_rows) };
	const struct context *outer = b->in;
	struct conf *conf = b->conf;

	b->in = &in;
	if (!bind_room(b, v->pos, conf->n_instances, CONF_OBJECTS_MAX, "instances")) {
		free(v->name);
		free(v->dual);
		b->in = outer;
		return;
	}
	set_defaults(b, v);
	bind_block(b, s, &in, &draft);
	if (half != AF_UNSPEC)
		vrrp_keep_half(b, &draft);
	vrrp_settle(b, s, &draft);
	same_name(b, v);
	b->in = outer;
	/* kept even with errors, so that references by index hold; conf_finish drops it */
	conf->instances = conf_grow(conf->instances, conf->n_instances, sizeof(*conf->instances));
	conf->instances[conf->n_instances++] = *v;
}

/*
 * A dual-stack instance is read once for each family: everything that one of
 * the halves says of itself the other says, too.
 */
void
vrrp_bind(struct binder *b, struct stmt *s)
{
	bool dual = bind_mentions(s, "dual_stack");

	if (dual && vrrp_has_both_families(s)) {
		bind_instance(b, s, AF_INET);
		bind_instance(b, s, AF_INET6);
		vrrp_group_halves(b, &s->words[1]);
		return;
	}
	bind_instance(b, s, AF_UNSPEC);
	if (dual)
		bind_say(b, CONF_WARNING, s->words[1].pos,
		    "'dual_stack' has no effect: the addresses of '%s' are of one family",
		    s->words[1].text);
}
