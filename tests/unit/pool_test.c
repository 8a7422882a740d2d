/*
 * pool_test.c - health by a sliding window, and how a server comes back.
 */
#include "tests/unit/test.h"

#include "proxyd/pool.h"

#include <string.h>

#define S(n)	((mono_t){ (int64_t)((n)*1000000) })
#define REFUSED "connect: Connection refused"

/* One server's life as a list of rows: at a time something happens, then it is up or down. */
enum what { FAIL, CONNECTED, PROBE, PROBE_OK, PROBE_UNREFUSED, PROBE_FAIL, ASK };

struct row {
	double at;
	enum what what;
	enum pool_state state;
	double probe_at; /* 0: never */
};

struct life {
	const char *name;
	struct pool_params params;
	struct row rows[12];
	const char *reason; /* at the end */
};

#define PARAMS(fails, timeout)                                                                     \
	{                                                                                          \
		.weight = 1, .max_fails = fails, .fail_timeout_us = timeout * USEC_PER_SEC         \
	}

static const struct life lives[] = {
	{ "three within the window", PARAMS(3, 30),
	    { { 1, FAIL, POOL_UP, 0 }, { 2, FAIL, POOL_UP, 0 }, { 3, FAIL, POOL_DOWN, 33 } },
	    "connect: Connection refused, 3 of 3 within 30s" },
	{ "one in five seconds does not trip 3 in 8 s", PARAMS(3, 8),
	    { { 1, FAIL, POOL_UP, 0 }, { 6, FAIL, POOL_UP, 0 }, { 11, FAIL, POOL_UP, 0 },
		{ 16, FAIL, POOL_UP, 0 }, { 21, FAIL, POOL_UP, 0 } },
	    "no failures seen" },
	{ "the window slides: 2 old and 1 new are not 3", PARAMS(3, 10),
	    { { 1, FAIL, POOL_UP, 0 }, { 2, FAIL, POOL_UP, 0 }, { 11.5, FAIL, POOL_UP, 0 },
		{ 11.6, FAIL, POOL_DOWN, 21.6 } },
	    "connect: Connection refused, 3 of 3 within 10s" },
	{ "success between failures forgives nothing", PARAMS(2, 10),
	    { { 1, FAIL, POOL_UP, 0 }, { 2, CONNECTED, POOL_UP, 0 }, { 3, FAIL, POOL_DOWN, 13 } },
	    "connect: Connection refused, 2 of 2 within 10s" },
	{ "max_fails 0 counts nothing", PARAMS(0, 10),
	    { { 1, FAIL, POOL_UP, 0 }, { 1, FAIL, POOL_UP, 0 }, { 1, FAIL, POOL_UP, 0 } },
	    "no failures seen" },
	{ "probe brings it back, with a clean window", PARAMS(2, 10),
	    { { 1, FAIL, POOL_UP, 0 }, { 1, FAIL, POOL_DOWN, 11 }, { 11, PROBE, POOL_DOWN, 0 },
		{ 11.1, PROBE_OK, POOL_UP, 0 }, { 12, FAIL, POOL_UP, 0 } },
	    "a recovery probe connected" },
	{ "nobody refuses the datagram of a probe", PARAMS(1, 10),
	    { { 1, FAIL, POOL_DOWN, 11 }, { 11, PROBE, POOL_DOWN, 0 },
		{ 12, PROBE_UNREFUSED, POOL_UP, 0 } },
	    "a recovery probe was not refused" },
	{ "a failed probe waits another fail_timeout", PARAMS(1, 10),
	    { { 1, FAIL, POOL_DOWN, 11 }, { 11, PROBE, POOL_DOWN, 0 },
		{ 12, PROBE_FAIL, POOL_DOWN, 22 } },
	    "probe: connect: Connection refused" },
	{ "late failures of a down server change nothing", PARAMS(1, 10),
	    { { 1, FAIL, POOL_DOWN, 11 }, { 5, FAIL, POOL_DOWN, 11 }, { 9, ASK, POOL_DOWN, 11 } },
	    "connect: Connection refused, 1 of 1 within 10s" },
	{ "a client's connect (lone server) brings it up", PARAMS(1, 10),
	    { { 1, FAIL, POOL_DOWN, 11 }, { 5, CONNECTED, POOL_UP, 0 } },
	    "a client's connect succeeded" },
};

static void
happen(struct pool_server *s, const struct row *r)
{
	switch (r->what) {
	case FAIL:
		pool_server_failed(s, REFUSED, S(r->at));
		break;
	case CONNECTED:
		pool_server_connected(s, S(r->at));
		break;
	case PROBE:
		pool_probe_begin(s);
		break;
	case PROBE_OK:
		pool_probe_end(s, NULL, S(r->at));
		break;
	case PROBE_UNREFUSED:
		pool_probe_unrefused(s, S(r->at));
		break;
	case PROBE_FAIL:
		pool_probe_end(s, REFUSED, S(r->at));
		break;
	case ASK:
		break;
	}
}

static void
every_life(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		const struct life *l = &lives[i];
		struct pool_server s;

		pool_server_init(&s, &l->params, true, S(0));
		for (size_t k = 0; k < ARRAY_LEN(l->rows) && l->rows[k].at > 0; k++) {
			const struct row *r = &l->rows[k];
			mono_t probe = r->probe_at > 0 ? S(r->probe_at) : MONO_NEVER;

			happen(&s, r);
			if (s.state != r->state || s.probe_at.us != probe.us)
				fail_msg("\"%s\", row %zu: %s, probe at %lld", l->name, k,
				    pool_state_str(s.state), (long long)s.probe_at.us);
		}
		if (strcmp(s.reason, l->reason) != 0)
			fail_msg("\"%s\": reason \"%s\"", l->name, s.reason);
		pool_server_done(&s);
	}
}

static void
the_lone_server_is_never_withheld(void **unused)
{
	struct pool_params params = PARAMS(1, 10), marked = params;
	struct pool_server a, b;
	struct pool_server *both[] = { &a, &b };
	struct pool pool = { .servers = both, .n = 2 };

	(void)unused;
	marked.down = true;
	pool_server_init(&a, &params, true, S(0));
	pool_server_init(&b, &marked, true, S(0));
	assert_ptr_equal(pool_lone(&pool), &a);
	assert_true(pool_server_failed(&a, REFUSED, S(1)));
	assert_int_equal(a.state, POOL_DOWN);
	assert_true(pool_usable(&pool, &a)); /* said to be down, still given out */
	assert_false(pool_usable(&pool, &b));
	assert_int_equal(pool_available(&pool), 0);
	assert_int_equal(pool_total(&pool), 1);

	pool_server_update(&b, &params, S(2)); /* no longer marked down: not alone */
	assert_null(pool_lone(&pool));
	assert_false(pool_usable(&pool, &a));
	assert_true(pool_usable(&pool, &b));
	pool_server_done(&a);
	pool_server_done(&b);
}

static void
names_that_do_not_resolve(void **unused)
{
	struct pool_params params = PARAMS(1, 10);
	struct pool_server s;
	struct pool_server *one[] = { &s };
	struct pool pool = { .servers = one, .n = 1 };

	(void)unused;
	pool_server_init(&s, &params, false, S(0));
	assert_int_equal(s.source, POOL_RESOLVER);
	assert_false(pool_usable(&pool, &s)); /* alone, but there is nothing to connect to */
	assert_true(pool_server_resolved(&s, "no such name", S(1)));
	assert_false(pool_server_resolved(&s, "no such name", S(2))); /* no news */
	assert_string_equal(s.reason, "resolve: no such name");
	assert_true(pool_server_resolved(&s, NULL, S(3)));
	assert_true(pool_usable(&pool, &s));
	assert_int_equal(s.state, POOL_UP);

	pool_server_failed(&s, REFUSED, S(4));
	assert_false(pool_server_resolved(&s, NULL, S(5))); /* resolving again heals nothing */
	assert_int_equal(s.state, POOL_DOWN);
	pool_server_done(&s);
}

static void
reload_keeps_health(void **unused)
{
	struct pool_params params = PARAMS(1, 100), next = PARAMS(1, 10);
	struct pool_server s;

	(void)unused;
	pool_server_init(&s, &params, true, S(0));
	pool_server_failed(&s, REFUSED, S(1));
	assert_false(pool_server_update(&s, &next, S(2)));
	assert_int_equal(s.state, POOL_DOWN);
	assert_int_equal(s.probe_at.us, S(12).us); /* the new fail_timeout, from now */
	assert_string_equal(s.reason, REFUSED ", 1 of 1 within 100s");

	next.max_fails = 0; /* nothing may keep it down now */
	assert_true(pool_server_update(&s, &next, S(3)));
	assert_int_equal(s.state, POOL_UP);
	pool_server_done(&s);
}

static void
a_dead_pool_is_probed_soon(void **unused)
{
	struct pool_params params = PARAMS(1, 30);
	struct pool_server a, b;
	struct pool_server *both[] = { &a, &b };
	struct pool pool = { .servers = both, .n = 2 };

	(void)unused;
	pool_server_init(&a, &params, true, S(0));
	pool_server_init(&b, &params, true, S(0));
	pool_server_failed(&a, REFUSED, S(1));
	pool_hurry(&pool, S(1));
	assert_int_equal(pool_next_due(&pool).us, S(31).us); /* b serves: no hurry */
	pool_server_failed(&b, REFUSED, S(2));
	pool_hurry(&pool, S(2));
	assert_int_equal(a.probe_at.us, S(3).us);
	assert_int_equal(b.probe_at.us, S(3).us);
	pool_probe_begin(&a);
	pool_hurry(&pool, S(3)); /* under way: not begun twice */
	assert_true(mono_is_never(a.probe_at));
	pool_probe_end(&a, REFUSED, S(3.5));
	pool_hurry(&pool, S(3.5));
	assert_int_equal(a.probe_at.us, S(4.5).us);
	pool_server_done(&a);
	pool_server_done(&b);
}

/* From one process to the next: the window and the deadline go on. */
static void
a_restart_keeps_health(void **unused)
{
	const struct pool_params params = PARAMS(3, 10);
	const struct pool_params marked = { .weight = 1, .max_fails = 3, .down = true };
	struct pool_server old, new;
	struct pool_left left = { .reason = "no failures seen", .since = S(1), .current = -7 };
	int64_t fails[4];

	(void)unused;
	pool_server_init(&old, &params, true, S(0));
	for (int i = 1; i <= 5; i++) /* the ring of three has gone around */
		pool_server_failed(&old, REFUSED, S(i * 6));
	assert_int_equal(pool_server_fails(&old, fails, 2), 2);
	assert_int_equal(fails[0], S(24).us);
	assert_int_equal(fails[1], S(30).us);
	left.n_fails = pool_server_fails(&old, fails, ARRAY_LEN(fails));
	assert_int_equal(left.n_fails, 3);
	left.fails_us = fails;
	pool_server_init(&new, &params, true, S(31));
	pool_server_restore(&new, &left, S(31));
	assert_int_equal(new.state, POOL_UP);
	assert_int_equal(new.current, -7);
	assert_int_equal(new.since.us, S(1).us);
	assert_true(pool_server_failed(&new, REFUSED, S(32))); /* 24, 30, 32 */
	pool_server_done(&new);

	left.state = POOL_DOWN;
	left.reason = "connect: Connection refused, 3 of 3 within 10s";
	left.probe_at = S(35);
	pool_server_init(&new, &params, true, S(31));
	pool_server_restore(&new, &left, S(31));
	assert_int_equal(new.state, POOL_DOWN);
	assert_string_equal(new.reason, left.reason);
	assert_int_equal(new.probe_at.us, S(35).us);
	left.probe_at = MONO_NEVER; /* was under way: nobody will hear of it */
	pool_server_restore(&new, &left, S(31));
	assert_int_equal(new.probe_at.us, S(31).us);
	left.probe_at = S(2000); /* the file's fail_timeout is another now */
	pool_server_restore(&new, &left, S(31));
	assert_int_equal(new.probe_at.us, S(41).us);
	pool_server_done(&new);

	pool_server_init(&new, &marked, true, S(31));
	pool_server_restore(&new, &left, S(31));
	assert_int_equal(new.source, POOL_ADMINISTRATOR);
	pool_server_done(&new);
	pool_server_done(&old);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_life),
		cmocka_unit_test(the_lone_server_is_never_withheld),
		cmocka_unit_test(names_that_do_not_resolve),
		cmocka_unit_test(reload_keeps_health),
		cmocka_unit_test(a_dead_pool_is_probed_soon),
		cmocka_unit_test(a_restart_keeps_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
