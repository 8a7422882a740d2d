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
	KNOWN("vrrp_garp_lower_prio_delay"), KNOWN("vrrp_garp_lower_prio_repeat"),
	KNOWN("vrrp_garp_interval"), KNOWN("vrrp_gna_interval"), KNOWN("vrrp_garp_extra_if"),
	KNOWN("vrrp_lower_prio_no_advert"), KNOWN("vrrp_higher_prio_send_advert"),
	KNOWN("vrrp_skip_check_adv_addr"),
	KNOWN("vrrp_delay_after_boot"), KNOWN("vrrp_owner_ignore_adverts"),
	KNOWN("vrrp_ipsets"), KNOWN("vrrp_iptables"), KNOWN("vrrp_cpu_affinity"),
	KNOWN("vrrp_priority"), KNOWN("vrrp_rt_priority"), KNOWN("vrrp_rlimit_rttime"),
	KNOWN("vrrp_rlimit_rtime"), KNOWN("vrrp_no_swap"), KNOWN("vrrp_process_name"),
	KNOWN("vrrp_rx_bufs_policy"), KNOWN("vrrp_rx_bufs_multiplier"), KNOWN("vrrp_rx_bufs_size"),
	KNOWN("vrrp_netlink_cmd_rcv_bufs"), KNOWN("vrrp_netlink_cmd_rcv_bufs_force"),
	KNOWN("vrrp_netlink_monitor_rcv_bufs"), KNOWN("vrrp_netlink_monitor_rcv_bufs_force"),
	KNOWN("max_auto_priority"), KNOWN("min_auto_priority_delay"),
	KNOWN("notification_email"), KNOWN("notification_email_from"), KNOWN("smtp_server"),
	KNOWN("smtp_helo_name"), KNOWN("smtp_connect_timeout"), KNOWN("smtp_alert"),
	KNOWN("smtp_alert_vrrp"), KNOWN("smtp_alert_checker"), KNOWN("no_email_faults"),
	KNOWN("email_faults"), KNOWN("no_checker_emails"), KNOWN("checker_log_all_failures"),
	KNOWN("checker_priority"), KNOWN("checker_rt_priority"), KNOWN("checker_rlimit_rttime"),
	KNOWN("checker_no_swap"), KNOWN("checker_cpu_affinity"), KNOWN("checker_process_name"),
	KNOWN("bfd_priority"), KNOWN("bfd_rt_priority"), KNOWN("bfd_rlimit_rttime"),
	KNOWN("bfd_no_swap"), KNOWN("bfd_cpu_affinity"), KNOWN("bfd_process_name"),
	KNOWN("process_names"), KNOWN("process_name"), KNOWN("process_monitor_rcv_bufs"),
	KNOWN("process_monitor_rcv_bufs_force"), KNOWN("default_interface"),
	KNOWN("dynamic_interfaces"), KNOWN("disable_local_igmp"), KNOWN("log_unknown_vrids"),
	KNOWN("lvs_notify_fifo"), KNOWN("lvs_notify_fifo_script"), KNOWN("startup_script"),
	KNOWN("startup_script_timeout"), KNOWN("shutdown_script"), KNOWN("shutdown_script_timeout"),
	KNOWN("enable_dbus"), KNOWN("dbus_service_name"), KNOWN("dbus_no_interface_name"),
	KNOWN("snmp_socket"), KNOWN("enable_snmp_vrrp"), KNOWN("enable_snmp_keepalived"),
	KNOWN("enable_snmp_checker"), KNOWN("enable_snmp_rfc"), KNOWN("enable_snmp_rfcv2"),
	KNOWN("enable_snmp_rfcv3"), KNOWN("enable_traps"), KNOWN("snmp_vrrp_trap"),
	KNOWN("nftables"), KNOWN("nftables_priority"), KNOWN("nftables_counters"),
	KNOWN("nftables_ifindex"), KNOWN("nftables_ipvs"), KNOWN("nftables_ipvs_priority"),
	KNOWN("nftables_ipvs_start_fwmark"), KNOWN("net_namespace"), KNOWN("net_namespace_ipvs"),
	KNOWN("namespace_with_ipsets"), KNOWN("instance"), KNOWN("use_pid_dir"),
	KNOWN("child_wait_time"), KNOWN("linkbeat_use_polling"), KNOWN("umask"),
	KNOWN("random_seed"), KNOWN("include_check"), KNOWN("reload_check_config"),
	KNOWN("reload_time_file"), KNOWN("reload_repeat"), KNOWN("reload_file"),
	KNOWN("reload_date_specific"), KNOWN("tmp_config_directory"), KNOWN("config_save_dir"),
	KNOWN("data_use_instance"), KNOWN("state_dump_file"), KNOWN("stats_dump_file"),
	KNOWN("json_dump_file"), KNOWN("json_version"), KNOWN("vmac_prefix"),
	KNOWN("vmac_addr_prefix"), KNOWN("rs_init_notifies"), KNOWN("use_symlink_paths"),
	KNOWN("lvs_sync_daemon"), KNOWN("lvs_timeouts"), KNOWN("lvs_flush"),
	KNOWN("lvs_flush_on_stop"), KNOWN("lvs_netlink_cmd_rcv_bufs"),
	KNOWN("lvs_netlink_cmd_rcv_bufs_force"), KNOWN("lvs_netlink_monitor_rcv_bufs"),
	KNOWN("lvs_netlink_monitor_rcv_bufs_force"), KNOWN("unicast_fault_no_peer"),
	KNOWN("shutdown_timeout"),
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

/* What they say is vrrpd's business alone. */
static void
top_static(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	const struct context in = { .kind = d->name, .part = CONF_VRRP }, *outer = b->in;

	(void)object;
	b->in = &in;
	switch (d->low) {
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
	KNOWN("track_group"), KNOWN("garp_group"),
	KNOWN("linkbeat_interfaces"), KNOWN("linkbeat_use_polling"),
	KNOWN("bfd_instance"), KNOWN("net_namespace"),
	KNOWN("net_namespace_ipvs"), KNOWN("namespace_with_ipsets"), KNOWN("instance"),
	KNOWN("use_pid_dir"), KNOWN("child_wait_time"), KNOWN("include_check"),
	KNOWN("SSL"),
};
/* clang-format on */
const size_t file_n_rows = ARRAY_LEN(file_rows);
