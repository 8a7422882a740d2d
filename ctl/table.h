/*
 * table.h - lines whose columns stand under each other.  Pure.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "common/text.h"

#include <stdbool.h>

#define TABLE_COLUMNS_MAX 8

enum table_style { TABLE_PLAIN, TABLE_GOOD, TABLE_WARN, TABLE_BAD, TABLE_DIM, TABLE_BOLD };

struct table { /* zeroed is empty */
	struct table_row {
		char *cells[TABLE_COLUMNS_MAX];
		enum table_style styles[TABLE_COLUMNS_MAX];
		unsigned n;
	} * rows;
	size_t n;
};

void table_row(struct table *);
/* One more cell in the last row; NULL is "". */
void table_cell(struct table *, enum table_style, const char *);
void table_cellf(struct table *, enum table_style, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Each row on a line, after 'indent'; empties the table. */
void table_print(struct table *, const char *indent, bool colour, struct text *out);

/* One word in a style, for text outside tables. */
void table_styled(struct text *out, enum table_style, bool colour, const char *);

#endif
