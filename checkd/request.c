/*
 * request.c - see request.h.
 */
#include "checkd/request.h"

#include <string.h>
#include <strings.h>

#define PORT_DEFAULT 80

/* What stands for 'name' among the check's own headers, its value; NULL: nothing. */
static const char *
own_header(const struct http_conf *h, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < h->n_headers; i++)
		if (strncasecmp(h->headers[i], name, size) == 0 && h->headers[i][size] == ':')
			return h->headers[i] + size + 1;
	return NULL;
}

/* One without a value only takes the place of ours: it is not sent. */
static bool
is_empty(const char *value)
{
	return value[strspn(value, " \t")] == '\0';
}

static void
add_unless_own(struct text *out, const struct http_conf *h, const char *name, const char *value)
{
	if (own_header(h, name) == NULL)
		text_addf(out, "%s: %s\r\n", name, value);
}

/* As the URL has it; an address in its canonical form, the usual port unsaid. */
static void
add_host(struct text *out, const struct check_conf *c)
{
	const char *at = strstr(c->http->url, "://") + 3, *own = own_header(c->http, "Host");
	char canonical[ADDR_STRLEN];

	if (own != NULL) {
		if (!is_empty(own))
			text_addf(out, "Host:%s\r\n", own);
		return;
	}
	text_add(out, "Host: ");
	if (*at == '[')
		text_addf(out, "[%s]", addr_format(&c->endpoint.addr, canonical));
	else
		text_add_n(out, at, strcspn(at, ":/?#"));
	if (c->endpoint.port != PORT_DEFAULT)
		text_addf(out, ":%u", c->endpoint.port);
	text_add(out, "\r\n");
}

static void
add_target(struct text *out, const char *url)
{
	const char *at = strstr(url, "://") + 3;

	at += strcspn(at, "/?#");
	if (*at != '/')
		text_add(out, "/");
	text_add_n(out, at, strcspn(at, "#"));
}

void
request_compose(const struct check_conf *c, const char *user_agent, struct text *out)
{
	const struct http_conf *h = c->http;

	text_addf(out, "%s ", h->method != NULL ? h->method : "GET");
	add_target(out, h->url);
	text_add(out, " HTTP/1.1\r\n");
	add_host(out, c);
	add_unless_own(out, h, "User-Agent", user_agent);
	add_unless_own(out, h, "Accept", "*/*");
	for (size_t i = 0; i < h->n_headers; i++)
		if (strncasecmp(h->headers[i], "Host:", 5) != 0 &&
		    !is_empty(strchr(h->headers[i], ':') + 1))
			text_addf(out, "%s\r\n", h->headers[i]);
	/* The server closes first: the TIME_WAIT is not ours. */
	if (!h->keep_alive)
		add_unless_own(out, h, "Connection", "close");
	text_add(out, "\r\n");
}
