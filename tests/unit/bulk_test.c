/*
 * bulk_test.c - when a direction goes over to splice(2), and back; when to pause.
 */
#include "tests/unit/test.h"

#include "proxyd/bulk.h"

#define K 1024U

enum kind { END, COPIED, SPLICED, OFF };

/* clang-format off: one row a case */
static const struct row {
	const char *what;
	struct {
		enum kind kind;
		uint32_t n, size;
		bool on;
	} steps[10];
} rows[] = {
	{ "two large reads",
	    { { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true } } },
	{ "a packet of loopback never fills the buffer",
	    { { COPIED, 65483, 64 * K, false }, { COPIED, 65483, 64 * K, true } } },
	{ "half is enough",
	    { { COPIED, 32 * K, 64 * K, false }, { COPIED, 32 * K, 64 * K, true } } },
	{ "less than half never is",
	    { { COPIED, 32 * K - 1, 64 * K, false }, { COPIED, 32 * K - 1, 64 * K, false },
		{ COPIED, 32 * K - 1, 64 * K, false } } },
	{ "in a row", { { COPIED, 64 * K, 64 * K, false }, { COPIED, 100, 64 * K, false },
			  { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true } } },
	{ "a buffer larger than 64 KiB raises no bar",
	    { { COPIED, 65483, 1024 * K, false }, { COPIED, 65483, 1024 * K, true } } },
	{ "a few small transfers in a row",
	    { { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true },
		{ SPLICED, 1, 0, true }, { SPLICED, 16 * K - 1, 0, true }, { SPLICED, 1, 0, true },
		{ SPLICED, 1, 0, false } } },
	{ "one large between them and it goes on",
	    { { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true },
		{ SPLICED, 1, 0, true }, { SPLICED, 1, 0, true }, { SPLICED, 1, 0, true },
		{ SPLICED, 16 * K, 0, true }, { SPLICED, 1, 0, true } } },
	{ "copied for want of a pipe: still bulk",
	    { { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true },
		{ COPIED, 10, 64 * K, true } } },
	{ "of no use: it has to prove itself again",
	    { { COPIED, 64 * K, 64 * K, false }, { COPIED, 64 * K, 64 * K, true },
		{ OFF, 0, 0, false }, { COPIED, 64 * K, 64 * K, false },
		{ COPIED, 64 * K, 64 * K, true } } },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bulk b = { 0 };
		struct bulk_pass pass = { 0 };

		for (size_t k = 0; k < ARRAY_LEN(rows[i].steps) && rows[i].steps[k].kind != END;
		     k++) {
			switch (rows[i].steps[k].kind) {
			case COPIED:
				bulk_copied(&b, rows[i].steps[k].n, rows[i].steps[k].size);
				break;
			case SPLICED:
				bulk_spliced(&b, &pass, rows[i].steps[k].n);
				break;
			default:
				bulk_off(&b);
			}
			if (b.on != rows[i].steps[k].on)
				fail_msg("%s: step %zu", rows[i].what, k);
		}
	}
}

static void
test_pause(void **state)
{
	static const struct {
		struct bulk_pass pass;
		int64_t pause_us;
	} pauses[] = {
		{ { 0 }, 0 },
		{ { 1, false }, BULK_PAUSE_US },
		{ { 512 * K - 1, false }, BULK_PAUSE_US },
		{ { 512 * K, false }, 0 },
		{ { UINT64_C(1) << 33, false }, 0 },
		{ { 1, true }, 0 },
		{ { 512 * K - 1, true }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++)
		if (bulk_pause_us(&pauses[i].pass) != pauses[i].pause_us)
			fail_msg("row %zu", i);
}

/* Whether a pass that brought n more of it may be followed by a pause. */
static bool
is_stream(struct bulk *b, uint32_t n)
{
	struct bulk_pass pass = { 0 };

	bulk_spliced(b, &pass, n);
	assert_int_equal(pass.moved, n);
	return !pass.is_urgent;
}

static void
test_stream(void **state)
{
	struct bulk b = { .on = true }, other = { .on = true };
	struct bulk_pass pass = { 0 };

	(void)state;
	assert_false(is_stream(&b, 1024 * K));
	assert_false(is_stream(&b, 3072 * K - 1));
	assert_true(is_stream(&b, 1));
	assert_true(is_stream(&b, 1024 * K));
	bulk_answered(&b);
	assert_false(is_stream(&b, 1));
	assert_true(is_stream(&b, 4096 * K));
	bulk_off(&b);
	assert_false(is_stream(&b, 1));

	/* One that is none is enough, in whatever order. */
	assert_true(is_stream(&b, 4096 * K));
	bulk_spliced(&other, &pass, 64 * K);
	bulk_spliced(&b, &pass, 64 * K);
	assert_true(pass.is_urgent);
	assert_int_equal(pass.moved, 128 * K);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pause), cmocka_unit_test(test_stream) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
