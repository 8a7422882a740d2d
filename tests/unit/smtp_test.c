#include "tests/unit/test.h"

#include "checkd/smtp.h"

#include <string.h>

/* A dialog: what it says, and what we make of all of it; each step is a letter. */
static const struct {
	const char *what, *said;
	const char *steps; /* E: say EHLO, Q: say QUIT, U: up, D: down */
	const char *why;
} rows[] = {
	{ "a good one", "220 mx ESMTP\r\n250 mx\r\n221 bye\r\n", "EQU", "" },
	{ "many lines", "220-hello\r\n220 there\r\n250-PIPELINING\r\n250 HELP\r\n", "EQ", "" },
	{ "without CR", "220 mx\n250 mx\n221 bye\n", "EQU", "" },
	{ "bare codes", "220\r\n250\r\n221\r\n", "EQU", "" },
	{ "busy", "421 too busy\r\n", "D", "it does not greet; got \"421 too busy\"" },
	{ "no EHLO", "220 mx\r\n502 what?\r\n", "ED", "EHLO is refused; got \"502 what?\"" },
	{ "a web server", "HTTP/1.1 400 Bad Request\r\n", "D",
	    "that is not SMTP; got \"HTTP/1.1 400 Bad Request\"" },
	{ "digits too many", "2200 mx\r\n", "D", "that is not SMTP; got \"2200 mx\"" },
	{ "an empty line", "\r\n", "D", "that is not SMTP" },
	{ "controls", "22\1 mx\r\n", "D", "that is not SMTP; got \"22  mx\"" },
	{ "not yet", "220 mx", "", "" },
	{ "any good-bye", "220 mx\r\n250 mx\r\n500 no\r\n", "EQU", "" },
};

static const char letters[] = {
	[SMTP_SAY_EHLO] = 'E', [SMTP_SAY_QUIT] = 'Q', [SMTP_UP] = 'U', [SMTP_DOWN] = 'D'
};

/* Its bytes in pieces of 'piece'. */
static void
run(struct smtp *s, const char *said, size_t piece, char *steps)
{
	size_t left = strlen(said), n = 0;

	while (left > 0) {
		size_t used, size = MIN(piece, left);
		enum smtp_step next = smtp_feed(s, said, size, &used);

		assert_in_range(used, 1, size);
		said += used;
		left -= used;
		if (next != SMTP_MORE)
			steps[n++] = letters[next];
		if (next == SMTP_UP || next == SMTP_DOWN)
			break;
	}
	steps[n] = '\0';
}

static void
dialogs(void **unused)
{
	static const size_t pieces[] = { 1, 3, 10000 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct smtp s = { 0 };
			char steps[16];

			run(&s, rows[i].said, pieces[k], steps);
			if (strcmp(steps, rows[i].steps) != 0 || strcmp(s.why, rows[i].why) != 0)
				fail_msg("%s, in pieces of %zu: %s, %s", rows[i].what, pieces[k],
				    steps, s.why);
		}
}

static void
a_line_without_end(void **unused)
{
	struct smtp s = { 0 };
	char line[SMTP_LINE_MAX + 1];
	size_t used;

	(void)unused;
	memset(line, '2', sizeof(line));
	assert_int_equal(smtp_feed(&s, line, SMTP_LINE_MAX, &used), SMTP_MORE);
	assert_int_equal(smtp_feed(&s, line, 1, &used), SMTP_DOWN);
	assert_non_null(strstr(s.why, "a line of its reply does not end"));
}

static void
a_reply_without_end(void **unused)
{
	static const char line[] = "220-and another thing\r\n";
	struct smtp s = { 0 };
	enum smtp_step next = SMTP_MORE;
	size_t used, fed = 0;

	(void)unused;
	for (; next == SMTP_MORE; fed += used)
		next = smtp_feed(&s, line, sizeof(line) - 1, &used);
	assert_int_equal(next, SMTP_DOWN);
	assert_int_equal(fed, SMTP_TOTAL_MAX + 1);
	assert_string_equal(s.why, "its reply does not end");
}

static void
the_end_of_the_connection(void **unused)
{
	struct smtp s = { 0 };
	char steps[16];

	(void)unused;
	assert_string_equal(smtp_waiting(&s), "no greeting");
	assert_int_equal(smtp_closed(&s), SMTP_DOWN);
	assert_string_equal(s.why, "connection closed before the greeting");
	s = (struct smtp){ 0 };
	run(&s, "220 mx\r\n25", 100, steps);
	assert_string_equal(smtp_waiting(&s), "no answer to EHLO");
	assert_int_equal(smtp_closed(&s), SMTP_DOWN);
	assert_string_equal(s.why, "connection closed before the answer to EHLO; got \"25\"");
	s = (struct smtp){ 0 };
	run(&s, "220 mx\r\n250 mx\r\n", 100, steps);
	assert_int_equal(smtp_closed(&s), SMTP_UP); /* it was asked to */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogs),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(a_reply_without_end),
		cmocka_unit_test(the_end_of_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
