/*
 * conf.h - one configuration, read whole, bound, cross-checked, immutable.
 *
 * This is what the file said (config.md is the language; conf_load its only
 * door).  Daemons take their part and keep what runs elsewhere: nothing here
 * changes after loading.  Pure: files, globs, the environment and the host's
 * name come in through struct conf_host.
 *
 * Durations are microseconds.  Names are unique within their kind.  Pointers
 * between parts (a tracker to its check, a listener to its upstream) stay
 * valid for the life of the struct conf.
 */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include "common/addr.h"
#include "common/conf/diag.h"
#include "common/conf/forward.h"
#include "common/conf/names.h"
#include "common/route.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- the host, as the language sees it ---- */

struct conf_host {
	void *aux;
	const char *node_id; /* -i, or the short host name: what @ID compares with */
	/* The whole file, malloc()ed and NUL-terminated; 0 or -errno (-EFBIG past 4 MiB). */
	int (*read_file)(void *aux, const char *path, char **ret_text, size_t *ret_size);
	/* Sorted matches, each and the array malloc()ed; 0 matches is success. */
	int (*glob)(void *aux, const char *pattern, char ***ret_paths, size_t *ret_n);
	const char *(*env)(void *aux, const char *name); /* NULL: not set */
	bool (*has_interface)(void *aux, const char *name);
	/* A program named without a path, in the fixed PATH; malloc()ed, or NULL. */
	char *(*find_program)(void *aux, const char *name);
	/* Is there what some http checks need?  See http_conf_needs_module. */
	bool (*has_http)(void *aux);
};

/* ---- checks ---- */

enum check_kind {
	CHECK_SCRIPT,
	CHECK_PORT,
	CHECK_TCP,
	CHECK_PROCESS,
	CHECK_HTTP, /* and https */
	CHECK_PING,
	CHECK_DNS,
	CHECK_SMTP,
	CHECK_UDP,
	CHECK_FILE,  /* the number in it, keepalived's vrrp_track_file */
	CHECK_KINDS, /* how many */
};
const char *check_kind_str(enum check_kind); /* "script", "port", ... */

struct status_range {
	uint16_t low, high; /* 100..599, both in it */
};

/* The block that it stands in: keepalived's run only when something tracks them. */
enum check_block { BLOCK_CHECK, BLOCK_SCRIPT, BLOCK_TRACK_FILE, BLOCK_TRACK_PROCESS };
const char *check_block_str(enum check_block); /* "check", "vrrp_script", "vrrp_track_file" */

/* What an http or https check asks, and what answer is a good one. */
struct http_conf {
	char *url;
	bool tls;
	char *method;	/* NULL: GET */
	char **headers; /* "Name: value"; secrets */
	size_t n_headers;
	struct status_range *statuses; /* none: 200 to 399 */
	size_t n_statuses;
	char *expect;  /* in the body; NULL: whatever it is */
	bool is_regex; /* a regular expression (common/regex.h), else plain text */
	bool keep_alive;
	unsigned redirects;	   /* followed at most, on the same host; 0: none */
	bool verify;		   /* the certificate: chain, name, dates; on */
	char *sni;		   /* ask for this name, and verify it; NULL: the URL's */
	char *ca;		   /* file of certificates to trust; NULL: the system's */
	int64_t expiry_warning_us; /* warn so long before a certificate ends; 0: never */
	bool has_tls_option;	   /* one was written */
};

/* https, and the following of redirects: libcurl, which is a package of its own. */
bool http_conf_needs_module(const struct http_conf *);

/* Which processes a check counts, and how many there have to be. */
struct process_conf {
	char *name;	 /* the command name; with parameters or full_command: argv[0] */
	char **params;	 /* argv[1] ... */
	size_t n_params; /* none, and not PARAM_ANY: there may be none */
	enum param_match {
		PARAM_ANY,     /* whatever they are */
		PARAM_EXACT,   /* these and no others */
		PARAM_PARTIAL, /* these first */
		PARAM_INITIAL, /* likewise, and the last of them may go on */
	} param_match;
	bool full_command;
	unsigned quorum, quorum_max;   /* at least, at most; UINT_MAX: any number */
	int64_t terminate_us, fork_us; /* how long too few, enough, before it counts */
};

struct check_conf {
	char *name;
	struct conf_pos pos;
	enum check_kind kind;
	enum check_block block;
	bool is_tracked; /* by an instance or an upstream */
	bool is_server;	 /* made by checkd for servers of upstreams (health_check) */

	int64_t interval_us, timeout_us, hold_us;
	int64_t jitter_us;   /* up to so much later, each time */
	unsigned rise, fall; /* at least 1 */
	int weight; /* -253..253; 0: FAULT while down; of a file -254..254, times its number */
	bool reverse;
	bool init_fail;	   /* down until 'rise' successes; else the first result decides */
	bool on_lost_fail; /* after hold: count as failed instead of holding the verdict */

	/* CHECK_SCRIPT: split into words, run without a shell; argv[argc] is NULL. */
	char **argv;
	size_t argc;
	size_t script; /* index into conf.scripts */
	/* CHECK_PORT (addr may be AF_UNSPEC: any address), and all that ask a peer. */
	struct endpoint endpoint;
	bool udp;
	char *host; /* the peer by name: its address is to be found; NULL: it is in 'endpoint' */
	struct addr
	    bind_to; /* where it is asked from (bindto, bind_if); AF_UNSPEC, NULL: anywhere */
	char *bind_if;
	uint16_t bind_port;  /* 0: any */
	char *send, *expect; /* NULL: not given */
	size_t send_size, expect_size;
	bool expect_regex, expect_ignore_case; /* 'expect' is a regular expression, a string */
	struct process_conf process;	       /* CHECK_PROCESS */
	/* CHECK_HTTP */
	struct http_conf *http;
	/* CHECK_DNS */
	char *dns_name;
	uint16_t dns_type;
	/* CHECK_FILE: the absolute path, and what is written into it at the start (init_file). */
	char *file;
	bool init_file, init_overwrite;
	int init_value;
};

struct text;

/* The peer as written: "10.0.0.1:25", "mail.example:25", "10.0.0.1". */
void check_peer_format(const struct check_conf *, struct text *);
const char *dns_type_str(uint16_t); /* "AAAA"; "" for a type no check can have */

/* Do both ask the same peer the same question, whatever the times? */
bool check_same_peer(const struct check_conf *, const struct check_conf *);

/*
 * Everything the runner may ever start, in the order of the file; the index is
 * what a daemon asks for, so runner and daemon must have read the same text
 * (conf.digest).
 */
struct conf_script {
	char **argv; /* argv[0] absolute, or not found: then as written */
	size_t argc;
	char *user, *group; /* as written or by script_user; NULL: the default rules */
	bool is_notify;	    /* vrrpd may start it; else checkd may */
	bool is_reader;	    /* notify_fifo_script: runs for as long as vrrpd does */
	char *owner;	    /* "check chk_nginx", "notify_master of VI_1": for log lines */
	struct conf_pos pos;
};

/* ---- elections ---- */

struct vip_conf {
	struct addr addr;
	uint8_t prefix_length;
	char *device;		     /* NULL: the instance's interface */
	char *label;		     /* NULL: none */
	uint8_t scope;		     /* RT_SCOPE_*; 0 (global) by default */
	struct addr broadcast, peer; /* AF_UNSPEC: none */
	bool broadcast_auto;	     /* brd + */
	bool no_prefix_route, no_track;
	bool home, managed;   /* IFA_F_HOMEADDRESS, IFA_F_MANAGETEMPADDR; IPv6 */
	bool is_static;	      /* of static_ipaddress: an ordinary address, not leased */
	int64_t preferred_us; /* -1: not written */
	bool excluded;	      /* of virtual_ipaddress_excluded: not advertised */
	struct conf_pos pos;
};

struct route_conf {
	struct net_route route;
	bool no_track; /* its loss is nobody's business */
	struct conf_pos pos;
};

struct rule_conf {
	struct net_rule rule;
	bool no_track;
	struct conf_pos pos;
};

/* What goes with addresses: of an instance, or of the node (static_*). */
struct routing_conf {
	struct route_conf *routes;
	size_t n_routes;
	struct rule_conf *rules;
	size_t n_rules;
};

struct track_conf {
	const struct check_conf *check;
	int weight; /* as overridden in the track_script line, else the check's */
	bool reverse;
	struct conf_pos pos;
};

struct track_interface_conf {
	char *name;
	int weight; /* 0: FAULT while down */
	bool reverse;
};

struct track_upstream_conf {
	char *name;	      /* of an upstream_conf */
	int weight;	      /* -253..253; 0: FAULT while down; not written: -253 */
	unsigned min_servers; /* available, or it counts as down; at least 1 */
	struct conf_pos pos;
};

/* proxyd answers, and its listeners on the instance's addresses listen. */
struct track_proxy_conf {
	enum track_proxy_mode {
		TRACK_PROXY_OFF,
		TRACK_PROXY_ON,
		TRACK_PROXY_IMPLICIT /* while reading: on, if such listeners exist */
	} mode;
	int weight;
	int64_t hold_us;
	char **listeners; /* their names */
	size_t n_listeners;
};

/* A check that must pass before BACKUP becomes MASTER. */
struct witness_conf {
	char *name; /* as written; NULL: none */
	const struct check_conf *check;
	int64_t or_alone_us; /* hearing nobody for so long, do without; 0: never */
	struct conf_pos pos;
};

/* How long a link may be down before it counts, and up (interface_up_down_delays). */
struct link_delay_conf {
	char *name;
	int64_t down_us, up_us;
	struct conf_pos pos;
};

/* The scripts an instance may name; keepalived's words. */
enum notify_kind {
	NOTIFY_MASTER,
	NOTIFY_BACKUP,
	NOTIFY_FAULT,
	NOTIFY_STOP,
	NOTIFY_ANY,	 /* notify: TYPE NAME STATE PRIORITY appended */
	NOTIFY_DELETED,	 /* removed by a reload */
	NOTIFY_RX_LOWER, /* notify_master_rx_lower_pri: a master hears one of lower priority */
	NOTIFY_MAX,
};

/* A pipe into which each change of state is written as a line. */
struct fifo_conf {
	char *path;    /* NULL: none */
	char *user;    /* who is to read it, and owns it; NULL: the default rules of scripts */
	size_t script; /* reads it: index into conf.scripts, the path appended; SIZE_MAX: none */
};

/* vrrp_sync_group: master together or not at all. */
struct sync_group_conf {
	char *name;
	bool is_dual; /* the two halves of the dual-stack instance of that name */
	struct group_member_conf {
		char *name; /* of a vrrp_conf, whose 'group' is this one's name */
		struct conf_pos pos;
	} * members;
	size_t n_members;
	struct track_interface_conf *track_interfaces; /* while reading; then its members' */
	size_t n_track_interfaces;
	size_t notify[NOTIFY_MAX]; /* index into conf.scripts; SIZE_MAX: none */
	struct fifo_conf fifo;
	bool notify_deleted; /* as in an instance */
	struct conf_pos pos;
};

enum vrrp_auth { VRRP_AUTH_NONE, VRRP_AUTH_PASS };

/* auth_hmac, keepalived's vocabulary. */
#define HMAC_KEY_MIN 32
#define HMAC_KEY_MAX 64
struct hmac_conf {
	enum hmac_mode_conf { HMAC_ENFORCE, HMAC_PERMISSIVE, HMAC_RECEIVE_ONLY } mode;
	struct hmac_key_conf {
		uint8_t id; /* 1..255, each once */
		uint8_t size;
		uint8_t bytes[HMAC_KEY_MAX]; /* a secret */
	} * keys;
	size_t n_keys;
	uint8_t active;	   /* the id of the one to sign with */
	bool monotonic;	   /* anti_replay: no clocks compared; else ... */
	int64_t window_us; /* ... they are this close */
};

/* use_vmac; compared by its bytes. */
struct vmac_conf {
	bool on;
	bool xmit_base; /* adverts leave by the interface itself */
	uint8_t mac[6];
	char name[IFNAMSIZ];
};

struct vrrp_conf {
	char *name; /* unique; of a half of a dual-stack instance NAME/ipv4, NAME/ipv6 */
	char *dual; /* ... and this is NAME; NULL: none */
	struct conf_pos pos;
	bool state_master; /* as written; the initial wait is the normal one either way */
	char *group; /* of a sync_group_conf (also a dual-stack one) with other members, too; NULL:
			none */
	char *interface;
	uint8_t vrid;
	uint8_t priority;
	uint8_t version; /* 2 or 3 */
	uint8_t family;	 /* AF_INET or AF_INET6, by its addresses */
	int64_t advert_us;
	bool nopreempt, strict;
	bool fast_preempt, yield_when_deaf; /* departures from the RFC; off under strict */
	int64_t preempt_delay_us;
	enum vrrp_auth auth;
	uint8_t auth_pass[8];	/* zero padded; a secret */
	struct hmac_conf *hmac; /* NULL: none; then 'auth' is none */
	struct addr source;	/* unicast_src_ip, mcast_src_ip; AF_UNSPEC: the interface's */
	bool unicast;		/* a unicast_peer block was written */
	struct addr *peers;
	struct ttl_range {
		uint8_t min, max; /* of what is heard from that peer */
	} * peer_ttls;
	size_t n_peers;
	uint8_t unicast_ttl; /* of what is sent */
	struct addr mcast_group;
	struct vip_conf *vips; /* advertised ones first, then excluded */
	size_t n_vips, n_advertised;
	struct routing_conf routing;
	struct vmac_conf vmac;
	bool promote_secondaries;
	bool no_accept;		   /* nothing is taken that is sent to the addresses themselves */
	struct track_conf *tracks; /* a check named twice: the last line */
	size_t n_tracks;
	struct track_interface_conf *track_interfaces;
	size_t n_track_interfaces;
	struct track_upstream_conf *track_upstreams;
	size_t n_track_upstreams;
	struct track_proxy_conf track_proxy;
	struct witness_conf witness;
	bool dont_track_primary;
	bool track_src_ip; /* FAULT while 'source' is not there */
	int64_t lease_us;  /* 0: permanent (vip_lease off); -1: by the rule of the interval */
	unsigned down_timer_adverts; /* 3 */
	bool v3_checksum_as_v2;
	/* gratuitous ARP */
	int64_t garp_delay_us, garp_refresh_us;
	unsigned garp_repeat, garp_refresh_repeat;
	int64_t garp_lower_delay_us; /* the same, after an advert of lower priority */
	unsigned garp_lower_repeat;
	int64_t garp_interval_us,
	    gna_interval_us;	      /* between two packets on an interface; 0: none */
	bool lower_prio_no_advert;    /* a losing advert is not answered */
	bool higher_prio_send_advert; /* a winning one is, before we give way */
	bool skip_check_adv_addr; /* the addresses are compared with the first advert of a sender */
	bool owner_ignore_adverts;
	size_t notify[NOTIFY_MAX]; /* index into conf.scripts; SIZE_MAX: none */
	struct fifo_conf fifo;
	bool notify_deleted;	      /* removed, it is DELETED; else FAULT, as keepalived says */
	bool notify_priority_changes; /* said like changes of state */
};

/* ---- the whole ---- */

struct conf {
	char *path;
	char **files; /* read, in order of opening; conf_pos.file is an index */
	size_t n_files;
	char *router_id; /* NULL: not written */
	char *script_user, *script_group;
	bool script_security;
	struct fifo_conf fifos[2]; /* notify_fifo, vrrp_notify_fifo: for all that changes */
	bool fifo_states_on_reload;
	bool log_unknown_vrids;

	struct check_conf *checks;
	size_t n_checks;
	struct names check_names; /* conf_check's */
	struct conf_script *scripts;
	size_t n_scripts;
	struct vrrp_conf *instances;
	size_t n_instances;
	struct sync_group_conf *groups;
	size_t n_groups;
	struct link_delay_conf *link_delays;
	size_t n_link_delays;
	int64_t startup_delay_us; /* vrrpd's instances start so much later; not after a restart */
	struct vip_conf *static_vips;
	size_t n_static_vips;
	struct routing_conf static_routing;
	struct upstream_conf *upstreams;
	size_t n_upstreams;
	struct resolver_conf resolver; /* of upstreams that have none */
	struct listener_conf *listeners;
	size_t n_listeners;
	struct match_conf *matches;
	size_t n_matches;
	struct client_conf **clients;
	size_t n_clients;
	struct limit_zone_conf *limit_zones;
	size_t n_limit_zones;
	struct lexicon *lexicon; /* of stream {}; NULL: no such block */
	unsigned data_threads;	 /* worker_processes; 0: one for each CPU */
	unsigned connections;	 /* worker_connections, of each data thread; 0: no limit */
	unsigned nofile;	 /* worker_rlimit_nofile; 0: not said */

	/*
	 * The whole file after includes, variables and conditions, in one normal
	 * form that parses back to itself.  Holds secrets: only ever written to
	 * files of mode 0600.  'digest' identifies it: 16 hexadecimal digits.
	 */
	char *normal;
	char digest[17];
};

/*
 * Read and bind 'path'.  Always returns a configuration, to be freed with
 * conf_free, unless the file cannot be read at all (NULL); whether it may run
 * is for the caller to ask: conf_diags_count(diags, CONF_ERROR, parts) == 0.
 * What had an error is left out of it.
 */
struct conf *conf_load(const struct conf_host *, const char *path, struct conf_diags *);

/* The same from text that is already here; 'path' is its name in diagnostics. */
struct conf *conf_load_text(
    const struct conf_host *, const char *path, const char *text, size_t size, struct conf_diags *);
void conf_free(struct conf *);

/* 'normal' with the secrets replaced by "********"; to be freed. */
char *conf_normal_redacted(const struct conf *);

/* By name; NULL: none. */
const struct check_conf *conf_check(const struct conf *, const char *name);
const struct vrrp_conf *conf_instance(const struct conf *, const char *name);
const struct upstream_conf *conf_upstream(const struct conf *, const char *name);
const struct link_delay_conf *conf_link_delay(const struct conf *, const char *interface);
const struct match_conf *conf_match(const struct conf *, const char *name);

/*
 * What changes from 'old' (NULL: nothing runs yet) to 'next' in the parts
 * named, a line of words each: "vrrp_instance VI_1: priority 100 -> 90".
 */
void conf_diff(const struct conf *old, const struct conf *next, unsigned parts,
    void (*line)(void *aux, const char *), void *aux);

#endif
