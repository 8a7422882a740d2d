/*
 * main.c - vrrpd: the elections, and the addresses that go with them.
 */
#include "common/caps.h"
#include "common/daemon.h"
#include "common/event.h"
#include "common/log.h"
#include "vrrpd/control.h"
#include "vrrpd/roster.h"
#include "vrrpd/state.h"
#include "vrrpd/syncgroup.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define END_WAIT_US USEC_PER_SEC /* for notify_stop scripts, as keepalived waits */

static struct vrrpd vrrpd; /* one a process; the daemon's aux */

/* A fast check runs many times a second and mostly says the same: few wait for that. */
static void
on_verdicts(void *aux, bool news)
{
	struct vrrpd *v = aux;
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry)
		if (news || instance_waits(in))
			instance_update(in);
}

static void
on_proxy(void *aux)
{
	roster_update(aux);
}

static bool
needs_runner(const struct conf *conf)
{
	bool needs = conf->fifos[0].path != NULL || conf->fifos[1].path != NULL;

	for (size_t i = 0; i < conf->n_instances; i++)
		needs |= notifier_wanted(conf->instances[i].notify) ||
			 conf->instances[i].fifo.path != NULL;
	for (size_t i = 0; i < conf->n_groups; i++)
		needs |= notifier_wanted(conf->groups[i].notify) ||
			 conf->groups[i].fifo.path != NULL;
	return needs;
}

static bool
needs_proxy(const struct vrrp_conf *conf)
{
	return conf->n_track_upstreams > 0 || conf->track_proxy.mode == TRACK_PROXY_ON;
}

/* Connections that only some configurations need, made when one first does. */
static void
connect_siblings(struct vrrpd *v)
{
	const struct daemon *d = v->daemon;

	for (size_t i = 0; i < v->conf->n_instances; i++) {
		const struct vrrp_conf *conf = &v->conf->instances[i];

		if (v->verdicts == NULL && (conf->n_tracks > 0 || conf->witness.check != NULL))
			v->verdicts = verdicts_new(d->loop, d->options.run_dir, on_verdicts, v);
		if (v->proxy == NULL && needs_proxy(conf))
			v->proxy = proxyview_new(d->loop, d->options.run_dir, on_proxy, v);
	}
	if (v->runner == NULL && needs_runner(v->conf))
		v->runner = runner_client_new(d->loop, d->options.run_dir);
	fifo_set_apply(v->fifos, v->conf, v->runner);
	sock_set_hear_unknown(v->socks, v->conf->log_unknown_vrids);
}

static void
say_status(const struct vrrpd *v)
{
	char line[64];

	snprintf(line, sizeof(line), "%zu instance%s", v->conf->n_instances,
	    v->conf->n_instances == 1 ? "" : "s");
	daemon_status(v->daemon, line);
}

/* What cannot be refused is accepted, and said to be. */
static void
apply_refusal(struct vrrpd *v)
{
	int r = refusal_apply(&v->refusal, v->conf);

	if (r != 0)
		log_err("no_accept: cannot make the nftables table " REFUSAL_TABLE ": %s",
		    strerror(-r));
	daemon_set_degraded(v->daemon, "no_accept",
	    r != 0 ? "no_accept has no effect: its firewall rules cannot be made" : NULL);
}

/* ---- the end ---- */

static void
on_end(struct loop_timer *t, mono_t now)
{
	struct vrrpd *v = CONTAINER_OF(t, struct vrrpd, end);

	(void)now;
	log_warn("not waiting longer for notify scripts");
	daemon_exit(v->daemon, EXIT_OK);
}

static void
on_notifier_idle(void *aux)
{
	struct vrrpd *v = aux;

	if (--v->n_running == 0)
		daemon_exit(v->daemon, EXIT_OK);
}

static void
wait_for_scripts(struct vrrpd *v)
{
	struct instance *in;

	TAILQ_FOREACH (in, &v->instances, entry) {
		if (notifier_is_idle(in->notifier))
			continue;
		in->notifier->on_idle = on_notifier_idle;
		in->notifier->aux = v;
		v->n_running++;
	}
	v->n_running += syncgroup_wait(v, on_notifier_idle, v);
	if (v->n_running == 0)
		daemon_exit(v->daemon, EXIT_OK);
	else
		loop_timer_at(&v->end, mono_add(loop_now(), END_WAIT_US));
}

static void
stop(struct daemon *d, enum daemon_stop how)
{
	struct vrrpd *v = d->aux;
	struct instance *in;

	loop_timer_stop(&v->startup);
	v->groups_held = true; /* each member ends by itself */
	TAILQ_FOREACH (in, &v->instances, entry)
		instance_stop(in, how);
	if (how != DAEMON_RESTART) {
		syncgroup_apply(v);
		statics_release(&v->statics);
	}
	fifo_set_finish(v->fifos);
	state_write(v->state, how == DAEMON_RESTART);
	if (how == DAEMON_RESTART)
		daemon_exit(d, EXIT_OK);
	else
		wait_for_scripts(v);
}

/* ---- reload ---- */

static int
reload(struct daemon *d, const struct conf *next, bool dry_run, struct text *why)
{
	struct vrrpd *v = d->aux;

	(void)why; /* whatever the file may say can be taken on: links come and go anyway */
	if (dry_run)
		return 0;
	v->conf = next;
	connect_siblings(v);
	apply_refusal(v);
	roster_apply(v);
	fifo_set_prune(v->fifos);
	say_status(v);
	return 0;
}

/* ---- start ---- */

static int
start(struct daemon *d)
{
	struct vrrpd *v = &vrrpd;
	const struct netlink_events on_netlink = {
		.on_link = roster_on_link,
		.on_addr = roster_on_addr,
		.on_route_gone = roster_on_route_gone,
		.route_proto = VIP_PROTO,
		.on_settled = roster_on_settled,
		.aux = v,
	};
	const struct sock_events on_sock = {
		.on_rx = roster_on_rx,
		.on_bad = roster_on_bad,
		.on_sent = roster_on_sent,
		.aux = v,
	};
	int r;

	d->aux = v;
	v->daemon = d;
	v->conf = d->conf;
	TAILQ_INIT(&v->instances);
	TAILQ_INIT(&v->renewing);
	TAILQ_INIT(&v->groups);
	loop_timer_init(d->loop, &v->end, on_end);
	loop_timer_init(d->loop, &v->startup, roster_on_startup);
	if ((r = netlink_new(d->loop, &on_netlink, &v->nl)) != 0) {
		log_err("cannot read links and addresses (netlink): %s", strerror(-r));
		return r;
	}
	if ((r = ticker_new(d->loop, roster_on_ticked, v, &v->ticker)) != 0) {
		log_err("cannot make a timer: %s", strerror(-r));
		return r;
	}
	if ((r = control_start(v, &v->control)) != 0)
		return r;
	v->socks = sock_set_new(d->loop, &on_sock);
	v->vips = vip_set_new(v->nl);
	v->routing = routing_set_new(v->nl);
	statics_init(&v->statics, v->vips, v->routing);
	apply_refusal(v);
	v->fifos = fifo_set_new(d->loop);
	v->state = state_new(v);
	connect_siblings(v);
	roster_start(v, state_last(v->state), state_boot_id(v->state));
	state_changed(v->state);
	say_status(v);
	daemon_ready(d);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct daemon_class class = {
		.name = "vrrpd",
		.user = "_trivet-vrrpd",
		.parts = CONF_GLOBAL | CONF_VRRP,
		.keep_caps = CAPS_BIT(CAP_NET_ADMIN) | CAPS_BIT(CAP_NET_RAW),
		.wants_runner = true,
		.locks_memory = true,
		.start = start,
		.reload = reload,
		.stop = stop,
	};

	return daemon_main(&class, argc, argv);
}
