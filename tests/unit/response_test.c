#include "tests/unit/test.h"

#include "checkd/response.h"

#include <stdlib.h>
#include <string.h>

#define OK	"HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

enum end { OPEN, CLOSED, RESET }; /* what becomes of the connection behind it */

/* Text that holds no NUL, or its size is told. */
#define SAID(text) text, sizeof(text) - 1

static const struct {
	const char *what;
	const char *said;
	size_t size;
	enum end end;
	char state; /* M: more, W: whole, B: broken */
	unsigned status;
	const char *body; /* or why it is broken */
	bool keeps;
} rows[] = {
	{ "a length", SAID(OK "Content-Length: 5\r\n\r\nhello"), OPEN, 'W', 200, "hello", true },
	{ "in any letters", SAID(OK "CONTENT-LENGTH:5 \t\r\n\r\nhello"), OPEN, 'W', 200, "hello",
	    true },
	{ "no length", SAID(OK "\r\nhello"), OPEN, 'M', 200, "hello", false },
	{ "until the end", SAID(OK "\r\nhello"), CLOSED, 'W', 200, "hello", false },
	{ "until a reset", SAID(OK "\r\nhello"), RESET, 'B', 200,
	    "connection reset before the answer ended", false },
	{ "an empty body", SAID(OK "Content-Length: 0\r\n\r\n"), OPEN, 'W', 200, "", true },
	{ "bare newlines", SAID("HTTP/1.1 200\nContent-Length: 2\n\nok"), OPEN, 'W', 200, "ok",
	    true },
	{ "it closes", SAID(OK "Content-Length: 2\r\nConnection: TE, Close\r\n\r\nok"), OPEN, 'W',
	    200, "ok", false },
	{ "1.0 closes", SAID("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), OPEN, 'W', 200,
	    "ok", false },
	{ "1.0 may not",
	    SAID("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok"), OPEN,
	    'W', 200, "ok", true },
	{ "something behind it", SAID(OK "Content-Length: 2\r\n\r\nok!"), OPEN, 'W', 200, "ok",
	    false },
	{ "the same length twice", SAID(OK "Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok"),
	    OPEN, 'W', 200, "ok", true },
	{ "a line that goes on", SAID(OK "X: a\r\n  b c\r\nContent-Length: 2\r\n\r\nok"), OPEN, 'W',
	    200, "ok", true },
	{ "1xx before it",
	    SAID("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n" OK
		 "Content-Length: 2\r\n\r\nok"),
	    OPEN, 'W', 200, "ok", true },
	{ "1xx alone", SAID("HTTP/1.1 100 Continue\r\n\r\n"), CLOSED, 'B', 100,
	    "connection closed before the answer ended", false },
	{ "101", SAID("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\1\2"), OPEN, 'W', 101, "",
	    false },
	{ "204", SAID("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n"), OPEN, 'W', 204, "",
	    true },
	{ "304", SAID("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), OPEN, 'W', 304, "",
	    true },
	{ "500", SAID("HTTP/1.1 500\r\nContent-Length: 2\r\n\r\nno"), OPEN, 'W', 500, "no", true },

	{ "chunks", SAID(CHUNKED "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), OPEN, 'W', 200, "hello",
	    true },
	{ "sizes of any kind",
	    SAID(CHUNKED "00A;x=\"y\"\r\n0123456789\r\na  \r\n0123456789\r\n0\r\n\r\n"), OPEN, 'W',
	    200, "01234567890123456789", true },
	{ "trailers", SAID(CHUNKED "2\r\nok\r\n0\r\nX: y\r\nZ: 1\r\n\r\n"), OPEN, 'W', 200, "ok",
	    true },
	{ "chunks before a length",
	    SAID(OK "Content-Length: 99\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
	    OPEN, 'W', 200, "ok", true },
	{ "no last chunk", SAID(CHUNKED "2\r\nok\r\n"), CLOSED, 'B', 200,
	    "connection closed before the answer ended", false },
	{ "a chunk cut off", SAID(CHUNKED "a\r\nhello"), CLOSED, 'B', 200,
	    "connection closed before the answer ended", false },
	{ "no end of trailers", SAID(CHUNKED "0\r\n"), CLOSED, 'B', 200,
	    "connection closed before the answer ended", false },
	{ "a size of letters", SAID(CHUNKED "zz"), OPEN, 'B', 200, "a chunk without its size",
	    false },
	{ "a size with a tail", SAID(CHUNKED "5z\r\n"), OPEN, 'B', 200, "a chunk without its size",
	    false },
	{ "a negative size", SAID(CHUNKED "-1\r\n"), OPEN, 'B', 200, "a chunk without its size",
	    false },
	{ "an empty size", SAID(CHUNKED "\r\n"), OPEN, 'B', 200, "a chunk without its size",
	    false },
	{ "a size of ages", SAID(CHUNKED "ffffffffffffffffff\r\n"), OPEN, 'B', 200,
	    "a chunk without its size", false },
	{ "a chunk too long", SAID(CHUNKED "2\r\nokay"), OPEN, 'B', 200,
	    "a chunk longer than its size", false },
	{ "by a CR", SAID(CHUNKED "2\r\nok\r\r\n"), OPEN, 'B', 200, "a chunk longer than its size",
	    false },

	{ "nothing", SAID(""), CLOSED, 'B', 0, "connection closed before the answer", false },
	{ "nothing, hard", SAID(""), RESET, 'B', 0, "connection reset before the answer", false },
	{ "half a line", SAID("HTTP/1.1 2"), CLOSED, 'B', 0,
	    "connection closed before the answer ended", false },
	{ "half its headers", SAID(OK "Content-Le"), RESET, 'B', 200,
	    "connection reset before the answer ended", false },
	{ "half its body", SAID(OK "Content-Length: 5\r\n\r\nhe"), CLOSED, 'B', 200,
	    "connection closed before the answer ended", false },
	{ "a mail server", SAID("220 mx"), OPEN, 'B', 0, "that is not HTTP", false },
	{ "an empty line", SAID("\r\n" OK), OPEN, 'B', 0, "that is not HTTP", false },
	{ "another version", SAID("HTTP/2 200\r\n"), OPEN, 'B', 0, "that is not HTTP", false },
	{ "no version", SAID("HTTP/1. 200 OK\r\n"), OPEN, 'B', 0, "its status line is broken",
	    false },
	{ "a status of letters", SAID("HTTP/1.1 2x0 OK\r\n"), OPEN, 'B', 0,
	    "its status line is broken", false },
	{ "of two digits", SAID("HTTP/1.1 20\r\n"), OPEN, 'B', 0, "its status line is broken",
	    false },
	{ "of four", SAID("HTTP/1.1 2000 OK\r\n"), OPEN, 'B', 0, "its status line is broken",
	    false },
	{ "of less than 100", SAID("HTTP/1.1 099 OK\r\n"), OPEN, 'B', 0,
	    "its status line is broken", false },
	{ "a NUL in a header", SAID(OK "X: \0\r\n"), OPEN, 'B', 200, "a NUL in its headers",
	    false },
	{ "no colon", SAID(OK "hello\r\n"), OPEN, 'B', 200, "a header without a colon", false },
	{ "a length of letters", SAID(OK "Content-Length: many\r\n"), OPEN, 'B', 200,
	    "its length is no number", false },
	{ "a negative one", SAID(OK "Content-Length: -1\r\n"), OPEN, 'B', 200,
	    "its length is no number", false },
	{ "an empty one", SAID(OK "Content-Length:\r\n"), OPEN, 'B', 200, "its length is no number",
	    false },
	{ "one of ages", SAID(OK "Content-Length: 9999999999999999999\r\n"), OPEN, 'B', 200,
	    "its length is no number", false },
	{ "two of them", SAID(OK "Content-Length: 2\r\nContent-Length: 3\r\n"), OPEN, 'B', 200,
	    "it has two lengths", false },
	{ "packed", SAID(OK "Transfer-Encoding: gzip, chunked\r\n"), OPEN, 'B', 200,
	    "a transfer coding that was not asked for", false },
	{ "chunked twice", SAID(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	    OPEN, 'B', 200, "a transfer coding that was not asked for", false },
};

static const char letters[] = {
	[RESPONSE_MORE] = 'M', [RESPONSE_WHOLE] = 'W', [RESPONSE_BROKEN] = 'B'
};

static enum response_state
run(struct response *r, const char *said, size_t size, size_t piece)
{
	enum response_state state = RESPONSE_MORE;

	for (size_t at = 0; at < size && state == RESPONSE_MORE; at += piece)
		state = response_feed(r, said + at, MIN(piece, size - at));
	return state;
}

static bool
is_as_said(size_t i, const struct response *r, enum response_state state, bool in_pieces)
{
	if (letters[state] != rows[i].state || r->status != rows[i].status)
		return false;
	if (state == RESPONSE_BROKEN)
		return strcmp(r->why, rows[i].body) == 0;
	/* What is behind it does not come with it in pieces. */
	if (state == RESPONSE_WHOLE && !in_pieces && response_keeps(r) != rows[i].keeps)
		return false;
	return strcmp(text_str(&r->body), rows[i].body) == 0;
}

static void
answers(void **unused)
{
	static const size_t pieces[] = { 100000, 1, 2, 7 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct response r;
			enum response_state state;

			response_init(&r, false, true);
			state = run(&r, rows[i].said, rows[i].size, pieces[k]);
			if (state == RESPONSE_MORE && rows[i].end != OPEN)
				state = response_closed(&r, rows[i].end == RESET);
			if (!is_as_said(i, &r, state, k > 0))
				fail_msg("%s, by %zu: %c %u %s", rows[i].what, pieces[k],
				    letters[state], r.status,
				    state == RESPONSE_BROKEN ? r.why : text_str(&r.body));
			response_done(&r);
		}
}

static void
head_has_no_body(void **unused)
{
	static const char said[] = OK "Content-Length: 5\r\n\r\n";
	struct response r;

	(void)unused;
	response_init(&r, true, true);
	assert_int_equal(run(&r, said, sizeof(said) - 1, 1), RESPONSE_WHOLE);
	assert_int_equal(r.body_size, 0);
	assert_true(response_keeps(&r));
	response_done(&r);
}

static void
a_body_that_is_not_wanted_is_counted(void **unused)
{
	static const char said[] = CHUNKED "5\r\nhello\r\n0\r\n\r\n";
	struct response r;

	(void)unused;
	response_init(&r, false, false);
	assert_int_equal(run(&r, said, sizeof(said) - 1, 4), RESPONSE_WHOLE);
	assert_int_equal(r.body_size, 5);
	assert_null(r.body.chars);
	response_done(&r);
}

static void
a_body_may_hold_anything(void **unused)
{
	static const char said[] = OK "Content-Length: 6\r\n\r\n\0\r\n\n\377\0";
	struct response r;

	(void)unused;
	response_init(&r, false, true);
	assert_int_equal(run(&r, said, sizeof(said) - 1, 1), RESPONSE_WHOLE);
	assert_int_equal(r.body.length, 6);
	assert_memory_equal(r.body.chars, "\0\r\n\n\377\0", 7);
	response_done(&r);
}

/* ---- what does not end ---- */

static const struct {
	const char *what, *first, *again;
	const char *why; /* NULL: whole */
	size_t bytes;	 /* of 'again', at most */
} endless[] = {
	{ "a body", OK "\r\n", "y", NULL, RESPONSE_BODY_MAX + 64 },
	{ "a long body", OK "Content-Length: 1000000\r\n\r\n", "y", NULL, RESPONSE_BODY_MAX + 64 },
	{ "chunks", CHUNKED, "1\r\ny\r\n", NULL, (size_t)6 * (RESPONSE_BODY_MAX + 64) },
	{ "headers", OK, "X: y\r\n", "its headers do not end", RESPONSE_HEADER_MAX + 64 },
	{ "a header", OK, "X:", "its headers do not end", RESPONSE_HEADER_MAX + 64 },
	{ "a status line", "HTTP/1.1 200 O", "K", "its headers do not end",
	    RESPONSE_HEADER_MAX + 64 },
	{ "1xx", "", "HTTP/1.1 100 Go on\r\n\r\n", "its headers do not end",
	    RESPONSE_HEADER_MAX + 64 },
	{ "trailers", CHUNKED "0\r\n", "X: y\r\n", "its headers do not end",
	    RESPONSE_HEADER_MAX + 64 },
	{ "an extension", CHUNKED "1;", "x", "a chunk without its size", RESPONSE_LINE_MAX + 64 },
	{ "a size", CHUNKED, "0", "a chunk without its size", RESPONSE_LINE_MAX + 64 },
};

static void
what_does_not_end(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
		size_t piece = strlen(endless[i].again), given = 0;
		struct response r;
		enum response_state state;

		response_init(&r, false, true);
		state = response_feed(&r, endless[i].first, strlen(endless[i].first));
		while (state == RESPONSE_MORE && given <= endless[i].bytes) {
			state = response_feed(&r, endless[i].again, piece);
			given += piece;
		}
		if (given > endless[i].bytes ||
		    (state == RESPONSE_BROKEN) != (endless[i].why != NULL) ||
		    (state == RESPONSE_BROKEN && strcmp(r.why, endless[i].why) != 0))
			fail_msg("%s: %c after %zu bytes", endless[i].what, letters[state], given);
		if (state == RESPONSE_WHOLE) {
			assert_int_equal(r.body.length, RESPONSE_BODY_MAX);
			assert_false(response_keeps(&r));
		}
		response_done(&r);
	}
}

static void
a_body_of_just_that_size_is_whole(void **unused)
{
	static const char head[] = OK "Content-Length: 65536\r\n\r\n";
	char *body = calloc(1, RESPONSE_BODY_MAX);
	struct response r;

	(void)unused;
	response_init(&r, false, true);
	assert_int_equal(response_feed(&r, head, sizeof(head) - 1), RESPONSE_MORE);
	assert_int_equal(response_feed(&r, body, RESPONSE_BODY_MAX - 1), RESPONSE_MORE);
	assert_int_equal(response_feed(&r, body, 1), RESPONSE_WHOLE);
	assert_true(response_keeps(&r));
	response_done(&r);
	free(body);
}

static void
what_is_wrong_is_shown(void **unused)
{
	static const char said[] = "220 mx\1 ESMTP\r\n";
	struct response r;
	struct text detail = { 0 };

	(void)unused;
	response_init(&r, false, true);
	assert_int_equal(response_feed(&r, said, sizeof(said) - 1), RESPONSE_BROKEN);
	response_explain(&r, &detail);
	assert_string_equal(text_str(&detail), "that is not HTTP; got \"220 mx  ESMTP\"");
	text_done(&detail);
	response_done(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(head_has_no_body),
		cmocka_unit_test(a_body_that_is_not_wanted_is_counted),
		cmocka_unit_test(a_body_may_hold_anything),
		cmocka_unit_test(what_does_not_end),
		cmocka_unit_test(a_body_of_just_that_size_is_whole),
		cmocka_unit_test(what_is_wrong_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
