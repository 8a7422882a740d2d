/*
 * template.c - see template.h.
 */
#include "common/conf/template.h"

#include "common/conf/lexicon.h"
#include "common/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[VAR_MAX] = {
	[VAR_BINARY_REMOTE_ADDR] = "binary_remote_addr",
	[VAR_CONNECTION] = "connection",
	[VAR_HOSTNAME] = "hostname",
	[VAR_MSEC] = "msec",
	[VAR_NGINX_VERSION] = "nginx_version",
	[VAR_PID] = "pid",
	[VAR_PROTOCOL] = "protocol",
	[VAR_PROXY_PROTOCOL_ADDR] = "proxy_protocol_addr",
	[VAR_PROXY_PROTOCOL_PORT] = "proxy_protocol_port",
	[VAR_PROXY_PROTOCOL_SERVER_ADDR] = "proxy_protocol_server_addr",
	[VAR_PROXY_PROTOCOL_SERVER_PORT] = "proxy_protocol_server_port",
	[VAR_REALIP_REMOTE_ADDR] = "realip_remote_addr",
	[VAR_REALIP_REMOTE_PORT] = "realip_remote_port",
	[VAR_REMOTE_ADDR] = "remote_addr",
	[VAR_REMOTE_PORT] = "remote_port",
	[VAR_SERVER_ADDR] = "server_addr",
	[VAR_SERVER_PORT] = "server_port",
	[VAR_SSL_PREREAD_ALPN_PROTOCOLS] = "ssl_preread_alpn_protocols",
	[VAR_SSL_PREREAD_PROTOCOL] = "ssl_preread_protocol",
	[VAR_SSL_PREREAD_SERVER_NAME] = "ssl_preread_server_name",
	[VAR_TIME_ISO8601] = "time_iso8601",
	[VAR_TIME_LOCAL] = "time_local",
	[VAR_BYTES_RECEIVED] = "bytes_received",
	[VAR_BYTES_SENT] = "bytes_sent",
	[VAR_CLOSE_REASON] = "close_reason",
	[VAR_LIMIT_CONN_STATUS] = "limit_conn_status",
	[VAR_SESSION_TIME] = "session_time",
	[VAR_STATUS] = "status",
	[VAR_UPSTREAM_ADDR] = "upstream_addr",
	[VAR_UPSTREAM_BYTES_RECEIVED] = "upstream_bytes_received",
	[VAR_UPSTREAM_BYTES_SENT] = "upstream_bytes_sent",
	[VAR_UPSTREAM_CONNECT_TIME] = "upstream_connect_time",
	[VAR_UPSTREAM_FIRST_BYTE_TIME] = "upstream_first_byte_time",
	[VAR_UPSTREAM_SESSION_TIME] = "upstream_session_time",
};

const char *
stream_variable_str(enum stream_variable v)
{
	return names[v];
}

static void
add_part(
    struct stream_template *t, enum stream_variable v, const char *text, size_t n, size_t index)
{
	t->parts = xreallocarray(t->parts, t->n + 1, sizeof(*t->parts));
	t->parts[t->n++] = (struct template_part){ v, text != NULL ? xstrndup(text, n) : NULL, n,
		index };
}

static bool
same(const char *name, const char *text, size_t n)
{
	return name != NULL && strlen(name) == n && strncmp(name, text, n) == 0;
}

static void
add_variable(struct stream_template *t, const struct lexicon *lexicon, const char *name, size_t n)
{
	static const char tlv[] = "proxy_protocol_tlv_";
	const size_t n_tlv = sizeof(tlv) - 1;
	size_t word = lexicon != NULL ? lexicon_find(lexicon, name, n) : SIZE_MAX;

	if (word != SIZE_MAX) {
		bool named = lexicon->words[word].kind == WORD_CAPTURE;

		add_part(t, named ? VAR_NAMED : VAR_WORD, named ? name : NULL, n, word);
		return;
	}
	if (n == 1 && name[0] >= '1' && name[0] <= '9') {
		add_part(t, VAR_CAPTURE, NULL, 0, (size_t)(name[0] - '0'));
		return;
	}
	if (n > n_tlv && strncmp(name, tlv, n_tlv) == 0) {
		add_part(t, VAR_PROXY_PROTOCOL_TLV, name + n_tlv, n - n_tlv, 0);
		return;
	}
	for (enum stream_variable v = VAR_UNKNOWN + 1; v < VAR_MAX; v++)
		if (same(names[v], name, n)) {
			add_part(t, v, NULL, 0, 0);
			return;
		}
	add_part(t, VAR_UNKNOWN, name, n, 0);
}

static size_t
name_length(const char *p)
{
	if (*p >= '1' && *p <= '9')
		return 1; /* "$10" is $1 and a zero */
	return strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

int
template_parse(const char *text, const struct lexicon *lexicon, struct stream_template *ret)
{
	struct stream_template t = { .text = xstrdup(text) };

	for (const char *p = text; *p != '\0';) {
		bool brace = p[0] == '$' && p[1] == '{';
		const char *name = p + 1 + brace;
		size_t n = p[0] == '$' ? name_length(name) : strcspn(p, "$");

		if (p[0] != '$' || (n == 0 && !brace)) {
			n = p[0] == '$' ? 1 : n; /* a '$' alone is one */
			add_part(&t, VAR_LITERAL, p, n, 0);
			p += n;
			continue;
		}
		if (brace && (n == 0 || name[n] != '}')) {
			template_done(&t);
			return -EINVAL;
		}
		add_variable(&t, lexicon, name, n);
		p = name + n + brace;
	}
	*ret = t;
	return 0;
}

void
template_copy(const struct stream_template *t, struct stream_template *ret)
{
	struct stream_template copy = { .text = t->text != NULL ? xstrdup(t->text) : NULL };

	for (size_t i = 0; i < t->n; i++)
		add_part(&copy, t->parts[i].variable, t->parts[i].text, t->parts[i].length,
		    t->parts[i].index);
	*ret = copy;
}

bool
template_is_plain(const struct stream_template *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->parts[i].variable != VAR_LITERAL)
			return false;
	return true;
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
