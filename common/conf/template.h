/*
 * template.h - text with variables in it, as nginx writes them: "$remote_addr",
 * "${status}".  Read once into parts; what the variables stand for is known by
 * who renders it (proxyd/facts.h).
 */
#ifndef COMMON_CONF_TEMPLATE_H
#define COMMON_CONF_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

enum stream_variable {
	VAR_LITERAL, /* no variable: text */
	VAR_UNKNOWN, /* not ours: not found */
	VAR_WORD,    /* the configuration's own (lexicon.h): 'index' */
	VAR_CAPTURE, /* $1 .. $9 of the last expression that matched: 'index' */
	VAR_NAMED,   /* its (?<name>...): 'text' */
	/* known when a client has come */
	VAR_BINARY_REMOTE_ADDR,
	VAR_CONNECTION,
	VAR_HOSTNAME,
	VAR_MSEC,
	VAR_NGINX_VERSION,
	VAR_PID,
	VAR_PROTOCOL,
	VAR_PROXY_PROTOCOL_ADDR,
	VAR_PROXY_PROTOCOL_PORT,
	VAR_PROXY_PROTOCOL_SERVER_ADDR,
	VAR_PROXY_PROTOCOL_SERVER_PORT,
	VAR_PROXY_PROTOCOL_TLV, /* what follows "proxy_protocol_tlv_": 'text' */
	VAR_REALIP_REMOTE_ADDR,
	VAR_REALIP_REMOTE_PORT,
	VAR_REMOTE_ADDR,
	VAR_REMOTE_PORT,
	VAR_SERVER_ADDR,
	VAR_SERVER_PORT,
	VAR_SSL_PREREAD_ALPN_PROTOCOLS,
	VAR_SSL_PREREAD_PROTOCOL,
	VAR_SSL_PREREAD_SERVER_NAME,
	VAR_TIME_ISO8601,
	VAR_TIME_LOCAL,
	/* known later */
	VAR_BYTES_RECEIVED,
	VAR_BYTES_SENT,
	VAR_CLOSE_REASON,
	VAR_LIMIT_CONN_STATUS,
	VAR_SESSION_TIME,
	VAR_STATUS,
	VAR_UPSTREAM_ADDR,
	VAR_UPSTREAM_BYTES_RECEIVED,
	VAR_UPSTREAM_BYTES_SENT,
	VAR_UPSTREAM_CONNECT_TIME,
	VAR_UPSTREAM_FIRST_BYTE_TIME,
	VAR_UPSTREAM_SESSION_TIME,
	VAR_MAX,
};

/* The name without '$'; NULL for those that have none of their own. */
const char *stream_variable_str(enum stream_variable);
static inline bool
stream_variable_is_early(enum stream_variable v)
{
	return v < VAR_BYTES_RECEIVED;
}

struct template_part {
	enum stream_variable variable;
	char *text;    /* VAR_LITERAL: the text; UNKNOWN, NAMED, TLV: the name */
	size_t length; /* of it */
	size_t index;
};

struct stream_template {
	char *text; /* as written */
	struct template_part *parts;
	size_t n;
};

struct lexicon;

/*
 * Read 'text' into *ret, to be template_done().  Names are looked up in the
 * lexicon (NULL: none) first.  0 or -EINVAL: a brace does not close.
 */
int template_parse(const char *text, const struct lexicon *, struct stream_template *ret);
void template_done(struct stream_template *);
void template_copy(const struct stream_template *, struct stream_template *ret);

/* No variable in it. */
bool template_is_plain(const struct stream_template *);

#endif
