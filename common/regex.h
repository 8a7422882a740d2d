/*
 * regex.h - expressions that somebody wrote, against text that a stranger sent:
 * Perl's, as nginx and most people write them (pcre2pattern(3)), with an end to
 * what one search may cost.
 */
#ifndef COMMON_REGEX_H
#define COMMON_REGEX_H

#include <stddef.h>

struct regex;

enum {
	REGEX_CASELESS = 1,
	REGEX_LINES = 2, /* ^ and $ match at lines, too */
};

/*
 * NULL where it is no expression, or too large a one: then *ret_why, to be
 * freed, tells a person.  A regex may be searched with by several threads.
 */
struct regex *regex_new(const char *pattern, unsigned flags, char **ret_why);
void regex_free(struct regex *);

/* The i-th of the names that its groups have ((?<name>...)), and whose; NULL: no more. */
const char *regex_name(const struct regex *, size_t i, size_t *ret_group);

/* NULL, or why regex_new() would not take it; to be freed. */
char *regex_fault(const char *pattern, unsigned flags);

enum regex_found {
	REGEX_NO,
	REGEX_YES,
	REGEX_GIVEN_UP, /* every way to match was tried for too long */
};

/* What matched: text[start] to text[end - 1]; a group that took no part has start == end == 0. */
struct regex_range {
	size_t start, end;
};

/*
 * The first match in 'size' bytes of any kind.  ret_ranges[0] is then the whole
 * match, ret_ranges[n] what the n-th parenthesis took; n_ranges may be 0.
 */
enum regex_found regex_search(const struct regex *, const char *text, size_t size,
    struct regex_range *ret_ranges, size_t n_ranges);

/* The same for an expression that is used once; one that regex_fault() objects to is given up. */
enum regex_found regex_search_once(
    const char *pattern, unsigned flags, const char *text, size_t size);

#endif
