/*
 * supervise.h - what `trivet run` does with a child when it starts, falls
 * silent, ends or is asked to go: a pure function, one state per child.
 *
 * The shell (run.c, run_child.c) owns processes, sockets and log lines; it
 * stores the state this returns and performs the actions.  'now' must not run
 * backwards.
 */
#ifndef CTL_SUPERVISE_H
#define CTL_SUPERVISE_H

#include "common/mono.h"

#include <stdbool.h>
#include <stddef.h>

enum supervise_phase {
	SUPERVISE_IDLE,	    /* not started yet; zeroed means this */
	SUPERVISE_STARTING, /* runs, has not said READY=1 */
	SUPERVISE_READY,
	SUPERVISE_ENDING,   /* was sent SIGTERM: a stop, or a planned restart */
	SUPERVISE_ABORTING, /* fell silent and was sent SIGABRT */
	SUPERVISE_WAITING,  /* ended; comes back at the deadline */
	SUPERVISE_REFUSED,  /* its configuration is refused: trying again would not help */
	SUPERVISE_DONE,	    /* ended for good */
};
const char *supervise_phase_str(enum supervise_phase);

struct supervise_params {
	const char *name;
	unsigned rank;	     /* starts once all of lower rank are settled, stops before them */
	int64_t backoff_us;  /* the wait after a crash, doubled each time; none if it was the
				first and it had been ready */
	int64_t watchdog_us; /* longest silence once ready; 0: none is expected to speak */
};

struct supervise_state {
	enum supervise_phase phase;
	bool again;	   /* ENDING: a planned restart, a successor follows at once */
	bool killed;	   /* SIGKILL was sent; nothing stronger is left */
	mono_t deadline;   /* when SUPERVISE_EV_TIMER is due; MONO_NEVER: not at all */
	mono_t spawned;	   /* start of the present process */
	unsigned crashes;  /* in a row, each shortly after its start */
	unsigned restarts; /* processes after the first */
};

enum supervise_event_kind {
	SUPERVISE_EV_START,
	SUPERVISE_EV_READY, /* READY=1 */
	SUPERVISE_EV_ALIVE, /* WATCHDOG=1 */
	SUPERVISE_EV_EXIT,  /* 'refused': with a code that repeating cannot change */
	SUPERVISE_EV_TIMER, /* the deadline; waking early is harmless */
	SUPERVISE_EV_STOP,
	SUPERVISE_EV_RESTART, /* an operator's planned restart */
	SUPERVISE_EV_RETRY,   /* a reload: what was refused may be good now */
};
struct supervise_event {
	enum supervise_event_kind kind;
	bool refused;
};

enum supervise_action {
	SUPERVISE_SPAWN = 1 << 0,
	SUPERVISE_TERM = 1 << 1,
	SUPERVISE_ABORT = 1 << 2,
	SUPERVISE_KILL = 1 << 3,
};

struct supervise_outcome {
	struct supervise_state next;
	unsigned actions;
};

#define SUPERVISE_START_US	 (30 * USEC_PER_SEC) /* to READY=1; a parcel of sessions takes less */
#define SUPERVISE_STOP_US	 (10 * USEC_PER_SEC) /* proxyd drains 1 s + 5 s (design.md, Order) */
#define SUPERVISE_ABORT_US	 (1 * USEC_PER_SEC) /* a stopped process does not even see SIGABRT */
#define SUPERVISE_STEADY_US	 (10 * USEC_PER_SEC) /* ran so long: the next crash is the first */
#define SUPERVISE_BACKOFF_MAX_US (10 * USEC_PER_SEC)

/* Total: every event has an answer in every phase. */
struct supervise_outcome supervise_step(
    const struct supervise_params *, struct supervise_state, struct supervise_event, mono_t now);

/* A process of it exists. */
bool supervise_alive(const struct supervise_state *);

/* Ready, or known not to become so by waiting: those above need not wait for it. */
bool supervise_settled(const struct supervise_state *);

/*
 * Start order: may child 'i' start?  All of lower rank are settled.  Stop order:
 * may child 'i' be stopped?  All of higher rank are gone.
 */
bool supervise_may_start(
    const struct supervise_params *, const struct supervise_state *, size_t n, size_t i);
bool supervise_may_stop(
    const struct supervise_params *, const struct supervise_state *, size_t n, size_t i);

#endif
