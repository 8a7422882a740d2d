/*
 * active.c - see active.h.
 */
#include "checkd/active.h"

#include "common/mono.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_US (10 * USEC_PER_SEC) /* as of any check, unless said */

/* Where a server is asked. */
static struct endpoint
where(const struct health_conf *h, const struct endpoint *server)
{
	struct endpoint at = *server;

	if (h->port != 0)
		at.port = h->port;
	return at;
}

/* ADDRESS:PORT, or ADDRESS:PORT/match. */
static char *
name_of(const struct health_conf *h, const struct endpoint *at)
{
	const char *question = h->match != NULL	  ? h->match->name
			       : h->check != NULL ? h->check->name
						  : NULL;
	char buf[ENDPOINT_STRLEN];

	return xasprintf("%s%s%s", endpoint_format(at, buf), question != NULL ? "/" : "",
	    question != NULL ? question : "");
}

/* What is asked: as a check of the file does, or what match says, or a connect alone. */
static struct check_conf
make(const struct health_conf *h, const struct endpoint *at)
{
	struct check_conf c = { .kind = h->udp ? CHECK_UDP : CHECK_TCP };

	if (h->check != NULL)
		c = *h->check;
	if (h->match != NULL) {
		c.send = h->match->send;
		c.send_size = h->match->send_size;
		c.expect = h->match->expect;
		c.expect_size = h->match->expect_size;
		c.expect_regex = h->match->is_regex;
		c.expect_ignore_case = h->match->ignore_case;
	}
	c.pos = h->pos;
	c.block = BLOCK_CHECK;
	c.is_tracked = c.reverse = c.init_fail = false;
	c.is_server = true;
	c.interval_us = h->interval_us;
	c.jitter_us = h->jitter_us;
	c.timeout_us = h->timeout_us;
	c.hold_us = HOLD_US;
	c.rise = h->passes;
	c.fall = h->fails;
	c.weight = 0;
	c.endpoint = *at;
	c.host = NULL;
	return c;
}

/* ---- all that are asked for ---- */

/* Something that is asked, or a name that the file has given already (health NULL). */
struct candidate {
	char *name;
	size_t order;
	const struct health_conf *health;
	struct endpoint at;
	const char *upstream;
};

struct candidates {
	struct candidate *list;
	size_t n;
};

/* A name that is taken. */
static struct candidate *
add_name(struct candidates *c, char *name)
{
	if (c->n % 64 == 0)
		c->list = xreallocarray(c->list, c->n + 64, sizeof(*c->list));
	c->list[c->n] = (struct candidate){ .name = name, .order = c->n };
	return &c->list[c->n++];
}

static void
add(struct candidates *c, const struct upstream_conf *up, const struct endpoint *server)
{
	struct candidate *new = add_name(c, active_name(up, server));

	new->health = up->health;
	new->at = where(up->health, server);
	new->upstream = up->name;
}

static void
collect(struct candidates *c, const struct conf *conf, const struct wishes *wishes)
{
	const struct wish *w;

	for (size_t i = 0; i < conf->n_checks; i++)
		add_name(c, xstrdup(conf->checks[i].name));
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		const struct upstream_conf *up = &conf->upstreams[i];

		for (size_t k = 0; up->health != NULL && k < up->n_servers; k++) {
			const struct server_conf *s = &up->servers[k];

			if (!s->down && s->host == NULL && s->endpoint.addr.family != AF_UNSPEC)
				add(c, up, &s->endpoint);
		}
	}
	TAILQ_FOREACH (w, wishes, entry) {
		const struct upstream_conf *up = conf_upstream(conf, w->upstream);

		for (size_t i = 0; up != NULL && up->health != NULL && i < w->n_servers; i++)
			add(c, up, &w->servers[i]);
	}
}

static int
by_name(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : x->order < y->order ? -1 : 1;
}

static int
by_order(const void *a, const void *b)
{
	const struct active_check *x = a, *y = b;

	return x->order < y->order ? -1 : 1;
}

/* Of one name: the first gives the question and the times. */
static void
make_shared(struct active *a, const struct candidate *first, size_t n)
{
	struct active_check *check = &a->checks[a->n++];

	*check = (struct active_check){ .conf = make(first->health, &first->at),
		.order = first->order };
	check->conf.name = xstrdup(first->name);
	check->users = xcalloc(n, sizeof(*check->users));
	for (size_t i = 0; i < n; i++)
		if (i == 0 || first[i].upstream != first[i - 1].upstream)
			check->users[check->n_users++] = first[i].upstream;
}

void
active_init(struct active *a, const struct conf *conf, const struct wishes *wishes)
{
	struct candidates c = { 0 };
	size_t i, next;

	*a = (struct active){ 0 };
	collect(&c, conf, wishes);
	if (c.n > 0)
		qsort(c.list, c.n, sizeof(*c.list), by_name);
	a->checks = xcalloc(c.n, sizeof(*a->checks));
	for (i = 0; i < c.n; i = next) {
		for (next = i + 1; next < c.n && strcmp(c.list[i].name, c.list[next].name) == 0;)
			next++;
		if (c.list[i].health != NULL)
			make_shared(a, &c.list[i], next - i);
	}
	if (a->n > 0)
		qsort(a->checks, a->n, sizeof(*a->checks), by_order);
	for (i = 0; i < c.n; i++)
		free(c.list[i].name);
	free(c.list);
}

void
active_done(struct active *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->checks[i].conf.name);
		free(a->checks[i].users);
	}
	free(a->checks);
	*a = (struct active){ 0 };
}

const char *const *
active_users(const struct check_conf *check, size_t *ret_n)
{
	const struct active_check *a = CONTAINER_OF(check, const struct active_check, conf);

	*ret_n = a->n_users;
	return a->users;
}

char *
active_name(const struct upstream_conf *up, const struct endpoint *server)
{
	struct endpoint at;

	if (up->health == NULL)
		return NULL;
	at = where(up->health, server);
	return name_of(up->health, &at);
}
