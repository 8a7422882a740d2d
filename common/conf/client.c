/*
 * client.c - see client.h.
 */
#include "common/conf/client.h"

#include "common/text.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static void *
copy_of(const void *list, size_t n, size_t size)
{
	void *copy = NULL;

	if (n > 0) {
		copy = xreallocarray(NULL, n, size);
		memcpy(copy, list, n * size);
	}
	return copy;
}

static void
copy_limit(const struct limit_conf *from, struct limit_conf *to)
{
	*to = *from;
	to->zone = xstrdup(from->zone);
	to->key = (struct stream_template){ 0 };
	if (from->key.n > 0)
		template_copy(&from->key, &to->key);
}

struct client_conf *
client_conf_new(const struct client_conf *inherited)
{
	struct client_conf *c = xcalloc(1, sizeof(*c));

	c->limit_log_level = LOG_ERR;
	c->header_timeout_us = INT64_C(30000000);
	if (inherited != NULL) {
		*c = *inherited;
		c->trusted = copy_of(inherited->trusted, c->n_trusted, sizeof(*c->trusted));
		c->rules = copy_of(inherited->rules, c->n_rules, sizeof(*c->rules));
		for (size_t i = 0; i < c->n_limits; i++)
			copy_limit(&inherited->limits[i], &c->limits[i]);
	}
	c->own_trusted = c->own_rules = c->own_limits = false;
	c->refs = 1;
	return c;
}

struct client_conf *
client_conf_ref(struct client_conf *c)
{
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void
client_conf_unref(struct client_conf *c)
{
	if (c == NULL || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < c->n_limits; i++) {
		free(c->limits[i].zone);
		template_done(&c->limits[i].key);
	}
	free(c->trusted);
	free(c->rules);
	free(c);
}

bool
client_range_has(const struct client_range *r, const struct addr *a)
{
	struct addr plain;

	switch (r->kind) {
	case CLIENT_ALL:
		return true;
	case CLIENT_UNIX:
		return a->family == AF_UNSPEC;
	case CLIENT_NETWORK:
		plain = addr_unmapped(a);
		return addr_range_has(&r->network, a) || addr_range_has(&r->network, &plain);
	}
	return false;
}

bool
client_is_trusted(const struct client_conf *c, const struct addr *a)
{
	for (size_t i = 0; i < c->n_trusted; i++)
		if (client_range_has(&c->trusted[i], a))
			return true;
	return false;
}

bool
client_is_allowed(const struct client_conf *c, const struct addr *a)
{
	for (size_t i = 0; i < c->n_rules; i++)
		if (client_range_has(&c->rules[i].who, a))
			return c->rules[i].allow;
	return true;
}
