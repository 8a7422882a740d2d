/*
 * regex.c - see regex.h.
 *
 * The library's own limit is one for each place where a match may begin, so a
 * long text multiplies it.  Therefore it calls us before each item of the
 * expression, and all of a search is counted: the items, and the way it went
 * through the text in between.
 */
#include "common/regex.h"

#include "common/text.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define COST_MAX 1000000 /* of one search: some ten milliseconds */
#define HEAP_KB	 8192	 /* of its memory for places to go back to */

struct regex {
	pcre2_code *code;
};

struct regex *
regex_new(const char *pattern, unsigned flags, char **ret_why)
{
	uint32_t options = PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C | (flags & REGEX_CASELESS ? PCRE2_CASELESS : 0) |
			   (flags & REGEX_LINES ? PCRE2_MULTILINE : 0);
	struct regex *re;
	pcre2_code *code;
	PCRE2_SIZE at;
	char why[128];
	int error;

	code = pcre2_compile(
	    (PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
	if (code == NULL) {
		pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof(why));
		*ret_why = xasprintf("%s at character %zu", why, (size_t)at + 1);
		return NULL;
	}
	re = xcalloc(1, sizeof(*re));
	re->code = code;
	return re;
}

void
regex_free(struct regex *re)
{
	if (re == NULL)
		return;
	pcre2_code_free(re->code);
	free(re);
}

/* pcre2_pattern_info(3): entries of one size, each two bytes of the number and a string. */
const char *
regex_name(const struct regex *re, size_t i, size_t *ret_group)
{
	uint32_t n = 0, size = 0;
	PCRE2_SPTR table = NULL;

	pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &table);
	if (i >= n)
		return NULL;
	table += i * size;
	*ret_group = (size_t)table[0] << 8 | table[1];
	return (const char *)table + 2;
}

char *
regex_fault(const char *pattern, unsigned flags)
{
	char *why = NULL;

	regex_free(regex_new(pattern, flags, &why));
	return why;
}

struct spent {
	size_t cost;
	size_t position;
};

static int
on_item(pcre2_callout_block *b, void *arg)
{
	struct spent *s = arg;
	size_t now = b->current_position;

	s->cost += 1 + (now > s->position ? now - s->position : s->position - now);
	s->position = now;
	return s->cost > COST_MAX ? PCRE2_ERROR_CALLOUT : 0;
}

static void
tell_ranges(pcre2_match_data *data, int n_set, struct regex_range *ret, size_t n)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);

	for (size_t i = 0; i < n; i++) {
		bool set = i < (size_t)n_set && at[2 * i] != PCRE2_UNSET;

		ret[i] = (struct regex_range){ set ? at[2 * i] : 0, set ? at[2 * i + 1] : 0 };
	}
}

enum regex_found
regex_search(const struct regex *re, const char *text, size_t size, struct regex_range *ret_ranges,
    size_t n_ranges)
{
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	pcre2_match_data *data = pcre2_match_data_create((uint32_t)n_ranges + 1, NULL);
	struct spent spent = { 0 };
	int n = PCRE2_ERROR_NOMEMORY;

	if (context != NULL && data != NULL) {
		pcre2_set_callout(context, on_item, &spent);
		pcre2_set_heap_limit(context, HEAP_KB);
		n = pcre2_match(re->code, (PCRE2_SPTR)text, size, 0, 0, data, context);
	}
	if (n >= 0) /* 0: more groups than were asked for */
		tell_ranges(data, n > 0 ? n : (int)n_ranges, ret_ranges, n_ranges);
	pcre2_match_data_free(data);
	pcre2_match_context_free(context);
	return n >= 0 ? REGEX_YES : n == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_GIVEN_UP;
}

enum regex_found
regex_search_once(const char *pattern, unsigned flags, const char *text, size_t size)
{
	char *why = NULL;
	struct regex *re = regex_new(pattern, flags, &why);
	enum regex_found found = REGEX_GIVEN_UP;

	if (re != NULL)
		found = regex_search(re, text, size, NULL, 0);
	free(why);
	regex_free(re);
	return found;
}
