#include "tests/unit/test.h"

#include "checkd/admin.h"
#include "checkd/flap.h"

#include <errno.h>

static const struct {
	const char *mode;
	enum check_state shown[3]; /* of a verdict unknown, up, down */
} rows[] = {
	{ "auto", { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN } },
	{ "forcedUp", { CHECK_UP, CHECK_UP, CHECK_UP } },
	{ "forcedDown", { CHECK_DOWN, CHECK_DOWN, CHECK_DOWN } },
	{ "paused", { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN } },
};

static void
every_mode(void **unused)
{
	struct admin a = { .until = { 5 } };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(admin_mode_parse(rows[i].mode, &a.mode), 0);
		assert_string_equal(admin_mode_str(a.mode), rows[i].mode);
		for (enum check_state own = CHECK_UNKNOWN; own <= CHECK_DOWN; own++)
			if (admin_state(&a, own) != rows[i].shown[own])
				fail_msg("%s, own verdict %s", rows[i].mode, check_state_str(own));
		/* Nobody's word does not end. */
		assert_int_equal(
		    admin_end(&a).us, a.mode == ADMIN_AUTO ? MONO_NEVER.us : INT64_C(5));
	}
}

static void
other_words(void **unused)
{
	enum admin_mode mode = ADMIN_PAUSED;

	(void)unused;
	assert_int_equal(admin_mode_parse("forced", &mode), -EINVAL);
	assert_int_equal(admin_mode_parse("", &mode), -EINVAL);
	assert_int_equal(mode, ADMIN_PAUSED); /* untouched */
}

#define MINUTE(x) ((mono_t){ (int64_t)(x)*60 * USEC_PER_SEC })

static const struct {
	const char *what;
	int changes[4]; /* at these minutes; -1 none */
	int asked;
	unsigned count;
} flaps[] = {
	{ "never", { -1, -1, -1, -1 }, 1000, 0 },
	{ "just now", { 1000, -1, -1, -1 }, 1000, 1 },
	{ "twice in a minute", { 1000, 1000, -1, -1 }, 1000, 2 },
	{ "within the hour", { 1000, 1030, 1059, -1 }, 1059, 3 },
	{ "the first is over", { 1000, 1030, 1059, -1 }, 1060, 2 },
	{ "the same place an hour later", { 1000, 1060, -1, -1 }, 1060, 1 },
	{ "a place that was skipped", { 1000, 1061, -1, -1 }, 1061, 1 },
	{ "long ago", { 1000, 1001, 1002, 1003 }, 5000, 0 },
};

static void
the_last_hour(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(flaps); i++) {
		struct flap f = { 0 };
		unsigned n;

		for (size_t k = 0; k < 4 && flaps[i].changes[k] >= 0; k++)
			flap_note(&f, MINUTE(flaps[i].changes[k]));
		n = flap_count(f, MINUTE(flaps[i].asked));
		if (n != flaps[i].count)
			fail_msg("%s: %u, not %u", flaps[i].what, n, flaps[i].count);
	}
}

static void
a_minute_is_bounded(void **unused)
{
	struct flap f = { 0 };

	(void)unused;
	for (int i = 0; i < 1000; i++)
		flap_note(&f, MINUTE(7));
	assert_int_equal(flap_count(f, MINUTE(7)), UINT8_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode),
		cmocka_unit_test(other_words),
		cmocka_unit_test(the_last_hour),
		cmocka_unit_test(a_minute_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
