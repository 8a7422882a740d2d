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
	VAR_UNKNOWN, /* of a directive that is not in effect yet: empty */
	/* known when a client has come */
	VAR_BINARY_REMOTE_ADDR,
	VAR_CONNECTION,
	VAR_HOSTNAME,
	VAR_MSEC,
	VAR_PID,
	VAR_PROTOCOL,
	VAR_PROXY_PROTOCOL_ADDR,
	VAR_PROXY_PROTOCOL_PORT,
	VAR_REALIP_REMOTE_ADDR,
	VAR_REALIP_REMOTE_PORT,
	VAR_REMOTE_ADDR,
	VAR_REMOTE_PORT,
	VAR_SERVER_ADDR,
	VAR_SERVER_PORT,
	VAR_TIME_ISO8601,
	VAR_TIME_LOCAL,
	/* known later */
	VAR_BYTES_RECEIVED,
	VAR_BYTES_SENT,
	VAR_CLOSE_REASON,
	VAR_SESSION_TIME,
	VAR_STATUS,
	VAR_UPSTREAM_ADDR,
	VAR_UPSTREAM_BYTES_RECEIVED,
	VAR_UPSTREAM_BYTES_SENT,
	VAR_UPSTREAM_CONNECT_TIME,
	VAR_MAX,
};

/* The name without '$'; NULL for the first two. */
const char *stream_variable_str(enum stream_variable);
static inline bool
stream_variable_is_early(enum stream_variable v)
{
	return v < VAR_BYTES_RECEIVED;
}

struct template_part {
	enum stream_variable variable;
	char *text; /* VAR_LITERAL: the text; VAR_UNKNOWN: the name */
};

struct stream_template {
	char *text; /* as written */
	struct template_part *parts;
	size_t n;
};

/* Read 'text' into *ret, to be template_done().  0 or -EINVAL: a brace does not close. */
int template_parse(const char *text, struct stream_template *ret);
void template_done(struct stream_template *);
int template_copy(const struct stream_template *, struct stream_template *ret);

#endif
