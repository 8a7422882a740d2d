/*
 * output.c - see output.h.
 */
#include "common/runner/output.h"

#include "common/util.h"

#include <string.h>

/* A line of blanks only says nothing: the one before it is worth more. */
static bool
says_something(const char *line, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] > ' ')
			return true;
	return false;
}

static void
end_line(struct output *o)
{
	if (says_something(o->line, o->line_size)) {
		memcpy(o->last, o->line, o->line_size);
		o->last_size = o->line_size;
	}
	o->line_size = 0;
}

void
output_add(struct output *o, const char *bytes, size_t size)
{
	size_t n = MIN(size, sizeof(o->head) - o->head_size);

	memcpy(o->head + o->head_size, bytes, n);
	o->head_size += n;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			end_line(o);
		else if (o->line_size < sizeof(o->line))
			o->line[o->line_size++] = bytes[i];
	}
}

/* How many bytes the character at s has (RFC 3629); 0: it is not one. */
static size_t
utf8_length(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first, last, second_min, second_max;
		size_t length;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].length > size || s[1] < forms[i].second_min ||
		    s[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static const char *
clean(const char *bytes, size_t size, bool keep_newlines, char *buf)
{
	size_t at = 0, n;

	for (size_t i = 0; i < size; i += n) {
		unsigned char c = (unsigned char)bytes[i];

		n = utf8_length((const unsigned char *)bytes + i, size - i);
		if (n > 1) {
			memcpy(buf + at, bytes + i, n);
			at += n;
			continue;
		}
		if (n == 0)
			buf[at++] = '?';
		else if (c == '\n' && keep_newlines)
			buf[at++] = '\n';
		else
			buf[at++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
		n = 1;
	}
	while (at > 0 && (buf[at - 1] == ' ' || buf[at - 1] == '\n'))
		at--;
	buf[at] = '\0';
	return buf;
}

const char *
output_head(const struct output *o, char buf[static OUTPUT_STR_MAX])
{
	return clean(o->head, o->head_size, true, buf);
}

const char *
output_last_line(const struct output *o, char buf[static OUTPUT_STR_MAX])
{
	return says_something(o->line, o->line_size) ? clean(o->line, o->line_size, false, buf)
						     : clean(o->last, o->last_size, false, buf);
}
