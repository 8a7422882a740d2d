/*
 * value.c - numbers, times, sizes, addresses out of words (bind.h).
 */
#include "common/conf/bind.h"

#include <stdio.h>
#include <string.h>

/* A decimal integer with an optional sign and nothing behind it. */
bool
parse_integer(const char *text, int64_t *ret)
{
	bool negative = *text == '-';
	int64_t v = 0;

	text += *text == '-' || *text == '+';
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || v > INT64_C(100000000000000))
			return false;
		v = v * 10 + (*text - '0');
	}
	*ret = negative ? -v : v;
	return true;
}

bool
value_integer(struct binder *b, const struct word *w, int64_t low, int64_t high, int64_t *ret)
{
	int64_t v;

	if (!parse_integer(w->text, &v)) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a whole number", w->text);
		return false;
	}
	if (v < low || v > high) {
		bind_say(b, CONF_ERROR, w->pos, "%lld is out of range: %lld to %lld", (long long)v,
		    (long long)low, (long long)high);
		return false;
	}
	*ret = v;
	return true;
}

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "us", 1 },
	{ "ms", US_PER_MS },
	{ "s", US_PER_S },
	{ "m", 60 * US_PER_S },
	{ "h", 3600 * US_PER_S },
	{ "d", 86400 * US_PER_S },
};

#define SECONDS_MAX INT64_C(1000000000) /* some thirty years: no duration is longer */

/* "1.5", "50ms", "2s"; *ret_unit: a unit was written. */
bool
parse_duration(const char *text, int64_t *ret_us, bool *ret_unit)
{
	const char *p = text;
	int64_t whole = 0, part = 0, scale = US_PER_S, unit = US_PER_S;

	for (; *p >= '0' && *p <= '9'; p++)
		if ((whole = whole * 10 + (*p - '0')) > SECONDS_MAX * 1000)
			return false;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++)
			if (scale > 1)
				part += (*p - '0') * (scale /= 10);
	if (p == text || (p == text + 1 && *text == '.'))
		return false;
	*ret_unit = *p != '\0';
	if (*p != '\0') {
		unit = 0;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (strcmp(p, units[i].name) == 0)
				unit = units[i].us;
	}
	if (unit == 0 || whole > SECONDS_MAX * US_PER_S / unit)
		return false;
	*ret_us = whole * unit +
		  (unit >= US_PER_S ? part * (unit / US_PER_S) : part * unit / US_PER_S);
	return true;
}

/* "0.5 s" for messages. */
static const char *
seconds_text(int64_t us, char buf[static 32])
{
	int n = snprintf(
	    buf, 32, "%lld.%06lld", (long long)(us / US_PER_S), (long long)(us % US_PER_S));

	while (n > 0 && buf[n - 1] == '0')
		buf[--n] = '\0';
	if (n > 0 && buf[n - 1] == '.')
		buf[--n] = '\0';
	return buf;
}

static bool
in_range(struct binder *b, const struct word *w, int64_t us, int64_t low, int64_t high)
{
	char from[32], to[32];

	if (us >= low && us <= high)
		return true;
	bind_say(b, CONF_ERROR, w->pos, "'%.64s' is out of range: %s to %s seconds", w->text,
	    seconds_text(low, from), seconds_text(high, to));
	return false;
}

bool
value_duration(struct binder *b, const struct word *w, int64_t low, int64_t high, int64_t *ret)
{
	int64_t us;
	bool unit;

	if (!parse_duration(w->text, &us, &unit)) {
		bind_say(b, CONF_ERROR, w->pos,
		    "'%.64s' is not a time: seconds, or a number with ms, s, m, h", w->text);
		return false;
	}
	if (!in_range(b, w, us, low, high))
		return false;
	*ret = us;
	return true;
}

bool
value_seconds(struct binder *b, const struct word *w, int64_t low, int64_t high, int64_t *ret)
{
	int64_t us;
	bool unit;

	if (!parse_duration(w->text, &us, &unit) || unit) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a number of seconds", w->text);
		return false;
	}
	if (!in_range(b, w, us, low, high))
		return false;
	*ret = us;
	return true;
}

/* nginx: numbers with units that grow smaller, a bare number is seconds: "1m30s". */
bool
value_nginx_time(struct binder *b, const struct word *w, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t us;
	} steps[] = { { "y", 365 * 86400 * US_PER_S }, { "M", 30 * 86400 * US_PER_S },
		{ "w", 7 * 86400 * US_PER_S }, { "d", 86400 * US_PER_S }, { "h", 3600 * US_PER_S },
		{ "ms", US_PER_MS }, { "m", 60 * US_PER_S }, { "s", US_PER_S } };
	const char *p = w->text;
	int64_t total = 0, last = INT64_MAX;

	do {
		const char *digits = p;
		int64_t v = 0, unit = US_PER_S;
		size_t size = 0;

		for (; *p >= '0' && *p <= '9' && v < SECONDS_MAX * 1000; p++)
			v = v * 10 + (*p - '0');
		for (size_t i = 0; i < ARRAY_LEN(steps) && size == 0; i++)
			if (strncmp(p, steps[i].name, strlen(steps[i].name)) == 0) {
				size = strlen(steps[i].name);
				unit = steps[i].us;
			}
		if (p == digits || (*p != '\0' && size == 0) || unit >= last ||
		    v > SECONDS_MAX * US_PER_S / unit || total > SECONDS_MAX * US_PER_S) {
			bind_say(b, CONF_ERROR, w->pos,
			    "'%.64s' is not a time: 30, 30s, 500ms, 1m30s", w->text);
			return false;
		}
		total += v * unit;
		last = unit;
		p += size;
	} while (*p != '\0');
	*ret = total;
	return true;
}

bool
value_nginx_size(struct binder *b, const struct word *w, int64_t low, int64_t high, int64_t *ret)
{
	const char *p = w->text;
	int64_t v = 0, unit = 1;

	for (; *p >= '0' && *p <= '9' && v < INT64_C(100000000000); p++)
		v = v * 10 + (*p - '0');
	if (p != w->text && *p != '\0' && p[1] == '\0')
		unit = *p == 'k' || *p == 'K'	? 1024
		       : *p == 'm' || *p == 'M' ? 1024 * 1024
		       : *p == 'g' || *p == 'G' ? 1024 * 1024 * 1024
						: 0;
	else if (p == w->text || *p != '\0')
		unit = 0;
	if (unit == 0) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not a size: 16384, 16k, 1m", w->text);
		return false;
	}
	if (v > high / unit || v * unit < low) {
		bind_say(b, CONF_ERROR, w->pos, "'%.64s' is out of range: %lld to %lld bytes",
		    w->text, (long long)low, (long long)high);
		return false;
	}
	*ret = v * unit;
	return true;
}

bool
value_on_off(struct binder *b, const struct word *w, bool *ret)
{
	static const char *const yes[] = { "on", "true", "yes" }, *const no[] = { "off", "false",
		"no" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(w->text, yes[i]) == 0 || strcmp(w->text, no[i]) == 0) {
			*ret = strcmp(w->text, yes[i]) == 0;
			return true;
		}
	}
	bind_say(b, CONF_ERROR, w->pos, "'%.64s' is neither on nor off", w->text);
	return false;
}

bool
value_addr(struct binder *b, const struct word *w, struct addr *ret)
{
	if (addr_parse(w->text, ret) == 0)
		return true;
	bind_say(b, CONF_ERROR, w->pos, "'%.64s' is not an IP address", w->text);
	return false;
}
