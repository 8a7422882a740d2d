/*
 * turn.c - see turn.h.
 */
#include "checkd/turn.h"

#include "common/util.h"

static void
on_idle(uv_idle_t *idle)
{
	(void)idle;
}

static void
on_check(uv_check_t *check)
{
	struct turn *turn = CONTAINER_OF(check, struct turn, check);
	struct turn_entry *e;

	turn->left = TURN_RUNS;
	while (turn->left > 0 && (e = TAILQ_FIRST(&turn->waiting)) != NULL) {
		turn->left--;
		turn_forget(turn, e);
		e->begin(e);
	}
}

void
turn_init(struct turn *turn, uv_loop_t *loop)
{
	turn->left = TURN_RUNS;
	TAILQ_INIT(&turn->waiting);
	uv_check_init(loop, &turn->check);
	uv_check_start(&turn->check, on_check);
	uv_unref((uv_handle_t *)&turn->check);
	uv_idle_init(loop, &turn->idle);
	uv_unref((uv_handle_t *)&turn->idle);
}

void
turn_done(struct turn *turn)
{
	uv_close((uv_handle_t *)&turn->check, NULL);
	uv_close((uv_handle_t *)&turn->idle, NULL);
}

void
turn_take(struct turn *turn, struct turn_entry *e)
{
	if (turn->left > 0 && TAILQ_EMPTY(&turn->waiting)) {
		turn->left--;
		e->begin(e);
		return;
	}
	if (TAILQ_EMPTY(&turn->waiting))
		uv_idle_start(&turn->idle, on_idle);
	e->waits = true;
	TAILQ_INSERT_TAIL(&turn->waiting, e, entry);
}

void
turn_forget(struct turn *turn, struct turn_entry *e)
{
	if (!e->waits)
		return;
	e->waits = false;
	TAILQ_REMOVE(&turn->waiting, e, entry);
	if (TAILQ_EMPTY(&turn->waiting))
		uv_idle_stop(&turn->idle);
}
