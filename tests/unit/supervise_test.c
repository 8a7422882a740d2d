/*
 * supervise_test.c - what `trivet run` does with a child, row by row.
 */
#include "tests/unit/test.h"

#include "ctl/supervise.h"

#define MS(x)                                                                                      \
	{                                                                                          \
		INT64_C(1000) * (x)                                                                \
	}
#define EV(k)                                                                                      \
	{                                                                                          \
		.kind = SUPERVISE_EV_##k                                                           \
	}

static const struct supervise_params child = {
	.name = "vrrpd", .rank = 2, .backoff_us = 50000, .watchdog_us = 5000000
};
static const struct supervise_params silent = { .name = "trivet-runner", .backoff_us = 100000 };

/* clang-format off */
static const struct {
	const char *what;
	const struct supervise_params *params;
	struct supervise_state before;
	struct supervise_event event;
	mono_t now;
	enum supervise_phase phase;
	mono_t deadline;
	unsigned actions;
} rows[] = {
{ "first start", &child, { 0 }, EV(START), MS(7),
    SUPERVISE_STARTING, MS(30007), SUPERVISE_SPAWN },
{ "a second start changes nothing", &child, { .phase = SUPERVISE_READY, .deadline = MS(9) }, EV(START), MS(7),
    SUPERVISE_READY, MS(9), 0 },
{ "ready: the watchdog begins", &child, { .phase = SUPERVISE_STARTING, .deadline = MS(30000) }, EV(READY), MS(100),
    SUPERVISE_READY, MS(5100), 0 },
{ "ready, nobody watches", &silent, { .phase = SUPERVISE_STARTING, .deadline = MS(30000) }, EV(READY), MS(100),
    SUPERVISE_READY, { INT64_MAX }, 0 },
{ "not ready in time: killed", &child, { .phase = SUPERVISE_STARTING, .deadline = MS(30000) }, EV(TIMER), MS(30000),
    SUPERVISE_STARTING, { INT64_MAX }, SUPERVISE_KILL },
{ "woken early", &child, { .phase = SUPERVISE_STARTING, .deadline = MS(30000) }, EV(TIMER), MS(29999),
    SUPERVISE_STARTING, MS(30000), 0 },
{ "a sign of life", &child, { .phase = SUPERVISE_READY, .deadline = MS(5000) }, EV(ALIVE), MS(2500),
    SUPERVISE_READY, MS(7500), 0 },
{ "a sign of life while ending", &child, { .phase = SUPERVISE_ENDING, .deadline = MS(5000) }, EV(ALIVE), MS(2500),
    SUPERVISE_ENDING, MS(5000), 0 },
{ "silent: aborted", &child, { .phase = SUPERVISE_READY, .deadline = MS(5000) }, EV(TIMER), MS(5001),
    SUPERVISE_ABORTING, MS(6001), SUPERVISE_ABORT },
{ "silent because the machine slept: not held against it", &child,
    { .phase = SUPERVISE_READY, .deadline = MS(5000) }, EV(TIMER), MS(60000),
    SUPERVISE_READY, MS(65000), 0 },
{ "aborted in vain: killed", &child, { .phase = SUPERVISE_ABORTING, .deadline = MS(6001) }, EV(TIMER), MS(6001),
    SUPERVISE_ABORTING, { INT64_MAX }, SUPERVISE_KILL },
{ "aborted, gone: comes back", &child, { .phase = SUPERVISE_ABORTING, .spawned = MS(0) }, EV(EXIT), MS(60000),
    SUPERVISE_WAITING, MS(60050), 0 },
{ "first crash: at once", &child, { .phase = SUPERVISE_READY, .spawned = MS(0) }, EV(EXIT), MS(1000),
    SUPERVISE_WAITING, MS(1000), 0 },
{ "first crash, of one that was not ready: 50 ms", &child, { .phase = SUPERVISE_STARTING, .spawned = MS(0) }, EV(EXIT), MS(1000),
    SUPERVISE_WAITING, MS(1050), 0 },
{ "second: 100 ms", &child, { .phase = SUPERVISE_READY, .spawned = MS(0), .crashes = 1 }, EV(EXIT), MS(1000),
    SUPERVISE_WAITING, MS(1100), 0 },
{ "third crash in a row: 200 ms", &child, { .phase = SUPERVISE_READY, .spawned = MS(0), .crashes = 2 }, EV(EXIT), MS(1000),
    SUPERVISE_WAITING, MS(1200), 0 },
{ "hundredth: bounded", &child, { .phase = SUPERVISE_STARTING, .spawned = MS(0), .crashes = 99 }, EV(EXIT), MS(1000),
    SUPERVISE_WAITING, MS(11000), 0 },
{ "crash after a steady run: the first again", &child, { .phase = SUPERVISE_READY, .spawned = MS(0), .crashes = 7 }, EV(EXIT), MS(10000),
    SUPERVISE_WAITING, MS(10000), 0 },
{ "the wait is over", &child, { .phase = SUPERVISE_WAITING, .deadline = MS(1050) }, EV(TIMER), MS(1050),
    SUPERVISE_STARTING, MS(31050), SUPERVISE_SPAWN },
{ "configuration refused: rests", &child, { .phase = SUPERVISE_STARTING, .deadline = MS(30000) },
    { .kind = SUPERVISE_EV_EXIT, .refused = true }, MS(10),
    SUPERVISE_REFUSED, { INT64_MAX }, 0 },
{ "refused: a reload tries again", &child, { .phase = SUPERVISE_REFUSED }, EV(RETRY), MS(10),
    SUPERVISE_STARTING, MS(30010), SUPERVISE_SPAWN },
{ "a reload leaves the others alone", &child, { .phase = SUPERVISE_WAITING, .deadline = MS(50) }, EV(RETRY), MS(10),
    SUPERVISE_WAITING, MS(50), 0 },
{ "restart asked for", &child, { .phase = SUPERVISE_READY, .deadline = MS(5000) }, EV(RESTART), MS(10),
    SUPERVISE_ENDING, MS(10010), SUPERVISE_TERM },
{ "restart: the successor follows at once", &child, { .phase = SUPERVISE_ENDING, .again = true, .crashes = 3 }, EV(EXIT), MS(60),
    SUPERVISE_STARTING, MS(30060), SUPERVISE_SPAWN },
{ "restart while waiting: now", &child, { .phase = SUPERVISE_WAITING, .deadline = MS(5000) }, EV(RESTART), MS(10),
    SUPERVISE_STARTING, MS(30010), SUPERVISE_SPAWN },
{ "stop", &child, { .phase = SUPERVISE_READY, .deadline = MS(5000) }, EV(STOP), MS(10),
    SUPERVISE_ENDING, MS(10010), SUPERVISE_TERM },
{ "stop overrides a restart under way", &child, { .phase = SUPERVISE_ENDING, .again = true, .deadline = MS(10010) }, EV(STOP), MS(20),
    SUPERVISE_ENDING, MS(10010), 0 },
{ "stop: ended", &child, { .phase = SUPERVISE_ENDING }, EV(EXIT), MS(60),
    SUPERVISE_DONE, { INT64_MAX }, 0 },
{ "stop while waiting: nothing to end", &child, { .phase = SUPERVISE_WAITING, .deadline = MS(50) }, EV(STOP), MS(10),
    SUPERVISE_DONE, { INT64_MAX }, 0 },
{ "stop in vain: killed", &child, { .phase = SUPERVISE_ENDING, .deadline = MS(10010) }, EV(TIMER), MS(10010),
    SUPERVISE_ENDING, { INT64_MAX }, SUPERVISE_KILL },
{ "done stays done", &child, { .phase = SUPERVISE_DONE, .deadline = { INT64_MAX } }, EV(RESTART), MS(10),
    SUPERVISE_DONE, { INT64_MAX }, 0 },
};
/* clang-format on */

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct supervise_outcome out = supervise_step(
		    rows[i].params, rows[i].before, rows[i].event, rows[i].now);

		if (out.next.phase != rows[i].phase || out.actions != rows[i].actions ||
		    out.next.deadline.us != rows[i].deadline.us)
			fail_msg("row \"%s\": %s, actions %u, deadline %lld", rows[i].what,
			    supervise_phase_str(out.next.phase), out.actions,
			    (long long)out.next.deadline.us);
	}
}

/* Every event in every phase: an answer that spawns only what has no process, signals only what
 * has. */
static void
total(void **unused)
{
	(void)unused;
	for (int phase = SUPERVISE_IDLE; phase <= SUPERVISE_DONE; phase++)
		for (int kind = SUPERVISE_EV_START; kind <= SUPERVISE_EV_RETRY; kind++) {
			struct supervise_state s = { .phase = (enum supervise_phase)phase };
			struct supervise_event ev = { .kind = (enum supervise_event_kind)kind };
			struct supervise_outcome out = supervise_step(
			    &child, s, ev, (mono_t){ 1000 });
			bool had = supervise_alive(&s) && kind != SUPERVISE_EV_EXIT;

			if ((out.actions & SUPERVISE_SPAWN) != 0)
				assert_false(had);
			if ((out.actions & ~(unsigned)SUPERVISE_SPAWN) != 0)
				assert_true(had);
			assert_int_equal(supervise_alive(&out.next),
			    had || (out.actions & SUPERVISE_SPAWN) != 0);
		}
}

/* vrrpd comes last and goes first; a crash loop below does not hold it up for ever. */
static void
order(void **unused)
{
	static const struct supervise_params params[] = {
		{ .name = "trivet-runner", .rank = 0 },
		{ .name = "checkd", .rank = 1 },
		{ .name = "proxyd", .rank = 1 },
		{ .name = "vrrpd", .rank = 2 },
	};
	struct supervise_state s[4] = { 0 };

	(void)unused;
	assert_true(supervise_may_start(params, s, 4, 0));
	assert_false(supervise_may_start(params, s, 4, 1));
	s[0].phase = SUPERVISE_READY;
	assert_true(supervise_may_start(params, s, 4, 1));
	assert_true(supervise_may_start(params, s, 4, 2));
	s[1].phase = SUPERVISE_READY;
	s[2].phase = SUPERVISE_STARTING;
	assert_false(supervise_may_start(params, s, 4, 3));
	s[2].phase = SUPERVISE_WAITING;
	s[2].crashes = 1;
	assert_false(supervise_may_start(params, s, 4, 3));
	s[2].crashes = 2;
	assert_true(supervise_may_start(params, s, 4, 3));
	s[2].phase = SUPERVISE_REFUSED;
	s[2].crashes = 0;
	assert_true(supervise_may_start(params, s, 4, 3));

	s[2].phase = SUPERVISE_READY;
	s[3].phase = SUPERVISE_ENDING;
	assert_true(supervise_may_stop(params, s, 4, 3));
	assert_false(supervise_may_stop(params, s, 4, 2));
	s[3].phase = SUPERVISE_DONE;
	assert_true(supervise_may_stop(params, s, 4, 2));
	assert_false(supervise_may_stop(params, s, 4, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(total),
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
