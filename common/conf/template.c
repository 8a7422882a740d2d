/*
 * template.c - see template.h.
 */
#include "common/conf/template.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[VAR_MAX] = {
	[VAR_BINARY_REMOTE_ADDR] = "binary_remote_addr",
	[VAR_CONNECTION] = "connection",
	[VAR_HOSTNAME] = "hostname",
	[VAR_MSEC] = "msec",
	[VAR_PID] = "pid",
	[VAR_PROTOCOL] = "protocol",
	[VAR_PROXY_PROTOCOL_ADDR] = "proxy_protocol_addr",
	[VAR_PROXY_PROTOCOL_PORT] = "proxy_protocol_port",
	[VAR_REALIP_REMOTE_ADDR] = "realip_remote_addr",
	[VAR_REALIP_REMOTE_PORT] = "realip_remote_port",
	[VAR_REMOTE_ADDR] = "remote_addr",
	[VAR_REMOTE_PORT] = "remote_port",
	[VAR_SERVER_ADDR] = "server_addr",
	[VAR_SERVER_PORT] = "server_port",
	[VAR_TIME_ISO8601] = "time_iso8601",
	[VAR_TIME_LOCAL] = "time_local",
	[VAR_BYTES_RECEIVED] = "bytes_received",
	[VAR_BYTES_SENT] = "bytes_sent",
	[VAR_CLOSE_REASON] = "close_reason",
	[VAR_SESSION_TIME] = "session_time",
	[VAR_STATUS] = "status",
	[VAR_UPSTREAM_ADDR] = "upstream_addr",
	[VAR_UPSTREAM_BYTES_RECEIVED] = "upstream_bytes_received",
	[VAR_UPSTREAM_BYTES_SENT] = "upstream_bytes_sent",
	[VAR_UPSTREAM_CONNECT_TIME] = "upstream_connect_time",
};

const char *
stream_variable_str(enum stream_variable v)
{
	return names[v];
}

static void
add_part(struct stream_template *t, enum stream_variable v, const char *text, size_t n)
{
	t->parts = xreallocarray(t->parts, t->n + 1, sizeof(*t->parts));
	t->parts[t->n++] = (struct template_part){ v, text != NULL ? xstrndup(text, n) : NULL };
}

static void
add_variable(struct stream_template *t, const char *name, size_t n)
{
	for (enum stream_variable v = VAR_UNKNOWN + 1; v < VAR_MAX; v++)
		if (strlen(names[v]) == n && strncmp(names[v], name, n) == 0) {
			add_part(t, v, NULL, 0);
			return;
		}
	add_part(t, VAR_UNKNOWN, name, n);
}

static size_t
name_length(const char *p)
{
	return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

int
template_parse(const char *text, struct stream_template *ret)
{
	struct stream_template t = { .text = xstrdup(text) };

	for (const char *p = text; *p != '\0';) {
		bool brace = p[0] == '$' && p[1] == '{';
		const char *name = p + 1 + brace;
		size_t n = p[0] == '$' ? name_length(name) : strcspn(p, "$");

		if (p[0] != '$' || (n == 0 && !brace)) {
			n = p[0] == '$' ? 1 : n; /* a '$' alone is one */
			add_part(&t, VAR_LITERAL, p, n);
			p += n;
			continue;
		}
		if (brace && (n == 0 || name[n] != '}')) {
			template_done(&t);
			return -EINVAL;
		}
		add_variable(&t, name, n);
		p = name + n + brace;
	}
	*ret = t;
	return 0;
}

int
template_copy(const struct stream_template *t, struct stream_template *ret)
{
	return template_parse(t->text, ret);
}

void
template_done(struct stream_template *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->parts[i].text);
	free(t->parts);
	free(t->text);
	*t = (struct stream_template){ 0 };
}
