/*
 * priority_test.c - the sum, with keepalived's arithmetic and without its holes.
 */
#include "tests/unit/test.h"
#include "vrrpd/priority.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define AT(s)  ((mono_t){ (int64_t)((s)*1000000.0) })
#define NEVER  MONO_NEVER

static const mono_t now = { 100 * SECOND };

/* clang-format off */

#define SCRIPT(w, v, ...) { .kind = PRIO_SCRIPT, .name = "chk", .weight = (w), .verdict = PRIO_##v, \
	.asked_at = AT(99), __VA_ARGS__ }

#define NUMBER(w, n, ...) { .kind = PRIO_FILE, .name = "f", .weight = (w), .value = (n), \
	.verdict = PRIO_UP, .asked_at = AT(99), __VA_ARGS__ }

/* In a term written here, hold_us 0 means 10 s and valid_until 0 means 103 s. */
static const struct {
	const char *what;
	uint8_t base;
	struct prio_term terms[3];
	size_t n;
	int total;
	uint8_t effective;
	bool fault, pending, degraded;
	mono_t again_at;
} rows[] = {
{ "nothing tracked", 100, { { 0 } }, 0, 100, 100, false, false, false, NEVER },
{ "w > 0: added while up", 90, { SCRIPT(20, UP) }, 1, 110, 110, false, false, false, NEVER },
{ "w > 0: not while down", 90, { SCRIPT(20, DOWN) }, 1, 90, 90, false, false, false, NEVER },
{ "w < 0: nothing while up", 100, { SCRIPT(-20, UP) }, 1, 100, 100, false, false, false, NEVER },
{ "w < 0: taken while down", 100, { SCRIPT(-20, DOWN) }, 1, 80, 80, false, false, false, NEVER },
{ "w = 0: down is fault", 100, { SCRIPT(0, DOWN) }, 1, 100, 100, true, false, false, NEVER },
{ "w = 0: up is not", 100, { SCRIPT(0, UP) }, 1, 100, 100, false, false, false, NEVER },
{ "reverse, w > 0: taken while up", 100, { SCRIPT(20, UP, .reverse = true) }, 1,
	80, 80, false, false, false, NEVER },
{ "reverse, w < 0: added while down", 100, { SCRIPT(-20, DOWN, .reverse = true) }, 1,
	120, 120, false, false, false, NEVER },
{ "reverse, w = 0: up is fault", 100, { SCRIPT(0, UP, .reverse = true) }, 1,
	100, 100, true, false, false, NEVER },
{ "reverse, w = 0: down is not", 100, { SCRIPT(0, DOWN, .reverse = true) }, 1,
	100, 100, false, false, false, NEVER },
{ "several add up", 100, { SCRIPT(-20, DOWN), SCRIPT(15, UP), SCRIPT(-5, UP) }, 3,
	95, 95, false, false, false, NEVER },
{ "clamped below at 1", 100, { SCRIPT(-253, DOWN) }, 1, -153, 1, false, false, false, NEVER },
{ "clamped above at 254", 200, { SCRIPT(100, UP) }, 1, 300, 254, false, false, false, NEVER },
{ "the sum itself is not clamped", 200, { SCRIPT(100, UP), SCRIPT(-60, DOWN) }, 2,
	240, 240, false, false, false, NEVER },
{ "an owner does not move", 255, { SCRIPT(-200, DOWN) }, 1, 255, 255, false, false, false, NEVER },
{ "an owner faults", 255, { SCRIPT(0, DOWN) }, 1, 255, 255, true, false, false, NEVER },
{ "operator", 100, { { .kind = PRIO_OPERATOR, .value = -30, .valid_until = NEVER } }, 1,
	70, 70, false, false, false, NEVER },
{ "operator, for a time", 100, { { .kind = PRIO_OPERATOR, .value = -30, .valid_until = AT(150) } },
	1, 70, 70, false, false, false, AT(150) },
{ "operator, its time is over", 100,
	{ { .kind = PRIO_OPERATOR, .value = -30, .valid_until = AT(50) } }, 1,
	100, 100, false, false, false, NEVER },
{ "operator beside a check", 100, { SCRIPT(-20, DOWN),
	{ .kind = PRIO_OPERATOR, .value = 25, .valid_until = NEVER } }, 2,
	105, 105, false, false, false, NEVER },
{ "interface: our own observation, for ever", 100,
	{ { .kind = PRIO_INTERFACE, .name = "eth1", .verdict = PRIO_DOWN, .away = true,
	    .valid_until = NEVER } }, 1, 100, 100, true, false, false, NEVER },

{ "file: number times weight", 100, { NUMBER(2, 7) }, 1, 114, 114, false, false, false, NEVER },
{ "file: a negative one", 100, { NUMBER(2, -7) }, 1, 86, 86, false, false, false, NEVER },
{ "file: a negative weight", 100, { NUMBER(-1, 7) }, 1, 93, 93, false, false, false, NEVER },
{ "file: reverse", 100, { NUMBER(2, 7, .reverse = true) }, 1, 86, 86, false, false, false, NEVER },
{ "file: 0 changes nothing", 100, { NUMBER(2, 0) }, 1, 100, 100, false, false, false, NEVER },
{ "file: at most 253", 1, { NUMBER(100, 100) }, 1, 254, 254, false, false, false, NEVER },
{ "file: -253 is no fault", 200, { NUMBER(1, -253) }, 1, -53, 1, false, false, false, NEVER },
{ "file: -254 is", 100, { NUMBER(1, -254) }, 1, 100, 100, true, false, false, NEVER },
{ "file: no overflow", 100, { NUMBER(-254, INT32_MAX) }, 1, 100, 100, true, false, false, NEVER },
{ "file: w = 0, 0 is well", 100, { NUMBER(0, 0) }, 1, 100, 100, false, false, false, NEVER },
{ "file: w = 0, any other is fault", 100, { NUMBER(0, 3) }, 1, 100, 100, true, false, false, NEVER },
{ "file: w = 0, reverse: 0 is fault", 100, { NUMBER(0, 0, .reverse = true) }, 1,
	100, 100, true, false, false, NEVER },
{ "file: without a number: the worst", 200, { { .kind = PRIO_FILE, .name = "f", .weight = 1,
	.verdict = PRIO_DOWN } }, 1, -53, 1, false, false, false, NEVER },
{ "file: without a number, w = 0: fault", 100, { { .kind = PRIO_FILE, .name = "f",
	.verdict = PRIO_DOWN } }, 1, 100, 100, true, false, false, NEVER },
{ "file: never a word of it: the worst", 200, { { .kind = PRIO_FILE, .name = "f", .weight = -1,
	.hold_us = SECOND } }, 1, -53, 1, false, false, true, NEVER },

{ "no verdict yet: pending, without effect", 100, { SCRIPT(-20, UNKNOWN) }, 1,
	100, 100, false, true, false, AT(109) },
{ "no verdict yet, w = 0: no fault", 100, { SCRIPT(0, UNKNOWN) }, 1,
	100, 100, false, true, false, AT(109) },
{ "never a verdict: counted as down", 100, { SCRIPT(-20, UNKNOWN, .hold_us = SECOND) }, 1,
	80, 80, false, false, true, NEVER },
{ "never a verdict, w > 0: not added", 100, { SCRIPT(20, UNKNOWN, .hold_us = SECOND) }, 1,
	100, 100, false, false, true, NEVER },
{ "never a verdict, w = 0: fault", 100, { SCRIPT(0, UNKNOWN, .hold_us = SECOND) }, 1,
	100, 100, true, false, true, NEVER },
{ "never a verdict, reverse: still the worse of the two", 100,
	{ SCRIPT(-20, UNKNOWN, .hold_us = SECOND, .reverse = true) }, 1,
	100, 100, false, false, true, NEVER },
{ "never a verdict, reverse, w > 0: likewise", 100,
	{ SCRIPT(20, UNKNOWN, .hold_us = SECOND, .reverse = true) }, 1,
	80, 80, false, false, true, NEVER },
{ "never a verdict, reverse, w = 0: fault", 100,
	{ SCRIPT(0, UNKNOWN, .hold_us = SECOND, .reverse = true) }, 1,
	100, 100, true, false, true, NEVER },

{ "checkd is away: the verdict is valid yet", 100, { SCRIPT(-20, UP, .away = true) }, 1,
	100, 100, false, false, false, AT(103) },
{ "checkd is there: an old verdict stands", 100, { SCRIPT(-20, UP, .valid_until = AT(50)) }, 1,
	100, 100, false, false, false, NEVER },
{ "checkd is away: held, on_lost hold", 100,
	{ SCRIPT(-20, UP, .away = true, .valid_until = AT(95)) }, 1,
	100, 100, false, false, true, NEVER },
{ "checkd is away: held for ever, on_lost hold", 100,
	{ SCRIPT(-20, UP, .away = true, .valid_until = AT(5)) }, 1,
	100, 100, false, false, true, NEVER },
{ "checkd is away: held, on_lost fail", 100,
	{ SCRIPT(-20, UP, .away = true, .valid_until = AT(95), .on_lost_fail = true) }, 1,
	100, 100, false, false, true, AT(105) },
{ "checkd is away for too long, on_lost fail", 100,
	{ SCRIPT(-20, UP, .away = true, .valid_until = AT(90), .on_lost_fail = true) }, 1,
	80, 80, false, false, true, NEVER },
{ "a failure is held as well", 100,
	{ SCRIPT(-20, DOWN, .away = true, .valid_until = AT(95)) }, 1,
	80, 80, false, false, true, NEVER },
};

/* clang-format on */

static struct prio_sum
sum_of(uint8_t base, const struct prio_term *terms, size_t n, mono_t at, struct prio_line *lines)
{
	struct prio_term filled[3] = { 0 };

	for (size_t i = 0; i < n; i++) {
		filled[i] = terms[i];
		if (filled[i].hold_us == 0)
			filled[i].hold_us = 10 * SECOND;
		if (filled[i].valid_until.us == 0)
			filled[i].valid_until = AT(103);
	}
	return prio_sum(base, filled, n, at, lines);
}

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prio_line lines[3];
		struct prio_sum s = sum_of(rows[i].base, rows[i].terms, rows[i].n, now, lines);
		int total = rows[i].base;

		for (size_t k = 0; k < rows[i].n; k++)
			total += lines[k].contribution;
		if (s.total != rows[i].total || total != s.total)
			fail_msg("\"%s\": total %d, lines %d", rows[i].what, s.total, total);
		if (s.effective != rows[i].effective)
			fail_msg("\"%s\": effective %u", rows[i].what, s.effective);
		if (s.fault != rows[i].fault || (s.fault_term != SIZE_MAX) != s.fault)
			fail_msg("\"%s\": fault", rows[i].what);
		if (s.pending != rows[i].pending)
			fail_msg("\"%s\": pending", rows[i].what);
		if (s.degraded != rows[i].degraded)
			fail_msg("\"%s\": degraded", rows[i].what);
		if (s.again_at.us != rows[i].again_at.us)
			fail_msg("\"%s\": again at %lld", rows[i].what, (long long)s.again_at.us);
	}
}

/* Evaluated at again_at, the sum is another one, or at least stands otherwise. */
static void
again_at_is_true(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prio_line before[3] = { 0 }, after[3] = { 0 };
		struct prio_sum s = sum_of(rows[i].base, rows[i].terms, rows[i].n, now, before);
		bool same = true;

		if (mono_is_never(s.again_at))
			continue;
		sum_of(rows[i].base, rows[i].terms, rows[i].n, s.again_at, after);
		for (size_t k = 0; k < rows[i].n; k++)
			same &= before[k].standing == after[k].standing &&
				before[k].contribution == after[k].contribution;
		if (same)
			fail_msg("\"%s\": nothing changes", rows[i].what);
	}
}

static void
the_cause_of_a_change(void **unused)
{
	const struct prio_term up[] = { SCRIPT(-10, UP), SCRIPT(-20, UP), SCRIPT(0, UP) };
	const struct prio_term down[] = { SCRIPT(-10, UP), SCRIPT(-20, DOWN), SCRIPT(0, UP) };
	const struct prio_term fault[] = { SCRIPT(-10, UP), SCRIPT(-20, UP), SCRIPT(0, DOWN) };
	struct prio_line a[3], b[3], c[3];

	(void)unused;
	sum_of(100, up, 3, now, a);
	sum_of(100, down, 3, now, b);
	assert_int_equal(sum_of(100, fault, 3, now, c).fault_term, 2);
	assert_int_equal(prio_changed(a, b, 3), 1);
	assert_int_equal(prio_changed(a, c, 3), 2);
	assert_int_equal(prio_changed(a, a, 3), SIZE_MAX);
}

/* What the trackers have taken away, not what an operator has. */
static void
how_much_it_is_lowered(void **unused)
{
	static const struct {
		uint8_t base;
		struct prio_term terms[3];
		size_t n;
		uint8_t lowered;
	} want[] = {
		{ 100, { SCRIPT(-20, UP), SCRIPT(10, UP) }, 2, 0 },
		{ 100, { SCRIPT(-20, DOWN), SCRIPT(10, UP) }, 2, 20 },
		{ 100, { SCRIPT(-20, DOWN), SCRIPT(10, DOWN) }, 2, 30 },
		{ 100, { SCRIPT(-20, UP, .reverse = true) }, 1, 20 },
		{ 100, { SCRIPT(-253, DOWN) }, 1, 99 },
		{ 250, { SCRIPT(20, DOWN) }, 1, 4 },
		{ 255, { SCRIPT(-20, DOWN) }, 1, 0 },
		{ 100, { SCRIPT(-20, UNKNOWN, .hold_us = SECOND) }, 1, 20 },
		{ 100, { { .kind = PRIO_OPERATOR, .value = -30, .valid_until = NEVER } }, 1, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct prio_sum s = sum_of(want[i].base, want[i].terms, want[i].n, now, NULL);

		if (s.lowered != want[i].lowered)
			fail_msg("row %zu: lowered by %u", i, s.lowered);
	}
}

/* It adds nothing and is no fault: it only says whether it passes. */
static void
a_witness(void **unused)
{
#define WITNESS(v, ...)                                                                            \
	{                                                                                          \
		.kind = PRIO_WITNESS, .name = "gw", .verdict = PRIO_##v, .asked_at = AT(99),       \
		__VA_ARGS__                                                                        \
	}
	static const struct {
		struct prio_term term;
		bool no_witness, pending;
	} want[] = {
		{ WITNESS(UP), false, false },
		{ WITNESS(DOWN), true, false },
		{ WITNESS(UNKNOWN), true, true },
		{ WITNESS(UNKNOWN, .hold_us = SECOND), true, false },
		{ WITNESS(UP, .away = true, .valid_until = AT(95)), false, false },
		{ WITNESS(UP, .away = true, .valid_until = AT(80), .on_lost_fail = true), true,
		    false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct prio_sum s = sum_of(100, &want[i].term, 1, now, NULL);

		if (s.effective != 100 || s.fault || s.no_witness != want[i].no_witness ||
		    s.pending != want[i].pending || s.lowered != 0)
			fail_msg("row %zu: %u, fault %d, no witness %d, pending %d", i, s.effective,
			    s.fault, s.no_witness, s.pending);
	}
}

static void
sentences(void **unused)
{
	static const struct {
		struct prio_term term;
		const char *text;
	} want[] = {
		{ SCRIPT(-20, DOWN, .evidence = "exit 1 \"no nginx\""),
		    "check chk failed: exit 1 \"no nginx\"" },
		{ SCRIPT(-20, UP), "check chk passed" },
		{ SCRIPT(-20, UNKNOWN), "check chk has no verdict yet" },
		{ SCRIPT(-20, UNKNOWN, .hold_us = 1), "check chk: checkd never answered" },
		{ SCRIPT(-20, UP, .away = true, .on_lost_fail = true, .valid_until = AT(1)),
		    "check chk: checkd silent for too long" },
		{ { .kind = PRIO_INTERFACE,
		      .name = "eth1",
		      .verdict = PRIO_DOWN,
		      .valid_until = NEVER },
		    "interface eth1 is down" },
		{ { .kind = PRIO_PROXY, .verdict = PRIO_DOWN, .valid_until = NEVER },
		    "proxyd is not serving" },
		{ { .kind = PRIO_OPERATOR, .value = 5, .evidence = "drain by root" },
		    "operator adjusted: drain by root" },
	};
	char buf[PRIO_CAUSE_STRLEN], evidence[2 * PRIO_CAUSE_STRLEN];
	struct prio_term t = SCRIPT(-20, DOWN, .evidence = evidence);
	struct prio_line line;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		sum_of(100, &want[i].term, 1, now, &line);
		assert_string_equal(prio_cause(&want[i].term, &line, buf), want[i].text);
	}
	memset(evidence, 'x', sizeof(evidence) - 1);
	evidence[sizeof(evidence) - 1] = '\0';
	sum_of(100, &t, 1, now, &line);
	assert_int_equal(strlen(prio_cause(&t, &line, buf)), sizeof(buf) - 1);
}

static void
names(void **unused)
{
	(void)unused;
	for (int i = 0; i < PRIO_KIND_MAX; i++)
		assert_string_not_equal(prio_kind_str((enum prio_kind)i), "?");
	for (int i = PRIO_UNKNOWN; i <= PRIO_DOWN; i++)
		assert_string_not_equal(prio_verdict_str((enum prio_verdict)i), "?");
	for (int i = PRIO_FIRM; i <= PRIO_NEVER; i++)
		assert_string_not_equal(prio_standing_str((enum prio_standing)i), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(again_at_is_true),
		cmocka_unit_test(the_cause_of_a_change),
		cmocka_unit_test(how_much_it_is_lowered),
		cmocka_unit_test(a_witness),
		cmocka_unit_test(sentences),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
