/*
 * handover_guest.c - see handover_guest.h.
 */
#include "proxyd/handover_guest.h"

#include "proxyd/guest.h"
#include "proxyd/proxyproto.h"
#include "proxyd/rules.h"
#include "proxyd/story.h"

#include "common/text.h"
#include "proxyd/handover_priv.h"
#include "proxyd/worker.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)PARCEL_STAGES == (int)GUEST_LINGER + 1, "each stage can be handed over");
_Static_assert((int)PARCEL_TLVS_MAX == (int)PROXYPROTO_MAX, "the TLVs of any header");
_Static_assert((int)PARCEL_HELD_MAX == (int)CLIENT_LIMITS_MAX, "all that a session may hold");

static void
give_held(const struct limit_key *key, struct parcel_held *ret)
{
	const char *zone = limit_zone_name(limit_key_zone(key));
	size_t name = strlen(zone) + 1, n;
	const uint8_t *bytes = limit_key_bytes(key, &n);

	if (name + n > sizeof(ret->bytes))
		return;
	memcpy(ret->bytes, zone, name);
	memcpy(ret->bytes + name, bytes, n);
	ret->size = (uint16_t)(name + n);
}

static void
give_hello(const struct guest *g, struct parcel_session *r)
{
	r->has_hello = g->tls_protocol != NULL;
	if (!r->has_hello)
		return;
	handover_copy(r->tls_name, g->server_name != NULL ? g->server_name : "");
	handover_copy(r->tls_alpn, g->alpn != NULL ? g->alpn : "");
	handover_copy(r->tls_protocol, g->tls_protocol);
}

/* Of its servers only the one it is with. */
static void
give_story(const struct story *story, struct parcel_session *r)
{
	if (story == NULL)
		return;
	r->story_connection = story->connection;
	if (story->n_tries == 0)
		return;
	r->story_tried_us = story->tried_at.us;
	if (story->tries[story->n_tries - 1].connect_us >= 0)
		r->story_connect_us = story->tries[story->n_tries - 1].connect_us + 1;
	if (!mono_is_never(story->first_byte))
		r->story_first_byte_us = story->first_byte.us;
}

void
handover_give_guest(const struct session *s, struct parcel_session *r)
{
	const struct guest *g = s->guest;

	r->greeted_us = s->greeted.us;
	if (g == NULL)
		return;
	r->has_guest = true;
	r->stage = (uint8_t)g->stage;
	r->answered = g->answered;
	give_hello(g, r);
	give_story(g->story, r);
	r->announce = (uint8_t)g->announce;
	r->transparent = g->transparent;
	r->client = g->client;
	r->peer = g->peer;
	r->local = g->local;
	r->proxied = g->proxied;
	r->proxied_to = g->proxied_to;
	r->tlvs = (struct parcel_bytes){ g->tlvs, (uint32_t)g->tlvs_size };
	for (int side = 0; side < 2; side++)
		r->rates[side] = g->rates[side].bytes_s;
	for (unsigned i = 0; i < g->n_held; i++) {
		give_held(g->held[i], &r->held[r->n_held]);
		r->n_held += r->held[r->n_held].size > 0;
	}
}

/* It was let in: it counts, whatever the limit is now.  A zone that is gone counts nothing. */
static void
take_held(struct guest *g, const struct parcel_held *held, const struct conf *conf)
{
	const char *name = (const char *)held->bytes;
	const struct limit_zone_conf *zc = limit_zone_conf_find(conf, name);
	size_t at = strlen(name) + 1;
	struct limit_zone *zone;

	if (zc == NULL)
		return;
	zone = limit_zone_open(zc->name, zc->key.text, zc->size);
	if (limit_take(zone, held->bytes + at, held->size - at, UINT_MAX, &g->held[g->n_held]) == 0)
		g->n_held += g->held[g->n_held] != NULL;
	limit_zone_close(zone);
}

static void
take_hello(struct guest *g, const struct parcel_session *r)
{
	static const char *const protocols[] = { "", "SSLv2", "SSLv3", "TLSv1", "TLSv1.1",
		"TLSv1.2", "TLSv1.3" };

	if (!r->has_hello)
		return;
	g->server_name = xstrdup(r->tls_name);
	g->alpn = xstrdup(r->tls_alpn);
	g->tls_protocol = "";
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcmp(protocols[i], r->tls_protocol) == 0)
			g->tls_protocol = protocols[i];
}

/* A log that its listener has now tells of it as well. */
static void
take_story(struct session *s, const struct parcel_session *r)
{
	struct story *story = story_new(NULL, s->route);
	struct facts_try *t;

	s->guest->story = story;
	if (story == NULL)
		return;
	story->connection = r->story_connection;
	if (s->server == NULL)
		return;
	t = story->tries = xcalloc(1, sizeof(*t));
	story->n_tries = 1;
	t->server = s->server->endpoint;
	if (t->server.addr.family == AF_UNSPEC)
		t->name = xstrdup(s->server->name);
	t->connect_us = r->story_connect_us - 1;
	story->tried_at = r->story_tried_us > 0 ? (mono_t){ r->story_tried_us } : s->began;
	if (r->story_first_byte_us > 0)
		story->first_byte = (mono_t){ r->story_first_byte_us };
}

void
handover_take_guest(struct session *s, const struct parcel_session *r, const struct conf *conf)
{
	struct guest *g;

	s->greeted = (mono_t){ r->greeted_us > 0 ? r->greeted_us : r->began_us };
	if (!r->has_guest)
		return;
	g = s->guest = xcalloc(1, sizeof(*g));
	g->announce = r->announce;
	g->transparent = r->transparent;
	g->transparent_port = s->route->rules != NULL && s->route->rules->client->transparent_port;
	g->stage = (enum guest_stage)r->stage;
	g->answered = r->answered;
	g->up = s->server != NULL ? s->server->up : NULL;
	take_hello(g, r);
	take_story(s, r);
	g->client = r->client;
	g->peer = r->peer;
	g->local = r->local;
	g->proxied = r->proxied;
	g->proxied_to = r->proxied_to;
	guest_keep_tlvs(g, r->tlvs.at, r->tlvs.size);
	for (int side = 0; side < 2; side++) {
		uint64_t rate = r->rates[side] < RATE_MAX ? r->rates[side] : RATE_MAX;

		rate_init(&g->rates[side], rate, s->active);
		g->rates[side].credit = 0; /* what it had was perhaps used up */
	}
	for (uint32_t i = 0; i < r->n_held; i++)
		take_held(g, &r->held[i], conf);
}
