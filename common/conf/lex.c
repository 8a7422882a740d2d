/*
 * lex.c - the two dialects of text (parser.h).
 *
 * keepalived's: lines; '#' and '!' begin a comment wherever they stand outside
 * quotes; '"' quotes.  nginx's: tokens; '#' begins a comment only where a token
 * could begin; both kinds of quotes; '\' escapes.
 */
#include "common/conf/parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- a line of keepalived text ---- */

void
line_add(struct line *l, char c, uint32_t offset)
{
	if (l->n == l->size) {
		l->size = MAX(2 * l->size, (size_t)128);
		l->chars = xreallocarray(l->chars, l->size, sizeof(*l->chars));
	}
	l->chars[l->n++] = (struct lchar){ c, offset };
}

void
line_done(struct line *l)
{
	free(l->chars);
	*l = (struct line){ 0 };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n' ||
	       c == '\0';
}

/* Does the text from 'p' begin the word auth_pass, whose value has no escapes? */
static bool
begins_auth_pass(const char *text, size_t size, size_t p)
{
	static const char word[] = "auth_pass";
	size_t n = sizeof(word) - 1;

	return size - p > n && memcmp(text + p, word, n) == 0 && is_blank(text[p + n]) &&
	       (p == 0 || is_blank(text[p - 1]) || text[p - 1] == '{');
}

/*
 * Read one line from 'offset': continuations joined (each as one newline
 * character), the comment taken off.  False at the end of the file.
 */
bool
lex_line(struct parser *p, size_t file, size_t offset, struct line *l)
{
	const struct source_file *f = &p->src->files[file];
	bool quoted = false, plain = false, comment = false;
	size_t i = offset;

	*l = (struct line){ .file = file, .cut = UINT32_MAX };
	if (offset >= f->size)
		return false;
	for (; i < f->size; i++) {
		char c = f->text[i];

		if (c == '\n')
			break;
		if (comment)
			continue;
		if (c == '\\' && i + 1 < f->size) {
			size_t k = i + 1 + (f->text[i + 1] == '\r' && i + 2 < f->size);

			if (f->text[k] == '\n') {
				line_add(l, '\n', (uint32_t)i);
				i = k;
				continue;
			}
			if (quoted && !plain) { /* an escaped quote does not end it */
				line_add(l, c, (uint32_t)i++);
				c = f->text[i];
				line_add(l, c, (uint32_t)i);
				continue;
			}
		}
		if (!quoted && begins_auth_pass(f->text, f->size, i))
			plain = true;
		if (c == '"')
			quoted = !quoted;
		if ((c == '#' || c == '!') && !quoted) {
			comment = true;
			l->cut = (uint32_t)i;
			continue;
		}
		line_add(l, c, (uint32_t)i);
	}
	l->end = (uint32_t)MIN(i + 1, f->size);
	return true;
}

/* ---- its words ---- */

/* The character an escape stands for; *at is behind the backslash and moves on. */
static char
unescape(const struct line *l, size_t *at)
{
	static const char from[] = "abEfnrtv", to[] = "\a\b\033\f\n\r\t\v";
	char c = l->chars[(*at)++].c;
	const char *known = strchr(from, c);
	unsigned value = 0;

	if (c == 'x' && *at < l->n && isxdigit((unsigned char)l->chars[*at].c)) {
		for (; *at < l->n && isxdigit((unsigned char)l->chars[*at].c); ++*at) {
			char d = (char)tolower((unsigned char)l->chars[*at].c);

			value = value * 16 + (unsigned)(d <= '9' ? d - '0' : d - 'a' + 10);
		}
		return (char)value;
	}
	if (c >= '0' && c <= '7') {
		value = (unsigned)(c - '0');
		for (int i = 0; i < 2 && *at < l->n; i++) {
			char d = l->chars[*at].c;

			if (d < '0' || d > '7')
				break;
			value = value * 8 + (unsigned)(d - '0');
			++*at;
		}
		return (char)value;
	}
	if (c == 'c' && *at < l->n)
		return (char)(l->chars[(*at)++].c & 0x1f);
	return c != '\0' && known != NULL ? to[known - from] : c;
}

static struct conf_pos
span(struct parser *p, const struct line *l, size_t from, size_t to)
{
	uint32_t a = l->chars[from].offset, b = l->chars[to - 1].offset;

	return source_pos(p->src, l->file, a, b >= a ? b - a + 1 : 1);
}

static void
say_unterminated(struct parser *p, struct conf_pos pos)
{
	conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "quote without an end");
}

/* What stands between quotes, from behind the first.  False: they do not close. */
static bool
quoted_text(const struct line *l, size_t *at, bool plain, struct text *t)
{
	while (*at < l->n) {
		char c = l->chars[(*at)++].c;

		if (c == '"')
			return true;
		if (c == '\\' && !plain && *at < l->n)
			c = unescape(l, at);
		if (c == '\0')
			continue; /* said when the file was opened; an escaped one means nothing */
		text_add_n(t, &c, 1);
	}
	return false;
}

static bool
ends_bare_word(char c)
{
	return is_blank(c) || c == '{' || c == '}' || c == '"';
}

/* A ';' at the end of a bare word is not part of it (config.md 1), unless it is a password. */
static void
split_semicolon(struct parser *p, const struct line *l, size_t end, struct lex_token *t)
{
	size_t n = strlen(t->word.text);

	if (n == 0 || t->word.text[n - 1] != ';')
		return;
	while (n > 0 && t->word.text[n - 1] == ';')
		t->word.text[--n] = '\0';
	t->semicolon = true;
	t->semicolon_pos = span(p, l, end - 1, end);
	t->pos.length = (uint16_t)MAX(t->pos.length - 1, 0);
	t->word.pos = t->pos;
	if (n == 0) {
		free(t->word.text);
		t->word.text = NULL;
		t->kind = LEX_SEMICOLON;
		t->pos = t->semicolon_pos;
	}
}

/* Does a quote begin or end where no blank stands?  Whether that joins is anybody's guess. */
static bool
quote_inside(const struct line *l, size_t at, bool quoted)
{
	char c = l->chars[at].c;

	return quoted ? !is_blank(c) && c != '{' && c != '}' && c != ';' : c == '"';
}

struct lex_token
lex_keepalived(struct parser *p, const struct line *l, size_t *at, bool plain)
{
	struct lex_token t = { .kind = LEX_END };
	struct text text = { 0 };
	size_t from;

	while (*at < l->n && is_blank(l->chars[*at].c))
		++*at;
	if (*at >= l->n)
		return t;
	from = *at;
	t.offset = l->chars[from].offset;
	if (l->chars[from].c == '{' || l->chars[from].c == '}') {
		t.kind = l->chars[from].c == '{' ? LEX_OPEN : LEX_CLOSE;
		++*at;
		t.pos = span(p, l, from, *at);
		return t;
	}
	t.kind = LEX_WORD;
	t.word.plain = plain;
	if (l->chars[from].c == '"') {
		t.word.quoted = true;
		++*at;
		if (!quoted_text(l, at, plain, &text)) {
			say_unterminated(p, span(p, l, from, *at));
			t.kind = LEX_BAD;
		}
	} else {
		for (; *at < l->n && !ends_bare_word(l->chars[*at].c); ++*at)
			text_add_n(&text, &l->chars[*at].c, 1);
		t.word.cut = *at == l->n && l->cut != UINT32_MAX &&
			     l->chars[l->n - 1].offset + 1 == l->cut;
	}
	t.word.text = text_take(&text);
	t.word.pos = t.pos = span(p, l, from, *at);
	if (t.kind == LEX_WORD && *at < l->n && quote_inside(l, *at, t.word.quoted))
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, t.pos,
		    "a quote in the middle of a word: put quotes around all of it");
	if (t.word.quoted && *at < l->n && l->chars[*at].c == ';') {
		t.semicolon = true; /* "..."; */
		t.semicolon_pos = span(p, l, *at, *at + 1);
		while (*at < l->n && l->chars[*at].c == ';')
			++*at;
	} else if (!t.word.quoted) {
		split_semicolon(p, l, *at, &t);
	}
	if (t.kind == LEX_BAD) {
		free(t.word.text);
		t.word.text = NULL;
	}
	return t;
}

/* ---- nginx text ---- */

static void
skip_space(const struct source_file *f, size_t *offset)
{
	for (; *offset < f->size; ++*offset) {
		if (f->text[*offset] == '#') {
			while (*offset < f->size && f->text[*offset] != '\n')
				++*offset;
			if (*offset >= f->size)
				return;
		} else if (!is_blank(f->text[*offset])) {
			return;
		}
	}
}

/* "\t", "\r", "\n" and escaped quotes and backslashes; any other backslash stays. */
static void
add_escaped(struct text *t, char c)
{
	switch (c) {
	case '"':
	case '\'':
	case '\\':
		break;
	case 't':
		c = '\t';
		break;
	case 'r':
		c = '\r';
		break;
	case 'n':
		c = '\n';
		break;
	default:
		text_add(t, "\\");
	}
	if (c != '\0')
		text_add_n(t, &c, 1);
}

/* From behind the opening quote.  False: no end. */
static bool
nginx_quoted(const struct source_file *f, size_t *offset, char quote, struct text *t)
{
	while (*offset < f->size) {
		char c = f->text[(*offset)++];

		if (c == quote)
			return true;
		if (c == '\\' && *offset < f->size)
			add_escaped(t, f->text[(*offset)++]);
		else if (c != '\0')
			text_add_n(t, &c, 1);
	}
	return false;
}

static void
nginx_bare(const struct source_file *f, size_t *offset, struct text *t)
{
	bool variable = false; /* the '{' of "${" does not open a block */

	for (; *offset < f->size; ++*offset) {
		char c = f->text[*offset];

		if (is_blank(c) || c == ';' || (c == '{' && !variable))
			return;
		if (c == '\\' && *offset + 1 < f->size) {
			add_escaped(t, f->text[++*offset]);
			variable = false;
			continue;
		}
		variable = c == '$';
		text_add_n(t, &c, 1);
	}
}

struct lex_token
lex_nginx(struct parser *p, size_t file, size_t *offset)
{
	const struct source_file *f = &p->src->files[file];
	struct lex_token t = { .kind = LEX_END };
	struct text text = { 0 };
	size_t from;
	char c;

	skip_space(f, offset);
	from = *offset;
	t.offset = (uint32_t)from;
	t.pos = source_pos(p->src, file, from, 1);
	if (from >= f->size)
		return t;
	c = f->text[from];
	if (c == ';' || c == '{' || c == '}') {
		t.kind = c == ';' ? LEX_SEMICOLON : c == '{' ? LEX_OPEN : LEX_CLOSE;
		++*offset;
		return t;
	}
	t.kind = LEX_WORD;
	if (c == '"' || c == '\'') {
		t.word.quoted = true;
		++*offset;
		if (!nginx_quoted(f, offset, c, &text)) {
			say_unterminated(p, source_pos(p->src, file, from, 1));
			t.kind = LEX_BAD;
		}
	} else {
		nginx_bare(f, offset, &text);
	}
	t.pos = source_pos(p->src, file, from, *offset - from);
	t.word.pos = t.pos;
	if (t.kind == LEX_WORD)
		t.word.text = text_take(&text);
	else
		text_done(&text);
	return t;
}
