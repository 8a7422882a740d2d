/*
 * stream.h - the stream block while it is being bound: what its files share.
 * The block and its servers stand in stream.c, listen and sockets in
 * stream_listen.c, upstreams in stream_upstream.c, health_check and match in
 * stream_health.c.
 *
 * Internal to common/conf.
 */
#ifndef COMMON_CONF_STREAM_H
#define COMMON_CONF_STREAM_H

#include "common/conf/bind.h"

#define STREAM_TLS "TLS is passed through, not terminated: the servers behind speak it"

/* access_log and error_log of a block; without its own it has those of the block around it. */
struct log_lines {
	struct stmt **access, **errors;
	size_t n_access, n_errors;
};

/* A server block while it is read: settings, and a listener for each listen. */
struct server_draft {
	struct listener_conf settings; /* first: the binders of one field reach into it */
	int64_t health_timeout_us;
	size_t first_listener;
	struct stmt *pass, *health;
	struct stmt *answer; /* return */
	struct stmt *other;  /* pass */
	bool failed_listen;
	struct assignment *sets;
	size_t n_sets;
	struct log_lines logs;
	struct resolver_conf resolver; /* of a stream block */
};

/* The value of "name=value", or NULL. */
const char *stream_value_of(const char *word, const char *name);

/* A word that is the value inside another, for the parsers of values. */
struct word stream_part_of(const struct word *, const char *value);

/* Text with variables; false: said.  What is not in effect is said as well. */
bool stream_template(
    struct binder *, const struct word *, bool early_only, struct stream_template *ret);

/* ---- listen, and the sockets towards servers (stream_listen.c) ---- */

bind_fn stream_bind_listen, stream_bind_source;

/* "/run/x.sock" of "unix:/run/x.sock".  NULL: it is none; "" and said: not one we can take. */
const char *stream_unix_path(struct binder *, const struct word *);

/* ---- variables (stream_words.c) ---- */

void stream_declare(struct binder *, const struct stmt *stream); /* first of all */
bind_fn stream_bind_map, stream_bind_geo, stream_bind_split, stream_bind_set;
void stream_check_words(struct binder *); /* when all is read */

/* ---- logs (stream_log.c) ---- */

bind_fn stream_bind_format, stream_bind_access, stream_bind_error_log;
void stream_forget_lines(struct log_lines *);
/* What a server's lines say, of its own or else of the block around it. */
void stream_settle_logs(struct binder *, const struct log_lines *own, const struct log_lines *outer,
    struct server_words *);

/* ---- upstreams ---- */

void stream_take_age(struct binder *, const struct stmt *, int64_t *age_us, int64_t *jitter_us);

bind_fn stream_bind_upstream;

/*
 * "10.0.0.1:80", "[::1]:80", "name:80", "unix:/run/x" (an endpoint of nowhere).
 * False and said when it is none; 'host' is the name to resolve, or NULL.
 */
bool stream_parse_server(
    struct binder *, const struct word *, struct endpoint *ret, char **ret_host);
void stream_add_server(struct upstream_conf *, const struct server_conf *);

/* ---- name servers (stream_resolver.c) ---- */

bind_fn stream_bind_resolver;		     /* struct resolver_conf */
void stream_settle_resolvers(struct conf *); /* what upstreams do not say, when all is read */

/* ---- clients (stream_client.c) ---- */

bind_fn stream_bind_trusted;
bind_fn stream_bind_rule;
bind_fn stream_bind_limit_zone;
bind_fn stream_bind_limit;
bind_fn stream_bind_limit_dry_run;
bind_fn stream_bind_limit_log;
bind_fn stream_bind_rate;
bind_fn stream_bind_announce;
bind_fn stream_bind_header_timeout;

/* A block's own, belonging to the configuration; 'inherited' or NULL. */
struct client_conf *stream_client(struct binder *, const struct client_conf *inherited);
void stream_check_client(struct binder *, const struct listener_conf *);
void stream_resolve_limits(struct binder *); /* when all zones are known */

/* ---- health checks ---- */

bind_fn stream_bind_match;

/* match= and check= of all upstreams, and health_check of servers, when everything is known. */
void stream_resolve_health(struct binder *);

/* To be resolved: 'object' is the index of a listener or of an upstream. */
void stream_refer_health(
    struct binder *, const struct stmt *, int64_t timeout_us, bool of_listener, size_t object);

/* Remember the statement, whatever it is about: a struct stmt * in the object. */
bind_fn stream_bind_later;

#endif
