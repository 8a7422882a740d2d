#include "tests/unit/test.h"

#include "checkd/http.h"

#include <errno.h>
#include <string.h>

/* ---- answers ---- */

static const struct status_range ok_only[] = { { 200, 200 } },
				 several[] = { { 200, 204 }, { 404, 404 } };

#define BODY(text) text, sizeof(text) - 1

static const struct {
	const char *what;
	const struct status_range *statuses;
	size_t n_statuses;
	const char *expect;
	bool is_regex;
	unsigned status;
	const char *body;
	size_t body_size;
	enum check_reason reason;
	const char *detail;
} rows[] = {
	{ "200 to 399 without a list", NULL, 0, NULL, false, 200, BODY(""), REASON_OK, "" },
	{ "its end", NULL, 0, NULL, false, 399, BODY(""), REASON_OK, "" },
	{ "behind it", NULL, 0, NULL, false, 400, BODY("x"), REASON_STATUS, "status 400" },
	{ "before it", NULL, 0, NULL, false, 199, BODY(""), REASON_STATUS, "status 199" },
	{ "none", NULL, 0, NULL, false, 0, BODY(""), REASON_STATUS, "status 0" },
	{ "one", ok_only, 1, NULL, false, 201, BODY(""), REASON_STATUS, "status 201" },
	{ "in a list", several, 2, NULL, false, 404, BODY(""), REASON_OK, "" },
	{ "between", several, 2, NULL, false, 403, BODY(""), REASON_STATUS, "status 403" },
	{ "text", NULL, 0, "ok", false, 200, BODY("not ok\n"), REASON_OK, "" },
	{ "no text", NULL, 0, "ok", false, 200, BODY("o k\1"), REASON_PROTOCOL,
	    "status 200, expect not found; got \"o k \"" },
	{ "an empty body", NULL, 0, "ok", false, 200, BODY(""), REASON_PROTOCOL,
	    "status 200, expect not found; got \"\"" },
	{ "text behind a NUL", NULL, 0, "ok", false, 200, BODY("\0\0ok"), REASON_OK, "" },
	{ "a dot in text", NULL, 0, "o.k", false, 200, BODY("ook"), REASON_PROTOCOL,
	    "status 200, expect not found; got \"ook\"" },
	{ "a regex", NULL, 0, "o+k$", true, 200, BODY("a\nook\nb"), REASON_OK, "" },
	{ "behind a NUL", NULL, 0, "[o]k", true, 200, BODY("\0ok"), REASON_OK, "" },
	{ "not across lines", NULL, 0, "a.b", true, 200, BODY("a\nb"), REASON_PROTOCOL,
	    "status 200, expect not found; got \"a b\"" },
	{ "not beyond the body", NULL, 0, "abc", true, 200, "abc", 2, REASON_PROTOCOL,
	    "status 200, expect not found; got \"ab\"" },
	{ "a regex that tries every way", NULL, 0, "(a|aa)+[cd]", true, 200,
	    BODY("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	    REASON_PROTOCOL,
	    "status 200, expect takes too long on this body; got \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },
	{ "the status first", NULL, 0, "ok", false, 500, BODY("ok"), REASON_STATUS, "status 500" },
};

static void
answers(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_conf conf = { .statuses = (struct status_range *)rows[i].statuses,
			.n_statuses = rows[i].n_statuses,
			.expect = (char *)rows[i].expect,
			.is_regex = rows[i].is_regex };
		struct http_answer answer = { rows[i].status, rows[i].body, rows[i].body_size };
		struct text detail = { 0 };
		enum check_reason reason = http_judge(&conf, &answer, &detail);

		if (reason != rows[i].reason || strcmp(text_str(&detail), rows[i].detail) != 0)
			fail_msg("%s: %s: %s", rows[i].what, check_reason_str(reason),
			    text_str(&detail));
		text_done(&detail);
	}
}

static void
a_long_body_is_quoted_shortly(void **unused)
{
	struct http_conf conf = { .expect = "ok" };
	char body[5000];
	struct http_answer answer = { 200, body, sizeof(body) };
	struct text detail = { 0 };

	(void)unused;
	memset(body, 'x', sizeof(body));
	assert_int_equal(http_judge(&conf, &answer, &detail), REASON_PROTOCOL);
	assert_true(detail.length < 120);
	text_done(&detail);
}

/* ---- dates ---- */

static const struct {
	const char *text;
	int err;
	int64_t seconds;
} dates[] = {
	{ "Jan  1 00:00:00 1970 GMT", 0, 0 },
	{ "Nov 21 23:20:12 2026 GMT", 0, 1795303212 },
	{ "Feb 29 12:00:00 2028 GMT", 0, 1835438400 },
	{ "Mar  1 00:00:00 2100 GMT", 0, 4107542400 },
	{ "Dec 31 23:59:59 9999 GMT", 0, 253402300799 },
	{ "Dec 31 23:59:59 1950 GMT", 0, -599616001 },
	{ "", -EINVAL, 0 },
	{ "Foo 21 23:20:12 2026 GMT", -EINVAL, 0 },
	{ "Nov 32 23:20:12 2026 GMT", -EINVAL, 0 },
	{ "Nov 21 24:20:12 2026 GMT", -EINVAL, 0 },
	{ "Nov 21 23:20 2026 GMT", -EINVAL, 0 },
	{ "Nov 21 23:20:12 2026", -EINVAL, 0 },
	{ "Nov 21 23:20:12 99999 GMT", -EINVAL, 0 },
	{ "Bad time value", -EINVAL, 0 },
};

static void
dates_of_certificates(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		int64_t seconds = 42;
		int err = http_parse_expiry(dates[i].text, &seconds);

		if (err != dates[i].err || seconds != (err == 0 ? dates[i].seconds : 42))
			fail_msg("%s: %d, %lld", dates[i].text, err, (long long)seconds);
	}
}

static void
warnings(void **unused)
{
	const struct http_conf conf = { .expiry_warning_us = INT64_C(1000) * 1000000 },
			       never = { 0 };

	(void)unused;
	assert_false(http_expires_soon(&conf, 5001, 4000)); /* not yet */
	assert_true(http_expires_soon(&conf, 5000, 4000));
	assert_true(http_expires_soon(&conf, 4001, 4000));
	assert_false(http_expires_soon(&conf, 4000, 4000)); /* over: a failure, not a warning */
	assert_false(http_expires_soon(&never, 4001, 4000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(a_long_body_is_quoted_shortly),
		cmocka_unit_test(dates_of_certificates),
		cmocka_unit_test(warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
