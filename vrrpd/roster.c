/*
 * roster.c - see roster.h.
 */
#include "vrrpd/roster.h"

#include "common/event.h"
#include "common/log.h"
#include "vrrpd/control.h"
#include "vrrpd/state.h"
#include "vrrpd/syncgroup.h"
#include "vrrpd/voice.h"

#include <string.h>

struct instance *
roster_find(const struct vrrpd *v, const char *name)
{
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		if (strcmp(in->name, name) == 0)
			return in;
	return NULL;
}

struct instance *
roster_next_half(const struct vrrpd *v, const char *name, const struct instance *from)
{
	struct instance *in = from != NULL ? TAILQ_NEXT(from, entry) : TAILQ_FIRST(&v->instances);

	while (in != NULL && (in->conf->dual == NULL || strcmp(in->conf->dual, name) != 0))
		in = TAILQ_NEXT(in, entry);
	return in;
}

static struct instance *
add(struct vrrpd *v, const struct vrrp_conf *conf)
{
	struct instance *in = instance_new(v, conf);

	TAILQ_INSERT_TAIL(&v->instances, in, entry);
	return in;
}

/* ---- start ---- */

/*
 * vrrp_startup_delay: for the network to be there after a boot.  Those that go
 * on where the last process stopped do not wait: a restart is not felt.
 */
static void
begin_startup(struct vrrpd *v)
{
	int64_t us = v->conf->startup_delay_us;
	struct instance *in;
	unsigned n = 0;

	TAILQ_FOREACH (in, &v->instances, entry) {
		in->waits_startup = us > 0 && in->adopt.verdict == ADOPT_NONE;
		if (!in->waits_startup)
			continue;
		voice_remember(in, "waiting for vrrp_startup_delay", loop_now());
		n++;
	}
	if (n == 0)
		return;
	event_emit(LOG_NOTICE, "", (const char *const[]){ "startup", "delayed", NULL },
	    "%u instance%s %s after %.3f s (vrrp_startup_delay)", n, n == 1 ? "" : "s",
	    n == 1 ? "starts" : "start", (double)us / USEC_PER_SEC);
	loop_timer_at(&v->startup, mono_add(loop_now(), us));
}

void
roster_on_startup(struct loop_timer *t, mono_t now)
{
	struct vrrpd *v = CONTAINER_OF(t, struct vrrpd, startup);
	struct instance *in;

	(void)now;
	v->groups_held = true;
	TAILQ_FOREACH (in, &v->instances, entry) {
		if (!in->waits_startup)
			continue;
		in->waits_startup = false;
		instance_start(in, state_last(v->state), state_boot_id(v->state));
	}
	syncgroup_apply(v);
}

/* ---- what an earlier run left ---- */

static bool
is_ours(void *aux, const struct netlink_own *own)
{
	struct vrrpd *v = aux;
	struct instance *in;

	if (routing_owns(&v->statics.routing, own) || vip_set_owns_route(v->vips, own))
		return true;
	TAILQ_FOREACH (in, &v->instances, entry)
		if (routing_owns(&in->routing, own))
			return true;
	return false;
}

static void
remove_vmacs(struct vrrpd *v)
{
	const struct netlink_link *link;
	const struct instance *in;
	bool used;

	for (link = netlink_link_first(v->nl); link != NULL; link = netlink_link_next(link)) {
		used = !vmac_is_ours(link);
		TAILQ_FOREACH (in, &v->instances, entry)
			used |= vmac_link(&in->vmac) == link;
		if (used)
			continue;
		log_notice("removing interface %s: left by an earlier run", link->name);
		vmac_delete(v->nl, link->name);
	}
}

static void
remove_leftovers(struct vrrpd *v)
{
	unsigned n;
	int r;

	vip_set_remove_leftovers(v->vips);
	remove_vmacs(v);
	if ((r = netlink_remove_own(v->nl, VIP_PROTO, is_ours, v, &n)) != 0)
		log_warn("cannot look for routes and rules of an earlier run: %s", strerror(-r));
	if (n > 0)
		log_notice("removed %u routes or rules that an earlier run left", n);
}

void
roster_start(struct vrrpd *v, struct record *rec, const char *boot_id)
{
	struct instance *in;
	bool adopted = false;

	for (size_t i = 0; i < v->conf->n_instances; i++)
		add(v, &v->conf->instances[i]);
	/* What goes on where the last process stopped needs them at once. */
	TAILQ_FOREACH (in, &v->instances, entry)
		vmac_make(&in->vmac);
	netlink_catch_up(v->nl);
	syncgroup_hold(v);
	syncgroup_join(v);
	TAILQ_FOREACH (in, &v->instances, entry)
		instance_consider(in, rec, boot_id);
	syncgroup_adopt(v);
	begin_startup(v);
	TAILQ_FOREACH (in, &v->instances, entry)
		if (!in->waits_startup)
			adopted |= instance_start(in, rec, boot_id);
	syncgroup_apply(v);
	if (adopted && !rec->handover) /* planned ones, however many, are no crash loop */
		record_note_adoption(rec, loop_now());
	statics_apply(&v->statics, v->conf, loop_now());
	remove_leftovers(v);
}

/* ---- reload ---- */

static void
drop(struct vrrpd *v, struct instance *in)
{
	struct control *control = v->control;
	char *name = xstrdup(in->name);

	in->removed = true;
	instance_stop(in, DAEMON_STOP);
	TAILQ_REMOVE(&v->instances, in, entry);
	instance_free(in);
	control_changed(control, name);
	free(name);
}

/* First what ends, then what goes on, then what begins: a VRID may change hands. */
void
roster_apply(struct vrrpd *v)
{
	struct instance *in, *next;
	const struct vrrp_conf *conf;

	statics_apply(&v->statics, v->conf, loop_now());
	syncgroup_hold(v);
	for (in = TAILQ_FIRST(&v->instances); in != NULL; in = next) {
		next = TAILQ_NEXT(in, entry);
		conf = conf_instance(v->conf, in->name);
		if (conf == NULL || !instance_is_same(in, conf))
			drop(v, in);
	}
	TAILQ_FOREACH (in, &v->instances, entry)
		instance_apply(in, conf_instance(v->conf, in->name));
	for (size_t i = 0; i < v->conf->n_instances; i++) {
		conf = &v->conf->instances[i];
		if (roster_find(v, conf->name) != NULL)
			continue;
		in = add(v, conf);
		instance_consider(in, NULL, state_boot_id(v->state));
		instance_start(in, NULL, state_boot_id(v->state));
		control_changed(v->control, in->name);
	}
	syncgroup_join(v);
	syncgroup_apply(v);
	if (v->conf->fifo_states_on_reload)
		TAILQ_FOREACH (in, &v->instances, entry)
			voice_repeat(in);
	state_changed(v->state);
}

/* ---- the world ---- */

void
roster_update(struct vrrpd *v)
{
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		instance_update(in);
}

void
roster_on_link(void *aux, const struct netlink_link *link, bool gone)
{
	/* At once: the addresses that a link takes with it are heard next, and are no theft. */
	struct vrrpd *v = aux;

	(void)link, (void)gone;
	v->rerouted = true;
	roster_update(v);
}

void
roster_on_route_gone(void *aux)
{
	struct vrrpd *v = aux;

	v->rerouted = true;
}

void
roster_on_addr(void *aux, const struct netlink_link *link, const struct netlink_addr *addr,
    bool gone, enum netlink_by by)
{
	struct vrrpd *v = aux;

	(void)link;
	if (gone)
		vip_set_on_gone(v->vips, addr, by, loop_now());
	v->unsettled |= addr->proto != VIP_PROTO; /* else one of ours, renewed */
}

static void
restore_routes(struct vrrpd *v)
{
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		routing_again(&in->routing, loop_now());
	statics_again(&v->statics, loop_now());
}

/* Thousands of foreign changes cost one look at each instance, not thousands. */
void
roster_on_settled(void *aux)
{
	struct vrrpd *v = aux;

	if (v->unsettled)
		roster_update(v);
	if (v->unsettled || v->rerouted)
		restore_routes(v);
	v->unsettled = v->rerouted = false;
}

/*
 * The adverts first: the kernel takes its time for a renewal (a lock that all networks of
 * the host share).
 */
void
roster_on_ticked(void *aux, mono_t now)
{
	struct vrrpd *v = aux;
	struct instance *in;

	vrrp_sock_flush(v->socks);
	state_flush_beats(v->state);
	while ((in = TAILQ_FIRST(&v->renewing)) != NULL) {
		TAILQ_REMOVE(&v->renewing, in, due);
		in->renews = false;
		instance_renew(in, now);
	}
	vip_set_flush(v->vips);
	state_live(v->state, now);
}

void
roster_on_sent(void *aux, void *tag, int error)
{
	(void)aux;
	instance_on_sent(tag, error);
}

static void
drop_unclaimed(struct vrrpd *v, struct vrrp_sock *sock, const struct addr *source, uint8_t vrid,
    enum vrrp_pkt_err err)
{
	char from[ADDR_STRLEN];

	v->unclaimed[err]++;
	vrrp_sock_unwanted(sock);
	if (err == VRRP_PKT_ERR_VRID && v->conf->log_unknown_vrids)
		log_limited(&v->unknown_limit, loop_now(), LOG_INFO,
		    "an advert from %s on %s is for virtual router %u, which is none of ours",
		    addr_format(source, from), vrrp_sock_name(sock), vrid);
	log_debug("ignoring a packet from %s on %s: %s", addr_format(source, from),
	    vrrp_sock_name(sock), vrrp_pkt_err_str(err));
}

void
roster_on_bad(void *aux, struct vrrp_sock *sock, enum vrrp_pkt_err err)
{
	drop_unclaimed(aux, sock, &(struct addr){ 0 }, 0, err);
}

void
roster_on_rx(void *aux, struct vrrp_sock *sock, const struct vrrp_rx *rx)
{
	struct vrrpd *v = aux;
	struct vrrp_pkt pkt;
	enum vrrp_pkt_err err = vrrp_pkt_decode(rx, &pkt);
	bool claimed = false;
	struct instance *in, *next;

	for (in = TAILQ_FIRST(&v->instances); in != NULL; in = next) {
		next = TAILQ_NEXT(in, entry);
		if (in->advert.sock != sock || in->conf->vrid != pkt.advert.vrid)
			continue;
		claimed = true;
		if (err == VRRP_PKT_OK)
			instance_on_packet(in, &pkt);
		else {
			vrrp_sock_unwanted(sock);
			instance_on_bad(in, &rx->source, err);
		}
	}
	if (!claimed)
		drop_unclaimed(v, sock, &rx->source, pkt.advert.vrid,
		    err != VRRP_PKT_OK ? err : VRRP_PKT_ERR_VRID);
}
