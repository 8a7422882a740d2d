/*
 * conf.c - see conf.h: reading a configuration from its first byte to the
 * structs that daemons run on.
 */
#include "common/conf/conf.h"

#include "common/conf/bind.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

static const char *const check_kind_names[] = {
	[CHECK_SCRIPT] = "script",
	[CHECK_PORT] = "port",
	[CHECK_TCP] = "tcp",
	[CHECK_PROCESS] = "process",
	[CHECK_HTTP] = "http",
	[CHECK_PING] = "ping",
	[CHECK_DNS] = "dns",
	[CHECK_SMTP] = "smtp",
	[CHECK_UDP] = "udp",
	[CHECK_FILE] = "file",
};

const char *
check_kind_str(enum check_kind kind)
{
	return check_kind_names[kind];
}

const char *
check_block_str(enum check_block block)
{
	static const char *const names[] = {
		[BLOCK_CHECK] = "check",
		[BLOCK_SCRIPT] = "vrrp_script",
		[BLOCK_TRACK_FILE] = "vrrp_track_file",
		[BLOCK_TRACK_PROCESS] = "vrrp_track_process",
	};

	return names[block];
}

const struct check_conf *
conf_check(const struct conf *conf, const char *name)
{
	return names_find(&conf->check_names, conf->checks, sizeof(*conf->checks), name);
}

const struct vrrp_conf *
conf_instance(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_instances; i++)
		if (strcmp(conf->instances[i].name, name) == 0)
			return &conf->instances[i];
	return NULL;
}

const struct upstream_conf *
conf_upstream(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (strcmp(conf->upstreams[i].name, name) == 0)
			return &conf->upstreams[i];
	return NULL;
}

const struct link_delay_conf *
conf_link_delay(const struct conf *conf, const char *interface)
{
	for (size_t i = 0; i < conf->n_link_delays; i++)
		if (strcmp(conf->link_delays[i].name, interface) == 0)
			return &conf->link_delays[i];
	return NULL;
}

const struct match_conf *
conf_match(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_matches; i++)
		if (strcmp(conf->matches[i].name, name) == 0)
			return &conf->matches[i];
	return NULL;
}

/* ---- the end ---- */

static void
free_words(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
}

void
check_conf_done(struct check_conf *c)
{
	free(c->name);
	free_words(c->argv, c->argc);
	free(c->send);
	free(c->expect);
	free(c->process.name);
	free_words(c->process.params, c->process.n_params);
	free(c->host);
	free(c->bind_if);
	free(c->dns_name);
	free(c->file);
	check_http_done(c->http);
}

void
script_conf_done(struct conf_script *c)
{
	free_words(c->argv, c->argc);
	free(c->user);
	free(c->group);
	free(c->owner);
}

static void
routing_conf_done(struct routing_conf *r)
{
	free(r->routes);
	free(r->rules);
}

void
vrrp_conf_done(struct vrrp_conf *v)
{
	free(v->name);
	free(v->dual);
	free(v->group);
	free(v->interface);
	free(v->peers);
	free(v->peer_ttls);
	for (size_t i = 0; i < v->n_vips; i++)
		vip_conf_done(&v->vips[i]);
	free(v->vips);
	routing_conf_done(&v->routing);
	free(v->tracks);
	vrrp_tracks_done(v);
	fifo_conf_done(&v->fifo);
	explicit_bzero(v->auth_pass, sizeof(v->auth_pass));
	hmac_conf_free(v->hmac);
}

static void
upstream_conf_done(struct upstream_conf *u)
{
	free(u->name);
	for (size_t i = 0; i < u->n_servers; i++) {
		free(u->servers[i].text);
		free(u->servers[i].host);
	}
	free(u->servers);
	template_done(&u->key);
	free(u->health);
}

void
match_conf_done(struct match_conf *m)
{
	free(m->name);
	free(m->send);
	free(m->expect);
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf->n_checks; i++)
		check_conf_done(&conf->checks[i]);
	for (size_t i = 0; i < conf->n_scripts; i++)
		script_conf_done(&conf->scripts[i]);
	for (size_t i = 0; i < conf->n_instances; i++)
		vrrp_conf_done(&conf->instances[i]);
	for (size_t i = 0; i < conf->n_groups; i++)
		sync_group_conf_done(&conf->groups[i]);
	for (size_t i = 0; i < conf->n_upstreams; i++)
		upstream_conf_done(&conf->upstreams[i]);
	for (size_t i = 0; i < conf->n_listeners; i++) {
		free(conf->listeners[i].name);
		server_words_unref(conf->listeners[i].words);
	}
	lexicon_unref(conf->lexicon);
	for (size_t i = 0; i < conf->n_matches; i++)
		match_conf_done(&conf->matches[i]);
	for (size_t i = 0; i < conf->n_link_delays; i++)
		free(conf->link_delays[i].name);
	free(conf->link_delays);
	for (size_t i = 0; i < conf->n_static_vips; i++)
		vip_conf_done(&conf->static_vips[i]);
	free(conf->static_vips);
	routing_conf_done(&conf->static_routing);
	stream_clients_done(conf);
	free(conf->matches);
	free(conf->checks);
	names_done(&conf->check_names);
	free(conf->scripts);
	free(conf->instances);
	free(conf->groups);
	free(conf->upstreams);
	free(conf->listeners);
	free(conf->path);
	free_words(conf->files, conf->n_files);
	free(conf->router_id);
	for (size_t i = 0; i < ARRAY_LEN(conf->fifos); i++)
		fifo_conf_done(&conf->fifos[i]);
	free(conf->script_user);
	free(conf->script_group);
	free(conf->normal);
	free(conf);
}

/* ---- the beginning ---- */

static void
set_globals(struct globals *g)
{
	*g = (struct globals){ .garp_delay_us = 5 * US_PER_S,
		.garp_refresh_us = 60 * US_PER_S,
		.garp_repeat = 5,
		.garp_refresh_repeat = 1,
		.garp_lower_delay_us = -1,
		.down_timer_adverts = 3 };
	addr_parse("224.0.0.18", &g->mcast4);
	addr_parse("ff02::12", &g->mcast6);
}

static void
bind_tree(struct binder *b, struct tree *tree)
{
	static const struct context file = { .kind = "", .part = CONF_GLOBAL };
	struct context in = file;

	in.rows = file_rows;
	in.n_rows = file_n_rows;
	for (struct stmt *s = tree->root->first; s != NULL; s = s->next)
		if (strcmp(stmt_name(s), "global_defs") == 0 && s->has_block)
			globals_bind(b, s);
	bind_block(b, tree->root, &in, NULL);
	b->in = &in;
	suite_check(b);
	b->in = NULL;
}

static struct conf *
load(struct conf_source *src, size_t file)
{
	struct conf *conf = xcalloc(1, sizeof(*conf));
	struct binder b = { .conf = conf, .src = src };
	struct tree tree;

	conf->path = xstrdup(src->files[file].path);
	for (size_t i = 0; i < ARRAY_LEN(conf->fifos); i++)
		conf->fifos[i].script = SIZE_MAX;
	set_globals(&b.globals);
	tree_read(src, file, &tree);
	bind_tree(&b, &tree);
	conf->normal = tree_print(&tree);
	text_digest(conf->normal, conf->digest);
	conf->files = xcalloc(src->n_files, sizeof(*conf->files));
	for (; conf->n_files < src->n_files; conf->n_files++)
		conf->files[conf->n_files] = xstrdup(src->files[conf->n_files].path);
	free_words(b.broken, b.n_broken);
	free(b.tracks);
	free(b.passes);
	free(b.healths);
	stream_forget_formats(&b);
	tree_done(&tree);
	source_finish(src);
	return conf;
}

/* A file that cannot be had at all: said about no line. */
static void
say_unreadable(struct conf_diags *diags, const char *path, int err)
{
	struct conf_diag d = { .severity = CONF_ERROR,
		.part = CONF_GLOBAL,
		.file = xstrdup(path),
		.message = err == -EFBIG ? xasprintf("larger than %u MiB: not a configuration",
					       CONF_FILE_MAX >> 20)
					 : xstrdup(strerror(-err)) };

	conf_diags_take(diags, &d);
}

struct conf *
conf_load(const struct conf_host *host, const char *path, struct conf_diags *diags)
{
	struct conf_source src = { .host = host, .diags = diags };
	struct conf *conf = NULL;
	size_t file;
	int err = source_open(&src, path, &file);

	if (err < 0)
		say_unreadable(diags, path, err);
	else
		conf = load(&src, file);
	source_done(&src);
	return conf;
}

struct conf *
conf_load_text(const struct conf_host *host, const char *path, const char *text, size_t size,
    struct conf_diags *diags)
{
	struct conf_source src = { .host = host, .diags = diags };
	struct conf *conf = NULL;
	size_t file;
	int err = source_add(&src, path, text, size, &file);

	if (err < 0)
		say_unreadable(diags, path, err);
	else
		conf = load(&src, file);
	source_done(&src);
	return conf;
}

char *
conf_normal_redacted(const struct conf *conf)
{
	return text_redact(conf->normal);
}
