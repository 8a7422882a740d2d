/*
 * http.c - see http.h.
 */
#include "checkd/http.h"

#include "common/regex.h"
#include "common/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX   64 /* bytes of a body that evidence quotes */
#define DAY_SECONDS 86400

/* ---- the answer ---- */

static bool
is_good_status(const struct http_conf *conf, unsigned status)
{
	for (size_t i = 0; i < conf->n_statuses; i++)
		if (status >= conf->statuses[i].low && status <= conf->statuses[i].high)
			return true;
	return conf->n_statuses == 0 && status >= 200 && status <= 399;
}

static enum regex_found
find(const struct http_conf *conf, const struct http_answer *answer)
{
	if (conf->expect == NULL)
		return REGEX_YES;
	if (conf->is_regex)
		return regex_search_once(
		    conf->expect, REGEX_LINES, answer->body, answer->body_size);
	return memmem(answer->body, answer->body_size, conf->expect, strlen(conf->expect)) != NULL
		   ? REGEX_YES
		   : REGEX_NO;
}

void
http_quote(struct text *t, const char *bytes, size_t size)
{
	text_add(t, "; got \"");
	for (size_t i = 0; i < MIN(size, SHOWN_MAX); i++) {
		char c = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : ' ';

		text_add_n(t, &c, 1);
	}
	text_add(t, "\"");
}

enum check_reason
http_judge(const struct http_conf *conf, const struct http_answer *answer, struct text *detail)
{
	enum regex_found found;

	if (!is_good_status(conf, answer->status)) {
		text_addf(detail, "status %u", answer->status);
		return REASON_STATUS;
	}
	found = find(conf, answer);
	if (found == REGEX_YES)
		return REASON_OK;
	text_addf(detail, "status %u, expect %s", answer->status,
	    found == REGEX_NO ? "not found" : "takes too long on this body");
	http_quote(detail, answer->body, answer->body_size);
	return REASON_PROTOCOL;
}

/* ---- certificates ---- */

static bool
take_number(const char **at, int low, int high, int *ret)
{
	const char *p = *at + strspn(*at, " ");
	int v = 0, digits = 0;

	for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
		v = v * 10 + (*p - '0');
	*at = p;
	*ret = v;
	return digits > 0 && v >= low && v <= high;
}

static bool
take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static bool
take_month(const char **at, int *ret)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (strncmp(*at, names + 3 * i, 3) == 0) {
			*at += 3;
			*ret = i + 1;
			return true;
		}
	return false;
}

/* Days from 1970-01-01, of the Gregorian calendar: a year that begins in March ends in its leap
 * day. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int
http_parse_expiry(const char *text, int64_t *ret)
{
	const char *p = text;
	int month, day, hour, minute, second, year;

	if (!take_month(&p, &month) || !take_number(&p, 1, 31, &day) ||
	    !take_number(&p, 0, 23, &hour) || !take_char(&p, ':') ||
	    !take_number(&p, 0, 59, &minute) || !take_char(&p, ':') ||
	    !take_number(&p, 0, 60, &second) || !take_number(&p, 1950, 9999, &year) ||
	    strcmp(p, " GMT") != 0)
		return -EINVAL;
	*ret = days_of(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
	return 0;
}

bool
http_expires_soon(const struct http_conf *conf, int64_t expiry, int64_t now)
{
	return expiry > now && expiry - now <= conf->expiry_warning_us / 1000000;
}
