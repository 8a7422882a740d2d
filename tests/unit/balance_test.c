/*
 * balance_test.c - the algorithms that choose a server.  What the hashes answer
 * was computed from nginx's definitions by another program (zlib's CRC); that
 * nginx itself agrees is tested in tests/net/test_proxyd_rules.py.
 */
#include "tests/unit/test.h"

#include "proxyd/balance.h"
#include "proxyd/crc32.h"

#include <stdio.h>
#include <string.h>

#define N_MAX 4
#define T0    ((mono_t){ USEC_PER_SEC })

struct bench {
	struct pool_server servers[N_MAX], *list[N_MAX];
	struct pool pool;
	struct pick_tried tried;
	struct pick_ask ask;
};

struct spec {
	const char *line;
	unsigned weight, sessions, max_conns;
	bool failed, drained, backup;
	int64_t slow_start_us;
};

static void
set_up(struct bench *b, const struct balancer *balance, const struct spec *specs)
{
	*b = (struct bench){ .ask.now = T0 };
	b->ask.tried = &b->tried;
	for (size_t i = 0; i < N_MAX && specs[i].line != NULL; i++) {
		struct pool_params params = { .weight = specs[i].weight,
			.max_conns = specs[i].max_conns,
			.backup = specs[i].backup,
			.max_fails = 1,
			.slow_start_us = specs[i].slow_start_us,
			.fail_timeout_us = USEC_PER_SEC };

		pool_server_init(&b->servers[i], &params, true, T0);
		pool_server_set_line(&b->servers[i], specs[i].line);
		b->servers[i].slot = (uint8_t)i;
		b->servers[i].sessions = specs[i].sessions;
		if (specs[i].failed)
			pool_server_failed(&b->servers[i], "x", T0);
		if (specs[i].drained)
			pool_server_administer(&b->servers[i], POOL_DRAIN, 0, "", T0);
		b->list[i] = &b->servers[i];
		b->pool.n++;
	}
	b->pool.servers = b->list;
	b->pool.balance = balance;
	rng_seed(&b->pool.rng, 1);
	pool_prepare(&b->pool);
}

static void
tear_down(struct bench *b)
{
	for (size_t i = 0; i < b->pool.n; i++)
		pool_server_done(&b->servers[i]);
	pool_done(&b->pool);
}

/* 'a' the first server ...; '-' none. */
static char
pick(struct bench *b)
{
	struct pool_server *s = pick_server(&b->pool, &b->ask);

	return s == NULL ? '-' : (char)('a' + (s - b->servers));
}

/* clang-format off */
#define S(l, w, ...) { .line = (l), .weight = (w), ##__VA_ARGS__ }
#define THREE(...) { S("10.0.0.1:80", 1), S("10.0.0.2:80", 2, __VA_ARGS__), S("db.example:5432", 1) }
/* clang-format on */

/* clang-format off */
static const struct {
	const char *what;
	const struct balancer *balance;
	struct spec servers[N_MAX];
	const char *expect; /* for clients 10.4.7.1, 10.4.7.2 ... */
} hashes[] = {
{ "consistent: the points of nginx", &balance_ketama, THREE(.sessions = 0),
    "cbbbbcbbabaaabaabbbbbbbc" },
{ "consistent: only the keys of the dead one move", &balance_ketama, THREE(.failed = true),
    "caaaacacacaaaaaaaccccaac" },
{ "consistent: the operator's word is like death", &balance_ketama, THREE(.drained = true),
    "caaaacacacaaaaaaaccccaac" },
{ "plain hash", &balance_hash, THREE(.sessions = 0),
    "baccabbbbbbcaacbbbbacbbb" },
{ "plain hash, one dead", &balance_hash, THREE(.failed = true),
    "aaccaacacaccaaccacaaccaa" },
{ "consistent: backups are not on the ring", &balance_ketama,
    { S("10.0.0.1:80", 1), S("10.0.0.2:80", 9, .backup = true) }, "aaaa" },
{ "consistent: the backup when nothing else is up", &balance_ketama,
    { S("10.0.0.1:80", 1, .failed = true), S("10.0.0.2:80", 9, .backup = true) }, "bbbb" },
{ "consistent: two addresses of one name take turns", &balance_ketama,
    { S("a.example:80", 1), S("a.example:80", 1) }, "abab" },
{ "consistent: nobody", &balance_ketama,
    { S("10.0.0.1:80", 1, .failed = true), S("10.0.0.2:80", 1, .failed = true) }, "--" },
{ "consistent: full is passed over", &balance_ketama, THREE(.sessions = 3, .max_conns = 3),
    "caaaacacacaaaaaaaccccaac" },
};
/* clang-format on */

static void
hashes_agree(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
		char got[32] = "";
		struct bench b;

		set_up(&b, hashes[i].balance, hashes[i].servers);
		for (size_t k = 0; k < strlen(hashes[i].expect); k++) {
			char key[32];

			snprintf(key, sizeof(key), "10.4.7.%zu", k + 1);
			b.ask.key = key;
			b.ask.key_size = strlen(key);
			got[k] = pick(&b);
		}
		if (strcmp(got, hashes[i].expect) != 0)
			fail_msg("\"%s\": %s, not %s", hashes[i].what, got, hashes[i].expect);
		tear_down(&b);
	}
}

/* clang-format off */
static const struct {
	const char *what;
	struct spec servers[N_MAX];
	const char *expect; /* sessions that stay */
} least[] = {
{ "equal ones take turns", { S("a", 1), S("b", 1), S("c", 1) }, "abccba" },
{ "the emptier one", { S("a", 1, .sessions = 3), S("b", 1, .sessions = 1) }, "bbab" },
{ "sessions count against the weight", { S("a", 3, .sessions = 3), S("b", 1, .sessions = 2) }, "aaaa" },
{ "max_conns", { S("a", 1, .max_conns = 1), S("b", 1, .sessions = 5) }, "abbb" },
{ "a drained one gets nobody", { S("a", 1, .drained = true), S("b", 1, .sessions = 9) }, "bb" },
{ "backups last", { S("a", 1, .max_conns = 2), S("b", 1, .backup = true) }, "aabb" },
};
/* clang-format on */

static void
fewest_sessions(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(least); i++) {
		char got[32] = "";
		struct bench b;

		set_up(&b, &balance_least_conn, least[i].servers);
		for (size_t k = 0; k < strlen(least[i].expect); k++) {
			got[k] = pick(&b);
			if (got[k] != '-')
				pool_session_begin(&b.servers[got[k] - 'a']);
		}
		if (strcmp(got, least[i].expect) != 0)
			fail_msg("\"%s\": %s, not %s", least[i].what, got, least[i].expect);
		tear_down(&b);
	}
}

static void
lots_follow_the_weights(void **unused)
{
	static const struct spec servers[N_MAX] = { S("a", 1), S("b", 3),
		S("c", 9, .failed = true) };
	unsigned n[3] = { 0 };
	struct bench b;

	(void)unused;
	set_up(&b, &balance_random, servers);
	for (int i = 0; i < 4000; i++)
		n[pick(&b) - 'a']++;
	assert_in_range(n[0], 900, 1100);
	assert_int_equal(n[0] + n[1], 4000);
	tear_down(&b);
}

static void
of_two_the_emptier(void **unused)
{
	static const struct spec servers[N_MAX] = { S("a", 1, .sessions = 9), S("b", 1),
		S("c", 1, .sessions = 9) };
	unsigned n[3] = { 0 };
	struct bench b;

	(void)unused;
	set_up(&b, &balance_random_two, servers);
	for (int i = 0; i < 3000; i++)
		n[pick(&b) - 'a']++;
	/* b unless the two drawn are a and c: in two of three. */
	assert_in_range(n[1], 1850, 2150);
	tear_down(&b);
	set_up(&b, &balance_random_two, (const struct spec[N_MAX]){ S("a", 1) });
	assert_int_equal(pick(&b), 'a');
	tear_down(&b);
}

/* A server that came back gets its share little by little. */
static void
slow_start(void **unused)
{
	static const struct spec servers[N_MAX] = {
		S("a", 1, .slow_start_us = 10 * USEC_PER_SEC, .failed = true), S("b", 1)
	};
	static const struct {
		int64_t after;
		unsigned low, high;
	} rows[] = { { 0, 1, 3 }, { 1, 8, 10 }, { 5, 32, 35 }, { 10, 50, 50 }, { 99, 50, 50 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned n = 0;
		struct bench b;

		set_up(&b, NULL, servers);
		pool_probe_end(&b.servers[0], NULL, T0);
		b.ask.now = mono_add(T0, rows[i].after * USEC_PER_SEC);
		for (int k = 0; k < 100; k++)
			n += pick(&b) == 'a';
		if (n < rows[i].low || n > rows[i].high)
			fail_msg("after %d s: %u of 100", (int)rows[i].after, n);
		tear_down(&b);
	}
}

static void
the_operator_decides(void **unused)
{
	static const struct spec servers[N_MAX] = { S("a", 1), S("b", 1) };
	struct pool_server *a;
	struct bench b;

	(void)unused;
	set_up(&b, NULL, servers);
	a = &b.servers[0];
	assert_true(pool_server_administer(a, POOL_DRAIN, 5 * USEC_PER_SEC, "new disks", T0));
	assert_false(pool_server_administer(a, POOL_DRAIN, 5 * USEC_PER_SEC, "new disks", T0));
	assert_int_equal(pool_said(a).state, POOL_DRAINING);
	assert_string_equal(pool_said(a).reason, "new disks");
	assert_int_equal(pool_said(a).source, POOL_ADMINISTRATOR);
	assert_int_equal(pool_available(&b.pool), 1);
	assert_int_equal(pool_next_due(&b.pool).us, mono_add(T0, 5 * USEC_PER_SEC).us);
	assert_false(pool_server_expire(a, mono_add(T0, 4 * USEC_PER_SEC)));
	/* Health goes on beneath it, and a reload leaves it alone. */
	assert_true(pool_server_failed(a, "x", T0));
	pool_server_update(a, &a->params, T0);
	assert_int_equal(pool_said(a).state, POOL_DRAINING);
	assert_true(pool_server_expire(a, mono_add(T0, 5 * USEC_PER_SEC)));
	assert_int_equal(pool_said(a).state, POOL_DOWN);
	pool_server_administer(a, POOL_MAINTAIN, 0, "", T0);
	assert_int_equal(pool_said(a).state, POOL_MAINTENANCE);
	/* The last server is withheld, too: a lone server is one that nobody withheld. */
	pool_server_administer(&b.servers[1], POOL_DRAIN, 0, "", T0);
	assert_int_equal(pick(&b), '-');
	pool_server_administer(&b.servers[1], POOL_READY, 0, "", T0);
	pool_server_set_weight(&b.servers[1], 7);
	assert_int_equal(pool_weight(&b.servers[1]), 7);
	pool_server_set_weight(&b.servers[1], 0);
	assert_int_equal(pool_weight(&b.servers[1]), 1);
	tear_down(&b);
}

static void
crc(void **unused)
{
	(void)unused;
	assert_int_equal(~crc32_update(CRC32_INIT, "123456789", 9), 0xcbf43926);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_agree),
		cmocka_unit_test(fewest_sessions),
		cmocka_unit_test(lots_follow_the_weights),
		cmocka_unit_test(of_two_the_emptier),
		cmocka_unit_test(slow_start),
		cmocka_unit_test(the_operator_decides),
		cmocka_unit_test(crc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
