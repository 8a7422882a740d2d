/*
 * checks_net.c - checks that ask a peer: tcp, udp, ping, dns, smtp.
 */
#include "common/conf/checks.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define EXCHANGE_MAX	4096 /* what a check may send or wait for */
#define NAME_LENGTH_MAX 253  /* RFC 1035, 2.3.4, as text */
#define LABEL_MAX	63
#define PORT_SMTP	25
#define PORT_DNS	53

/* ---- the peer ---- */

bool
check_is_host_name(const char *text)
{
	size_t label = 0, length = strlen(text);
	bool digits_only = true;

	if (length == 0 || length > NAME_LENGTH_MAX)
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		bool digit = *p >= '0' && *p <= '9';
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';

		if (*p == '.' ? label == 0 : !digit && !letter && (*p != '-' || label == 0))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
		digits_only = digits_only && (digit || *p == '.');
	}
	return !digits_only; /* 10.4.7 is an address with something missing */
}

static bool
no_peer(struct binder *b, const struct word *w, bool with_port)
{
	bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not %s", w->text,
	    with_port ? "ADDRESS:PORT or NAME:PORT" : "an address or the name of a host");
	return false;
}

/* "name:port", or "name" where there is a default. */
static bool
bind_named_peer(struct binder *b, const struct word *w, uint16_t default_port, struct check_conf *c)
{
	const char *colon = strchr(w->text, ':');
	int64_t port = default_port;
	char *host;

	if (colon != NULL && (!parse_integer(colon + 1, &port) || port < 1 || port > 65535))
		return no_peer(b, w, true);
	if (colon == NULL && default_port == 0)
		return no_peer(b, w, true);
	host = colon != NULL ? xstrndup(w->text, (size_t)(colon - w->text)) : xstrdup(w->text);
	if (!check_is_host_name(host)) {
		free(host);
		return no_peer(b, w, true);
	}
	free(c->host);
	c->host = host;
	c->endpoint.port = (uint16_t)port;
	return true;
}

bool
check_bind_peer(struct binder *b, const struct word *w, uint16_t default_port, struct check_conf *c)
{
	struct addr a;

	if (endpoint_parse(w->text, &c->endpoint) == 0)
		return true;
	if (default_port != 0 && addr_parse(w->text, &a) == 0) {
		c->endpoint = (struct endpoint){ a, default_port };
		return true;
	}
	return bind_named_peer(b, w, default_port, c);
}

/* ---- where it is asked from ---- */

#define PORT_UNPRIVILEGED 1024 /* net.ipv4.ip_unprivileged_port_start */

static void
bind_source_port(struct binder *b, const struct word *w, struct check_conf *c)
{
	int64_t port;

	if (!value_integer(b, w, 1, 65535, &port))
		return;
	if (port < PORT_UNPRIVILEGED)
		bind_say(b, CONF_WARNING, w->pos,
		    "checkd has no privilege: the kernel gives it no port below %d unless "
		    "net.ipv4.ip_unprivileged_port_start says so",
		    PORT_UNPRIVILEGED);
	c->bind_port = (uint16_t)port;
}

/* keepalived's words of its checkers. */
void
check_bind_from(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct check_conf *c = &((struct draft *)object)->check;
	const struct word *w = &s->words[1];

	if (strcmp(d->name, "bindto") == 0) {
		value_addr(b, w, &c->bind_to);
		return;
	}
	if (strcmp(d->name, "bind_port") == 0) {
		bind_source_port(b, w, c);
		return;
	}
	if (w->text[0] == '\0' || strlen(w->text) > 15 || strchr(w->text, '/') != NULL) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' cannot be an interface: a name has 1 to 15 characters", w->text);
		return;
	}
	free(c->bind_if);
	c->bind_if = xstrdup(w->text);
}

bool
check_from_complete(struct binder *b, const struct stmt *block, const struct check_conf *c)
{
	bool asks = c->kind == CHECK_TCP || c->kind == CHECK_UDP || c->kind == CHECK_HTTP ||
		    c->kind == CHECK_PING || c->kind == CHECK_DNS || c->kind == CHECK_SMTP;
	const struct addr *peer = &c->endpoint.addr;

	if (c->bind_if == NULL && c->bind_to.family == AF_UNSPEC && c->bind_port == 0)
		return true;
	if (!asks) {
		bind_say(b, CONF_ERROR, block->words[1].pos,
		    "bindto, bind_if and bind_port are for checks that ask a peer, and '%s' is of "
		    "type %s",
		    c->name, check_kind_str(c->kind));
		return false;
	}
	if (c->kind == CHECK_PING && c->bind_port != 0) {
		bind_say(b, CONF_ERROR, block->words[1].pos,
		    "check '%s' has a bind_port, and a ping has no ports", c->name);
		return false;
	}
	if (c->host == NULL && c->bind_to.family != AF_UNSPEC &&
	    c->bind_to.family != peer->family) {
		bind_say(b, CONF_ERROR, block->words[1].pos,
		    "bindto and the peer of check '%s' are not of one family", c->name);
		return false;
	}
	return true;
}

/* ---- send and expect ---- */

static bool
bind_exchange_word(struct binder *b, struct check_conf *c, const struct word *w, bool has_value)
{
	bool send = strcmp(w->text, "send") == 0;
	char **to = send ? &c->send : &c->expect;

	if (!send && strcmp(w->text, "expect") != 0) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is neither send nor expect", w->text);
		return false;
	}
	if (!has_value || strlen(w[1].text) > EXCHANGE_MAX || w[1].text[0] == '\0') {
		bind_say(b, CONF_ERROR, w->pos, "'%s' takes 1 to %d bytes", w->text, EXCHANGE_MAX);
		return false;
	}
	free(*to);
	*to = xstrdup(w[1].text);
	*(send ? &c->send_size : &c->expect_size) = strlen(*to);
	return true;
}

static void
bind_exchange(struct binder *b, const struct stmt *s, struct check_conf *c)
{
	for (size_t i = 2; i < s->n_words; i += 2)
		if (!bind_exchange_word(b, c, &s->words[i], i + 1 < s->n_words))
			return;
}

/* tcp addr:port [send "..."] [expect "..."] */
void
check_bind_tcp(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_TCP;
	check_bind_peer(b, &s->words[1], 0, &draft->check);
	bind_exchange(b, s, &draft->check);
}

/* udp addr:port send "..." [expect "..."] */
void
check_bind_udp(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_UDP;
	check_bind_peer(b, &s->words[1], 0, &draft->check);
	bind_exchange(b, s, &draft->check);
	if (draft->check.send == NULL)
		bind_say(b, CONF_ERROR, stmt_pos(s),
		    "a udp check needs something to send, and is up when an answer comes");
}

/* ping addr */
void
check_bind_ping(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct check_conf *c = &draft->check;
	const struct word *w = &s->words[1];

	if (!check_set_type(b, s, d, draft))
		return;
	c->kind = CHECK_PING;
	if (addr_parse(w->text, &c->endpoint.addr) == 0)
		return;
	if (!check_is_host_name(w->text)) {
		no_peer(b, w, false);
		return;
	}
	free(c->host);
	c->host = xstrdup(w->text);
}

/* smtp addr[:port] */
void
check_bind_smtp(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;

	if (!check_set_type(b, s, d, draft))
		return;
	draft->check.kind = CHECK_SMTP;
	check_bind_peer(b, &s->words[1], PORT_SMTP, &draft->check);
}

/* ---- dns ---- */

static const struct {
	const char *name;
	uint16_t type;
} dns_types[] = {
	{ "A", 1 },
	{ "NS", 2 },
	{ "CNAME", 5 },
	{ "SOA", 6 },
	{ "PTR", 12 },
	{ "MX", 15 },
	{ "TXT", 16 },
	{ "AAAA", 28 },
	{ "SRV", 33 },
};

const char *
dns_type_str(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(dns_types); i++)
		if (dns_types[i].type == type)
			return dns_types[i].name;
	return "";
}

static bool
find_dns_type(const char *name, uint16_t *ret_type)
{
	for (size_t i = 0; i < ARRAY_LEN(dns_types); i++) {
		if (strcasecmp(dns_types[i].name, name) != 0)
			continue;
		*ret_type = dns_types[i].type;
		return true;
	}
	return false;
}

/* A name that can be asked for: "." too, and labels of digits. */
static bool
is_question(const char *name)
{
	size_t label = 0, length = strlen(name);

	if (strcmp(name, ".") == 0)
		return true;
	if (length == 0 || length > NAME_LENGTH_MAX + 1)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || (*p == '.' && label == 0))
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return length <= NAME_LENGTH_MAX || name[length - 1] == '.';
}

/* dns server name [type] */
void
check_bind_dns(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct check_conf *c = &draft->check;
	const char *type = stmt_arg(s, 3);

	if (!check_set_type(b, s, d, draft))
		return;
	c->kind = CHECK_DNS;
	c->dns_type = 1;
	check_bind_peer(b, &s->words[1], PORT_DNS, c);
	if (!is_question(s->words[2].text))
		bind_say(b, CONF_ERROR, s->words[2].pos, "'%.64s' is not a domain name",
		    s->words[2].text);
	free(c->dns_name);
	c->dns_name = xstrdup(s->words[2].text);
	if (type != NULL && !find_dns_type(type, &c->dns_type))
		bind_say(b, CONF_ERROR, s->words[3].pos,
		    "'%.64s' is none of A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT", type);
}

/* ---- saying what is asked ---- */

void
check_peer_format(const struct check_conf *c, struct text *out)
{
	char where[ENDPOINT_STRLEN];

	if (c->host == NULL && c->endpoint.port == 0)
		text_add(out, addr_format(&c->endpoint.addr, where));
	else if (c->host == NULL)
		text_add(out, endpoint_format(&c->endpoint, where));
	else if (c->endpoint.port == 0)
		text_add(out, c->host);
	else
		text_addf(out, "%s:%u", c->host, c->endpoint.port);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_http(const struct http_conf *a, const struct http_conf *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (!same_text(a->url, b->url) || !same_text(a->method, b->method) ||
	    !same_text(a->expect, b->expect) || a->is_regex != b->is_regex ||
	    !same_text(a->sni, b->sni) || !same_text(a->ca, b->ca) || a->verify != b->verify ||
	    a->redirects != b->redirects || a->n_statuses != b->n_statuses ||
	    a->n_headers != b->n_headers)
		return false;
	for (size_t i = 0; i < a->n_statuses; i++)
		if (a->statuses[i].low != b->statuses[i].low ||
		    a->statuses[i].high != b->statuses[i].high)
			return false;
	for (size_t i = 0; i < a->n_headers; i++)
		if (strcmp(a->headers[i], b->headers[i]) != 0)
			return false;
	return true;
}

/* match{} may hold any bytes. */
static bool
same_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	return (a == NULL) == (b == NULL) && a_size == b_size &&
	       (a == NULL || memcmp(a, b, a_size) == 0);
}

static bool
same_exchange(const struct check_conf *a, const struct check_conf *b)
{
	return same_bytes(a->send, a->send_size, b->send, b->send_size) &&
	       same_bytes(a->expect, a->expect_size, b->expect, b->expect_size) &&
	       a->expect_regex == b->expect_regex && a->expect_ignore_case == b->expect_ignore_case;
}

bool
check_same_peer(const struct check_conf *a, const struct check_conf *b)
{
	return a->kind == b->kind && endpoint_equal(&a->endpoint, &b->endpoint) &&
	       same_text(a->host, b->host) && same_exchange(a, b) &&
	       same_text(a->dns_name, b->dns_name) && a->dns_type == b->dns_type &&
	       addr_equal(&a->bind_to, &b->bind_to) && same_text(a->bind_if, b->bind_if) &&
	       a->bind_port == b->bind_port && same_http(a->http, b->http);
}
