/*
 * http_fuzz.c - a body under an expression, both somebody's: the expression's
 * line first.  And the date of a certificate.
 */
#include "checkd/http.h"
#include "common/regex.h"

#include "tests/fuzz/fuzz.h"

#define PATTERN_MAX 32

static bool
is_regex(const char *pattern)
{
	char *why = regex_fault(pattern, REGEX_LINES);

	free(why);
	return why == NULL;
}

/* With a NUL behind them, as http.h asks for. */
static char *
copy(const char *bytes, size_t size)
{
	char *c = xcalloc(1, size + 1);

	memcpy(c, bytes, size);
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	struct http_answer answer = { .status = 200 };
	struct http_conf conf = { 0 };
	struct text detail = { 0 };
	char regex[PATTERN_MAX + 1] = "";
	int64_t seconds;

	if (line == NULL || line - data > PATTERN_MAX)
		return 0;
	memcpy(regex, data, (size_t)(line - data));
	conf.expect = regex;
	conf.is_regex = is_regex(regex);
	answer.body_size = size - (size_t)(line + 1 - data);
	answer.body = copy((const char *)line + 1, answer.body_size);
	switch (http_judge(&conf, &answer, &detail)) {
	case REASON_OK:
		must(detail.length == 0);
		break;
	case REASON_PROTOCOL:
		must(detail.length > 0 && detail.length < 128);
		break;
	default:
		abort();
	}
	text_done(&detail);
	free((char *)answer.body);
	if (http_parse_expiry(regex, &seconds) == 0)
		must(seconds < INT64_C(253402300861));
	return 0;
}
