/*
 * answer_test.c - what two families, several servers of a service, and lost
 * questions come to together.
 */
#include "tests/unit/test.h"

#include "common/mono.h"
#include "proxyd/answer.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#define NONE_SUCH "no such name"
#define NO_TYPE	  "no record of that type"
#define SILENCE	  "no name server answers"

/* One question: n addresses of its family, numbered from 'first'. */
struct question {
	enum answer_outcome outcome;
	const char *why;
	unsigned ttl_s, cname_ttl_s; /* 0: no such record */
	uint8_t first;
	size_t n;
};

static struct answer_part
part_of(const struct question *q, uint8_t family)
{
	struct answer_part part = { .outcome = q->outcome, .why = q->why, .ttl_s = UINT_MAX };

	if (q->cname_ttl_s > 0)
		answer_part_holds(&part, q->cname_ttl_s);
	for (size_t i = 0; i < q->n; i++) {
		struct addr addr = { .family = family, .bytes = { 10, 0, 0, q->first } };

		addr.bytes[3] = (uint8_t)(q->first + i);
		answer_part_add(&part, &addr, q->ttl_s);
	}
	return part;
}

#define FOUND(ttl, n)                                                                              \
	{                                                                                          \
		ANSWER_FOUND, NULL, ttl, 0, 1, n                                                   \
	}
#define NO(why)                                                                                    \
	{                                                                                          \
		ANSWER_NONE, why, 0, 0, 0, 0                                                       \
	}
#define LOST(why)                                                                                  \
	{                                                                                          \
		ANSWER_LOST, why, 0, 0, 0, 0                                                       \
	}

static const struct {
	const char *what;
	struct question four, six;
	bool told;
	int64_t valid_us;
	enum answer_outcome outcome;
	size_t n;
	const char *why; /* where n is 0 */
	unsigned ttl_s;
} rows[] = {
	{ "both families", FOUND(60, 2), FOUND(30, 1), true, 0, ANSWER_FOUND, 3, NULL, 30 },
	{ "the other way round", FOUND(30, 2), FOUND(60, 1), true, 0, ANSWER_FOUND, 3, NULL, 30 },
	{ "only IPv4", FOUND(60, 2), NO(NO_TYPE), true, 0, ANSWER_FOUND, 2, NULL, 60 },
	{ "only IPv6", NO(NO_TYPE), FOUND(60, 2), true, 0, ANSWER_FOUND, 2, NULL, 60 },
	{ "neither", NO(NO_TYPE), NO(NONE_SUCH), true, 0, ANSWER_NONE, 0, NONE_SUCH, 300 },
	{ "IPv6 is lost: IPv4 alone is half an answer", FOUND(60, 2), LOST(SILENCE), true, 0,
	    ANSWER_LOST, 0, SILENCE, 0 },
	{ "IPv4 is lost", LOST(SILENCE), FOUND(60, 2), true, 0, ANSWER_LOST, 0, SILENCE, 0 },
	{ "one is lost, one is not there", NO(NONE_SUCH), LOST(SILENCE), true, 0, ANSWER_LOST, 0,
	    SILENCE, 0 },
	{ "records, but no address", FOUND(60, 0), NO(NO_TYPE), true, 0, ANSWER_FOUND, 0, NO_TYPE,
	    300 },
	{ "records of other types only", FOUND(60, 0), FOUND(60, 0), true, 0, ANSWER_FOUND, 0,
	    "no address", 300 },
	{ "as long as the shortest on the way", { ANSWER_FOUND, NULL, 60, 5, 1, 1 }, NO(NO_TYPE),
	    true, 0, ANSWER_FOUND, 1, NULL, 5 },
	{ "good for no time at all", FOUND(0, 1), FOUND(60, 1), true, 0, ANSWER_FOUND, 2, NULL, 1 },
	{ "not for a day", FOUND(86400, 1), NO(NO_TYPE), true, 0, ANSWER_FOUND, 1, NULL, 300 },
	{ "the file says how long", FOUND(60, 1), NO(NO_TYPE), true, 10 * USEC_PER_SEC,
	    ANSWER_FOUND, 1, NULL, 10 },
	{ "the file may not say a day either", FOUND(60, 1), NO(NO_TYPE), true,
	    86400 * USEC_PER_SEC, ANSWER_FOUND, 1, NULL, 300 },
	{ "the system does not say how long", FOUND(UINT_MAX, 2), NO(NULL), false, 0, ANSWER_FOUND,
	    2, NULL, 0 },
	{ "no more than so many", FOUND(60, ANSWER_MAX), FOUND(60, 9), true, 0, ANSWER_FOUND,
	    ANSWER_MAX, NULL, 60 },
};

static void
two_families(void **unused)
{
	static const struct target plain;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct answer_part parts[] = { part_of(&rows[i].four, AF_INET),
			part_of(&rows[i].six, AF_INET6) };
		struct answer a;
		enum answer_outcome outcome;

		answer_begin(&a);
		outcome = answer_add(&a, &plain, parts, 2);
		answer_settle(&a, rows[i].told, rows[i].valid_us);
		if (outcome != rows[i].outcome || a.n != rows[i].n ||
		    (a.n > 0 && a.ttl_s != rows[i].ttl_s) ||
		    (a.n == 0 && strcmp(a.why, rows[i].why) != 0))
			fail_msg("row \"%s\": outcome %d, %zu addresses, %u s, %s", rows[i].what,
			    outcome, a.n, a.ttl_s, a.why != NULL ? a.why : "no reason");
	}
}

/* Two servers of the best priority, one beside, one that is not there by decision. */
static const struct answer_service services[] = {
	{ 10, 5, 8081, 120, "a.example." },
	{ 10, 0, 8082, 90, "b.example." },
	{ 20, 7, 8083, 240, "c.example." },
	{ 10, 1, 8084, 1, "" },
};

/* What each name comes to; the second and third name one address on the same port. */
static enum answer_outcome
add_service(struct answer *a, size_t i, const struct question *q)
{
	struct answer_part part = part_of(q, AF_INET);
	unsigned best = answer_best(services, ARRAY_LEN(services));
	struct target like;

	if (!answer_like(a, &services[i], best, &like))
		return ANSWER_NONE;
	return answer_add(a, &like, &part, 1);
}

static void
a_service(void **unused)
{
	static const struct question one = { ANSWER_FOUND, NULL, 100, 0, 1, 1 },
				     two = { ANSWER_FOUND, NULL, 100, 0, 2, 2 },
				     gone = NO(NONE_SUCH), lost = LOST(SILENCE);
	struct answer a;

	(void)unused;
	answer_begin(&a);
	assert_int_equal(add_service(&a, 0, &one), ANSWER_FOUND);
	assert_int_equal(add_service(&a, 1, &gone), ANSWER_NONE);
	assert_int_equal(add_service(&a, 2, &two), ANSWER_FOUND);
	assert_int_equal(add_service(&a, 3, &one), ANSWER_NONE);
	answer_settle(&a, true, 0);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.ttl_s, 90); /* the record of one that is not there counts as well */
	assert_int_equal(a.targets[0].weight, 5);
	assert_int_equal(a.targets[0].at.port, 8081);
	assert_false(a.targets[0].backup);
	assert_true(a.targets[1].backup && a.targets[2].backup);
	assert_int_equal(a.targets[2].weight, 7);
	answer_begin(&a);
	add_service(&a, 0, &one);
	assert_int_equal(add_service(&a, 1, &lost), ANSWER_LOST);
	answer_settle(&a, true, 0);
	assert_int_equal(a.n, 0);
	assert_string_equal(a.why, SILENCE);
	answer_begin(&a);
	add_service(&a, 1, &one);
	assert_int_equal(a.targets[0].weight, 1); /* 0 is the least chance, not none */
}

/* Sorted, each once, the better one of two kept. */
static void
settled(void **unused)
{
	struct answer_part part = { .outcome = ANSWER_FOUND, .ttl_s = 60 };
	const struct target better = { .at.port = 80, .weight = 1 },
			    worse = { .at.port = 80, .weight = 1, .backup = true };
	struct answer a, b;

	(void)unused;
	for (uint8_t i = 3; i > 0; i--)
		answer_part_add(&part, &(struct addr){ AF_INET, { 10, 0, 0, i } }, 60);
	answer_begin(&a);
	answer_begin(&b);
	answer_add(&a, &worse, &part, 1);
	answer_add(&a, &better, &part, 1);
	answer_add(&b, &better, &part, 1);
	answer_settle(&a, true, 0);
	answer_settle(&b, true, 0);
	assert_int_equal(a.n, 3);
	for (size_t i = 0; i < a.n; i++) {
		assert_int_equal(a.targets[i].at.addr.bytes[3], i + 1);
		assert_false(a.targets[i].backup);
	}
	assert_true(answer_equal(&a, &b));
	b.targets[2].weight = 2;
	assert_false(answer_equal(&a, &b));
	b.n = 2;
	assert_false(answer_equal(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_families),
		cmocka_unit_test(a_service),
		cmocka_unit_test(settled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
