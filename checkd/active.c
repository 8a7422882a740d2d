/*
 * active.c - see active.h.
 */
#include "checkd/active.h"

#include "common/mono.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_US (10 * USEC_PER_SEC) /* as of any check, unless said */

/* Where a server is asked; false: it has no address of its own. */
static bool
where(const struct health_conf *h, const struct server_conf *s, struct endpoint *ret)
{
	if (s->host != NULL || s->endpoint.addr.family == AF_UNSPEC)
		return false;
	*ret = s->endpoint;
	if (h->port != 0)
		ret->port = h->port;
	return true;
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

static bool
is_known(const struct active *a, const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->checks[i].name, name) == 0)
			return true;
	return conf_check(conf, name) != NULL;
}

static void
add(struct active *a, const struct conf *conf, const struct health_conf *h,
    const struct server_conf *s)
{
	struct endpoint at;
	char *name;

	if (!where(h, s, &at))
		return;
	name = name_of(h, &at);
	if (is_known(a, conf, name)) {
		free(name);
		return;
	}
	a->checks = xreallocarray(a->checks, a->n + 1, sizeof(*a->checks));
	a->checks[a->n] = make(h, &at);
	a->checks[a->n++].name = name;
}

void
active_init(struct active *a, const struct conf *conf)
{
	*a = (struct active){ 0 };
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		const struct upstream_conf *up = &conf->upstreams[i];

		for (size_t k = 0; up->health != NULL && k < up->n_servers; k++)
			if (!up->servers[k].down)
				add(a, conf, up->health, &up->servers[k]);
	}
}

void
active_done(struct active *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->checks[i].name);
	free(a->checks);
	*a = (struct active){ 0 };
}

bool
active_uses(const struct upstream_conf *up, const struct check_conf *check)
{
	struct endpoint at;
	bool same;
	char *name;

	for (size_t i = 0; up->health != NULL && i < up->n_servers; i++) {
		if (!where(up->health, &up->servers[i], &at) ||
		    !endpoint_equal(&at, &check->endpoint))
			continue;
		name = name_of(up->health, &at);
		same = strcmp(name, check->name) == 0;
		free(name);
		if (same)
			return true;
	}
	return false;
}
