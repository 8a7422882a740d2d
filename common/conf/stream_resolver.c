/*
 * stream_resolver.c - resolver and resolver_timeout: which name servers are asked
 * for servers with 'resolve', of an upstream or, where it says nothing, of the
 * stream block around it.
 */
#include "common/conf/stream.h"

#include <string.h>

#define DNS_PORT   53
#define TIMEOUT_US (30 * US_PER_S) /* nginx's */

/* "[2001:db8::53]", without a port. */
static bool
is_in_brackets(const char *text, struct addr *ret)
{
	size_t n = strlen(text);
	char inner[ADDR_STRLEN];

	if (n < 2 || n - 2 >= sizeof(inner) || text[0] != '[' || text[n - 1] != ']')
		return false;
	memcpy(inner, text + 1, n - 2);
	inner[n - 2] = '\0';
	return addr_parse(inner, ret) == 0 && ret->family == AF_INET6;
}

/* ADDRESS, ADDRESS:PORT, [IPV6]:PORT, NAME or NAME:PORT. */
static bool
parse_name_server(struct binder *b, const struct word *w, struct name_server *ret)
{
	const char *colon = strrchr(w->text, ':');
	size_t n = colon != NULL ? (size_t)(colon - w->text) : strlen(w->text);
	int64_t port = DNS_PORT;

	*ret = (struct name_server){ 0 };
	if (endpoint_parse(w->text, &ret->at) == 0)
		return true;
	ret->at.port = DNS_PORT;
	if (addr_parse(w->text, &ret->at.addr) == 0 || is_in_brackets(w->text, &ret->at.addr))
		return true;
	if (n == 0 || n > NAME_SERVER_MAX || strcspn(w->text, "[]=/ \t") < strlen(w->text) ||
	    memchr(w->text, ':', n) != NULL ||
	    (colon != NULL && (!parse_integer(colon + 1, &port) || port < 1 || port > 65535))) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is no name server: ADDRESS, ADDRESS:PORT, NAME or NAME:PORT", w->text);
		return false;
	}
	ret->at.port = (uint16_t)port;
	memcpy(ret->host, w->text, n);
	return true;
}

static void
take_family(struct binder *b, const struct word *w, const char *value, bool *without)
{
	struct word part = stream_part_of(w, value);
	bool on;

	if (value_on_off(b, &part, &on))
		*without = !on;
}

/* One word of the line. */
static void
take_word(struct binder *b, const struct word *w, struct resolver_conf *r)
{
	const char *value;
	struct word part;

	if ((value = stream_value_of(w->text, "valid")) != NULL) {
		part = stream_part_of(w, value);
		if (value_nginx_time(b, &part, &r->valid_us) && r->valid_us < US_PER_S)
			bind_say(b, CONF_ERROR, part.pos, "less than a second");
	} else if ((value = stream_value_of(w->text, "ipv4")) != NULL) {
		take_family(b, w, value, &r->no_ipv4);
	} else if ((value = stream_value_of(w->text, "ipv6")) != NULL) {
		take_family(b, w, value, &r->no_ipv6);
	} else if (stream_value_of(w->text, "status_zone") != NULL) {
		; /* the bus has the answers anyway */
	} else if (bind_room(b, w->pos, r->n, RESOLVER_SERVERS_MAX, "name servers")) {
		if (parse_name_server(b, w, &r->servers[r->n]))
			r->n++;
	}
}

/* resolver SERVER... [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=ZONE] */
void
stream_bind_resolver(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct resolver_conf *r = (void *)((char *)object + d->offset);
	bool names_one = false;

	for (size_t i = 1; i < s->n_words; i++) {
		take_word(b, &s->words[i], r);
		names_one |= strchr(s->words[i].text, '=') == NULL;
	}
	if (!names_one)
		bind_say(b, CONF_ERROR, stmt_pos(s), "'resolver' names no name server");
	if (r->no_ipv4 && r->no_ipv6)
		bind_say(
		    b, CONF_ERROR, stmt_pos(s), "ipv4=off and ipv6=off leave nothing to ask for");
}

void
stream_settle_resolvers(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		struct resolver_conf *r = &conf->upstreams[i].resolver;
		int64_t own_us = r->timeout_us;

		if (r->n == 0)
			*r = conf->resolver;
		r->timeout_us = own_us > 0			? own_us
				: conf->resolver.timeout_us > 0 ? conf->resolver.timeout_us
								: TIMEOUT_US;
	}
}
