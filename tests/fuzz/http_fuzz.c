/*
 * http_fuzz.c - a body under an expression, both somebody's: the expression's
 * line first.  And the date of a certificate.
 */
#include "checkd/http.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define REGEX_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool true_one)
{
	if (!true_one)
		abort();
}

/* Such as conf takes: it can be compiled, and does not point back. */
static bool
is_regex(const char *text)
{
	regex_t compiled;

	if (strpbrk(text, "\\{") != NULL || regcomp(&compiled, text, REG_EXTENDED) != 0)
		return false;
	regfree(&compiled);
	return true;
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
	char regex[REGEX_MAX + 1] = "";
	int64_t seconds;

	if (line == NULL || line - data > REGEX_MAX)
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
