/* Active checks and passive health in one server: who speaks louder. */
#include "tests/unit/test.h"

#include "proxyd/pool.h"

#include <string.h>

#define S(x) ((mono_t){ (int64_t)(x)*USEC_PER_SEC })

enum act { NOTHING, GOOD, BAD, SILENT, FAIL, PROBED, PROBE_FAILED, CLIENT, LOST_NAME, FOUND_NAME };

static const struct {
	const char *what;
	struct pool_params params;
	enum act acts[6];
	enum pool_state state;
	enum pool_source source;
	const char *reason;
	bool probed; /* by proxyd itself */
} rows[] = {
	{ "a good word changes nothing", { .max_fails = 1 }, { GOOD }, POOL_UP, POOL_PASSIVE,
	    "no failures seen", false },
	{ "a bad one does, and nobody probes", { .max_fails = 1 }, { BAD }, POOL_DOWN, POOL_CHECKD,
	    "check: refused", false },
	{ "up again", { .max_fails = 1 }, { BAD, GOOD }, POOL_UP, POOL_CHECKD, "its check is good",
	    false },
	{ "a client's luck does not count", { .max_fails = 1 }, { BAD, CLIENT }, POOL_DOWN,
	    POOL_CHECKD, "check: refused", false },
	{ "clients' failures beside a good check", { .max_fails = 1 }, { GOOD, FAIL }, POOL_DOWN,
	    POOL_PASSIVE, "connect, 1 of 1 within 10s", true },
	{ "which a further good word does not undo", { .max_fails = 1 }, { GOOD, FAIL, GOOD },
	    POOL_DOWN, POOL_PASSIVE, "connect, 1 of 1 within 10s", true },
	{ "but a probe does", { .max_fails = 1 }, { GOOD, FAIL, PROBED }, POOL_UP, POOL_PASSIVE,
	    "a recovery probe connected", false },
	{ "a bad word above failures", { .max_fails = 1 }, { FAIL, BAD }, POOL_DOWN, POOL_CHECKD,
	    "check: refused", false },
	{ "whose probe says nothing then", { .max_fails = 1 }, { FAIL, BAD, PROBED }, POOL_DOWN,
	    POOL_CHECKD, "check: refused", false },
	{ "and a good one after it ends both", { .max_fails = 1 }, { FAIL, BAD, GOOD }, POOL_UP,
	    POOL_CHECKD, "its check is good", false },
	{ "silence leaves it to a probe", { .max_fails = 1 }, { BAD, SILENT }, POOL_DOWN,
	    POOL_PASSIVE, "its check says nothing any more", true },
	{ "which may bring it up", { .max_fails = 1 }, { BAD, SILENT, PROBED }, POOL_UP,
	    POOL_PASSIVE, "a recovery probe connected", false },
	{ "silence about a good one", { .max_fails = 1 }, { GOOD, SILENT }, POOL_UP, POOL_PASSIVE,
	    "no failures seen", false },
	{ "mandatory: down at first", { .max_fails = 1, .mandatory = true }, { NOTHING }, POOL_DOWN,
	    POOL_CHECKD, "not checked yet", false },
	{ "mandatory: also in silence", { .max_fails = 1, .mandatory = true }, { SILENT },
	    POOL_DOWN, POOL_CHECKD, "not checked yet", false },
	{ "mandatory: up by a good word", { .max_fails = 1, .mandatory = true }, { GOOD }, POOL_UP,
	    POOL_CHECKD, "its check is good", false },
	{ "marked down: nobody else speaks", { .max_fails = 1, .down = true }, { BAD, GOOD },
	    POOL_DOWN, POOL_ADMINISTRATOR, "marked down in the configuration", false },
	{ "without its address no word counts", { .max_fails = 1 }, { LOST_NAME, GOOD }, POOL_DOWN,
	    POOL_RESOLVER, "resolve: gone", false },
	{ "and the bad one waits", { .max_fails = 1 }, { LOST_NAME, BAD, FOUND_NAME }, POOL_DOWN,
	    POOL_CHECKD, "check: refused", false },
	{ "max_fails=0 does not silence checks", { .max_fails = 0 }, { FAIL, BAD }, POOL_DOWN,
	    POOL_CHECKD, "check: refused", false },
};

static void
perform(struct pool_server *s, enum act act, mono_t now)
{
	switch (act) {
	case NOTHING:
		return;
	case GOOD:
		pool_server_checked(s, NULL, now);
		return;
	case BAD:
		pool_server_checked(s, "check: refused", now);
		return;
	case SILENT:
		pool_server_unchecked(s, now);
		return;
	case FAIL:
		pool_server_failed(s, "connect", now);
		return;
	case PROBED:
	case PROBE_FAILED:
		pool_probe_begin(s);
		pool_probe_end(s, act == PROBED ? NULL : "refused", now);
		return;
	case CLIENT:
		pool_server_connected(s, now);
		return;
	case LOST_NAME:
	case FOUND_NAME:
		pool_server_resolved(s, act == FOUND_NAME ? NULL : "gone", now);
		return;
	}
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool_params params = rows[i].params;
		struct pool_server s;

		params.weight = 1;
		params.fail_timeout_us = 10 * USEC_PER_SEC;
		pool_server_init(&s, &params, true, S(1000));
		for (size_t k = 0; k < ARRAY_LEN(rows[i].acts); k++)
			perform(&s, rows[i].acts[k], S(1001 + (int64_t)k));
		if (s.state != rows[i].state || s.source != rows[i].source ||
		    strcmp(s.reason, rows[i].reason) != 0 ||
		    mono_is_never(s.probe_at) == rows[i].probed)
			fail_msg("%s: %s by %s (%s)", rows[i].what, pool_state_str(s.state),
			    pool_source_str(s.source), s.reason);
		pool_server_done(&s);
	}
}

/* What changed is told; what did not is not. */
static void
news(void **unused)
{
	const struct pool_params params = { .weight = 1, .max_fails = 1 };
	struct pool_server s;

	(void)unused;
	pool_server_init(&s, &params, true, S(1));
	assert_false(pool_server_checked(&s, NULL, S(2)));
	assert_true(pool_server_checked(&s, "refused", S(3)));
	assert_false(pool_server_checked(&s, "refused", S(4)));
	assert_true(pool_server_checked(&s, "timeout", S(5)));
	assert_int_equal(s.since.us, S(3).us);
	assert_true(pool_server_checked(&s, NULL, S(6)));
	assert_false(pool_server_checked(&s, NULL, S(7)));
	pool_server_done(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
