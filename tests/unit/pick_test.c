/*
 * pick_test.c - whose turn it is.
 */
#include "tests/unit/test.h"

#include "proxyd/pick.h"

#include <string.h>

#define N_MAX 4

struct row {
	const char *what;
	struct {
		unsigned weight;
		bool backup, down, failed;
		unsigned max_conns;
	} servers[N_MAX];
	bool keep_tried;    /* one session going on to the next server, not new sessions */
	const char *expect; /* 'a' the first server ...; '-' none */
};

static const struct row rows[] = {
	{ "equal weights take turns", { { .weight = 1 }, { .weight = 1 } }, false, "abababab" },
	{ "5 1 1 is smooth", { { .weight = 5 }, { .weight = 1 }, { .weight = 1 } }, false,
	    "aabacaaaabacaa" },
	{ "one down of three",
	    { { .weight = 1 }, { .weight = 1, .failed = true }, { .weight = 1 } }, false,
	    "acacac" },
	{ "marked down is never given", { { .weight = 9, .down = true }, { .weight = 1 } }, false,
	    "bbb" },
	{ "backup waits for the primaries", { { .weight = 1 }, { .weight = 9, .backup = true } },
	    false, "aaaa" },
	{ "backup when no primary is up",
	    { { .weight = 1, .failed = true }, { .weight = 1, .backup = true } }, false, "bbb" },
	{ "next server: primaries, then backups, then none",
	    { { .weight = 1 }, { .weight = 1, .backup = true }, { .weight = 1 } }, true, "acb-" },
	{ "all down", { { .weight = 1, .failed = true }, { .weight = 1, .failed = true } }, false,
	    "--" },
	{ "the lone server although down", { { .weight = 1, .failed = true } }, false, "aaa" },
	{ "the lone server is tried once by each", { { .weight = 1, .failed = true } }, true,
	    "a-" },
	{ "max_conns overflows to the other, then to nobody",
	    { { .weight = 9, .max_conns = 2 }, { .weight = 1, .max_conns = 1 } }, false, "aab--" },
};

static size_t
prepare(const struct row *r, struct pool_server *servers, struct pool_server **list)
{
	size_t n = 0;

	for (; n < N_MAX && r->servers[n].weight > 0; n++) {
		struct pool_params params = { .weight = r->servers[n].weight,
			.backup = r->servers[n].backup,
			.down = r->servers[n].down,
			.max_conns = r->servers[n].max_conns,
			.max_fails = 1,
			.fail_timeout_us = USEC_PER_SEC };

		pool_server_init(&servers[n], &params, true, (mono_t){ 0 });
		servers[n].slot = (uint8_t)(n * 70); /* every word of the set */
		if (r->servers[n].failed)
			pool_server_failed(&servers[n], "x", (mono_t){ 0 });
		list[n] = &servers[n];
	}
	return n;
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct pool_server servers[N_MAX], *list[N_MAX];
		struct pool pool = { .servers = list, .n = prepare(r, servers, list) };
		struct pick_tried tried = { 0 };
		const struct pick_ask ask = { .tried = &tried };
		char got[32] = "";

		for (size_t k = 0; k < strlen(r->expect); k++) {
			struct pool_server *s = pick_server(&pool, &ask);

			got[k] = s == NULL ? '-' : (char)('a' + (s - servers));
			if (s == NULL)
				continue;
			pool_session_begin(s);
			if (r->keep_tried)
				pick_tried_add(&tried, s);
		}
		if (strcmp(got, r->expect) != 0)
			fail_msg("\"%s\": %s, not %s", r->what, got, r->expect);
		for (size_t k = 0; k < pool.n; k++)
			pool_server_done(&servers[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
