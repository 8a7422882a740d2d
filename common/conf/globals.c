/*
 * globals.c - global_defs, and the words that stand outside all blocks.
 */
#include "common/conf/bind.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- global_defs ---- */

static void
bind_version(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	int64_t v;

	/* "3;" is 3 to keepalived as well, with a complaint (seen, 2.2.7) */
	if (value_integer(b, &s->words[1], 2, 3, &v))
		b->globals.version = (uint8_t)v;
}

static void
bind_script_user(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct conf *conf = b->conf;
	struct conf_script as = { 0 };

	(void)d, (void)object;
	script_set_user(b, &as, s->words[1].text, stmt_arg(s, 2));
	free(conf->script_user);
	free(conf->script_group);
	conf->script_user = as.user;
	conf->script_group = as.group;
}

static void
bind_group(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct addr *to = (struct addr *)(void *)((char *)object + d->offset);
	struct addr a;

	if (!value_addr(b, &s->words[1], &a))
		return;
	if (a.family != d->low || !addr_is_multicast(&a))
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' is not an IPv%d multicast address",
		    s->words[1].text, d->low == AF_INET ? 4 : 6);
	else
		*to = a;
}

static void
bind_min_garp(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct globals *g = object;
	bool on = true;

	(void)d;
	if (s->n_words > 1 && !value_on_off(b, &s->words[1], &on))
		return;
	if (on) {
		g->garp_repeat = 1;
		g->garp_delay_us = 0;
	}
}

static void
bind_router_id(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	free(b->conf->router_id);
	b->conf->router_id = xstrdup(s->words[1].text);
}

static void
bind_startup_delay(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	value_seconds(b, &s->words[1], 0, 3600 * US_PER_S, &b->conf->startup_delay_us);
}

/* The rules hold always (design.md 3); the word is kept because status shows it. */
static void
bind_script_security(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)s, (void)d, (void)object;
	b->conf->script_security = true;
}

static void
bind_fifo(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	vrrp_bind_fifo(b, s, d, &b->conf->fifos[d->low]);
}

static void
bind_fifo_script(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	vrrp_bind_fifo_script(b, s, d, &b->conf->fifos[d->low]);
}

static void
bind_fifo_states(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	bind_flag(b, s, d, &b->conf->fifo_states_on_reload);
}

static void
bind_unknown_vrids(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	bind_flag(b, s, d, &b->conf->log_unknown_vrids);
}

static void
bind_vmac_prefix(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct globals *g = object;
	const struct word *w = &s->words[1];
	size_t n = strlen(w->text);

	(void)d;
	if (n == 0 || n > VMAC_PREFIX_MAX || strchr(w->text, '/') != NULL) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' cannot begin an interface's name: 1 to %d characters", w->text,
		    VMAC_PREFIX_MAX);
		return;
	}
	memset(g->vmac_prefix, 0, sizeof(g->vmac_prefix));
	memcpy(g->vmac_prefix, w->text, n);
}

/* Why some of keepalived's words will never do anything here. */
/* clang-format off */
#define IN_UNIT \
	"the service manager says how a daemon is scheduled (systemctl edit trivet-vrrpd)"
#define CHECKD_IN_UNIT \
	"the service manager says how a daemon is scheduled (systemctl edit trivet-checkd)"
#define NAMES \
	"the daemons are vrrpd, checkd and proxyd"
#define BUFFERS \
	"the daemons size their buffers themselves, and read anew what was lost"
#define BUS \
	"state is asked for with trivet status and metrics, or over the bus (trivet(8))"
#define LVS \
	"it is about kernel forwarding (LVS); forward with a stream block"
#define FIREWALL \
	"vrrpd makes its own nftables table where it needs one"
#define PLACES \
	"where files and networks are is for the command line and the service manager (vrrpd(8))"
#define RELOADS \
	"trivet reload checks the whole file first, always, and says what it did"
#define UNITS \
	"what runs before a start and after a stop is for the service manager (ExecStartPre=, ExecStopPost=)"
#define STOPS \
	"the unit says how long a stop may take (TimeoutStopSec=)"
#define NETLINK \
	"links are heard of from the kernel at once"
#define EACH \
	"each instance names its interface"
#define IGMP \
	"groups are joined with the kernel, as everybody does"
#define SEED \
	"nothing here is drawn by lot that a seed could repeat"
#define SYMLINKS \
	"paths of scripts are checked as they are written and where they lead"
#define CHECKLOG \
	"each failure of a check is an event (trivet events)"
#define EXTRA_IF \
	"addresses are announced on the interface that they are on"
#define BOOT \
	"vrrp_startup_delay waits after each start that takes nothing over"
#define GARP_GROUP \
	"each interface is paced by itself (garp_interval, gna_interval)"
#define TRACK_GROUP \
	"static addresses and routes follow their interface"
/* clang-format on */

#define G(field) offsetof(struct globals, field)

/* clang-format off */
static const struct directive global_rows[] = {
	{ "vrrp_version", 1, 1, 0, bind_version, 0, 0, 0, NULL },
	{ "script_user", 1, 2, 0, bind_script_user, 0, 0, 0, NULL },
	{ "vrrp_strict", 0, 1, 0, bind_flag, G(strict), 0, 0, NULL },
	{ "vrrp_mcast_group4", 1, 1, 0, bind_group, G(mcast4), AF_INET, 0, NULL },
	{ "vrrp_mcast_group6", 1, 1, 0, bind_group, G(mcast6), AF_INET6, 0, NULL },
	{ "vrrp_garp_master_delay", 1, 1, 0, bind_seconds, G(garp_delay_us), 0, 86400 * US_PER_S, NULL },
	{ "vrrp_garp_master_repeat", 1, 1, 0, bind_unsigned, G(garp_repeat), 1, 255, NULL },
	{ "vrrp_garp_master_refresh", 1, 1, 0, bind_seconds, G(garp_refresh_us), 0, 86400 * US_PER_S, NULL },
	{ "vrrp_garp_master_refresh_repeat", 1, 1, 0, bind_unsigned, G(garp_refresh_repeat), 1, 255, NULL },
	{ "vrrp_down_timer_adverts", 1, 1, 0, bind_unsigned, G(down_timer_adverts), 1, 100, NULL },
	{ "vrrp_min_garp", 0, 1, 0, bind_min_garp, 0, 0, 0, NULL },
	{ "vrrp_check_unicast_src", 0, 1, 0, bind_accepted, 0, 0, 0, NULL }, /* always on */
	{ "vrrp_startup_delay", 1, 1, 0, bind_startup_delay, 0, 0, 0, NULL },
	{ "notify_fifo", 1, 3, 0, bind_fifo, 0, 0, 0, NULL },
	{ "notify_fifo_script", 1, 3, 0, bind_fifo_script, 0, 0, 0, NULL },
	{ "vrrp_notify_fifo", 1, 3, 0, bind_fifo, 0, 1, 0, NULL },
	{ "vrrp_notify_fifo_script", 1, 3, 0, bind_fifo_script, 0, 1, 0, NULL },
	{ "fifo_write_vrrp_states_on_reload", 0, 1, 0, bind_fifo_states, 0, 0, 0, NULL },
	{ "vrrp_notify_priority_changes", 0, 1, 0, bind_flag, G(notify_priority_changes), 0, 0, NULL },
	{ "router_id", 1, 1, 0, bind_router_id, 0, 0, 0, NULL },
	{ "enable_script_security", 0, 0, 0, bind_script_security, 0, 0, 0, NULL },
	{ "vrrp_garp_lower_prio_delay", 1, 1, 0, bind_seconds, G(garp_lower_delay_us), 0, 86400 * US_PER_S, NULL },
	{ "vrrp_garp_lower_prio_repeat", 1, 1, 0, bind_unsigned, G(garp_lower_repeat), 1, 255, NULL },
	{ "vrrp_garp_interval", 1, 1, 0, bind_seconds, G(garp_interval_us), 0, 10 * US_PER_S, NULL },
	{ "vrrp_gna_interval", 1, 1, 0, bind_seconds, G(gna_interval_us), 0, 10 * US_PER_S, NULL },
	{ "vrrp_lower_prio_no_advert", 0, 1, 0, bind_flag, G(lower_prio_no_advert), 0, 0, NULL },
	{ "vrrp_higher_prio_send_advert", 0, 1, 0, bind_flag, G(higher_prio_send_advert), 0, 0, NULL },
	{ "vrrp_skip_check_adv_addr", 0, 1, 0, bind_flag, G(skip_check_adv_addr), 0, 0, NULL },
	{ "vrrp_owner_ignore_adverts", 0, 1, 0, bind_flag, G(owner_ignore_adverts), 0, 0, NULL },
	{ "vmac_prefix", 1, 1, 0, bind_vmac_prefix, 0, 0, 0, NULL },
	{ "log_unknown_vrids", 0, 1, 0, bind_unknown_vrids, 0, 0, 0, NULL },
	{ "dynamic_interfaces", 0, 1, 0, bind_accepted, 0, 0, 0, NULL }, /* interfaces come and go in any case */
	{ "unicast_fault_no_peer", 0, 1, 0, bind_accepted, 0, 0, 0, NULL }, /* an error anyway */
	NOTHING("vrrp_cpu_affinity", IN_UNIT), NOTHING("vrrp_priority", IN_UNIT),
	NOTHING("vrrp_rt_priority", IN_UNIT), NOTHING("vrrp_rlimit_rttime", IN_UNIT),
	NOTHING("vrrp_rlimit_rtime", IN_UNIT), NOTHING("vrrp_no_swap", IN_UNIT),
	NOTHING("max_auto_priority", IN_UNIT), NOTHING("min_auto_priority_delay", IN_UNIT),
	NOTHING("bfd_priority", IN_UNIT), NOTHING("bfd_rt_priority", IN_UNIT),
	NOTHING("bfd_rlimit_rttime", IN_UNIT), NOTHING("bfd_no_swap", IN_UNIT),
	NOTHING("bfd_cpu_affinity", IN_UNIT),
	NOTHING("checker_priority", CHECKD_IN_UNIT), NOTHING("checker_rt_priority", CHECKD_IN_UNIT),
	NOTHING("checker_rlimit_rttime", CHECKD_IN_UNIT), NOTHING("checker_no_swap", CHECKD_IN_UNIT),
	NOTHING("checker_cpu_affinity", CHECKD_IN_UNIT),
	NOTHING("vrrp_process_name", NAMES), NOTHING("checker_process_name", NAMES),
	NOTHING("bfd_process_name", NAMES), NOTHING("process_names", NAMES),
	NOTHING("process_name", NAMES),
	NOTHING("vrrp_rx_bufs_policy", BUFFERS), NOTHING("vrrp_rx_bufs_multiplier", BUFFERS),
	NOTHING("vrrp_rx_bufs_size", BUFFERS), NOTHING("vrrp_netlink_cmd_rcv_bufs", BUFFERS),
	NOTHING("vrrp_netlink_cmd_rcv_bufs_force", BUFFERS),
	NOTHING("vrrp_netlink_monitor_rcv_bufs", BUFFERS),
	NOTHING("vrrp_netlink_monitor_rcv_bufs_force", BUFFERS),
	NOTHING("process_monitor_rcv_bufs", BUFFERS),
	NOTHING("process_monitor_rcv_bufs_force", BUFFERS),
	NOTHING("enable_dbus", BUS), NOTHING("dbus_service_name", BUS),
	NOTHING("dbus_no_interface_name", BUS), NOTHING("snmp_socket", BUS),
	NOTHING("enable_snmp_vrrp", BUS), NOTHING("enable_snmp_keepalived", BUS),
	NOTHING("enable_snmp_checker", BUS), NOTHING("enable_snmp_rfc", BUS),
	NOTHING("enable_snmp_rfcv2", BUS), NOTHING("enable_snmp_rfcv3", BUS),
	NOTHING("enable_traps", BUS), NOTHING("snmp_vrrp_trap", BUS), NOTHING("state_dump_file", BUS),
	NOTHING("stats_dump_file", BUS), NOTHING("json_dump_file", BUS), NOTHING("json_version", BUS),
	NOTHING("lvs_notify_fifo", LVS), NOTHING("lvs_notify_fifo_script", LVS),
	NOTHING("lvs_sync_daemon", LVS), NOTHING("lvs_timeouts", LVS), NOTHING("lvs_flush", LVS),
	NOTHING("lvs_flush_on_stop", LVS), NOTHING("lvs_netlink_cmd_rcv_bufs", LVS),
	NOTHING("lvs_netlink_cmd_rcv_bufs_force", LVS), NOTHING("lvs_netlink_monitor_rcv_bufs", LVS),
	NOTHING("lvs_netlink_monitor_rcv_bufs_force", LVS), NOTHING("rs_init_notifies", LVS),
	NOTHING("nftables_ipvs", LVS), NOTHING("nftables_ipvs_priority", LVS),
	NOTHING("nftables_ipvs_start_fwmark", LVS),
	NOTHING("vrrp_ipsets", FIREWALL), NOTHING("vrrp_iptables", FIREWALL),
	NOTHING("nftables", FIREWALL), NOTHING("nftables_priority", FIREWALL),
	NOTHING("nftables_counters", FIREWALL), NOTHING("nftables_ifindex", FIREWALL),
	NOTHING("net_namespace", PLACES), NOTHING("net_namespace_ipvs", PLACES),
	NOTHING("namespace_with_ipsets", PLACES), NOTHING("instance", PLACES),
	NOTHING("use_pid_dir", PLACES), NOTHING("umask", PLACES),
	NOTHING("tmp_config_directory", PLACES), NOTHING("config_save_dir", PLACES),
	NOTHING("data_use_instance", PLACES),
	NOTHING("include_check", RELOADS), NOTHING("reload_check_config", RELOADS),
	NOTHING("reload_time_file", RELOADS), NOTHING("reload_repeat", RELOADS),
	NOTHING("reload_file", RELOADS), NOTHING("reload_date_specific", RELOADS),
	NOTHING("startup_script", UNITS), NOTHING("startup_script_timeout", UNITS),
	NOTHING("shutdown_script", UNITS), NOTHING("shutdown_script_timeout", UNITS),
	NOTHING("child_wait_time", UNITS), NOTHING("shutdown_timeout", STOPS),
	NOTHING("vmac_addr_prefix", "addresses on other interfaces have the MAC of those"),
	NOTHING("linkbeat_use_polling", NETLINK),
	NOTHING("default_interface", EACH),
	NOTHING("disable_local_igmp", IGMP),
	NOTHING("random_seed", SEED),
	NOTHING("use_symlink_paths", SYMLINKS),
	NOTHING("checker_log_all_failures", CHECKLOG),
	NOTHING("vrrp_garp_extra_if", EXTRA_IF),
	NOTHING("vrrp_delay_after_boot", BOOT),
	KNOWN("notification_email"), KNOWN("notification_email_from"), KNOWN("smtp_server"),
	KNOWN("smtp_helo_name"), KNOWN("smtp_connect_timeout"), KNOWN("smtp_alert"),
	KNOWN("smtp_alert_vrrp"), KNOWN("smtp_alert_checker"), KNOWN("no_email_faults"),
	KNOWN("email_faults"), KNOWN("no_checker_emails"),
};
/* clang-format on */

void
globals_bind(struct binder *b, struct stmt *s)
{
	static const struct context in = { .kind = "global_defs",
		.part = CONF_GLOBAL,
		.rows = global_rows,
		.n_rows = ARRAY_LEN(global_rows) };

	bind_block(b, s, &in, &b->globals);
	for (size_t i = 0; i < ARRAY_LEN(b->conf->fifos); i++) {
		const struct context *outer = b->in;

		b->in = &in;
		vrrp_settle_fifo(b, stmt_pos(s), &b->conf->fifos[i]);
		b->in = outer;
	}
}

/* ---- outside all blocks ---- */

/* Bound before the rest, because everything else takes its defaults from it (conf.c). */
static void
top_globals(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)b, (void)s, (void)d, (void)object;
}

static void
top_script(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	checks_bind(b, s, BLOCK_SCRIPT);
}

static void
top_check(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	checks_bind(b, s, BLOCK_CHECK);
}

static void
top_track_file(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	checks_bind(b, s, BLOCK_TRACK_FILE);
}

static void
top_track_process(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	checks_bind(b, s, BLOCK_TRACK_PROCESS);
}

static void
top_instance(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	vrrp_bind(b, s);
}

static void
top_group(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	vrrp_bind_group(b, s);
}

enum { STATIC_VIPS, STATIC_ROUTES, STATIC_RULES };

static void
bind_static(struct binder *b, struct stmt *s, int64_t what)
{
	switch (what) {
	case STATIC_VIPS:
		vrrp_bind_static_vips(b, s);
		break;
	case STATIC_ROUTES:
		routes_bind(b, s, &b->conf->static_routing);
		break;
	case STATIC_RULES:
		rules_bind(b, s, &b->conf->static_routing);
		break;
	}
}

/* What they say is vrrpd's business alone. */
static void
top_static(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	const struct context in = { .kind = d->name, .part = CONF_VRRP }, *outer = b->in;

	(void)object;
	b->in = &in;
	bind_static(b, s, d->low);
	b->in = outer;
}

static void
top_link_delays(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	vrrp_bind_link_delays(b, s);
}

static void
top_stream(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	stream_bind(b, s);
}

static void
top_nginx(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	nginx_bind(b, s);
}

static void
top_nginx_main(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	nginx_main_bind(b, s);
}

/* One statement of an nginx.conf's main level, written into ours. */
#define NGINX(word)                                                                                \
	{                                                                                          \
		word, 0, MANY, D_MAYBE_BLOCK | D_REPEAT | D_SEMICOLON, top_nginx_main, 0, 0, 0,    \
		    NULL                                                                           \
	}

static const char ipvs[] = "kernel forwarding (LVS) is not built yet; forward with a stream block";

/* clang-format off */
const struct directive file_rows[] = {
	{ "global_defs", 0, 0, D_BLOCK | D_REPEAT, top_globals, 0, 0, 0, NULL },
	{ "vrrp_script", 1, 1, D_BLOCK | D_REPEAT, top_script, 0, 0, 0, NULL },
	{ "check", 1, 1, D_BLOCK | D_REPEAT, top_check, 0, 0, 0, NULL },
	{ "vrrp_track_process", 1, 1, D_BLOCK | D_REPEAT, top_track_process, 0, 0, 0, NULL },
	{ "vrrp_track_file", 1, 1, D_BLOCK | D_REPEAT, top_track_file, 0, 0, 0, NULL },
	{ "track_file", 1, 1, D_BLOCK | D_REPEAT, top_track_file, 0, 0, 0, NULL },
	{ "vrrp_instance", 1, 1, D_BLOCK | D_REPEAT, top_instance, 0, 0, 0, NULL },
	{ "vrrp_sync_group", 1, 1, D_BLOCK | D_REPEAT, top_group, 0, 0, 0, NULL },
	{ "static_ipaddress", 0, 0, D_BLOCK | D_REPEAT, top_static, 0, STATIC_VIPS, 0, NULL },
	{ "static_routes", 0, 0, D_BLOCK | D_REPEAT, top_static, 0, STATIC_ROUTES, 0, NULL },
	{ "static_rules", 0, 0, D_BLOCK | D_REPEAT, top_static, 0, STATIC_RULES, 0, NULL },
	{ "virtual_server", 0, MANY, D_MAYBE_BLOCK | D_REPEAT, bind_refused, 0, 0, 0, ipvs },
	{ "virtual_server_group", 0, MANY, D_MAYBE_BLOCK | D_REPEAT, bind_refused, 0, 0, 0, ipvs },
	{ "real_server", 0, MANY, D_MAYBE_BLOCK | D_REPEAT, bind_refused, 0, 0, 0, ipvs },
	{ "interface_up_down_delays", 0, 0, D_BLOCK | D_REPEAT, top_link_delays, 0, 0, 0, NULL },
	{ "stream", 0, 0, D_BLOCK | D_REPEAT, top_stream, 0, 0, 0, NULL },
	{ "nginx", 0, 0, D_BLOCK | D_REPEAT, top_nginx, 0, 0, 0, NULL },
	NGINX("http"), NGINX("events"), NGINX("mail"), NGINX("types"), NGINX("user"),
	NGINX("worker_processes"), NGINX("worker_rlimit_nofile"), NGINX("load_module"),
	NGINX("pid"), NGINX("daemon"), NGINX("error_log"),
	NOTHING("track_group", TRACK_GROUP), NOTHING("garp_group", GARP_GROUP),
	NOTHING("linkbeat_interfaces", NETLINK), NOTHING("linkbeat_use_polling", NETLINK),
	KNOWN("bfd_instance"), NOTHING("net_namespace", PLACES),
	NOTHING("net_namespace_ipvs", PLACES), NOTHING("namespace_with_ipsets", PLACES), NOTHING("instance", PLACES),
	NOTHING("use_pid_dir", PLACES), NOTHING("child_wait_time", UNITS), NOTHING("include_check", RELOADS),
	NOTHING("SSL", LVS),
};
/* clang-format on */
const size_t file_n_rows = ARRAY_LEN(file_rows);
