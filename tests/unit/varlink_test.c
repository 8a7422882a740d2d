/*
 * varlink_test.c - what is a call, what is a reply, and what closes the
 * connection (UAPI.20; ipc.md 1.1 to 1.3).
 */
#include "ipc/varlink.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED NULL

static const struct {
	const char *what, *text, *method; /* method REFUSED: -EBADMSG */
	bool more, oneway, upgrade;
	const char *parameters; /* as they print; NULL: {} */
} calls[] = {
	{ "the smallest", "{\"method\":\"a.B\"}", "a.B", 0, 0, 0, NULL },
	{ "space around it", " \r\n\t{\"method\":\"a.B\"}\n", "a.B", 0, 0, 0, NULL },
	{ "parameters", "{\"method\":\"a.B\",\"parameters\":{\"x\":[1,null]}}", "a.B", 0, 0, 0,
	    "{\"x\":[1,null]}" },
	{ "null parameters are none", "{\"method\":\"a.B\",\"parameters\":null}", "a.B", 0, 0, 0,
	    NULL },
	{ "more", "{\"method\":\"a.B\",\"more\":true}", "a.B", 1, 0, 0, NULL },
	{ "oneway", "{\"method\":\"a.B\",\"oneway\":true}", "a.B", 0, 1, 0, NULL },
	{ "upgrade", "{\"method\":\"a.B\",\"upgrade\":true}", "a.B", 0, 0, 1, NULL },
	{ "explicit false (the python CLI)",
	    "{\"method\":\"a.B\",\"more\":false,\"oneway\":false,\"upgrade\":false}", "a.B", 0, 0,
	    0, NULL },
	{ "one true among false", "{\"method\":\"a.B\",\"more\":false,\"oneway\":true}", "a.B", 0,
	    1, 0, NULL },
	{ "vendor key ignored", "{\"method\":\"a.B\",\"org.vendor\":[1]}", "a.B", 0, 0, 0, NULL },
	{ "method without a dot parses: it is the server's to answer", "{\"method\":\"x\"}", "x", 0,
	    0, 0, NULL },
	{ "brackets in strings do not nest",
	    "{\"method\":\"a.B\",\"parameters\":{\"s\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}"
	    "}",
	    "a.B", 0, 0, 0, "{\"s\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}" },
	{ "the largest integer", "{\"method\":\"a.B\",\"parameters\":{\"i\":9223372036854775807}}",
	    "a.B", 0, 0, 0, "{\"i\":9223372036854775807}" },

	{ "empty", "", REFUSED, 0, 0, 0, NULL },
	{ "space only", " \n", REFUSED, 0, 0, 0, NULL },
	{ "not JSON", "GET / HTTP/1.0", REFUSED, 0, 0, 0, NULL },
	{ "truncated", "{\"method\":\"a.B\"", REFUSED, 0, 0, 0, NULL },
	{ "array", "[\"a.B\"]", REFUSED, 0, 0, 0, NULL },
	{ "string", "\"a.B\"", REFUSED, 0, 0, 0, NULL },
	{ "two objects", "{\"method\":\"a.B\"}{\"method\":\"a.B\"}", REFUSED, 0, 0, 0, NULL },
	{ "text after it", "{\"method\":\"a.B\"}x", REFUSED, 0, 0, 0, NULL },
	{ "no method", "{\"parameters\":{}}", REFUSED, 0, 0, 0, NULL },
	{ "method null", "{\"method\":null}", REFUSED, 0, 0, 0, NULL },
	{ "method a number", "{\"method\":7}", REFUSED, 0, 0, 0, NULL },
	{ "parameters an array", "{\"method\":\"a.B\",\"parameters\":[]}", REFUSED, 0, 0, 0, NULL },
	{ "parameters a string", "{\"method\":\"a.B\",\"parameters\":\"x\"}", REFUSED, 0, 0, 0,
	    NULL },
	{ "more a number", "{\"method\":\"a.B\",\"more\":1}", REFUSED, 0, 0, 0, NULL },
	{ "oneway null", "{\"method\":\"a.B\",\"oneway\":null}", REFUSED, 0, 0, 0, NULL },
	{ "upgrade a string", "{\"method\":\"a.B\",\"upgrade\":\"true\"}", REFUSED, 0, 0, 0, NULL },
	{ "more and oneway", "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", REFUSED, 0, 0, 0,
	    NULL },
	{ "more and upgrade", "{\"method\":\"a.B\",\"more\":true,\"upgrade\":true}", REFUSED, 0, 0,
	    0, NULL },
	{ "oneway and upgrade", "{\"method\":\"a.B\",\"oneway\":true,\"upgrade\":true}", REFUSED, 0,
	    0, 0, NULL },
	{ "unknown key", "{\"method\":\"a.B\",\"id\":1}", REFUSED, 0, 0, 0, NULL },
	{ "key twice", "{\"method\":\"a.B\",\"method\":\"a.C\"}", REFUSED, 0, 0, 0, NULL },
	{ "key twice, further in", "{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":2}}", REFUSED,
	    0, 0, 0, NULL },
	{ "NUL in a string", "{\"method\":\"a.B\\u0000\"}", REFUSED, 0, 0, 0, NULL },
	{ "not UTF-8", "{\"method\":\"a.B\xff\"}", REFUSED, 0, 0, 0, NULL },
	{ "NaN", "{\"method\":\"a.B\",\"parameters\":{\"f\":NaN}}", REFUSED, 0, 0, 0, NULL },
	{ "an integer beyond int64",
	    "{\"method\":\"a.B\",\"parameters\":{\"i\":9223372036854775808}}", REFUSED, 0, 0, 0,
	    NULL },
};

static void
calls_parse_or_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const char *text = calls[i].text;
		struct varlink_call call = { 0 };
		int error = varlink_call_parse(text, strlen(text), &call);
		char *parameters;

		if (calls[i].method == REFUSED) {
			if (error != -EBADMSG || call.parameters != NULL)
				fail_msg("\"%s\" was not refused", calls[i].what);
			continue;
		}
		if (error != 0)
			fail_msg("\"%s\" was refused", calls[i].what);
		parameters = json_dumps(call.parameters, JSON_COMPACT);
		if (strcmp(call.method, calls[i].method) != 0 || call.more != calls[i].more ||
		    call.oneway != calls[i].oneway || call.upgrade != calls[i].upgrade ||
		    strcmp(parameters, calls[i].parameters != NULL ? calls[i].parameters : "{}") !=
			0)
			fail_msg("\"%s\" was misread", calls[i].what);
		free(parameters);
		varlink_call_done(&call);
	}
}

static const struct {
	const char *what, *text;
	bool ok;
	const char *error;
	bool continues;
} replies[] = {
	{ "empty", "{}", true, NULL, false },
	{ "parameters", "{\"parameters\":{\"x\":1}}", true, NULL, false },
	{ "null parameters", "{\"parameters\":null}", true, NULL, false },
	{ "continues", "{\"parameters\":{},\"continues\":true}", true, NULL, true },
	{ "continues false", "{\"continues\":false}", true, NULL, false },
	{ "error", "{\"error\":\"a.B\",\"parameters\":{}}", true, "a.B", false },
	{ "vendor key", "{\"org.vendor\":1}", true, NULL, false },
	{ "error null", "{\"error\":null}", false, NULL, false },
	{ "error that continues", "{\"error\":\"a.B\",\"continues\":true}", false, NULL, false },
	{ "continues a number", "{\"continues\":1}", false, NULL, false },
	{ "unknown key", "{\"result\":{}}", false, NULL, false },
	{ "parameters an array", "{\"parameters\":[]}", false, NULL, false },
	{ "not an object", "[]", false, NULL, false },
	{ "truncated", "{\"parameters\":", false, NULL, false },
};

static void
replies_parse_or_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		const char *text = replies[i].text;
		struct varlink_reply reply = { 0 };
		int error = varlink_reply_parse(text, strlen(text), &reply);

		if ((error == 0) != replies[i].ok)
			fail_msg("\"%s\": %d", replies[i].what, error);
		if (error != 0)
			continue;
		assert_true(json_is_object(reply.parameters));
		if (reply.continues != replies[i].continues ||
		    (reply.error == NULL) != (replies[i].error == NULL) ||
		    (reply.error != NULL && strcmp(reply.error, replies[i].error) != 0))
			fail_msg("\"%s\" was misread", replies[i].what);
		varlink_reply_done(&reply);
	}
}

/* A call whose parameters nest so that the whole is 'depth' deep. */
static int
parse_nested(size_t depth)
{
	char text[1024] = "{\"method\":\"a.B\",\"parameters\":{\"x\":";
	struct varlink_call call;
	int error;

	for (size_t i = 2; i < depth; i++)
		strcat(text, "[");
	if (depth == 2)
		strcat(text, "0");
	for (size_t i = 2; i < depth; i++)
		strcat(text, "]");
	strcat(text, "}}");
	error = varlink_call_parse(text, strlen(text), &call);
	if (error == 0)
		varlink_call_done(&call);
	return error;
}

static void
depth_is_bounded(void **unused)
{
	(void)unused;
	assert_int_equal(parse_nested(2), 0);
	assert_int_equal(parse_nested(VARLINK_DEPTH_MAX), 0);
	assert_int_equal(parse_nested(VARLINK_DEPTH_MAX + 1), -EBADMSG);
}

/* A megabyte of brackets is refused before the parser recurses. */
static void
brackets_without_end(void **unused)
{
	size_t size = 1 << 20;
	char *text = malloc(size);
	struct varlink_call call;

	(void)unused;
	assert_non_null(text);
	memset(text, '[', size);
	assert_int_equal(varlink_call_parse(text, size, &call), -EBADMSG);
	free(text);
}

/* Encode, compare with its NUL, free. */
static void
assert_encoded(char *bytes, size_t size, const char *expected)
{
	assert_non_null(bytes);
	assert_string_equal(bytes, expected);
	assert_int_equal(size, strlen(expected) + 1);
	free(bytes);
}

static void
messages_are_canonical(void **unused)
{
	size_t size;
	char *bytes;

	(void)unused;
	bytes = varlink_call_encode("a.B", NULL, false, &size);
	assert_encoded(bytes, size, "{\"method\":\"a.B\",\"parameters\":{}}");
	bytes = varlink_call_encode("a.B", json_pack("{s:i}", "x", 1), true, &size);
	assert_encoded(bytes, size, "{\"method\":\"a.B\",\"parameters\":{\"x\":1},\"more\":true}");
	bytes = varlink_reply_encode(NULL, NULL, false, 1000, &size);
	assert_encoded(bytes, size, "{\"parameters\":{}}"); /* never omitted (1.3) */
	bytes = varlink_reply_encode(NULL, NULL, true, 1000, &size);
	assert_encoded(bytes, size, "{\"parameters\":{},\"continues\":true}");
	bytes = varlink_reply_encode("a.E", NULL, true, 1000, &size);
	assert_encoded(bytes, size, "{\"error\":\"a.E\",\"parameters\":{}}"); /* final */
}

static void
replies_are_bounded(void **unused)
{
	const char *text = "{\"parameters\":{\"x\":1}}";
	size_t size = 7;
	char *bytes;

	(void)unused;
	bytes = varlink_reply_encode(NULL, json_pack("{s:i}", "x", 1), false, strlen(text), &size);
	assert_encoded(bytes, size, text);
	assert_null(
	    varlink_reply_encode(NULL, json_pack("{s:i}", "x", 1), false, strlen(text) - 1, &size));
	assert_int_equal(size, 0);
}

static void
strings_from_elsewhere(void **unused)
{
	json_t *good = varlink_string("\xc3\xa4"), *bad = varlink_string("a\xff\xc3z"),
	       *none = varlink_string(NULL);

	(void)unused;
	assert_string_equal(json_string_value(good), "\xc3\xa4");
	assert_string_equal(json_string_value(bad), "a??z");
	assert_true(json_is_null(none));
	json_decref(good);
	json_decref(bad);
	json_decref(none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_parse_or_are_refused),
		cmocka_unit_test(replies_parse_or_are_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(brackets_without_end),
		cmocka_unit_test(messages_are_canonical),
		cmocka_unit_test(replies_are_bounded),
		cmocka_unit_test(strings_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
