/*
 * relay_left.c - TCP sessions over a restart (relay_tcp.h): left to the next
 * process, or taken over from the last.
 */
#include "proxyd/relay_priv.h"

#include "proxyd/guest.h"
#include "proxyd/relay_bulk.h"

void
relay_leave(struct worker *w, struct session *s)
{
	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		relay_close_side(s, side, false); /* the other process has its own descriptor */
		relay_unpark(s, side);
	}
	relay_release_server(s);
	guest_done(s);
	wheel_set(&w->wheel, &s->timer, MONO_NEVER);
	if (s->is_queued)
		TAILQ_REMOVE(&w->leftover, s, queue);
	relay_bulk_end(w, s);
	route_unref(s->route);
	session_free(&w->sessions, s);
	worker_counted(w);
}

/* Its end, without a record of its own: as end() does it. */
static void
refuse(struct worker *w, const struct session *left)
{
	struct session s = *left;

	for (enum flow_side side = FLOW_CLIENT; side <= FLOW_SERVER; side++) {
		relay_close_side(&s, side, true);
		relay_unpark(&s, side);
	}
	s.flow.reason = FLOW_HANDOVER;
	if (s.server != NULL)
		relay_count_end(&s, &s.server->tallies[w->number]);
	relay_release_server(&s);
	guest_done(&s);
	relay_count_end(&s, s.route->tally);
	route_unref(s.route);
}

void
relay_adopt(struct worker *w, const struct session *left)
{
	struct session *s = session_new(&w->sessions);
	uint32_t index, generation;

	if (s == NULL) {
		refuse(w, left);
		return;
	}
	index = s->index;
	generation = s->generation;
	*s = *left;
	s->index = index;
	s->generation = generation;
	worker_counted(w);
	wheel_set(
	    &w->wheel, &s->timer, mono_max(relay_deadline(s), mono_add(w->now, WORKER_ADOPTED_US)));
	if (relay_watch_edges(w, s, FLOW_CLIENT) < 0 ||
	    (s->flow.phase != FLOW_GREETING && relay_watch_edges(w, s, FLOW_SERVER) < 0))
		relay_abort(w, s, FLOW_RESOURCES);
}
