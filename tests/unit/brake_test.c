#include "common/brake.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define SEC(x) ((mono_t){ (int64_t)((x)*USEC_PER_SEC) })
#define MS(x)  ((int64_t)(x)*USEC_PER_MSEC)

/* A process begins at 'at' seconds, after one that crashed or ended in order; its pause. */
struct start {
	double at;
	bool ended;
	int64_t pause_us;
};

static const struct {
	const char *what;
	struct start starts[12];
	size_t n;
} rows[] = {
	{ "three crashes in ten seconds, the fourth start waits, longer each time",
	    { { 100, true, 0 }, { 101, false, 0 }, { 102, false, 0 }, { 103, false, MS(500) },
		{ 104, false, MS(1000) }, { 105.5, false, MS(2000) }, { 108, false, MS(4000) },
		{ 113, false, MS(8000) }, { 122, false, MS(8000) }, { 131, false, MS(8000) } },
	    10 },
	{ "crashes that are far apart",
	    { { 100, true, 0 }, { 106, false, 0 }, { 112, false, 0 }, { 118, false, 0 },
		{ 124, false, 0 } },
	    5 },
	{ "restarts are no crashes",
	    { { 100, true, 0 }, { 100.1, true, 0 }, { 100.2, true, 0 }, { 100.3, true, 0 },
		{ 100.4, true, 0 } },
	    5 },
	{ "a restart in order between them begins anew",
	    { { 100, true, 0 }, { 101, false, 0 }, { 102, false, 0 }, { 103, true, 0 },
		{ 104, false, 0 }, { 105, false, 0 }, { 106, false, MS(500) } },
	    7 },
	{ "who has lived for long after a pause is let off",
	    { { 100, true, 0 }, { 101, false, 0 }, { 102, false, 0 }, { 103, false, MS(500) },
		{ 120, false, 0 } },
	    5 },
};

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct brake b = { 0 };

		for (size_t j = 0; j < rows[i].n; j++) {
			const struct start *s = &rows[i].starts[j];
			struct text text = { 0 };
			int64_t pause;

			if (s->ended)
				brake_end(&b);
			pause = brake_begin(&b, SEC(s->at));
			if (pause != s->pause_us)
				fail_msg("row \"%s\", start %zu: %lld us", rows[i].what, j,
				    (long long)pause);
			/* As the next process reads it. */
			brake_encode(&b, &text);
			memset(&b, 0xa5, sizeof(b));
			assert_int_equal(brake_decode(text_str(&text), &b), 0);
			text_done(&text);
		}
	}
}

static void
damaged(void **unused)
{
	static const char *const texts[] = { "", "trivet", "trivet starts 2 running 0 end\n",
		"trivet starts 1 running 6 end\n", "trivet starts 1 running 0",
		"trivet starts 1 running 0 1 2 3 4 end\n", "trivet starts 1 running 0 x end\n",
		"trivet starts 1 running 0 1 end\nmore" };
	struct brake b = { .level = 3 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (brake_decode(texts[i], &b) != -EBADMSG || b.level != 3)
			fail_msg("text %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
