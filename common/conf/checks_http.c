/*
 * checks_http.c - http and https checks: the URL, and what answer is a good one.
 *
 * Every option may stand on the line of the URL or on one of its own:
 *
 *	check api {
 *		https https://api.example/healthz status 200 expect /"ok":\s*true/
 *		header "Host: api.internal"
 *	}
 */
#include "common/conf/checks.h"
#include "common/regex.h"

#include <stdlib.h>
#include <string.h>

#define URL_MAX	     2048
#define EXPECT_MAX   1024
#define HEADERS_MAX  32
#define HEADER_MAX   4096
#define STATUSES_MAX 16
#define WARN_DEFAULT (14 * CHECK_DAY)

/* ---- the URL ---- */

struct url {
	bool tls;
	char *host; /* without brackets */
	uint16_t port;
};

/* "host", "host:port", "[v6]:port"; u->host is set on success only.  Nobody is logged in by a URL:
 * use a header. */
static bool
parse_authority(const char *text, size_t size, struct url *u)
{
	const char *end = text + size, *host_end, *port_at = NULL;
	int64_t port;

	if (memchr(text, '@', size) != NULL)
		return false;
	if (size > 0 && text[0] == '[') {
		host_end = memchr(text, ']', size);
		if (host_end == NULL)
			return false;
		text++;
		port_at = host_end + 1 < end ? host_end + 1 : NULL;
	} else {
		port_at = memchr(text, ':', size);
		host_end = port_at != NULL ? port_at : end;
	}
	if (port_at != NULL) {
		char *digits = xstrndup(port_at, (size_t)(end - port_at));
		bool good = digits[0] == ':' && parse_integer(digits + 1, &port) && port >= 1 &&
			    port <= 65535;

		free(digits);
		if (!good)
			return false;
		u->port = (uint16_t)port;
	}
	u->host = xstrndup(text, (size_t)(host_end - text));
	return true;
}

static bool
parse_url(const char *text, struct url *u)
{
	size_t scheme;

	if (strncasecmp(text, "https://", 8) == 0)
		scheme = 8;
	else if (strncasecmp(text, "http://", 7) == 0)
		scheme = 7;
	else
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~') /* what a request line must not hold */
			return false;
	u->tls = scheme == 8;
	u->port = u->tls ? 443 : 80;
	return strlen(text) <= URL_MAX &&
	       parse_authority(text + scheme, strcspn(text + scheme, "/?#"), u);
}

static void
bind_url(struct binder *b, struct check_conf *c, const struct word *w, bool tls)
{
	struct url u = { 0 };

	if (strchr(w->text, '@') != NULL) /* a password may stand before it */
		source_mark_secret(b->src, w->pos);
	if (!parse_url(w->text, &u) && strchr(w->text, '@') != NULL) {
		bind_say(b, CONF_ERROR, w->pos,
		    "this is not a URL, or one with a password: a header tells who we are");
	} else if (u.host == NULL) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a URL: %s://HOST[:PORT]/PATH",
		    w->text, tls ? "https" : "http");
	} else if (u.tls != tls) {
		bind_say(b, CONF_ERROR, w->pos, "this is %s URL in %s check",
		    u.tls ? "an https" : "an http", tls ? "an https" : "an http");
	} else if (addr_parse(u.host, &c->endpoint.addr) == 0) {
		c->endpoint.port = u.port;
	} else if (check_is_host_name(u.host)) {
		c->endpoint.port = u.port;
		free(c->host);
		c->host = u.host;
		u.host = NULL;
	} else {
		bind_say(
		    b, CONF_ERROR, w->pos, "'%.64s' is neither an address nor a host name", u.host);
	}
	free(u.host);
	free(c->http->url);
	c->http->url = xstrdup(w->text);
	c->http->tls = tls;
}

/* ---- what answer is a good one ---- */

static bool
parse_status(const char *text, size_t size, struct status_range *ret)
{
	char *copy = xstrndup(text, size), *dash = strchr(copy, '-');
	int64_t low, high;
	bool good;

	if (dash != NULL)
		*dash = '\0';
	good = parse_integer(copy, &low) && (dash == NULL || parse_integer(dash + 1, &high));
	free(copy);
	if (!good)
		return false;
	if (dash == NULL)
		high = low;
	*ret = (struct status_range){ (uint16_t)low, (uint16_t)high };
	return low >= 100 && low <= high && high <= 599;
}

/* "200-399", "200,204,301-302" */
static bool
set_status(struct binder *b, struct http_conf *h, const struct word *w)
{
	struct status_range ranges[STATUSES_MAX];
	const char *p = w->text;
	size_t n = 0;

	for (;; p++) {
		size_t size = strcspn(p, ",");

		if (n == STATUSES_MAX || !parse_status(p, size, &ranges[n])) {
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.64s' is not a status, 100 to 599, or a list like 200-299,404",
			    w->text);
			return false;
		}
		n++;
		p += size;
		if (*p == '\0')
			break;
	}
	free(h->statuses);
	h->statuses = xreallocarray(NULL, n, sizeof(*ranges));
	memcpy(h->statuses, ranges, n * sizeof(*ranges));
	h->n_statuses = n;
	return true;
}

static bool
check_regex(struct binder *b, const struct word *w, const char *regex)
{
	char *why = regex_fault(regex, REGEX_LINES);

	if (why != NULL)
		bind_say(b, CONF_ERROR, w->pos, "'%.64s': %s", regex, why);
	free(why);
	return why == NULL;
}

/* /regex/ or text */
static bool
set_expect(struct binder *b, struct http_conf *h, const struct word *w)
{
	size_t size = strlen(w->text);
	bool is_regex = size > 2 && w->text[0] == '/' && w->text[size - 1] == '/';
	char *expect;

	if (w->cut)
		bind_say(
		    b, CONF_WARNING, w->pos, "a comment begins inside this word: put it in quotes");
	if (size == 0 || size > EXPECT_MAX) {
		bind_say(b, CONF_ERROR, w->pos, "'expect' takes 1 to %d bytes", EXPECT_MAX);
		return false;
	}
	expect = is_regex ? xstrndup(w->text + 1, size - 2) : xstrdup(w->text);
	if (is_regex && !check_regex(b, w, expect)) {
		free(expect);
		return false;
	}
	free(h->expect);
	h->expect = expect;
	h->is_regex = is_regex;
	return true;
}

/* ---- how it is asked ---- */

/* A token, RFC 9110, 5.6.2. */
static size_t
token_size(const char *text)
{
	return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool
set_method(struct binder *b, struct http_conf *h, const struct word *w)
{
	size_t size = token_size(w->text);

	if (size == 0 || size > 16 || w->text[size] != '\0') {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a method", w->text);
		return false;
	}
	free(h->method);
	h->method = xstrdup(w->text);
	return true;
}

/* "Name: value".  Its value may be a password: it is never shown. */
static bool
set_header(struct binder *b, struct http_conf *h, const struct word *w)
{
	size_t size = token_size(w->text);
	const char *bad = NULL;

	source_mark_secret(b->src, w->pos);
	if (size == 0 || w->text[size] != ':')
		bad = "a header is \"Name: value\"";
	else if (strlen(w->text) > HEADER_MAX || h->n_headers == HEADERS_MAX)
		bad = "too long, or too many of them";
	else if (strpbrk(w->text, "\r\n") != NULL)
		bad = "a header has one line";
	if (bad != NULL) {
		bind_say(b, CONF_ERROR, w->pos, "%s", bad);
		return false;
	}
	h->headers = conf_grow(h->headers, h->n_headers, sizeof(*h->headers));
	h->headers[h->n_headers++] = xstrdup(w->text);
	return true;
}

static bool
set_verify(struct binder *b, struct http_conf *h, const struct word *w)
{
	return value_on_off(b, w, &h->verify);
}

static bool
set_keep_alive(struct binder *b, struct http_conf *h, const struct word *w)
{
	return value_on_off(b, w, &h->keep_alive);
}

#define REDIRECTS_MAX 10

static bool
set_redirects(struct binder *b, struct http_conf *h, const struct word *w)
{
	int64_t n;

	if (strcmp(w->text, "off") == 0) {
		h->redirects = 0;
		return true;
	}
	if (!value_integer(b, w, 0, REDIRECTS_MAX, &n))
		return false;
	h->redirects = (unsigned)n;
	return true;
}

static bool
set_sni(struct binder *b, struct http_conf *h, const struct word *w)
{
	if (!check_is_host_name(w->text)) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a host name", w->text);
		return false;
	}
	free(h->sni);
	h->sni = xstrdup(w->text);
	return true;
}

static bool
set_ca(struct binder *b, struct http_conf *h, const struct word *w)
{
	if (w->text[0] != '/') {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a whole path", w->text);
		return false;
	}
	free(h->ca);
	h->ca = xstrdup(w->text);
	return true;
}

static bool
set_expiry_warning(struct binder *b, struct http_conf *h, const struct word *w)
{
	if (strcmp(w->text, "off") == 0) {
		h->expiry_warning_us = 0;
		return true;
	}
	return value_duration(b, w, 0, 3650 * CHECK_DAY, &h->expiry_warning_us);
}

static const struct option {
	const char *name;
	bool (*set)(struct binder *, struct http_conf *, const struct word *);
	bool tls_only;
} options[] = {
	{ "status", set_status, false },
	{ "expect", set_expect, false },
	{ "method", set_method, false },
	{ "header", set_header, false },
	{ "keep_alive", set_keep_alive, false },
	{ "redirects", set_redirects, false },
	{ "verify", set_verify, true },
	{ "sni", set_sni, true },
	{ "ca", set_ca, true },
	{ "expiry_warning", set_expiry_warning, true },
};

static const struct option *
find_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* ---- the check ---- */

static struct http_conf *
http_of(struct draft *draft)
{
	struct check_conf *c = &draft->check;

	if (c->http == NULL) {
		c->http = xcalloc(1, sizeof(*c->http));
		c->http->verify = true;
		c->http->expiry_warning_us = WARN_DEFAULT;
	}
	return c->http;
}

static bool
apply(struct binder *b, struct http_conf *h, const struct option *option, const struct word *value)
{
	if (option->tls_only)
		h->has_tls_option = true;
	return option->set(b, h, value);
}

void
check_bind_http(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	struct draft *draft = object;
	struct http_conf *h;

	if (!check_set_type(b, s, d, draft))
		return;
	h = http_of(draft);
	draft->check.kind = CHECK_HTTP;
	bind_url(b, &draft->check, &s->words[1], strcmp(d->name, "https") == 0);
	for (size_t i = 2; i < s->n_words; i += 2) {
		const struct word *w = &s->words[i];
		const struct option *option = find_option(w->text);

		if (option == NULL) {
			char *hint = bind_did_you_mean(
			    b, w->text, options, ARRAY_LEN(options), sizeof(options[0]));

			bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not an option of %s%s", w->text,
			    d->name, hint);
			free(hint);
			return;
		}
		if (i + 1 == s->n_words) {
			bind_say(b, CONF_ERROR, w->pos, "'%s' needs a value", w->text);
			return;
		}
		if (!apply(b, h, option, w + 1))
			return;
	}
}

void
check_bind_http_option(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	apply(b, http_of(object), find_option(d->name), &s->words[1]);
}

bool
http_conf_needs_module(const struct http_conf *h)
{
	return h->tls || h->redirects > 0;
}

/* Said once. */
static void
lint_module(struct binder *b, const struct stmt *block, const struct http_conf *h)
{
	const struct conf_host *host = b->src->host;

	if (!http_conf_needs_module(h))
		return;
	if (host == NULL || host->has_http == NULL || host->has_http(host->aux))
		return;
	for (size_t i = 0; i < b->conf->n_checks; i++)
		if (b->conf->checks[i].kind == CHECK_HTTP &&
		    http_conf_needs_module(b->conf->checks[i].http))
			return;
	bind_say(b, CONF_WARNING, block->words[1].pos,
	    "https checks, and redirects, need the package trivet-checkd-http, which is not "
	    "installed here: they count as failed");
}

bool
check_http_complete(struct binder *b, const struct stmt *block, const struct draft *draft)
{
	const struct check_conf *c = &draft->check;
	const struct http_conf *h = c->http;

	if (h == NULL)
		return true;
	if (h->url == NULL) {
		bind_say(b, CONF_ERROR, block->words[1].pos,
		    "check '%s' has options of http, and is of type %s", c->name,
		    draft->type->name);
		return false;
	}
	lint_module(b, block, h);
	if (h->expect != NULL && h->method != NULL && strcmp(h->method, "HEAD") == 0)
		bind_say(b, CONF_WARNING, block->words[1].pos,
		    "an answer to HEAD has no body to expect something in");
	if (h->has_tls_option && !h->tls)
		bind_say(b, CONF_WARNING, block->words[1].pos,
		    "verify, sni, ca and expiry_warning have no effect without https");
	if (h->tls && !h->verify)
		bind_say(b, CONF_WARNING, block->words[1].pos,
		    "with 'verify off' anybody may answer for this server");
	return true;
}

void
check_http_done(struct http_conf *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n_headers; i++)
		free(h->headers[i]);
	free(h->headers);
	free(h->statuses);
	free(h->url);
	free(h->method);
	free(h->expect);
	free(h->sni);
	free(h->ca);
	free(h);
}
