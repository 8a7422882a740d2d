/*
 * pool.c - see pool.h.
 */
#include "proxyd/balance.h"

#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
pool_state_str(enum pool_state state)
{
	static const char *const names[] = { [POOL_UP] = "up",
		[POOL_DOWN] = "down",
		[POOL_DRAINING] = "draining",
		[POOL_MAINTENANCE] = "maintenance" };

	return names[state];
}

const char *
pool_source_str(enum pool_source source)
{
	static const char *const names[] = {
		[POOL_PASSIVE] = "passive",
		[POOL_ADMINISTRATOR] = "administrator",
		[POOL_RESOLVER] = "resolver",
		[POOL_CHECKD] = "checkd",
	};

	return names[source];
}

/* The only writer of state, source, reason and since. */
static bool
set_state(struct pool_server *s, enum pool_state state, enum pool_source source, const char *reason,
    mono_t now)
{
	bool changed = state != s->state;

	if (changed) {
		s->since = now;
		s->slow_since = state == POOL_UP && s->params.slow_start_us > 0 ? now : MONO_NEVER;
	}
	__atomic_store_n(&s->state, state, __ATOMIC_RELAXED); /* data threads peek */
	s->source = source;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	return changed;
}

static unsigned
window_size(const struct pool_params *p)
{
	return p->max_fails < POOL_FAILS_MAX ? p->max_fails : POOL_FAILS_MAX;
}

static void
window_reset(struct pool_server *s)
{
	unsigned size = window_size(&s->params);

	free(s->fails);
	s->fails = size > 0 ? xcalloc(size, sizeof(*s->fails)) : NULL;
	s->n_fails = s->fails_next = 0;
}

/* Remember a failure; how many lie within fail_timeout of 'now', this one included. */
static unsigned
window_add(struct pool_server *s, mono_t now)
{
	unsigned size = window_size(&s->params), within = 0;

	s->fails[s->fails_next] = now;
	s->fails_next = (s->fails_next + 1) % size;
	if (s->n_fails < size)
		s->n_fails++;
	for (unsigned i = 0; i < s->n_fails; i++)
		within += mono_until(s->fails[i], now) < s->params.fail_timeout_us;
	return within;
}

/* What a server is before anybody tried it. */
static void
set_initial(struct pool_server *s, mono_t now)
{
	s->probe_at = MONO_NEVER;
	if (s->params.down)
		set_state(
		    s, POOL_DOWN, POOL_ADMINISTRATOR, "marked down in the configuration", now);
	else if (!s->has_address)
		set_state(s, POOL_DOWN, POOL_RESOLVER, "name not resolved yet", now);
	else if (s->is_condemned)
		set_state(s, POOL_DOWN, POOL_CHECKD, s->verdict, now);
	else
		set_state(s, POOL_UP, POOL_PASSIVE, "no failures seen", now);
}

void
pool_server_init(
    struct pool_server *s, const struct pool_params *params, bool has_address, mono_t now)
{
	*s = (struct pool_server){ .params = *params,
		.has_address = has_address,
		.since = now,
		.admin_until = MONO_NEVER,
		.slow_since = MONO_NEVER };
	s->is_condemned = params->mandatory;
	snprintf(s->verdict, sizeof(s->verdict), "not checked yet");
	window_reset(s);
	set_initial(s, now);
}

void
pool_server_done(struct pool_server *s)
{
	free(s->fails);
	free(s->line);
	s->fails = NULL;
	s->line = NULL;
}

void
pool_server_set_line(struct pool_server *s, const char *line)
{
	if (s->line != NULL && strcmp(s->line, line) == 0)
		return;
	free(s->line);
	s->line = xstrdup(line);
}

/* ---- the operator ---- */

bool
pool_server_administer(
    struct pool_server *s, enum pool_admin admin, int64_t hold_us, const char *comment, mono_t now)
{
	bool changed = admin != s->admin || strcmp(comment, s->comment) != 0;

	if (admin == POOL_READY && s->admin != POOL_READY && s->params.slow_start_us > 0)
		s->slow_since = now;
	if (admin != s->admin)
		s->since = now;
	s->admin = admin;
	s->admin_until = admin != POOL_READY && hold_us > 0 ? mono_add(now, hold_us) : MONO_NEVER;
	snprintf(s->comment, sizeof(s->comment), "%s", comment);
	return changed;
}

void
pool_server_set_weight(struct pool_server *s, unsigned weight)
{
	s->weight_set = weight;
}

bool
pool_server_expire(struct pool_server *s, mono_t now)
{
	if (mono_is_never(s->admin_until) || mono_before(now, s->admin_until))
		return false;
	return pool_server_administer(s, POOL_READY, 0, "", now);
}

struct pool_said
pool_said(const struct pool_server *s)
{
	if (s->admin == POOL_READY)
		return (struct pool_said){ s->state, s->source, s->reason };
	return (struct pool_said){ s->admin == POOL_DRAIN ? POOL_DRAINING : POOL_MAINTENANCE,
		POOL_ADMINISTRATOR, s->comment[0] != '\0' ? s->comment : "the operator's word" };
}

unsigned
pool_weight(const struct pool_server *s)
{
	return s->weight_set > 0 ? s->weight_set : s->params.weight;
}

unsigned
pool_weight_now(const struct pool_server *s, mono_t now)
{
	uint64_t full = (uint64_t)pool_weight(s) * POOL_WEIGHT_UNIT, part;
	int64_t since = mono_is_never(s->slow_since) ? INT64_MAX : mono_until(s->slow_since, now);

	if (since >= s->params.slow_start_us)
		return (unsigned)full;
	part = full * (uint64_t)(since > 0 ? since : 0) / (uint64_t)s->params.slow_start_us;
	return part > 0 ? (unsigned)part : 1;
}

void
pool_prepare(struct pool *pool)
{
	if (pool->balance != NULL && pool->balance->prepare != NULL)
		pool->balance->prepare(pool);
}

void
pool_done(struct pool *pool)
{
	free(pool->ring);
	pool->ring = NULL;
}

/* ---- health ---- */

bool
pool_server_update(struct pool_server *s, const struct pool_params *params, mono_t now)
{
	enum pool_state before = s->state;
	bool window_changed = params->max_fails != s->params.max_fails;
	bool down_changed = params->down != s->params.down;

	s->params = *params;
	if (window_changed)
		window_reset(s);
	if (down_changed || (params->max_fails == 0 && s->source == POOL_PASSIVE))
		set_initial(s, now);
	else if (!mono_is_never(s->probe_at))
		s->probe_at = mono_min(s->probe_at, mono_add(now, params->fail_timeout_us));
	return s->state != before;
}

bool
pool_server_resolved(struct pool_server *s, const char *why, mono_t now)
{
	char reason[POOL_REASON_MAX];
	bool news;

	s->has_address = why == NULL;
	if (s->params.down)
		return false; /* the configuration's word stands */
	if (why == NULL) {
		if (s->source != POOL_RESOLVER)
			return false;
		set_initial(s, now);
		return true;
	}
	snprintf(reason, sizeof(reason), "resolve: %s", why);
	news = strcmp(reason, s->reason) != 0;
	s->probe_at = MONO_NEVER;
	return set_state(s, POOL_DOWN, POOL_RESOLVER, reason, now) || news;
}

/* "30s", "1500ms": as people write it in the file. */
static void
format_span(char *buf, size_t size, int64_t us)
{
	if (us % USEC_PER_SEC == 0)
		snprintf(buf, size, "%" PRId64 "s", us / USEC_PER_SEC);
	else
		snprintf(buf, size, "%" PRId64 "ms", us / USEC_PER_MSEC);
}

bool
pool_server_failed(struct pool_server *s, const char *what, mono_t now)
{
	unsigned size = window_size(&s->params), within;
	char reason[POOL_REASON_MAX], span[32];

	if (size == 0 || s->state == POOL_DOWN)
		return false; /* not counted; or a connect begun before it went down */
	within = window_add(s, now);
	if (within < size)
		return false;
	format_span(span, sizeof(span), s->params.fail_timeout_us);
	snprintf(reason, sizeof(reason), "%.100s, %u of %u within %s", what, within, size, span);
	s->probe_at = mono_add(now, s->params.fail_timeout_us);
	return set_state(s, POOL_DOWN, POOL_PASSIVE, reason, now);
}

size_t
pool_server_fails(const struct pool_server *s, int64_t *ret_us, size_t max)
{
	unsigned size = window_size(&s->params);
	size_t n = s->n_fails < max ? s->n_fails : max;

	for (size_t i = 0; i < n; i++)
		ret_us[i] = s->fails[(s->fails_next + size - n + i) % size].us;
	return n;
}

/* Of a sum that stays within the weights: whatever was written, round robin goes on. */
#define CURRENT_MAX 1000000

void
pool_server_restore(struct pool_server *s, const struct pool_left *left, mono_t now)
{
	if (s->params.down || !s->has_address)
		return;
	if (left->current > -CURRENT_MAX && left->current < CURRENT_MAX)
		s->current = left->current;
	if (left->state == POOL_UP)
		s->is_condemned = false; /* it had its first good word */
	set_initial(s, now);
	if (s->is_condemned || s->params.max_fails == 0)
		return;
	for (size_t i = 0; i < left->n_fails; i++)
		window_add(s, mono_min((mono_t){ left->fails_us[i] }, now));
	set_state(s, left->state, POOL_PASSIVE, left->reason, now);
	s->since = mono_min(left->since, now);
	if (left->state == POOL_DOWN)
		s->probe_at = mono_is_never(left->probe_at)
				  ? now
				  : mono_min(
					left->probe_at, mono_add(now, s->params.fail_timeout_us));
}

bool
pool_server_checked(struct pool_server *s, const char *why, mono_t now)
{
	bool was_condemned = s->is_condemned;

	s->is_condemned = why != NULL;
	snprintf(s->verdict, sizeof(s->verdict), "%.*s", (int)sizeof(s->verdict) - 1,
	    why != NULL ? why : "");
	if (s->params.down || !s->has_address)
		return false; /* who says so speaks louder */
	if (why != NULL) {
		bool news = s->source != POOL_CHECKD || strcmp(s->reason, s->verdict) != 0;

		s->probe_at = MONO_NEVER;
		return set_state(s, POOL_DOWN, POOL_CHECKD, s->verdict, now) || news;
	}
	if (!was_condemned)
		return false;
	s->probe_at = MONO_NEVER;
	s->n_fails = s->fails_next = 0;
	return set_state(s, POOL_UP, POOL_CHECKD, "its check is good", now);
}

bool
pool_server_unchecked(struct pool_server *s, mono_t now)
{
	bool was_down = s->source == POOL_CHECKD && s->state == POOL_DOWN;

	if (s->params.mandatory)
		return false; /* it needs a good word, not the want of a bad one */
	s->is_condemned = false;
	if (!was_down)
		return false;
	set_state(s, POOL_DOWN, POOL_PASSIVE, "its check says nothing any more", now);
	s->probe_at = now;
	return true;
}

static bool
recover(struct pool_server *s, const char *how, mono_t now)
{
	s->probe_at = MONO_NEVER;
	s->n_fails = s->fails_next = 0;
	return set_state(s, POOL_UP, POOL_PASSIVE, how, now);
}

bool
pool_server_connected(struct pool_server *s, mono_t now)
{
	if (s->state == POOL_UP || s->source != POOL_PASSIVE)
		return false;
	return recover(s, "a client's connect succeeded", now);
}

void
pool_probe_begin(struct pool_server *s)
{
	s->probe_at = MONO_NEVER;
}

/* Something else may have decided meanwhile. */
static bool
is_probed(const struct pool_server *s)
{
	return s->state == POOL_DOWN && s->source == POOL_PASSIVE;
}

bool
pool_probe_unrefused(struct pool_server *s, mono_t now)
{
	return is_probed(s) && recover(s, "a recovery probe was not refused", now);
}

bool
pool_probe_end(struct pool_server *s, const char *what, mono_t now)
{
	char reason[POOL_REASON_MAX];

	if (!is_probed(s))
		return false;
	if (what == NULL)
		return recover(s, "a recovery probe connected", now);
	snprintf(reason, sizeof(reason), "probe: %.120s", what);
	s->probe_at = mono_add(now, s->params.fail_timeout_us);
	return set_state(s, POOL_DOWN, POOL_PASSIVE, reason, now);
}

void
pool_hurry(struct pool *pool, mono_t now)
{
	if (pool_available(pool) > 0)
		return;
	for (size_t i = 0; i < pool->n; i++) {
		struct pool_server *s = pool->servers[i];

		if (!mono_is_never(s->probe_at))
			s->probe_at = mono_min(s->probe_at, mono_add(now, POOL_HURRY_US));
	}
}

mono_t
pool_next_due(const struct pool *pool)
{
	mono_t next = MONO_NEVER;

	for (size_t i = 0; i < pool->n; i++)
		next = mono_min(
		    next, mono_min(pool->servers[i]->probe_at, pool->servers[i]->admin_until));
	return next;
}

static bool
is_withheld(const struct pool_server *s)
{
	return s->params.down || s->admin != POOL_READY;
}

const struct pool_server *
pool_lone(const struct pool *pool)
{
	const struct pool_server *lone = NULL;

	for (size_t i = 0; i < pool->n; i++) {
		if (is_withheld(pool->servers[i]))
			continue;
		if (lone != NULL)
			return NULL;
		lone = pool->servers[i];
	}
	return lone;
}

bool
pool_usable(const struct pool *pool, const struct pool_server *s)
{
	if (is_withheld(s) || !s->has_address)
		return false;
	return s->state == POOL_UP || pool_lone(pool) == s;
}

size_t
pool_available(const struct pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += pool_said(pool->servers[i]).state == POOL_UP;
	return n;
}

size_t
pool_total(const struct pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n; i++)
		n += !pool->servers[i]->params.down;
	return n;
}
