/*
 * diag.c - see diag.h.
 */
#include "common/conf/diag.h"

#include "common/conf/source.h"

#include <stdlib.h>
#include <string.h>

static const char *const severity_names[] = {
	[CONF_NOTICE] = "notice",
	[CONF_WARNING] = "warning",
	[CONF_ERROR] = "error",
};

const char *
conf_severity_str(enum conf_severity severity)
{
	return severity_names[severity];
}

size_t
conf_diags_count(const struct conf_diags *diags, enum conf_severity severity, unsigned parts)
{
	size_t n = 0;

	for (size_t i = 0; i < diags->n; i++)
		n += diags->items[i].severity == severity && (diags->items[i].part & parts) != 0;
	return n;
}

static void
item_done(struct conf_diag *d)
{
	free(d->file);
	free(d->message);
	free(d->excerpt);
}

/*
 * The list is full: which item may go for 'd'?  Something less severe; failing
 * that, an error of a part that has another one, so that whoever asks about one
 * part never finds none where there was one.  SIZE_MAX: none.
 */
static size_t
evictable(const struct conf_diags *diags, const struct conf_diag *d)
{
	for (size_t i = diags->n; i-- > 0;)
		if (diags->items[i].severity < d->severity)
			return i;
	if (d->severity != CONF_ERROR || conf_diags_count(diags, CONF_ERROR, d->part) > 0)
		return SIZE_MAX;
	for (size_t i = diags->n; i-- > 0;)
		if (conf_diags_count(diags, CONF_ERROR, diags->items[i].part) > 1)
			return i;
	return SIZE_MAX;
}

/* Said already?  What two halves of an instance have in common is read twice. */
static bool
is_known(const struct conf_diags *diags, const struct conf_diag *d)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct conf_diag *k = &diags->items[i];

		if (k->pos.line == d->pos.line && k->pos.column == d->pos.column &&
		    k->pos.line != 0 && k->pos.file == d->pos.file && k->severity == d->severity &&
		    strcmp(k->message, d->message) == 0)
			return true;
	}
	return false;
}

void
conf_diags_take(struct conf_diags *diags, struct conf_diag *d)
{
	if (is_known(diags, d)) {
		item_done(d);
		return;
	}
	if (diags->n >= CONF_DIAGS_MAX) {
		size_t out = evictable(diags, d);

		diags->n_dropped++;
		if (out == SIZE_MAX) {
			item_done(d);
			return;
		}
		item_done(&diags->items[out]);
		memmove(&diags->items[out], &diags->items[out + 1],
		    (diags->n - out - 1) * sizeof(*diags->items));
		diags->n--;
	}
	diags->items = conf_grow(diags->items, diags->n, sizeof(*diags->items));
	diags->items[diags->n++] = *d;
}

static int
compare(const struct conf_diag *a, const struct conf_diag *b)
{
	if ((a->pos.line == 0) != (b->pos.line == 0))
		return a->pos.line == 0 ? 1 : -1; /* about the whole: last */
	if (a->pos.file != b->pos.file)
		return a->pos.file < b->pos.file ? -1 : 1;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.column != b->pos.column)
		return a->pos.column < b->pos.column ? -1 : 1;
	return 0;
}

/* Insertion sort: stable, and the list is bounded. */
void
conf_diags_sort(struct conf_diags *diags)
{
	for (size_t i = 1; i < diags->n; i++) {
		struct conf_diag d = diags->items[i];
		size_t k = i;

		for (; k > 0 && compare(&d, &diags->items[k - 1]) < 0; k--)
			diags->items[k] = diags->items[k - 1];
		diags->items[k] = d;
	}
}

/* The caret stands under the word: tabs before it are kept, so that it lines up anywhere. */
static void
print_caret(const struct conf_diag *d, struct text *out)
{
	size_t size = strlen(d->excerpt);

	text_add(out, "    ");
	for (size_t i = 0; i + 1 < d->pos.column && i < size; i++) {
		unsigned char c = (unsigned char)d->excerpt[i];

		if ((c & 0xc0) == 0x80)
			continue; /* one column for each character, not for each byte */
		text_add(out, c == '\t' ? "\t" : " ");
	}
	text_add(out, "^");
	for (unsigned i = 1; i < d->pos.length && d->pos.column + i <= size; i++)
		if (((unsigned char)d->excerpt[d->pos.column - 1 + i] & 0xc0) != 0x80)
			text_add(out, "~");
	text_add(out, "\n");
}

void
conf_diag_print(const struct conf_diag *d, struct text *out)
{
	if (d->file[0] != '\0')
		text_addf(out, "%s:", d->file);
	if (d->pos.line > 0)
		text_addf(out, "%u:%u:", d->pos.line, d->pos.column);
	text_addf(out, "%s%s: %s\n", out->length > 0 && d->file[0] != '\0' ? " " : "",
	    conf_severity_str(d->severity), d->message);
	if (d->excerpt == NULL)
		return;
	text_addf(out, "    %s\n", d->excerpt);
	print_caret(d, out);
}

void
conf_diags_done(struct conf_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		item_done(&diags->items[i]);
	free(diags->items);
	*diags = (struct conf_diags){ 0 };
}
