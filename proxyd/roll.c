/*
 * roll.c - see roll.h.
 */
#include "proxyd/roll.h"

#include "common/text.h"
#include "proxyd/guest.h"
#include "proxyd/listener.h"
#include "proxyd/relay_tcp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct roll *
roll_new(struct server *server, struct upstream *up, const char *listener)
{
	struct roll *r = xcalloc(1, sizeof(*r));

	pthread_mutex_init(&r->lock, NULL);
	if (server != NULL)
		pool_session_begin(&server->health);
	if (up != NULL)
		upstream_ref(up);
	r->server = server;
	r->up = up;
	r->listener = listener != NULL ? xstrdup(listener) : NULL;
	return r;
}

static void
roll_free(struct roll *r)
{
	if (r->server != NULL)
		server_release(r->server);
	if (r->up != NULL)
		upstream_unref((struct upstream *)r->up);
	for (size_t i = 0; i < r->n; i++) {
		free(r->entries[i].listener);
		free(r->entries[i].upstream);
	}
	free(r->entries);
	free((char *)r->listener);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void
roll_send(struct rolls *rolls, struct roll *r, struct worker *const *workers, size_t n)
{
	r->waiting = (unsigned)n;
	TAILQ_INSERT_TAIL(rolls, r, entry);
	for (size_t i = 0; i < n; i++)
		worker_send(workers[i], &(struct command){ .kind = COMMAND_ROLL, .roll = r });
}

static bool
is_answered(struct roll *r)
{
	bool answered;

	pthread_mutex_lock(&r->lock);
	answered = r->waiting == 0;
	pthread_mutex_unlock(&r->lock);
	return answered;
}

void
rolls_finish(struct rolls *rolls)
{
	struct roll *r, *next;

	for (r = TAILQ_FIRST(rolls); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (!is_answered(r))
			continue;
		TAILQ_REMOVE(rolls, r, entry);
		if (r->on_done != NULL)
			r->on_done(r);
		roll_free(r);
	}
}

void
rolls_done(struct rolls *rolls)
{
	struct roll *r;

	while ((r = TAILQ_FIRST(rolls)) != NULL) {
		TAILQ_REMOVE(rolls, r, entry);
		roll_free(r);
	}
}

/* ---- a data thread's part ---- */

static bool
matches(const struct roll *r, const struct worker *w, const struct session *s)
{
	if (r->one &&
	    (r->thread != w->number || r->index != s->index || r->generation != s->generation))
		return false;
	if (r->only_open && s->flow.phase != FLOW_OPEN)
		return false;
	return (r->server == NULL || r->server == s->server) &&
	       (r->up == NULL || r->up == guest_up(s)) &&
	       (r->listener == NULL || strcmp(r->listener, s->route->listener->name) == 0);
}

static void
take_down(struct roll *r, const struct worker *w, const struct session *s)
{
	struct roll_entry e = { .thread = w->number,
		.index = s->index,
		.generation = s->generation,
		.state = flow_phase_str((enum flow_phase)s->flow.phase),
		.listener = xstrdup(s->route->listener->name),
		.upstream = xstrdup(guest_up(s) != NULL ? guest_up(s)->name : ""),
		.age_us = mono_until(s->began, w->now),
		.idle_us = mono_until(s->active, w->now),
		.bytes = { s->bytes[FLOW_CLIENT], s->bytes[FLOW_SERVER] } };

	e.client = guest_client(s);
	if (s->server != NULL)
		e.server = s->server->endpoint;
	r->entries = xreallocarray(r->entries, r->n + 1, sizeof(*r->entries));
	r->entries[r->n++] = e;
}

void
roll_answer(struct roll *r, struct worker *w)
{
	struct session *s;
	uint32_t index = 0;

	pthread_mutex_lock(&r->lock);
	while ((s = session_each(&w->sessions, &index)) != NULL) {
		if (!matches(r, w, s))
			continue;
		r->n_matched++;
		if (r->reason != FLOW_REASON_NONE)
			relay_abort(w, s, r->reason);
		else if (r->n < r->limit)
			take_down(r, w, s);
	}
	r->waiting--;
	pthread_mutex_unlock(&r->lock);
	w->wake(w->wake_aux);
}
