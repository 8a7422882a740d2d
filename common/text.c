/*
 * text.c - see text.h.
 */
#include "common/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	if (p == NULL)
		abort();
	return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n > 0 ? n : 1, size > 0 ? size : 1);
	if (p == NULL)
		abort();
	return p;
}

char *
xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (p == NULL)
		abort();
	return p;
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

/* Room for 'more' characters and a NUL. */
static void
reserve(struct text *t, size_t more)
{
	size_t want = t->length + more + 1;

	if (want <= t->size)
		return;
	t->size = MAX(want, t->size * 2);
	t->chars = xreallocarray(t->chars, t->size, 1);
}

void
text_add_n(struct text *t, const char *s, size_t n)
{
	reserve(t, n);
	memcpy(t->chars + t->length, s, n);
	t->length += n;
	t->chars[t->length] = '\0';
}

void
text_add(struct text *t, const char *s)
{
	text_add_n(t, s, strlen(s));
}

static void
add_v(struct text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		abort();
	reserve(t, (size_t)n);
	vsnprintf(t->chars + t->length, (size_t)n + 1, fmt, ap);
	t->length += (size_t)n;
}

void
text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_v(t, fmt, ap);
	va_end(ap);
}

const char *
text_str(const struct text *t)
{
	return t->chars != NULL ? t->chars : "";
}

char *
text_take(struct text *t)
{
	char *s = t->chars != NULL ? t->chars : xstrdup("");

	*t = (struct text){ 0 };
	return s;
}

void
text_done(struct text *t)
{
	free(t->chars);
	*t = (struct text){ 0 };
}

char *
xvasprintf(const char *fmt, va_list ap)
{
	struct text t = { 0 };

	add_v(&t, fmt, ap);
	return text_take(&t);
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}
