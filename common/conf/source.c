/*
 * source.c - see source.h.
 */
#include "common/conf/source.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void
index_lines(struct source_file *f)
{
	size_t n = 1;

	for (size_t i = 0; i < f->size; i++)
		n += f->text[i] == '\n';
	f->lines = xcalloc(n, sizeof(*f->lines));
	f->n_lines = 1;
	for (size_t i = 0; i < f->size; i++)
		if (f->text[i] == '\n')
			f->lines[f->n_lines++] = (uint32_t)i + 1;
}

/* Takes 'text'. */
static int
take(struct conf_source *s, const char *path, char *text, size_t size, size_t *ret_file)
{
	struct source_file *f;

	if (s->n_files >= CONF_FILES_MAX) {
		free(text);
		return -EMFILE;
	}
	if (size > CONF_FILE_MAX || s->total_bytes + size > CONF_TOTAL_MAX) {
		free(text);
		return -EFBIG;
	}
	s->files = conf_grow(s->files, s->n_files, sizeof(*s->files));
	f = &s->files[s->n_files];
	*f = (struct source_file){ .path = xstrdup(path), .text = text, .size = size };
	index_lines(f);
	s->total_bytes += size;
	*ret_file = s->n_files++;
	return 0;
}

int
source_add(struct conf_source *s, const char *path, const char *text, size_t size, size_t *ret_file)
{
	char *copy = xcalloc(size + 1, 1);

	memcpy(copy, text, size);
	return take(s, path, copy, size, ret_file);
}

int
source_open(struct conf_source *s, const char *path, size_t *ret_file)
{
	char *text;
	size_t size;
	int err;

	if (s->host == NULL || s->host->read_file == NULL)
		return -EACCES;
	if (s->n_files >= CONF_FILES_MAX)
		return -EMFILE;
	err = s->host->read_file(s->host->aux, path, &text, &size);
	if (err < 0)
		return err;
	return take(s, path, text, size, ret_file);
}

void
source_done(struct conf_source *s)
{
	for (size_t i = 0; i < s->n_files; i++) {
		free(s->files[i].path);
		free(s->files[i].text);
		free(s->files[i].lines);
	}
	free(s->files);
	free(s->secrets);
	*s = (struct conf_source){ 0 };
}

/* The line, from 0, that holds 'offset'. */
static size_t
line_of(const struct source_file *f, size_t offset)
{
	size_t low = 0, high = f->n_lines;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (f->lines[mid] <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static size_t
line_end(const struct source_file *f, size_t line)
{
	size_t end = line + 1 < f->n_lines ? f->lines[line + 1] - 1 : f->size;

	if (end > f->lines[line] && f->text[end - 1] == '\r')
		end--;
	return end;
}

struct conf_pos
source_pos(const struct conf_source *s, size_t file, size_t offset, size_t size)
{
	const struct source_file *f = &s->files[file];
	size_t line, end;

	offset = MIN(offset, f->size);
	line = line_of(f, offset);
	end = line_end(f, line);
	if (offset + size > end)
		size = end > offset ? end - offset : 0;
	return (struct conf_pos){
		.file = (uint16_t)file,
		.length = (uint16_t)MIN(size, (size_t)UINT16_MAX),
		.line = (uint32_t)line + 1,
		.column = (uint32_t)(offset - f->lines[line]) + 1,
	};
}

char *
source_directory(const struct conf_source *s, size_t file)
{
	const char *path = s->files[file].path;
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

void
source_mark_secret(struct conf_source *s, struct conf_pos pos)
{
	if (pos.line == 0 || pos.length == 0)
		return;
	s->secrets = conf_grow(s->secrets, s->n_secrets, sizeof(*s->secrets));
	s->secrets[s->n_secrets++].pos = pos;
}

/* ---- excerpts ---- */

/* Does a word announce that a password follows?  By its look: a misspelt one leaks as well. */
static bool
is_secret_word(const char *word, size_t size)
{
	static const char *const parts[] = { "pass", "secret", "auth_p", "_key" };

	if ((size >= 9 && strncasecmp(word, "auth_type", 9) == 0) ||
	    (size == 4 && memcmp(word, "PASS", 4) == 0) ||
	    (size >= 7 && memcmp(word, "passes=", 7) == 0))
		return false;
	for (size_t i = 0; i < size; i++)
		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			if (size - i >= strlen(parts[k]) &&
			    strncasecmp(word + i, parts[k], strlen(parts[k])) == 0)
				return true;
	return (size >= 5 && strncasecmp(word, "auth_", 5) == 0) ||
	       (size == 3 && memcmp(word, "key", 3) == 0);
}

static void
blank(char *from, const char *end)
{
	for (; from < end; from++) {
		bool ends = from + 1 == end || isspace((unsigned char)from[1]);

		if (!isspace((unsigned char)*from) && *from != '{' && *from != '}' &&
		    !(*from == ';' && ends))
			*from = '*';
	}
}

/* Blank what follows a word that announces a password, to the end of the line. */
static void
blank_by_look(char *line)
{
	char *end = line + strlen(line);

	for (char *p = line; p < end;) {
		size_t size = strcspn(p, " \t={}\";");

		/* proxy_pass and its kin name servers */
		if (is_secret_word(p, size) && strncmp(p, "proxy_", 6) != 0) {
			blank(p + size + (p[size] == '='), end);
			return;
		}
		p += size > 0 ? size : 1;
	}
}

#define EXCERPT_MAX 240

/* The line of 'pos' as it may be shown; to be freed. */
static char *
excerpt(const struct conf_source *s, struct conf_pos pos)
{
	const struct source_file *f = &s->files[pos.file];
	size_t from = f->lines[pos.line - 1], end = line_end(f, pos.line - 1);
	char *line;

	if (pos.column > EXCERPT_MAX)
		return NULL; /* what it is about would be out of sight */
	line = xstrndup(f->text + from, MIN(end - from, (size_t)EXCERPT_MAX));
	for (char *p = line; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			*p = '?'; /* a terminal must not obey a configuration file */
	blank_by_look(line);
	return line;
}

void
conf_say(struct conf_source *s, enum conf_severity severity, enum conf_part part,
    struct conf_pos pos, const char *fmt, ...)
{
	struct conf_diag d = { .severity = severity, .part = part, .pos = pos };
	va_list ap;

	va_start(ap, fmt);
	d.message = xvasprintf(fmt, ap);
	va_end(ap);
	for (char *p = d.message; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	d.file = xstrdup(pos.file < s->n_files ? s->files[pos.file].path : "");
	if (pos.line > 0 && pos.file < s->n_files)
		d.excerpt = excerpt(s, pos);
	conf_diags_take(s->diags, &d);
}

static void
blank_secret(struct conf_diag *d, struct conf_pos at)
{
	size_t size = strlen(d->excerpt), from = at.column - 1;

	if (from < size)
		blank(d->excerpt + from, d->excerpt + MIN(size, from + at.length));
}

void
source_finish(struct conf_source *s)
{
	for (size_t i = 0; i < s->diags->n; i++) {
		struct conf_diag *d = &s->diags->items[i];

		for (size_t k = 0; k < s->n_secrets && d->excerpt != NULL; k++) {
			struct conf_pos at = s->secrets[k].pos;

			if (at.file == d->pos.file && at.line == d->pos.line)
				blank_secret(d, at);
		}
	}
	conf_diags_sort(s->diags);
}

/* ---- did you mean ---- */

#define NEAREST_MAX 40 /* names are shorter; a longer word is no misspelling of one */

/* Edits between the two: insertions, deletions, changes, swaps of neighbours. */
static unsigned
distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned row[3][NEAREST_MAX + 1];
	unsigned *prev2 = row[0], *prev = row[1], *cur = row[2];

	for (size_t j = 0; j <= nb; j++)
		prev[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *next = prev2;

		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);

			cur[j] = MIN(MIN(prev[j], cur[j - 1]) + 1, prev[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cur[j] = MIN(cur[j], prev2[j - 2] + 1);
		}
		prev2 = prev;
		prev = cur;
		cur = next;
	}
	return prev[nb];
}

const char *
conf_nearest(const char *word, const void *names, size_t n, size_t stride)
{
	const char *best = NULL;
	unsigned least = (unsigned)MIN(strlen(word) / 3 + 1, 3) + 1;

	if (strlen(word) > NEAREST_MAX || strlen(word) < 2)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *name = *(const char *const *)((const char *)names + i * stride);
		unsigned d;

		if (name == NULL || strlen(name) > NEAREST_MAX)
			continue;
		d = distance(word, name);
		if (d < least && d < strlen(name)) {
			least = d;
			best = name;
		}
	}
	return best;
}
