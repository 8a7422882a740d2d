/*
 * rules.c - see rules.h.
 */
#include "proxyd/rules.h"

#include "common/text.h"

#include <stdlib.h>

/* A listener that only closes what is left of it (handover) has no words about clients. */
static bool
wants_nothing(const struct listener_conf *lc)
{
	const struct client_conf *c = lc->client;

	if (c == NULL)
		return true;
	return lc->upstream->key.n == 0 && !lc->proxy_protocol && c->n_rules == 0 &&
	       c->n_limits == 0 && c->rates[0] == 0 && c->rates[1] == 0 && c->announce == 0 &&
	       !c->transparent;
}

struct rules *
rules_new(const struct listener_conf *lc)
{
	struct rules *r;

	if (wants_nothing(lc))
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->refs = 1;
	if (lc->upstream->key.n > 0)
		template_copy(&lc->upstream->key, &r->key);
	r->client = client_conf_ref(lc->client);
	r->proxy_protocol = lc->proxy_protocol;
	for (size_t i = 0; i < r->client->n_limits; i++) {
		const struct limit_conf *l = &r->client->limits[i];

		r->zones[i] = limit_zone_open(l->zone, l->key.text, l->size);
	}
	return r;
}

bool
rules_greet(const struct rules *r)
{
	const struct client_conf *c = r->client;

	return r->proxy_protocol || c->n_rules > 0 || c->n_limits > 0 || c->rates[0] > 0 ||
	       c->rates[1] > 0 || c->announce > 0 || c->transparent;
}

void
rules_ref(struct rules *r)
{
	if (r != NULL)
		__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
}

void
rules_unref(struct rules *r)
{
	if (r == NULL || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < CLIENT_LIMITS_MAX; i++)
		limit_zone_close(r->zones[i]);
	client_conf_unref(r->client);
	template_done(&r->key);
	free(r);
}
