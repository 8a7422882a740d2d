/*
 * text.h - a string that grows, for cores that compose text (diagnostics,
 * normalised configuration, reasons) without stdio.
 *
 * Zeroed is empty and valid.  Running out of memory aborts: what is composed
 * here is bounded by what was read.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include "common/util.h"

#include <stdarg.h>
#include <stddef.h>

struct text {
	char *chars;   /* NUL-terminated once anything was added; NULL before */
	size_t length; /* without the NUL */
	size_t size;
};

void text_add(struct text *, const char *s);
void text_add_n(struct text *, const char *s, size_t n);
void text_addf(struct text *, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What was added so far; "" when nothing was.  Valid until the next call. */
const char *text_str(const struct text *);

/* The string itself, to be freed by the caller; the text is empty afterwards.  Never NULL. */
char *text_take(struct text *);
void text_done(struct text *);

/* Allocate or abort: start-up and configuration, never the path of a packet. */
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap);

#endif
