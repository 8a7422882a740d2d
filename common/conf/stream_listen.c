/*
 * stream_listen.c - nginx text: listen and its options, and the words about the
 * sockets towards servers.
 */
#include "common/conf/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* ---- where ---- */

const char *
stream_unix_path(struct binder *b, const struct word *w)
{
	const char *path = w->text + 5;

	if (strncmp(w->text, "unix:", 5) != 0)
		return NULL;
	if (*path != '/')
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not unix:/PATH", w->text);
	else if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		bind_say(b, CONF_ERROR, w->pos, "the path of a socket has at most %zu bytes",
		    sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	else
		return path;
	return "";
}

struct ports {
	unsigned first, last;
};

/* "7443", "7443-7450" */
static bool
parse_ports(const char *text, struct ports *ret)
{
	unsigned long n[2] = { 0 };
	size_t i = 0;

	for (const char *p = text; i < 2; i++) {
		const char *from = p;

		while (*p >= '0' && *p <= '9' && n[i] <= UINT16_MAX)
			n[i] = n[i] * 10 + (unsigned long)(*p++ - '0');
		if (p == from || n[i] == 0 || n[i] > UINT16_MAX ||
		    (*p != '\0' && (*p != '-' || i == 1)))
			return false;
		if (*p++ == '\0')
			break;
	}
	*ret = (struct ports){ (unsigned)n[0], (unsigned)n[i == 0 ? 0 : 1] };
	return ret->first <= ret->last;
}

/* "*:7443", "7443", "10.0.0.1:7443", "[::]:7443", each also with a range.  False: said. */
static bool
parse_listen(struct binder *b, const struct word *w, struct endpoint *ret, struct ports *ret_ports)
{
	const char *colon = strrchr(w->text, ':'), *ports = colon != NULL ? colon + 1 : w->text;
	char *first;
	bool ok = parse_ports(ports, ret_ports);

	*ret = (struct endpoint){ .addr = { .family = AF_INET } };
	if (ok && colon != NULL && strncmp(w->text, "*:", 2) != 0) {
		first = xasprintf("%.*s%u", (int)(ports - w->text), w->text, ret_ports->first);
		ok = endpoint_parse(first, ret) == 0;
		free(first);
	}
	if (!ok)
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is not PORT, *:PORT, ADDRESS:PORT or [IPV6]:PORT, nor a range of ports",
		    w->text);
	return ok;
}

static char *
listener_name(const struct endpoint *ep, bool udp)
{
	char text[ENDPOINT_STRLEN];
	const char *suffix = udp ? "/udp" : "";

	if (ep->addr.family == AF_INET && addr_is_any(&ep->addr))
		return xasprintf("*:%u%s", ep->port, suffix);
	return xasprintf("%s%s", endpoint_format(ep, text), suffix);
}

/* ---- options ---- */

/* on | off | [idle]:[interval]:[count] */
static bool
parse_keepalive(struct binder *b, const struct word *w, struct keepalive_conf *ret)
{
	unsigned *const fields[] = { &ret->idle_s, &ret->interval_s, &ret->count };
	char *text = xstrdup(w->text), *at = text;
	bool ok = true;

	*ret = (struct keepalive_conf){ .is_on = true };
	if (strchr(text, ':') == NULL) {
		free(text);
		return value_on_off(b, w, &ret->is_on);
	}
	for (size_t i = 0; i < ARRAY_LEN(fields) && at != NULL && ok; i++) {
		char *end = i < 2 ? strchr(at, ':') : NULL;
		struct word part = *w;
		int64_t v = 0;

		if (end != NULL)
			*end++ = '\0';
		part.text = at;
		if (*at != '\0' && i < 2)
			ok = value_nginx_time(b, &part, &v);
		else if (*at != '\0')
			ok = value_integer(b, &part, 1, 127, &v);
		*fields[i] = (unsigned)(i < 2 ? MIN((v + US_PER_S - 1) / US_PER_S, 32767) : v);
		at = end;
	}
	free(text);
	return ok;
}

static bool
take_size(struct binder *b, const struct word *part, size_t *ret)
{
	int64_t v;

	if (!value_nginx_size(b, part, 1, 1 << 30, &v))
		return false;
	*ret = (size_t)v;
	return true;
}

static bool
take_number(struct binder *b, const struct word *part, unsigned *ret)
{
	int64_t v;

	if (!value_integer(b, part, 1, 1048576, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

/* "name=value".  False: it is none of them; *ret_ok: the value is one. */
static bool
valued_option(struct binder *b, const struct word *w, struct listener_conf *l, bool *ret_ok)
{
	static const char *const names[] = { "backlog", "ipv6only", "rcvbuf", "sndbuf", "fastopen",
		"so_keepalive" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = stream_value_of(w->text, names[i]);
		struct word part;

		if (value == NULL)
			continue;
		part = stream_part_of(w, value);
		*ret_ok = i == 0   ? take_number(b, &part, &l->listen.backlog)
			  : i == 1 ? value_on_off(b, &part, &l->ipv6_only)
			  : i == 2 ? take_size(b, &part, &l->listen.rcvbuf)
			  : i == 3 ? take_size(b, &part, &l->listen.sndbuf)
			  : i == 4 ? take_number(b, &part, &l->listen.fastopen)
				   : parse_keepalive(b, &part, &l->listen.keepalive);
		return true;
	}
	return false;
}

static bool
listen_option(struct binder *b, const struct word *w, struct listener_conf *l)
{
	static const char *const bsd[] = { "accept_filter=", "setfib=" };
	static const char *const names[] = { "backlog=", "ipv6only=", "reuseport", "bind", "udp",
		"so_keepalive=", "rcvbuf=", "sndbuf=", "fastopen=", "deferred", "proxy_protocol",
		"ssl" };
	char *hint;
	bool ok;

	if (valued_option(b, w, l, &ok))
		return ok;
	if (strcmp(w->text, "bind") == 0 || strcmp(w->text, "reuseport") == 0 ||
	    strcmp(w->text, "default_server") == 0)
		return true; /* always so */
	if (strcmp(w->text, "multipath") == 0) {
		bind_say(b, CONF_NOTICE, w->pos, "'multipath': clients are served by plain TCP");
		return true;
	}
	if (strcmp(w->text, "udp") == 0)
		return l->udp = true;
	if (strcmp(w->text, "proxy_protocol") == 0)
		return l->proxy_protocol = true;
	if (strcmp(w->text, "deferred") == 0)
		return l->listen.deferred = true;
	if (strcmp(w->text, "ssl") == 0) {
		bind_say(b, CONF_ERROR, w->pos, "ssl: %s", STREAM_TLS);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(bsd); i++)
		if (strncmp(w->text, bsd[i], strlen(bsd[i])) == 0) {
			bind_say(b, CONF_NOTICE, w->pos,
			    "'%.64s' is FreeBSD's, and does nothing here", w->text);
			return true;
		}
	hint = bind_did_you_mean(b, w->text, names, ARRAY_LEN(names), sizeof(*names));
	bind_say(b, CONF_ERROR, w->pos, "unknown option '%.64s' of listen%s", w->text, hint);
	free(hint);
	return false;
}

/* What of the options fits what is listened on? */
static bool
options_fit(struct binder *b, const struct listener_conf *l)
{
	const struct listen_conf *o = &l->listen;
	bool is_unix = l->endpoint.addr.family == AF_UNSPEC;

	if (l->udp && is_unix) {
		bind_say(b, CONF_ERROR, l->pos, "no datagrams over unix sockets");
		return false;
	}
	if ((l->udp || is_unix) && (o->fastopen > 0 || o->deferred || o->keepalive.is_on)) {
		bind_say(b, CONF_ERROR, l->pos,
		    "so_keepalive, fastopen and deferred are TCP's, and this is %s",
		    l->udp ? "UDP" : "a unix socket");
		return false;
	}
	return true;
}

/* ---- listen ---- */

static bool
listens_already(struct binder *b, const struct listener_conf *l)
{
	for (size_t i = 0; i < b->conf->n_listeners; i++) {
		const struct listener_conf *o = &b->conf->listeners[i];

		if (strcmp(o->name, l->name) == 0) {
			bind_say(b, CONF_ERROR, l->pos, "%s is listened on already, in line %u",
			    l->name, o->pos.line);
			return true;
		}
	}
	return false;
}

/* Takes l->name. */
static bool
add_listener(struct binder *b, const struct listener_conf *l)
{
	struct conf *conf = b->conf;

	if (!bind_room(b, l->pos, conf->n_listeners, CONF_OBJECTS_MAX, "listeners") ||
	    listens_already(b, l)) {
		free(l->name);
		return false;
	}
	conf->listeners = conf_grow(conf->listeners, conf->n_listeners, sizeof(*conf->listeners));
	conf->listeners[conf->n_listeners++] = *l;
	return true;
}

static bool
add_ports(struct binder *b, struct listener_conf l, const struct ports *ports)
{
	for (unsigned port = ports->first; port <= ports->last; port++) {
		l.endpoint.port = (uint16_t)port;
		l.name = listener_name(&l.endpoint, l.udp);
		if (!add_listener(b, &l))
			return false;
	}
	return true;
}

void
stream_bind_listen(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct server_draft *draft = object;
	struct listener_conf l = {
		.listen.backlog = 511, .ipv6_only = true, .pos = s->words[1].pos
	};
	const char *path = stream_unix_path(b, &s->words[1]);
	struct ports ports = { 0 };
	bool ok = path != NULL ? *path != '\0' : parse_listen(b, &s->words[1], &l.endpoint, &ports);

	(void)d;
	for (size_t i = 2; i < s->n_words; i++)
		ok = listen_option(b, &s->words[i], &l) && ok;
	ok = ok && options_fit(b, &l);
	if (ok && path != NULL) {
		l.name = xstrdup(s->words[1].text);
		ok = add_listener(b, &l);
	} else if (ok) {
		ok = add_ports(b, l, &ports);
	}
	draft->failed_listen |= !ok;
}

/* ---- towards servers ---- */

/* "$remote_addr transparent", also with ":$remote_port". */
static bool
is_transparent(const struct stmt *s, bool *ret_port)
{
	const char *from = s->words[1].text;

	*ret_port = strcmp(from, "$remote_addr:$remote_port") == 0;
	return s->n_words == 3 && (*ret_port || strcmp(from, "$remote_addr") == 0) &&
	       strcmp(s->words[2].text, "transparent") == 0;
}

/* proxy_bind ADDRESS ... | $remote_addr[:$remote_port] transparent | off */
void
stream_bind_source(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct listener_conf *l = &((struct server_draft *)object)->settings;

	(void)d;
	l->n_sources = 0;
	l->client->transparent = is_transparent(s, &l->client->transparent_port);
	if (l->client->transparent)
		return;
	if (s->n_words == 2 && strcmp(s->words[1].text, "off") == 0)
		return;
	for (size_t i = 1; i < s->n_words; i++) {
		const struct word *w = &s->words[i];

		if (strcmp(w->text, "transparent") == 0 || w->text[0] == '$')
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.64s': either '$remote_addr transparent' or '$remote_addr:$remote_port "
			    "transparent', or addresses of this node",
			    w->text);
		else if (l->n_sources == SOURCES_MAX)
			bind_say(b, CONF_ERROR, w->pos, "more than %d addresses", SOURCES_MAX);
		else
			l->n_sources += value_addr(b, w, &l->sources[l->n_sources]);
	}
}
