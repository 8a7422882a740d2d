/*
 * rules.c - see rules.h.
 */
#include "proxyd/rules.h"

#include "common/text.h"
#include "proxyd/logfile.h"
#include "proxyd/upstream.h"

#include <stdlib.h>
#include <string.h>

static bool
has_logs(const struct server_words *words)
{
	return words->n_access > 0 || words->n_errors > 0;
}

/* A listener that only closes what is left of it (handover) has no words about clients. */
static bool
wants_nothing(const struct listener_conf *lc)
{
	const struct client_conf *c = lc->client;
	const struct server_words *w = lc->words;

	if (c == NULL || w == NULL)
		return true;
	return (lc->upstream == NULL || lc->upstream->key.n == 0) && !lc->proxy_protocol &&
	       c->n_rules == 0 && c->n_limits == 0 && c->rates[0] == 0 && c->rates[1] == 0 &&
	       c->announce == 0 && !has_logs(w) && !lc->ssl_preread && !w->returns &&
	       w->pass.n == 0 && !c->transparent;
}

/* An error_log writes each line at once. */
static void
open_logs(struct rules *r)
{
	const struct server_words *w = r->words;

	r->access = xcalloc(w->n_access + 1, sizeof(struct logfile *));
	r->errors = xcalloc(w->n_errors + 1, sizeof(struct logfile *));
	for (size_t i = 0; i < w->n_access; i++)
		r->access[i] = logfile_open(&w->access[i].target, "access_log",
		    w->access[i].buffer_size, w->access[i].flush_us);
	for (size_t i = 0; i < w->n_errors; i++)
		r->errors[i] = logfile_open(&w->errors[i].target, "error_log", 0, 0);
}

static void
close_logs(struct rules *r)
{
	for (size_t i = 0; i < r->words->n_access; i++)
		logfile_close(r->access[i]);
	for (size_t i = 0; i < r->words->n_errors; i++)
		logfile_close(r->errors[i]);
	free(r->access);
	free(r->errors);
}

struct rules *
rules_new(const struct listener_conf *lc)
{
	struct rules *r;

	if (wants_nothing(lc))
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->refs = 1;
	r->words = server_words_ref(lc->words);
	r->preread = lc->ssl_preread;
	r->preread_timeout_us = lc->preread_timeout_us;
	r->preread_size = lc->preread_size;
	open_logs(r);
	if (lc->upstream != NULL && lc->upstream->key.n > 0)
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
	       c->rates[1] > 0 || c->announce > 0 || r->preread || has_logs(r->words) ||
	       r->words->returns || r->words->pass.n > 0 || c->transparent;
}

/* ---- proxy_pass with variables ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct rules_target *)a)->name, ((const struct rules_target *)b)->name);
}

void
rules_aim(struct rules *r, const struct conf *conf, struct upstreams *all)
{
	if (r == NULL || r->words->pass.n == 0 || r->targets != NULL)
		return;
	r->targets = xcalloc(conf->n_upstreams + 1, sizeof(*r->targets));
	for (size_t i = 0; i < conf->n_upstreams; i++) {
		const struct upstream_conf *uc = &conf->upstreams[i];
		struct rules_target *t = &r->targets[r->n_targets];
		struct upstream *up = upstreams_find(all, uc->name);

		if (up == NULL)
			continue;
		upstream_ref(up);
		*t = (struct rules_target){ .name = xstrdup(uc->name), .up = up };
		template_copy(&uc->key, &t->key);
		r->n_targets++;
	}
	if (r->n_targets > 0)
		qsort(r->targets, r->n_targets, sizeof(*r->targets), by_name);
}

static void
forget_targets(struct rules *r)
{
	for (size_t i = 0; i < r->n_targets; i++) {
		upstream_unref(r->targets[i].up);
		template_done(&r->targets[i].key);
		free(r->targets[i].name);
	}
	free(r->targets);
}

struct upstream *
rules_target(const struct rules *r, const char *name)
{
	struct rules_target wanted = { .name = (char *)name }, *found = NULL;

	if (r->n_targets > 0)
		found = bsearch(&wanted, r->targets, r->n_targets, sizeof(*r->targets), by_name);
	return found != NULL ? found->up : NULL;
}

const struct stream_template *
rules_key(const struct rules *r, const struct upstream *up)
{
	for (size_t i = 0; i < r->n_targets; i++)
		if (r->targets[i].up == up)
			return r->targets[i].key.n > 0 ? &r->targets[i].key : NULL;
	return r->key.n > 0 ? &r->key : NULL;
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
	close_logs(r);
	forget_targets(r);
	server_words_unref(r->words);
	client_conf_unref(r->client);
	template_done(&r->key);
	free(r);
}
