/*
 * table.c - see table.h.
 */
#include "ctl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP "  "

/* ECMA-48, SGR: the sixteen colours every terminal has. */
static const char *const SGR[] = {
	[TABLE_PLAIN] = "",
	[TABLE_GOOD] = "\033[32m",
	[TABLE_WARN] = "\033[33m",
	[TABLE_BAD] = "\033[1;31m",
	[TABLE_DIM] = "\033[2m",
	[TABLE_BOLD] = "\033[1m",
};

void
table_styled(struct text *out, enum table_style style, bool colour, const char *s)
{
	bool on = colour && style != TABLE_PLAIN;

	text_addf(out, "%s%s%s", on ? SGR[style] : "", s, on ? "\033[0m" : "");
}

void
table_row(struct table *t)
{
	t->rows = xreallocarray(t->rows, t->n + 1, sizeof(*t->rows));
	memset(&t->rows[t->n++], 0, sizeof(*t->rows));
}

static void
take_cell(struct table *t, enum table_style style, char *s)
{
	struct table_row *row = &t->rows[t->n - 1];

	if (row->n == TABLE_COLUMNS_MAX) {
		free(s);
		return;
	}
	row->styles[row->n] = style;
	row->cells[row->n++] = s;
}

void
table_cell(struct table *t, enum table_style style, const char *s)
{
	take_cell(t, style, xstrdup(s != NULL ? s : ""));
}

void
table_cellf(struct table *t, enum table_style style, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	take_cell(t, style, s);
}

/* Characters, not bytes: what follows the first byte of a UTF-8 character is 10xxxxxx. */
static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
measure(const struct table *t, size_t widths[static TABLE_COLUMNS_MAX])
{
	memset(widths, 0, TABLE_COLUMNS_MAX * sizeof(*widths));
	for (size_t r = 0; r < t->n; r++)
		for (unsigned c = 0; c < t->rows[r].n; c++)
			widths[c] = MAX(widths[c], width(t->rows[r].cells[c]));
}

/* No blanks at the end of a line: cells after the last one with text do not count. */
static unsigned
used(const struct table_row *row)
{
	unsigned n = row->n;

	while (n > 0 && row->cells[n - 1][0] == '\0')
		n--;
	return n;
}

static void
print_row(const struct table_row *row, const size_t *widths, bool colour, struct text *out)
{
	unsigned n = used(row);

	for (unsigned c = 0; c < n; c++) {
		size_t pad = c + 1 < n ? widths[c] - width(row->cells[c]) : 0;

		table_styled(out, row->styles[c], colour, row->cells[c]);
		text_addf(out, "%*s%s", (int)pad, "", c + 1 < n && widths[c] > 0 ? GAP : "");
	}
}

void
table_print(struct table *t, const char *indent, bool colour, struct text *out)
{
	size_t widths[TABLE_COLUMNS_MAX];

	measure(t, widths);
	for (size_t r = 0; r < t->n; r++) {
		text_add(out, indent);
		print_row(&t->rows[r], widths, colour, out);
		text_add(out, "\n");
		for (unsigned c = 0; c < t->rows[r].n; c++)
			free(t->rows[r].cells[c]);
	}
	free(t->rows);
	*t = (struct table){ 0 };
}
