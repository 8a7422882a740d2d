/*
 * smtp.c - see smtp.h.
 */
#include "checkd/smtp.h"

#include "common/util.h"

#include <stdbool.h>
#include <string.h>

/* A sentence with what it said, printable, behind it. */
static enum smtp_step
down(struct smtp *s, const char *what, bool show)
{
	size_t at = strlen(what), n = show ? MIN(s->size, SMTP_SHOWN_MAX) : 0;

	memcpy(s->why, what, at);
	if (n > 0)
		memcpy(s->why + at, "; got \"", 7), at += 7;
	for (size_t i = 0; i < n; i++)
		s->why[at++] = s->line[i] >= ' ' && s->line[i] <= '~' ? s->line[i] : ' ';
	if (n > 0)
		s->why[at++] = '"';
	s->why[at] = '\0';
	return SMTP_DOWN;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 4.2: three digits, then a blank, nothing, or '-' when another line follows. */
static bool
is_reply(const struct smtp *s)
{
	return s->size >= 3 && is_digit(s->line[0]) && is_digit(s->line[1]) &&
	       is_digit(s->line[2]) && (s->size == 3 || s->line[3] == ' ' || s->line[3] == '-');
}

/* A whole line, without its end. */
static enum smtp_step
step(struct smtp *s)
{
	if (!is_reply(s))
		return down(s, "that is not SMTP", true);
	if (s->phase == SMTP_QUIT)
		return SMTP_UP;
	if (s->line[0] != '2')
		return down(
		    s, s->phase == SMTP_GREETING ? "it does not greet" : "EHLO is refused", true);
	if (s->size > 3 && s->line[3] == '-')
		return SMTP_MORE;
	s->phase = s->phase == SMTP_GREETING ? SMTP_EHLO : SMTP_QUIT;
	return s->phase == SMTP_EHLO ? SMTP_SAY_EHLO : SMTP_SAY_QUIT;
}

/* What a line does not need any more. */
static enum smtp_step
end_line(struct smtp *s)
{
	enum smtp_step next;

	if (s->size > 0 && s->line[s->size - 1] == '\r')
		s->size--;
	next = step(s);
	s->size = 0;
	return next;
}

enum smtp_step
smtp_feed(struct smtp *s, const char *bytes, size_t size, size_t *used)
{
	for (size_t i = 0; i < size; i++) {
		enum smtp_step next;

		*used = i + 1;
		if (++s->total > SMTP_TOTAL_MAX)
			return down(s, "its reply does not end", false);
		if (bytes[i] != '\n') {
			if (s->size == sizeof(s->line))
				return down(s, "a line of its reply does not end", true);
			s->line[s->size++] = bytes[i];
			continue;
		}
		next = end_line(s);
		if (next != SMTP_MORE)
			return next;
	}
	*used = size;
	return SMTP_MORE;
}

enum smtp_step
smtp_closed(struct smtp *s)
{
	if (s->phase == SMTP_QUIT)
		return SMTP_UP;
	return down(s,
	    s->phase == SMTP_GREETING ? "connection closed before the greeting"
				      : "connection closed before the answer to EHLO",
	    true);
}

const char *
smtp_waiting(const struct smtp *s)
{
	return s->phase == SMTP_GREETING ? "no greeting" : "no answer to EHLO";
}
