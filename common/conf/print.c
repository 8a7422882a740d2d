/*
 * print.c - the normal form of a configuration: one file, no includes, no
 * variables, no conditions, one statement a line.  It parses back to itself.
 */
#include "common/conf/tree.h"

#include <stdlib.h>
#include <string.h>

static void
indent(struct text *t, unsigned depth)
{
	while (depth-- > 0)
		text_add(t, "\t");
}

static bool
needs_quotes(const struct word *w, enum dialect dialect)
{
	const char *special = dialect == DIALECT_NGINX ? " \t\r\n;{}#\"'\\" : " \t\r\n;{}#!\"\\";

	if (w->text[0] == '\0' || w->text[0] == '@' || w->text[0] == '~')
		return true;
	if (dialect == DIALECT_KEEPALIVED && strchr(w->text, '$') != NULL)
		return true;
	for (const char *p = w->text; *p != '\0'; p++)
		if (strchr(special, *p) != NULL || (unsigned char)*p < ' ' || *p == 0x7f)
			return true;
	return false;
}

static void
print_escaped(struct text *t, const char *s, enum dialect dialect)
{
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || (*s == '$' && dialect == DIALECT_KEEPALIVED))
			text_addf(t, "\\%c", *s);
		else if (*s == '\n')
			text_add(t, "\\n");
		else if (*s == '\r')
			text_add(t, "\\r");
		else if (dialect == DIALECT_KEEPALIVED && ((unsigned char)*s < ' ' || *s == 0x7f) &&
			 *s != '\t')
			text_addf(t, "\\%03o", (unsigned)(unsigned char)*s);
		else
			text_add_n(t, s, 1);
	}
}

/* A password is read without escapes, so '$' needs its own name and '"' cannot be in it. */
static void
print_plain(struct text *t, const char *s)
{
	text_add(t, "\"");
	for (; *s != '\0'; s++)
		if (*s == '$')
			text_add(t, "${_DOLLAR}");
		else
			text_add_n(t, s, 1);
	text_add(t, "\"");
}

static void
print_word(struct text *t, const struct word *w, enum dialect dialect)
{
	if (!needs_quotes(w, dialect)) {
		text_add(t, w->text);
	} else if (w->plain) {
		print_plain(t, w->text);
	} else {
		text_add(t, "\"");
		print_escaped(t, w->text, dialect);
		text_add(t, "\"");
	}
}

static void
print_stmt(struct text *t, const struct stmt *s, unsigned depth)
{
	if (s->left_out)
		return;
	indent(t, depth);
	for (size_t i = 0; i < s->n_words; i++) {
		if (i > 0)
			text_add(t, " ");
		print_word(t, &s->words[i], s->dialect);
	}
	if (!s->has_block) {
		text_add(t, s->dialect == DIALECT_NGINX ? ";\n" : "\n");
		return;
	}
	text_add(t, " {\n");
	for (const struct stmt *c = s->first; c != NULL; c = c->next)
		print_stmt(t, c, depth + 1);
	indent(t, depth);
	text_add(t, "}\n");
}

char *
tree_print(const struct tree *tree)
{
	struct text t = { 0 };

	for (const struct stmt *s = tree->root->first; s != NULL; s = s->next)
		print_stmt(&t, s, 0);
	return text_take(&t);
}

/* The size of the word at 'p', with its quotes. */
static size_t
word_size(const char *p)
{
	size_t n = 1;

	if (*p != '"')
		return strcspn(p, " \n");
	while (p[n] != '\0' && p[n] != '"' && p[n] != '\n')
		n += p[n] == '\\' && p[n + 1] != '\0' ? 2 : 1;
	return n + (p[n] == '"');
}

/* A header's name, and not what it says. */
static void
add_redacted_header(struct text *t, const char *word, size_t size)
{
	const char *colon = memchr(word, ':', size);

	text_add_n(t, word, colon != NULL ? (size_t)(colon + 1 - word) : 1);
	text_add(t, "********");
	if (word[0] == '"')
		text_add(t, "\"");
}

/* The line of an http check: behind each word "header" stands one. */
static void
add_redacted_http(struct text *t, const char *line, size_t size)
{
	static const char header[] = "header";
	const char *end = line + size;
	bool is_header = false;

	while (line < end) {
		size_t blanks = strspn(line, " \t\n"), n = word_size(line + blanks);

		text_add_n(t, line, blanks);
		line += blanks;
		if (is_header && n > 0)
			add_redacted_header(t, line, n);
		else
			text_add_n(t, line, n);
		is_header = n == strlen(header) && strncmp(line, header, n) == 0;
		line += n;
	}
}

static bool
begins_with(const char *line, const char *word)
{
	return strncmp(line, word, strlen(word)) == 0;
}

/* A line in auth_hmac: a key shows its id, or in which file it is, and nothing else. */
static void
add_redacted_hmac(struct text *t, const char *line, size_t size)
{
	size_t id = begins_with(line, "key ") ? strspn(line + 4, "0123456789") : 0;
	size_t shown = id > 0 ? 4 + id : 0;

	if (begins_with(line, "active_key ") || begins_with(line, "mode ") ||
	    begins_with(line, "anti_replay ") || begins_with(line, "time_window ") ||
	    (shown > 0 &&
		(begins_with(line + shown, " file:") || begins_with(line + shown, " \"file:")))) {
		text_add_n(t, line, size);
		return;
	}
	text_add_n(t, line, shown);
	text_add(t, shown > 0 ? " ********\n" : "********\n");
}

/*
 * The normal form is regular: a password stands alone on its line, and nothing
 * else begins one with that word; so do the lines of http checks and of
 * auth_hmac, which no block stands in.
 */
char *
text_redact(const char *normal)
{
	static const char word[] = "auth_pass ";
	struct text t = { 0 };
	bool in_hmac = false;

	while (*normal != '\0') {
		size_t size = strcspn(normal, "\n"), tabs = strspn(normal, "\t");
		const char *line = normal + tabs;

		size += normal[size] == '\n';
		in_hmac = in_hmac && line[0] != '}';
		if (in_hmac) {
			text_add_n(&t, normal, tabs);
			add_redacted_hmac(&t, line, size - tabs);
		} else if (begins_with(line, word)) {
			text_add_n(&t, normal, tabs + strlen(word));
			text_add(&t, "********\n");
		} else if (begins_with(line, "header ") || begins_with(line, "http ") ||
			   begins_with(line, "https ")) {
			add_redacted_http(&t, normal, size);
		} else {
			text_add_n(&t, normal, size);
		}
		in_hmac |= begins_with(line, "auth_hmac {");
		normal += size;
	}
	return text_take(&t);
}

void
text_digest(const char *text, char ret[static 17])
{
	static const char hex[] = "0123456789abcdef";
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	for (int i = 15; i >= 0; i--, h >>= 4)
		ret[i] = hex[h & 15];
	ret[16] = '\0';
}
