/*
 * conf_test.c - what the structs hold after loading, the bounds, the list of
 * diagnostics when it overflows, and the differences between two files.  The
 * language itself is tested by tests/config.
 */
#include "tests/unit/test.h"

#include "common/conf/conf.h"
#include "common/text.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_host nowhere = { .node_id = "n1" };

static struct conf *
load(const char *text, struct conf_diags *diags)
{
	struct conf *conf = conf_load_text(&nowhere, "t", text, strlen(text), diags);

	assert_non_null(conf);
	return conf;
}

/* A file without errors. */
static struct conf *
load_good(const char *text)
{
	struct conf_diags diags = { 0 };
	struct conf *conf = load(text, &diags);
	struct text said = { 0 };

	for (size_t i = 0; i < diags.n; i++)
		if (diags.items[i].severity == CONF_ERROR)
			conf_diag_print(&diags.items[i], &said);
	if (said.length > 0)
		fail_msg("%s", said.chars);
	conf_diags_done(&diags);
	return conf;
}

static bool
says(const struct conf_diags *diags, const char *part)
{
	for (size_t i = 0; i < diags->n; i++)
		if (strstr(diags->items[i].message, part) != NULL)
			return true;
	return false;
}

/* ---- values ---- */

#define INSTANCE(body)                                                                             \
	"vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n"                           \
	" virtual_ipaddress {\n 10.0.0.1\n }\n" body "\n}\n"

/* What the protocol does not know is off, and only where it is meant. */
static void
under_strict(void **unused)
{
	static const char words[] = "lower_prio_no_advert\n higher_prio_send_advert\n"
				    " owner_ignore_adverts\n preempt_delay 5\n version ";

	(void)unused;
	for (unsigned version = 2; version <= 3; version++)
		for (unsigned strict = 0; strict <= 1; strict++) {
			struct text t = { 0 };
			struct conf *conf;
			const struct vrrp_conf *v;

			text_addf(&t, INSTANCE("%s%u\n strict_mode %s"), words, version,
			    strict ? "on" : "off");
			conf = load_good(text_str(&t));
			v = &conf->instances[0];
			assert_int_equal(v->lower_prio_no_advert, !strict || version == 2);
			assert_int_equal(v->higher_prio_send_advert, !strict);
			assert_int_equal(v->owner_ignore_adverts, !strict);
			assert_int_equal(v->preempt_delay_us, strict ? 0 : 5000000);
			conf_free(conf);
			text_done(&t);
		}
}

/* The interface is named after the router, and as the file says. */
static void
vmac_names(void **unused)
{
	struct conf *conf = load_good("global_defs {\n vmac_prefix vip\n}\n" INSTANCE("use_vmac"));

	(void)unused;
	assert_string_equal(conf->instances[0].vmac.name, "vip.51");
	conf_free(conf);
	conf = load_good(INSTANCE("use_vmac"));
	assert_string_equal(conf->instances[0].vmac.name, "vrrp.51");
	conf_free(conf);
	conf = load_good("global_defs {\n vmac_prefix vip\n}\n" INSTANCE("use_vmac own"));
	assert_string_equal(conf->instances[0].vmac.name, "own");
	conf_free(conf);
}

static void
instance_defaults(void **unused)
{
	struct conf *conf = load_good(INSTANCE(""));
	const struct vrrp_conf *v = conf_instance(conf, "VI_1");
	char text[ADDR_STRLEN];

	(void)unused;
	assert_string_equal(v->interface, "eth0");
	assert_int_equal(v->vrid, 51);
	assert_int_equal(v->priority, 100);
	assert_int_equal(v->version, 2);
	assert_int_equal(v->family, AF_INET);
	assert_int_equal(v->advert_us, 1000000);
	assert_false(v->state_master || v->nopreempt || v->strict || v->unicast);
	assert_int_equal(v->preempt_delay_us, 0);
	assert_int_equal(v->auth, VRRP_AUTH_NONE);
	assert_int_equal(v->source.family, AF_UNSPEC);
	assert_string_equal(addr_format(&v->mcast_group, text), "224.0.0.18");
	assert_int_equal(v->lease_us, -1);
	assert_int_equal(v->down_timer_adverts, 3);
	assert_int_equal(v->garp_delay_us, 5000000);
	assert_int_equal(v->garp_refresh_us, 60000000);
	assert_int_equal(v->garp_repeat, 5);
	assert_int_equal(v->garp_refresh_repeat, 1);
	assert_int_equal(v->n_vips, 1);
	assert_int_equal(v->n_advertised, 1);
	assert_int_equal(v->vips[0].prefix_length, 32);
	assert_int_equal(v->vips[0].preferred_us, -1);
	assert_null(v->vips[0].device);
	for (int i = 0; i < NOTIFY_MAX; i++)
		assert_true(v->notify[i] == SIZE_MAX);
	conf_free(conf);
}

static void
instance_values(void **unused)
{
	struct conf *conf = load_good(
	    "global_defs {\n vrrp_garp_master_repeat 9\n vrrp_strict\n }\n"
	    "vrrp_instance VI_1 {\n"
	    " state MASTER\n interface eth0\n virtual_router_id 1\n priority 7\n"
	    " version 3\n advert_int 0.25\n nopreempt\n unicast_src_ip 10.0.0.9\n"
	    " unicast_peer {\n 10.0.0.8\n 10.0.0.7\n }\n"
	    " garp_master_delay 1.5\n vip_lease 7s\n strict_mode off\n"
	    " virtual_ipaddress_excluded { 2001:db8::1/64 }\n"
	    " virtual_ipaddress {\n 10.0.0.1/24 dev eth1 label eth1:v scope link "
	    "brd + noprefixroute no_track preferred_lft 9\n }\n"
	    " track_interface {\n eth1\n eth2\n }\n dont_track_primary\n"
	    " notify_backup \"/bin/n 'a b' c\" joe staff\n}\n");
	const struct vrrp_conf *v = conf_instance(conf, "VI_1");
	const struct vip_conf *vip = &v->vips[0];
	const struct conf_script *script = &conf->scripts[v->notify[NOTIFY_BACKUP]];
	char text[ADDR_STRLEN];

	(void)unused;
	assert_true(v->state_master && v->nopreempt && v->unicast && v->dont_track_primary);
	assert_false(v->strict);
	assert_int_equal(v->version, 3);
	assert_int_equal(v->priority, 7);
	assert_int_equal(v->advert_us, 250000);
	assert_int_equal(v->lease_us, 7000000);
	assert_int_equal(v->garp_delay_us, 1500000);
	assert_int_equal(v->garp_repeat, 9);
	assert_string_equal(addr_format(&v->source, text), "10.0.0.9");
	assert_int_equal(v->n_peers, 2);
	assert_string_equal(addr_format(&v->peers[1], text), "10.0.0.7");
	assert_int_equal(v->n_vips, 2);
	assert_int_equal(v->n_advertised, 1);
	assert_int_equal(vip->prefix_length, 24);
	assert_string_equal(vip->device, "eth1");
	assert_string_equal(vip->label, "eth1:v");
	assert_int_equal(vip->scope, RT_SCOPE_LINK);
	assert_true(vip->broadcast_auto && vip->no_prefix_route && vip->no_track && !vip->excluded);
	assert_int_equal(vip->preferred_us, 9000000);
	assert_true(v->vips[1].excluded);
	assert_int_equal(v->n_track_interfaces, 2);
	assert_string_equal(v->track_interfaces[1].name, "eth2");
	assert_true(script->is_notify);
	assert_int_equal(script->argc, 3);
	assert_string_equal(script->argv[1], "a b");
	assert_null(script->argv[3]);
	assert_string_equal(script->user, "joe");
	assert_string_equal(script->group, "staff");
	assert_string_equal(script->owner, "notify_backup of VI_1");
	conf_free(conf);
}

static void
ipv6_instance(void **unused)
{
	struct conf *conf = load_good("vrrp_instance V6 {\n interface eth0\n virtual_router_id 1\n"
				      " vip_lease off\n virtual_ipaddress {\n fe80::1/64\n }\n}\n");
	const struct vrrp_conf *v = &conf->instances[0];
	char text[ADDR_STRLEN];

	(void)unused;
	assert_int_equal(v->family, AF_INET6);
	assert_int_equal(v->version, 3);
	assert_int_equal(v->lease_us, 0);
	assert_string_equal(addr_format(&v->mcast_group, text), "ff02::12");
	conf_free(conf);
}

/* What goes on the wire is what keepalived 2.2.7 sends for the same text (seen). */
static const struct {
	const char *text, *sent;
	enum vrrp_auth auth;
} passwords[] = {
	{ "auth_type PASS\n auth_pass secret\n", "secret", VRRP_AUTH_PASS },
	{ "auth_pass secret\n auth_type PASS\n", "secret", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass a!b2c\n", "a", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass a#b2c\n", "a", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass \"a!b2c\"\n", "a!b2c", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass \"a b\"\n", "a b", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass ab\\cd\n", "ab\\cd", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass \"a\\tb\"\n", "a\\tb", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass 'ab\n", "'ab", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass 12345678901\n", "12345678", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass a${_HASH}b\n", "a#b", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass a$b\n", "a$b", VRRP_AUTH_PASS },
	{ "auth_type PASS\n auth_pass \"\"\n", "", VRRP_AUTH_NONE },
	{ "auth_type PASS\n", "", VRRP_AUTH_NONE },
	{ "auth_pass secret\n", "", VRRP_AUTH_NONE },
};

static void
password_on_the_wire(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		char *text = xasprintf(
		    "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n"
		    " virtual_ipaddress { 10.0.0.1 }\n authentication {\n %s }\n}\n",
		    passwords[i].text);
		struct conf *conf = load_good(text), *again;
		const struct vrrp_conf *v = &conf->instances[0], *w;
		char want[8] = { 0 };

		memcpy(want, passwords[i].sent, strlen(passwords[i].sent));
		again = load_good(conf->normal);
		w = &again->instances[0];
		if (v->auth != passwords[i].auth || memcmp(v->auth_pass, want, 8) != 0 ||
		    w->auth != v->auth || memcmp(w->auth_pass, want, 8) != 0)
			fail_msg("row \"%s\": sends \"%.8s\"", passwords[i].text,
			    (const char *)v->auth_pass);
		conf_free(conf);
		conf_free(again);
		free(text);
	}
}

static void
checks(void **unused)
{
	struct conf *conf = load_good(
	    "global_defs { script_user joe }\n"
	    "vrrp_script s {\n script \"/bin/s a\"\n weight -20\n timeout 0\n}\n"
	    "check a {\n script \"/bin/a\"\n interval 20s\n user www:web\n}\n"
	    "check p {\n port 443\n}\n"
	    "check q {\n port [::1]:53 udp\n on_lost fail\n hold 3\n}\n"
	    "check t {\n tcp 10.0.0.1:25 send \"a\\r\\n\" expect \"2\"\n interval 1m\n rise 2\n}\n"
	    "check x {\n process nginx quorum 3\n weight 5 reverse\n init_fail\n}\n" INSTANCE(
		" track_script {\n s\n p weight 3\n x noreverse\n s weight -9\n }"));
	const struct check_conf *s = conf_check(conf, "s"), *a = conf_check(conf, "a");
	const struct check_conf *p = conf_check(conf, "p"), *q = conf_check(conf, "q");
	const struct check_conf *t = conf_check(conf, "t"), *x = conf_check(conf, "x");
	const struct vrrp_conf *v = &conf->instances[0];

	(void)unused;
	assert_true(s->block == BLOCK_SCRIPT && s->is_tracked && s->kind == CHECK_SCRIPT);
	assert_int_equal(s->interval_us, 1000000);
	assert_int_equal(s->timeout_us, 1000000); /* 0 is the interval, as in keepalived */
	assert_int_equal(s->weight, -20);
	assert_string_equal(conf->scripts[s->script].user, "joe");
	assert_string_equal(conf->scripts[s->script].owner, "check s");
	assert_false(conf->scripts[s->script].is_notify);
	assert_true(a->block == BLOCK_CHECK && !a->is_tracked);
	assert_int_equal(a->timeout_us, 5000000); /* at most */
	assert_string_equal(conf->scripts[a->script].user, "www");
	assert_string_equal(conf->scripts[a->script].group, "web");
	assert_int_equal(p->kind, CHECK_PORT);
	assert_int_equal(p->interval_us, 50000);
	assert_int_equal(p->endpoint.addr.family, AF_UNSPEC);
	assert_int_equal(p->endpoint.port, 443);
	assert_true(q->udp && q->on_lost_fail);
	assert_int_equal(q->hold_us, 3000000);
	assert_int_equal(q->endpoint.addr.family, AF_INET6);
	assert_int_equal(t->kind, CHECK_TCP);
	assert_int_equal(t->send_size, 3);
	assert_memory_equal(t->send, "a\r\n", 3);
	assert_string_equal(t->expect, "2");
	assert_int_equal(t->interval_us, 60000000);
	assert_int_equal(t->rise, 2);
	assert_int_equal(t->fall, 1);
	assert_int_equal(t->hold_us, 10000000);
	assert_int_equal(x->kind, CHECK_PROCESS);
	assert_int_equal(x->process.quorum, 3);
	assert_int_equal(x->interval_us, 250000);
	assert_true(x->reverse && x->init_fail);
	assert_int_equal(v->n_tracks, 3);
	assert_ptr_equal(v->tracks[0].check, s);
	assert_int_equal(v->tracks[0].weight, -9); /* named twice: the last line */
	assert_int_equal(v->tracks[1].weight, 3);
	assert_int_equal(v->tracks[2].weight, 5);
	assert_false(v->tracks[2].reverse);
	conf_free(conf);
}

static void
stream(void **unused)
{
	struct conf *conf = load_good(
	    "stream {\n server { listen 80; listen [::]:80 ipv6only=off backlog=9; proxy_pass u; }\n"
	    " proxy_timeout 1m30s;\n" /* below its servers, and theirs all the same */
	    " upstream u { server 10.0.0.1:1 weight=2 max_fails=3 fail_timeout=30s max_conns=7;"
	    " server name.example:2 backup resolve; server [::1]:3 down; }\n"
	    " server { listen 127.0.0.1:81; proxy_pass 10.0.0.1:9; proxy_connect_timeout 250ms;"
	    " proxy_timeout off; proxy_next_upstream off; proxy_next_upstream_tries 2;"
	    " proxy_next_upstream_timeout 1; proxy_half_close off; tcp_nodelay off;"
	    " proxy_buffer_size 32k; }\n}\nworker_processes 3;\n"
	    "events { worker_connections 1024; }\nworker_rlimit_nofile 4096;\n");
	const struct listener_conf *a = &conf->listeners[0], *c = &conf->listeners[1],
				   *d = &conf->listeners[2];
	const struct upstream_conf *u = conf_upstream(conf, "u");

	(void)unused;
	assert_int_equal(conf->data_threads, 3);
	assert_int_equal(conf->connections, 1024);
	assert_int_equal(conf->nofile, 4096);
	assert_int_equal(conf->n_listeners, 3);
	assert_string_equal(a->name, "*:80");
	assert_int_equal(a->endpoint.addr.family, AF_INET);
	assert_int_equal(a->listen.backlog, 511);
	assert_ptr_equal(a->upstream, u);
	assert_int_equal(a->timeout_us, 90000000);
	assert_int_equal(a->connect_timeout_us, 5000000);
	assert_true(a->next_upstream && a->half_close && a->tcp_nodelay && a->ipv6_only);
	assert_int_equal(a->next_upstream_tries, 0);
	assert_int_equal(a->buffer_size, 16384);
	assert_string_equal(c->name, "[::]:80");
	assert_false(c->ipv6_only);
	assert_int_equal(c->listen.backlog, 9);
	assert_ptr_equal(c->upstream, u);
	assert_string_equal(d->name, "127.0.0.1:81");
	assert_string_equal(d->upstream->name, "10.0.0.1:9");
	assert_true(d->upstream->implicit && !u->implicit);
	assert_int_equal(d->connect_timeout_us, 250000);
	assert_int_equal(d->timeout_us, 0);
	assert_false(d->next_upstream || d->half_close || d->tcp_nodelay);
	assert_int_equal(d->next_upstream_tries, 2);
	assert_int_equal(d->next_upstream_timeout_us, 1000000);
	assert_int_equal(d->buffer_size, 32768);
	assert_int_equal(u->n_servers, 3);
	assert_int_equal(u->servers[0].weight, 2);
	assert_int_equal(u->servers[0].max_fails, 3);
	assert_int_equal(u->servers[0].fail_timeout_us, 30000000);
	assert_int_equal(u->servers[0].max_conns, 7);
	assert_string_equal(u->servers[1].text, "name.example:2");
	assert_string_equal(u->servers[1].host, "name.example");
	assert_int_equal(u->servers[1].endpoint.port, 2);
	assert_int_equal(u->servers[1].endpoint.addr.family, AF_UNSPEC);
	assert_true(u->servers[1].backup && u->servers[1].resolve);
	assert_int_equal(u->servers[1].max_fails, 1);
	assert_int_equal(u->servers[1].fail_timeout_us, 10000000);
	assert_true(u->servers[2].down);
	assert_null(u->servers[2].host);
	conf_free(conf);
}

/* What cannot run is not there: nobody meets half an instance or a listener to nowhere. */
static void
broken_is_left_out(void **unused)
{
	struct conf_diags diags = { 0 };
	struct conf *conf = load(
	    "vrrp_instance A {\n virtual_router_id 1\n}\n"
	    "vrrp_instance B {\n interface eth0\n}\n"
	    "check c {\n}\n"
	    "stream { server { listen 80; proxy_pass nowhere; } }\n" INSTANCE(""),
	    &diags);

	(void)unused;
	assert_int_equal(conf->n_instances, 1);
	assert_string_equal(conf->instances[0].name, "VI_1");
	assert_int_equal(conf->n_checks, 0);
	assert_int_equal(conf->n_listeners, 0);
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_GLOBAL), 0);
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_CHECK), 1);
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_VRRP), 2);
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_STREAM), 1);
	conf_free(conf);
	conf_diags_done(&diags);
}

/* ---- secrets ---- */

static void
secrets_are_blanked(void **unused)
{
	static const char *const texts[] = {
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass hushhush;\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pas hushhush\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n hushhush\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass hushhush x\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass \\\n  hushhush x\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass \"hushhush\n }"),
		INSTANCE(" authentication { auth_type PAS; auth_pass hushhush }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass a${hushhush}\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass $hushhush\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass \"$hushhush x\"\n }"),
		INSTANCE(" authentication {\n auth_type PASS\n auth_pass ${x:-hushhush}\n }"),
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct conf_diags diags = { 0 };
		struct conf *conf = load(texts[i], &diags);
		char *redacted = conf_normal_redacted(conf);
		struct text said = { 0 };

		for (size_t k = 0; k < diags.n; k++)
			conf_diag_print(&diags.items[k], &said);
		if (diags.n == 0 || strstr(text_str(&said), "hushhush") != NULL)
			fail_msg("row %zu says:\n%s", i, text_str(&said));
		free(redacted);
		text_done(&said);
		conf_free(conf);
		conf_diags_done(&diags);
	}
}

static void
redacted_normal_form(void **unused)
{
	struct conf *conf = load_good(
	    INSTANCE(" authentication {\n auth_type PASS\n auth_pass \"hush #1\"\n }"));
	char *redacted = conf_normal_redacted(conf);

	(void)unused;
	assert_non_null(strstr(conf->normal, "hush"));
	assert_null(strstr(redacted, "hush"));
	assert_non_null(strstr(redacted, "\t\tauth_pass ********\n"));
	free(redacted);
	conf_free(conf);
}

/* ---- bounds ---- */

static void
repeat(struct text *t, const char *what, size_t n)
{
	while (n-- > 0)
		text_add(t, what);
}

static void
bounds(void **unused)
{
	static const struct {
		const char *what, *before, *repeated;
		size_t n;
		const char *says;
	} rows[] = {
		{ "nesting", "", "a {\n", 40, "more than 32 blocks in each other" },
		{ "nesting in nginx text", "stream {\n", "a {\n", 40, "more than 32 blocks" },
		{ "statements", "global_defs {\n", "x\n", 100001, "more than 100000 statements" },
		{ "nginx statements", "stream {\n", "x;", 100001, "more than 100000 statements" },
		{ "words", "", "w ", 5000, "more than 4096 words" },
		{ "nginx words", "stream {\n", "w ", 5000, "more than 4096 words" },
		{ "line", "router_id ", "0123456789abcdef", 5000,
		    "more than 65536 bytes in a line" },
		{ "expansion",
		    "$A=xxxxxxxxxxxxxxxx\n$B=${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}\n"
		    "$C=${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}\n"
		    "$D=${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}${C}\n",
		    "${D}${D}${D}${D}\n", 1, "longer than 65536 bytes" },
		{ "expansions in all",
		    "$A=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
		    "$B=${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}${A}\n"
		    "$C=${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}${B}\n",
		    "a ${C} ${C} ${C}\n", 1000, "expand to more than" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_diags diags = { 0 };
		struct text t = { 0 };
		struct conf *conf;

		text_add(&t, rows[i].before);
		repeat(&t, rows[i].repeated, rows[i].n);
		conf = load(text_str(&t), &diags);
		if (!says(&diags, rows[i].says))
			fail_msg("row \"%s\": \"%s\" is not said", rows[i].what, rows[i].says);
		conf_free(conf);
		conf_diags_done(&diags);
		text_done(&t);
	}
}

static void
too_many(void **unused)
{
	static const struct {
		const char *format, *says;
		unsigned n;
	} rows[] = {
		{ "$V%u=1\n", "more than 4096 variables", 5000 },
		{ "check c%u { port 80 }\n", "more than 24576 checks", 25000 },
		{ "vrrp_instance i%u {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { fe80::1 }\n}\n",
		    "more than 4096 instances", 5000 },
		{ "stream { server { listen 127.0.0.1:%u; proxy_pass 10.0.0.1:80; } }\n",
		    "more than 4096 listeners", 5000 },
		{ "stream { upstream u%u { server 10.0.0.1:80; } }\n", "more than 24576 upstreams",
		    25000 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_diags diags = { 0 };
		struct text t = { 0 };
		struct conf *conf;

		for (unsigned k = 1; k <= rows[i].n; k++) {
			text_add_n(&t, rows[i].format, strcspn(rows[i].format, "%"));
			text_addf(&t, "%u%s", k, strchr(rows[i].format, '%') + 2);
		}
		conf = load(text_str(&t), &diags);
		if (!says(&diags, rows[i].says))
			fail_msg("\"%s\" is not said", rows[i].says);
		conf_free(conf);
		conf_diags_done(&diags);
		text_done(&t);
	}
}

static void
file_too_large(void **unused)
{
	struct conf_diags diags = { 0 };
	size_t size = (4u << 20) + 1;
	char *text = xcalloc(size, 1);

	(void)unused;
	memset(text, '#', size);
	assert_null(conf_load_text(&nowhere, "t", text, size, &diags));
	assert_true(says(&diags, "larger than 4 MiB"));
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_GLOBAL), 1);
	conf_diags_done(&diags);
	free(text);
}

static void
nul_byte(void **unused)
{
	static const char text[] = "router_id a\0b\n";
	struct conf_diags diags = { 0 };
	struct conf *conf = conf_load_text(&nowhere, "t", text, sizeof(text) - 1, &diags);

	(void)unused;
	assert_true(says(&diags, "NUL byte"));
	conf_free(conf);
	conf_diags_done(&diags);
}

/* A list full of notices or of one part's errors never hides that another part has one. */
static void
full_list_keeps_errors(void **unused)
{
	struct conf_diags diags = { 0 };
	struct text t = { 0 };
	struct conf *conf;

	(void)unused;
	repeat(&t, "bfd_instance x { }\n", 300);
	text_add(&t, "vrrp_instance VI_1 {\n");
	repeat(&t, "prioriy 1\n", 300);
	text_add(&t, "}\ncheck c {\n}\n");
	repeat(&t, "bfd_instance x { }\n", 10);
	conf = load(text_str(&t), &diags);
	assert_int_equal(diags.n, CONF_DIAGS_MAX);
	assert_true(diags.n_dropped > 0);
	assert_true(conf_diags_count(&diags, CONF_ERROR, CONF_VRRP) > 0);
	assert_int_equal(conf_diags_count(&diags, CONF_ERROR, CONF_CHECK), 1);
	conf_free(conf);
	conf_diags_done(&diags);
	text_done(&t);
}

/* ---- digest and difference ---- */

static void
digest_is_of_the_meaning(void **unused)
{
	struct conf *a = load_good("check c { port 80; weight 1 }\n");
	struct conf *b = load_good(
	    "# other text\n$W=1\ncheck c\n{\n\tport 80\n\t@n1 weight $W\n}\n");
	struct conf *c = load_good("check c { port 80; weight 2 }\n");
	struct conf *crlf = load_good("\xef\xbb\xbf"
				      "check c {\r\n\tport 80\r\n\tweight \\\r\n1\r\n}\r\n");

	(void)unused;
	assert_string_equal(a->digest, b->digest);
	assert_string_equal(a->digest, crlf->digest);
	assert_string_not_equal(a->digest, c->digest);
	assert_int_equal(strlen(a->digest), 16);
	conf_free(a);
	conf_free(b);
	conf_free(c);
	conf_free(crlf);
}

static void
collect(void *aux, const char *line)
{
	text_addf(aux, "%s\n", line);
}

static char *
differences(const char *before, const char *after, unsigned parts)
{
	struct conf *old = before != NULL ? load_good(before) : NULL, *next = load_good(after);
	struct text t = { 0 };

	conf_diff(old, next, parts, collect, &t);
	conf_free(old);
	conf_free(next);
	return text_take(&t);
}

static void
diff(void **unused)
{
	static const struct {
		const char *before, *after;
		unsigned parts;
		const char *lines;
	} rows[] = {
		{ INSTANCE(""), INSTANCE(""), CONF_ALL, "" },
		{ NULL, INSTANCE(""), CONF_ALL, "vrrp_instance VI_1: added\n" },
		{ INSTANCE(""), "", CONF_ALL, "vrrp_instance VI_1: removed\n" },
		{ INSTANCE(" priority 100"), INSTANCE(" priority 90"), CONF_ALL,
		    "vrrp_instance VI_1: priority 100 -> 90\n" },
		{ INSTANCE(" priority 100"), INSTANCE(" priority 90"), CONF_CHECK, "" },
		{ "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n}\n",
		    "vrrp_instance A {\n interface eth0\n virtual_router_id 2\n}\n", CONF_ALL,
		    "vrrp_instance A: virtual_router_id 1 -> 2\n" },
		{ INSTANCE(" authentication {\n auth_type PASS\n auth_pass a\n }"),
		    INSTANCE(" authentication {\n auth_type PASS\n auth_pass b\n }"), CONF_VRRP,
		    "vrrp_instance VI_1: auth_pass changes\n" },
		{ "check c { port 80 }", "check c { process x }", CONF_CHECK,
		    "check c: type port -> process\ncheck c: process none -> x\n"
		    "check c: quorum none -> 1\ncheck c: interval 50ms -> 250ms\n"
		    "check c: timeout 50ms -> 250ms\n" },
		{ "stream { server { listen 80; proxy_pass 10.0.0.1:1; } }",
		    "stream { server { listen 80; proxy_timeout 5s; proxy_pass 10.0.0.1:1; } }",
		    CONF_ALL, "listener *:80: proxy_timeout 600s -> 5s\n" },
		{ "global_defs { router_id a }", "global_defs { router_id b }", CONF_GLOBAL,
		    "global_defs: router_id a -> b\n" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *got = differences(rows[i].before, rows[i].after, rows[i].parts);

		if (strcmp(got, rows[i].lines) != 0)
			fail_msg("row %zu: got\n%s", i, got);
		free(got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_strict),
		cmocka_unit_test(vmac_names),
		cmocka_unit_test(instance_defaults),
		cmocka_unit_test(instance_values),
		cmocka_unit_test(ipv6_instance),
		cmocka_unit_test(password_on_the_wire),
		cmocka_unit_test(checks),
		cmocka_unit_test(stream),
		cmocka_unit_test(broken_is_left_out),
		cmocka_unit_test(secrets_are_blanked),
		cmocka_unit_test(redacted_normal_form),
		cmocka_unit_test(bounds),
		cmocka_unit_test(too_many),
		cmocka_unit_test(file_too_large),
		cmocka_unit_test(nul_byte),
		cmocka_unit_test(full_list_keeps_errors),
		cmocka_unit_test(digest_is_of_the_meaning),
		cmocka_unit_test(diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
