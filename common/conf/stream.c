/*
 * stream.c - nginx text: upstream and server blocks of stream {}, and what of
 * a whole nginx.conf stands around it.  Defaults are nginx's where config.md
 * section 4 does not say otherwise.
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>

static const char tls[] = STREAM_TLS;

/* ---- server ---- */

#define L(field) offsetof(struct server_draft, settings.field)

void
stream_bind_later(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)b;
	*(struct stmt **)(void *)((char *)object + d->offset) = s;
}

/*
 * pass ADDRESS: nginx lets another server block of the file go on with the client.
 * Here the two are connected, which is the same for the client alone.
 */
static void
bind_pass(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	((struct server_draft *)object)->other = s;
	bind_say(b, CONF_WARNING, stmt_pos(s),
	    "'%s' connects to that server as proxy_pass does: its allow, deny, limits and logs see "
	    "this node, not the client",
	    d->name);
}

/* ngx_stream_core_module's bounds are the sockets': a hello is at most 16 KiB and its head. */
static void
bind_preread_timeout(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;
	int64_t before = draft->settings.preread_timeout_us;

	bind_nginx_time(b, s, d, object);
	if (draft->settings.preread_timeout_us == 0) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "nothing is read in no time at all");
		draft->settings.preread_timeout_us = before;
	}
}

/* proxy_timeout: 0 closes a session at once in nginx, which nobody means. */
static void
bind_timeout(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;

	if (strcmp(s->words[1].text, "off") == 0)
		draft->settings.timeout_us = 0;
	else
		bind_nginx_time(b, s, d, object);
	if (draft->settings.timeout_us == 0)
		bind_say(b, CONF_WARNING, s->words[1].pos,
		    "'%s' means never here; nginx would close every session at once",
		    s->words[1].text);
}

/* max_session_age TIME [TIME] | off: a session ends up to the second sooner than the first. */
void
stream_take_age(struct binder *b, const struct stmt *s, int64_t *age_us, int64_t *jitter_us)
{
	*jitter_us = 0;
	if (strcmp(s->words[1].text, "off") == 0)
		*age_us = 0;
	else if (!value_nginx_time(b, &s->words[1], age_us) || s->n_words < 3)
		return;
	else if (value_nginx_time(b, &s->words[2], jitter_us) && *jitter_us > *age_us)
		bind_say(b, CONF_ERROR, s->words[2].pos, "it is more than the age itself");
}

static void
bind_session_age(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct listener_conf *l = &((struct server_draft *)object)->settings;

	(void)d;
	stream_take_age(b, s, &l->age_us, &l->age_jitter_us);
}

static void
bind_connect_timeout(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;
	int64_t before = draft->settings.connect_timeout_us;

	bind_nginx_time(b, s, d, object);
	if (draft->settings.connect_timeout_us == 0) {
		bind_say(b, CONF_ERROR, s->words[1].pos, "no connection is made in no time at all");
		draft->settings.connect_timeout_us = before;
	}
}

static void
bind_tries(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t v;

	if (value_integer(b, &s->words[1], 0, 1000, &v))
		*(unsigned *)(void *)((char *)object + d->offset) = (unsigned)v;
}

static void
bind_count(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t v;

	if (value_integer(b, &s->words[1], 0, INT32_MAX, &v))
		*(unsigned *)(void *)((char *)object + d->offset) = (unsigned)v;
}

static void
bind_size(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t v;

	if (value_nginx_size(b, &s->words[1], d->low, d->high, &v))
		*(size_t *)(void *)((char *)object + d->offset) = (size_t)v;
}

/* clang-format off */
#define TLS(word) { word, 0, MANY, D_REPEAT, bind_refused, 0, 0, 0, tls }

#define CLIENT_ROWS \
	{ "proxy_upload_rate", 1, 1, 0, stream_bind_rate, 0, 0, 0, NULL }, \
	{ "proxy_download_rate", 1, 1, 0, stream_bind_rate, 0, 0, 0, NULL }, \
	{ "proxy_protocol", 1, 1, 0, stream_bind_announce, 0, 0, 0, NULL }, \
	{ "proxy_protocol_timeout", 1, 1, 0, stream_bind_header_timeout, 0, 0, 0, NULL }, \
	{ "set_real_ip_from", 1, 1, D_REPEAT, stream_bind_trusted, 0, 0, 0, NULL }, \
	{ "allow", 1, 1, D_REPEAT, stream_bind_rule, 0, 0, 0, NULL }, \
	{ "deny", 1, 1, D_REPEAT, stream_bind_rule, 0, 0, 0, NULL }, \
	{ "limit_conn", 2, 2, D_REPEAT, stream_bind_limit, 0, 0, 0, NULL }, \
	{ "limit_conn_dry_run", 1, 1, 0, stream_bind_limit_dry_run, 0, 0, 0, NULL }, \
	{ "limit_conn_log_level", 1, 1, 0, stream_bind_limit_log, 0, 0, 0, NULL }

/* In stream {} they are defaults of its servers. */
#define SETTING_ROWS \
	{ "proxy_connect_timeout", 1, 1, 0, bind_connect_timeout, L(connect_timeout_us), 0, 0, NULL }, \
	{ "proxy_timeout", 1, 1, 0, bind_timeout, L(timeout_us), 0, 0, NULL }, \
	{ "proxy_next_upstream", 1, 1, 0, bind_nginx_flag, L(next_upstream), 0, 0, NULL }, \
	{ "proxy_next_upstream_tries", 1, 1, 0, bind_tries, L(next_upstream_tries), 0, 0, NULL }, \
	{ "proxy_next_upstream_timeout", 1, 1, 0, bind_nginx_time, L(next_upstream_timeout_us), 0, 0, NULL }, \
	{ "proxy_half_close", 1, 1, 0, bind_nginx_flag, L(half_close), 0, 0, NULL }, \
	{ "tcp_nodelay", 1, 1, 0, bind_nginx_flag, L(tcp_nodelay), 0, 0, NULL }, \
	{ "proxy_buffer_size", 1, 1, 0, bind_size, L(buffer_size), 1024, 16 << 20, NULL }, \
	{ "proxy_downstream_buffer", 1, 1, 0, bind_size, L(buffer_size), 1024, 16 << 20, NULL }, \
	{ "proxy_upstream_buffer", 1, 1, 0, bind_size, L(buffer_size), 1024, 16 << 20, NULL }, \
	{ "proxy_half_close_timeout", 1, 1, 0, bind_nginx_time, L(half_timeout_us), 0, 0, NULL }, \
	{ "proxy_user_timeout", 1, 1, 0, bind_nginx_time, L(user_timeout_us), 0, 0, NULL }, \
	{ "max_session_age", 1, 2, 0, bind_session_age, 0, 0, 0, NULL }, \
	{ "proxy_bind", 1, MANY, 0, stream_bind_source, 0, 0, 0, NULL }, \
	{ "proxy_socket_keepalive", 1, 1, 0, bind_nginx_flag, L(keepalive), 0, 0, NULL }, \
	{ "proxy_socket_rcvbuf", 1, 1, 0, bind_size, L(rcvbuf), 1, 1 << 30, NULL }, \
	{ "proxy_socket_sndbuf", 1, 1, 0, bind_size, L(sndbuf), 1, 1 << 30, NULL }, \
	CLIENT_ROWS, \
	{ "proxy_requests", 1, 1, 0, bind_count, L(requests), 0, 0, NULL }, \
	{ "proxy_responses", 1, 1, 0, bind_count, L(responses), 0, 0, NULL }, \
	{ "preread_timeout", 1, 1, 0, bind_preread_timeout, L(preread_timeout_us), 0, 0, NULL }, \
	{ "preread_buffer_size", 1, 1, 0, bind_size, L(preread_size), 64, 1 << 20, NULL }, \
	{ "ssl_preread", 1, 1, 0, bind_nginx_flag, L(ssl_preread), 0, 0, NULL }, \
	{ "access_log", 1, MANY, D_REPEAT, stream_bind_access, 0, 0, 0, NULL }, \
	{ "error_log", 1, 2, D_REPEAT, stream_bind_error_log, 0, 0, 0, NULL }, \
	NOTHING("open_log_file_cache", "log files stay open"), \
	{ "health_check_timeout", 1, 1, 0, bind_nginx_time, offsetof(struct server_draft, health_timeout_us), 0, 0, NULL }, \
	{ "variables_hash_max_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL }, \
	{ "variables_hash_bucket_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL }, \
	NOTHING("js_preread", NO_SCRIPTS), \
	TLS("proxy_ssl"), TLS("proxy_ssl_name"), TLS("proxy_ssl_server_name"), \
	TLS("proxy_ssl_certificate"), TLS("proxy_ssl_certificate_key"), \
	TLS("proxy_ssl_certificate_cache"), TLS("proxy_ssl_verify"), \
	TLS("proxy_ssl_verify_depth"), TLS("proxy_ssl_protocols"), TLS("proxy_ssl_ciphers"), \
	TLS("proxy_ssl_trusted_certificate"), TLS("proxy_ssl_session_reuse"), \
	TLS("proxy_ssl_crl"), TLS("proxy_ssl_password_file"), TLS("proxy_ssl_conf_command"), \
	TLS("proxy_ssl_alpn"), TLS("ssl_certificate"), TLS("ssl_certificate_key"), \
	TLS("ssl_certificate_cache"), TLS("ssl_protocols"), TLS("ssl_ciphers"), \
	TLS("ssl_session_cache"), TLS("ssl_session_timeout"), TLS("ssl_session_tickets"), \
	TLS("ssl_session_ticket_key"), TLS("ssl_client_certificate"), \
	TLS("ssl_trusted_certificate"), TLS("ssl_verify_client"), TLS("ssl_verify_depth"), \
	TLS("ssl_dhparam"), TLS("ssl_ecdh_curve"), TLS("ssl_crl"), TLS("ssl_password_file"), \
	TLS("ssl_conf_command"), TLS("ssl_alpn"), TLS("ssl_handshake_timeout"), \
	TLS("ssl_prefer_server_ciphers"), TLS("ssl_stapling"), TLS("ssl_reject_handshake")

#define NO_SCRIPTS "no JavaScript is run here"
#define NO_GEOIP   "no database of places is read; geo knows networks"
#define NO_KEYVAL  "nothing is kept for it; map chooses by what the file says"
#define RESOLVE_ELSEWHERE "it is for servers with 'resolve': write it in stream {} or an upstream"

static const struct directive server_rows[] = {
	{ "listen", 1, MANY, D_REPEAT, stream_bind_listen, 0, 0, 0, NULL },
	{ "proxy_pass", 1, 1, 0, stream_bind_later, offsetof(struct server_draft, pass), 0, 0, NULL },
	{ "health_check", 0, MANY, 0, stream_bind_later, offsetof(struct server_draft, health), 0, 0, NULL },
	{ "return", 1, 1, 0, stream_bind_later, offsetof(struct server_draft, answer), 0, 0, NULL },
	{ "pass", 1, 1, 0, bind_pass, 0, 0, 0, NULL },
	{ "set", 2, 2, D_REPEAT, stream_bind_set, 0, 0, 0, NULL },
	NOTHING("server_name", "the only server of an address gets all who come; to choose by name: ssl_preread and map"),
	NOTHING("status_zone", "every listener is counted"),
	NOTHING("resolver", RESOLVE_ELSEWHERE), NOTHING("resolver_timeout", RESOLVE_ELSEWHERE),
	SETTING_ROWS,
};
/* clang-format on */

static void bind_server(struct binder *, struct stmt *, const struct directive *, void *);

/* clang-format off */
static const struct directive stream_rows[] = {
	{ "upstream", 1, 1, D_BLOCK | D_REPEAT, stream_bind_upstream, 0, 0, 0, NULL },
	{ "server", 0, 0, D_BLOCK | D_REPEAT, bind_server, 0, 0, 0, NULL },
	{ "map", 2, 2, D_BLOCK | D_REPEAT, stream_bind_map, 0, 0, 0, NULL },
	{ "geo", 1, 2, D_BLOCK | D_REPEAT, stream_bind_geo, 0, 0, 0, NULL },
	{ "split_clients", 2, 2, D_BLOCK | D_REPEAT, stream_bind_split, 0, 0, 0, NULL },
	{ "log_format", 2, MANY, D_REPEAT, stream_bind_format, 0, 0, 0, NULL },
	{ "resolver", 1, MANY, 0, stream_bind_resolver, offsetof(struct server_draft, resolver), 0, 0, NULL },
	{ "resolver_timeout", 1, 1, 0, bind_nginx_time, offsetof(struct server_draft, resolver.timeout_us), 0, 0, NULL },
	NOTHING("geoip_country", NO_GEOIP), NOTHING("geoip_city", NO_GEOIP), NOTHING("geoip_org", NO_GEOIP),
	NOTHING("geoip_proxy", NO_GEOIP),
	{ "match", 1, 1, D_BLOCK | D_REPEAT, stream_bind_match, 0, 0, 0, NULL },
	{ "limit_conn_zone", 2, 2, D_REPEAT, stream_bind_limit_zone, 0, 0, 0, NULL },
	{ "map_hash_max_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL },
	{ "map_hash_bucket_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL },
	{ "server_names_hash_max_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL },
	{ "server_names_hash_bucket_size", 1, 1, 0, bind_accepted, 0, 0, 0, NULL },
	NOTHING("zone_sync", "each node counts for itself"),
	NOTHING("js_import", NO_SCRIPTS), NOTHING("js_include", NO_SCRIPTS), NOTHING("js_path", NO_SCRIPTS),
	NOTHING("js_set", NO_SCRIPTS), NOTHING("keyval", NO_KEYVAL), NOTHING("keyval_zone", NO_KEYVAL),
	SETTING_ROWS,
};
/* clang-format on */

/* What it says in variables; takes what the draft holds of it. */
static struct server_words *
settle_words(struct binder *b, struct server_draft *draft, const struct server_draft *outer)
{
	struct server_words *words = server_words_new(b->conf->lexicon);

	words->sets = draft->sets;
	words->n_sets = draft->n_sets;
	stream_settle_logs(b, &draft->logs, &outer->logs, words);
	stream_forget_lines(&draft->logs);
	if (draft->answer != NULL)
		words->returns = stream_template(
		    b, &draft->answer->words[1], false, &words->answer);
	if (draft->pass != NULL && strchr(draft->pass->words[1].text, '$') != NULL)
		stream_template(b, &draft->pass->words[1], false, &words->pass);
	return words;
}

/* The settings, once all of the block is read, for each of its listeners. */
static void
settle_server(struct binder *b, const struct stmt *s, struct server_draft *draft,
    const struct server_draft *outer)
{
	struct conf *conf = b->conf;
	struct server_words *words;

	if (draft->other != NULL && draft->pass != NULL)
		bind_say(b, CONF_ERROR, stmt_pos(draft->other),
		    "a server has either 'pass' or 'proxy_pass'");
	if (draft->pass == NULL)
		draft->pass = draft->other;
	words = settle_words(b, draft, outer);
	if (conf->n_listeners == draft->first_listener && !draft->failed_listen)
		bind_say(
		    b, CONF_ERROR, stmt_pos(s), "this server listens nowhere: 'listen' is missing");
	if (draft->pass == NULL && draft->answer == NULL)
		bind_say(b, CONF_ERROR, stmt_pos(s), "this server has no 'proxy_pass'");
	if (draft->pass != NULL && draft->answer != NULL)
		bind_say(b, CONF_ERROR, stmt_pos(draft->answer),
		    "a server has either 'return' or '%s'", stmt_name(draft->pass));
	for (size_t i = draft->first_listener; i < conf->n_listeners; i++) {
		struct listener_conf l = draft->settings;

		l.name = conf->listeners[i].name;
		l.endpoint = conf->listeners[i].endpoint;
		l.udp = conf->listeners[i].udp;
		l.ipv6_only = conf->listeners[i].ipv6_only;
		l.listen = conf->listeners[i].listen;
		l.proxy_protocol = conf->listeners[i].proxy_protocol;
		l.pos = conf->listeners[i].pos;
		l.words = server_words_ref(words);
		conf->listeners[i] = l;
		stream_check_client(b, &l);
		if (draft->pass == NULL)
			continue;
		if (draft->health != NULL)
			stream_refer_health(b, draft->health, draft->health_timeout_us, true, i);
		b->passes = conf_grow(b->passes, b->n_passes, sizeof(*b->passes));
		b->passes[b->n_passes++] = (struct reference){ .stmt = draft->pass, .object = i };
	}
	server_words_unref(words);
}

static void
bind_server(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	const struct server_draft *outer = object;
	struct server_draft draft = { .settings = outer->settings,
		.first_listener = b->conf->n_listeners };
	struct context in = { .kind = "server",
		.part = CONF_STREAM,
		.rows = server_rows,
		.n_rows = ARRAY_LEN(server_rows) };
	const struct context *before = b->in;

	(void)d;
	draft.settings.client = stream_client(b, outer->settings.client);
	bind_block(b, s, &in, &draft);
	b->in = &in;
	settle_server(b, s, &draft, outer);
	b->in = before;
}

/*
 * stream {}: its settings first, wherever they stand, because its servers
 * inherit them.
 */
void
stream_bind(struct binder *b, struct stmt *s)
{
	static const struct context in = { .kind = "stream",
		.part = CONF_STREAM,
		.rows = stream_rows,
		.n_rows = ARRAY_LEN(stream_rows) };
	struct server_draft defaults = { .settings = { .connect_timeout_us = 5 * US_PER_S,
					     .timeout_us = 600 * US_PER_S,
					     .next_upstream = true,
					     .half_close = true,
					     .tcp_nodelay = true,
					     .responses = UINT32_MAX,
					     .preread_timeout_us = 30 * US_PER_S,
					     .preread_size = 16384,
					     .buffer_size = 16384 } };
	const struct context *before = b->in;

	defaults.settings.client = stream_client(b, NULL);
	stream_declare(b, s);
	bind_block_order(b, s, &in, &defaults, "server");
	b->in = &in;
	stream_check_words(b);
	b->in = before;
	stream_forget_lines(&defaults.logs);
	b->health_timeout_us = defaults.health_timeout_us;
	b->conf->resolver = defaults.resolver;
}

/* ---- around it ---- */

static void
bind_workers(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t v;

	(void)d, (void)object;
	if (strcmp(s->words[1].text, "auto") == 0)
		b->conf->data_threads = 0;
	else if (value_integer(b, &s->words[1], 1, 1024, &v))
		b->conf->data_threads = (unsigned)v;
}

static void
bind_stream_here(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)d, (void)object;
	stream_bind(b, s);
}

/* Not ours: recognised, left out, named. */
static void
bind_skipped(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	bind_say(b, CONF_NOTICE, stmt_pos(s), "'%s' is nginx's own, and skipped", d->name);
	s->left_out = true;
}

static void
bind_number(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t v;

	(void)object;
	if (value_integer(b, &s->words[1], d->low, d->high, &v))
		*(unsigned *)(void *)((char *)b->conf + d->offset) = (unsigned)v;
}

/* clang-format off */
#define SKIPPED(word) { word, 0, MANY, D_MAYBE_BLOCK | D_REPEAT | D_SEMICOLON, bind_skipped, 0, 0, 0, NULL }

static const struct directive events_rows[] = {
	{ "worker_connections", 1, 1, 0, bind_number, offsetof(struct conf, connections), 1, 100000000, NULL },
	SKIPPED("use"), SKIPPED("multi_accept"), SKIPPED("accept_mutex"), SKIPPED("accept_mutex_delay"),
	SKIPPED("debug_connection"), SKIPPED("worker_aio_requests"),
};

static void bind_events(struct binder *, struct stmt *, const struct directive *, void *);

static const struct directive main_rows[] = {
	{ "stream", 0, 0, D_BLOCK, bind_stream_here, 0, 0, 0, NULL },
	{ "events", 0, 0, D_BLOCK, bind_events, 0, 0, 0, NULL },
	{ "worker_processes", 1, 1, D_SEMICOLON, bind_workers, 0, 0, 0, NULL },
	{ "worker_rlimit_nofile", 1, 1, D_SEMICOLON, bind_number, offsetof(struct conf, nofile), 1, 1073741816, NULL },
	SKIPPED("http"), SKIPPED("mail"), SKIPPED("types"), SKIPPED("user"), SKIPPED("load_module"),
	SKIPPED("pid"), SKIPPED("daemon"), SKIPPED("error_log"), SKIPPED("worker_cpu_affinity"),
	SKIPPED("worker_priority"), SKIPPED("master_process"), SKIPPED("pcre_jit"),
	SKIPPED("thread_pool"), SKIPPED("env"), SKIPPED("worker_shutdown_timeout"),
	SKIPPED("timer_resolution"), SKIPPED("lock_file"), SKIPPED("worker_rlimit_core"),
	SKIPPED("working_directory"), SKIPPED("debug_points"), SKIPPED("ssl_engine"),
	SKIPPED("google_perftools_profiles"), SKIPPED("ssl_object_cache_inheritable"),
};
/* clang-format on */

static void
bind_events(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	static const struct context in = { .kind = "events",
		.part = CONF_STREAM,
		.rows = events_rows,
		.n_rows = ARRAY_LEN(events_rows) };

	(void)d;
	bind_block(b, s, &in, object);
}

static const struct context main_context = {
	.kind = "nginx", .part = CONF_STREAM, .rows = main_rows, .n_rows = ARRAY_LEN(main_rows)
};

void
nginx_bind(struct binder *b, struct stmt *s)
{
	bind_block(b, s, &main_context, NULL);
	if (s->first != NULL && !bind_mentions(s, "stream"))
		conf_say(b->src, CONF_NOTICE, CONF_STREAM, stmt_pos(s),
		    "there is no stream block in this nginx text: nothing to forward");
}

void
nginx_main_bind(struct binder *b, struct stmt *s)
{
	struct stmt *next = s->next;
	struct stmt block = { .first = s };

	s->next = NULL; /* this one statement alone */
	bind_block(b, &block, &main_context, NULL);
	s->next = next;
}

/* ---- proxy_pass: looked up when all upstreams are known ---- */

static void
add_implicit(struct binder *b, const struct word *w)
{
	struct conf *conf = b->conf;
	struct upstream_conf u = { .implicit = true, .pos = w->pos };
	struct server_conf server = {
		.weight = 1, .max_fails = 1, .fail_timeout_us = 10 * US_PER_S, .pos = w->pos
	};

	if (!stream_parse_server(b, w, &server.endpoint, &server.host))
		return;
	server.text = xstrdup(w->text);
	stream_add_server(&u, &server);
	u.name = xstrdup(w->text);
	conf->upstreams = conf_grow(conf->upstreams, conf->n_upstreams, sizeof(*conf->upstreams));
	conf->upstreams[conf->n_upstreams++] = u;
}

static void
say_no_upstream(struct binder *b, const struct word *w)
{
	const struct conf *conf = b->conf;
	char *hint = bind_did_you_mean(
	    b, w->text, conf->upstreams, conf->n_upstreams, sizeof(*conf->upstreams));

	bind_say(b, CONF_ERROR, w->pos, "there is no upstream '%.64s'%s", w->text, hint);
	free(hint);
}

/* A value that a variable may have, as far as the file tells: an upstream, or one is made. */
static void
resolve_value(struct binder *b, const struct word *w, const char *value)
{
	struct word part = *w;

	part.text = (char *)value;
	if (value[0] == '\0' || conf_upstream(b->conf, value) != NULL)
		return;
	if (strchr(value, ':') != NULL)
		add_implicit(b, &part);
	else
		bind_say(b, CONF_WARNING, w->pos,
		    "there is no upstream '%.64s', which '%.64s' may be: such sessions are refused",
		    value, w->text);
}

static void resolve_template(struct binder *, const struct word *, const struct stream_template *,
    const struct server_words *);

static void
resolve_word(struct binder *b, const struct word *w, size_t index, const struct server_words *words)
{
	const struct stream_word *word = &b->conf->lexicon->words[index];

	for (size_t i = 0; i < words->n_sets; i++)
		if (words->sets[i].word == index)
			resolve_template(b, w, &words->sets[i].value, words);
	for (size_t i = 0; word->map != NULL && i < word->map->n_values; i++)
		resolve_template(b, w, &word->map->values[i], words);
	for (size_t i = 0; word->split != NULL && i < word->split->n_parts; i++)
		resolve_value(b, w, word->split->parts[i].value);
	for (size_t i = 0; word->geo != NULL && i < word->geo->n_values; i++)
		resolve_value(b, w, word->geo->values[i]);
}

/* What it can be is known when it is text, or one variable that can only be text. */
static void
resolve_template(struct binder *b, const struct word *w, const struct stream_template *t,
    const struct server_words *words)
{
	if (template_is_plain(t))
		resolve_value(b, w, t->text);
	else if (t->n == 1 && t->parts[0].variable == VAR_WORD && b->n_resolving < 16) {
		b->n_resolving++; /* "set $a $a" leads nowhere */
		resolve_word(b, w, t->parts[0].index, words);
		b->n_resolving--;
	} else
		bind_say(b, CONF_WARNING, w->pos,
		    "what '%.64s' stands for is not known before a client comes: unless it is one "
		    "of the upstreams and servers of this file, the session is refused",
		    t->text);
}

/* One proxy_pass may serve several listeners: it is looked at once. */
static void
resolve_pass(struct binder *b, const struct word *w, const struct listener_conf *l)
{
	if (l->words->pass.n > 0)
		resolve_template(b, w, &l->words->pass, l->words);
	else if (strchr(w->text, '$') != NULL || conf_upstream(b->conf, w->text) != NULL)
		; /* it has an error, which was said; or it is found later */
	else if (strchr(w->text, ':') != NULL)
		add_implicit(b, w);
	else
		say_no_upstream(b, w);
}

void
stream_resolve(struct binder *b)
{
	struct conf *conf = b->conf;

	b->in = &main_context;
	for (size_t i = 0; i < b->n_passes; i++)
		if (i == 0 || b->passes[i].stmt != b->passes[i - 1].stmt)
			resolve_pass(
			    b, &b->passes[i].stmt->words[1], &conf->listeners[b->passes[i].object]);
	stream_settle_resolvers(conf);
	stream_resolve_limits(b);
	for (size_t i = 0; i < b->n_passes; i++) /* the array of upstreams stands still now */
		conf->listeners[b->passes[i].object].upstream = conf_upstream(
		    conf, b->passes[i].stmt->words[1].text);
}
