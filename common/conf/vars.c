/*
 * vars.c - variables of keepalived text (parser.h).
 *
 * Replacement is textual, as in keepalived: a value may hold quotes, several
 * words, or (defined over several lines) whole statements, and is itself
 * looked through when it is used, not when it is defined.  What differs: an
 * undefined one is an error, where keepalived leaves it standing as text.
 */
#include "common/conf/parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EXPAND_DEPTH 16 /* a value in a value in a value ... */
#define NAME_SIZE    64

static bool
is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static bool
is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static struct variable *
find(struct parser *p, const char *name, size_t size)
{
	for (size_t i = 0; i < p->n_vars; i++)
		if (strlen(p->vars[i].name) == size && memcmp(p->vars[i].name, name, size) == 0)
			return &p->vars[i];
	return NULL;
}

void
vars_done(struct parser *p)
{
	for (size_t i = 0; i < p->n_vars; i++) {
		free(p->vars[i].name);
		free(p->vars[i].value);
	}
	free(p->vars);
	p->vars = NULL;
	p->n_vars = 0;
}

/* ---- $NAME=value ---- */

static void
store(struct parser *p, const struct line *l, size_t name, size_t value)
{
	size_t size = value - 1 - name, end = l->n, first = value;
	struct variable *v;
	struct text text = { 0 };
	char *key = xcalloc(size + 1, 1);

	for (size_t i = 0; i < size; i++)
		key[i] = l->chars[name + i].c;
	v = find(p, key, size);
	if (v == NULL) {
		p->vars = conf_grow(p->vars, p->n_vars, sizeof(*p->vars));
		v = &p->vars[p->n_vars++];
		*v = (struct variable){ .name = key };
	} else {
		free(key);
		free(v->value);
	}
	while (first < end && is_space(l->chars[first].c) && l->chars[first].c != '\n')
		first++;
	v->lines = first < end && l->chars[first].c == '\n';
	while (end > first && is_space(l->chars[end - 1].c))
		end--;
	for (size_t i = first; i < end; i++) {
		char c = l->chars[i].c;

		if (c == '\n' && !v->lines)
			c = ' ';
		text_add_n(&text, &c, 1);
	}
	v->value = text_take(&text);
	if (end > first)
		v->pos = source_pos(p->src, l->file, l->chars[first].offset,
		    l->chars[end - 1].offset - l->chars[first].offset + 1);
}

bool
vars_define(struct parser *p, const struct line *l, size_t from)
{
	size_t i = from;
	struct conf_pos pos;

	if (i + 1 >= l->n || l->chars[i].c != '$' || !is_name_start(l->chars[i + 1].c))
		return false;
	for (i++; i < l->n && is_name_char(l->chars[i].c); i++)
		;
	if (i >= l->n || l->chars[i].c != '=')
		return false;
	pos = source_pos(p->src, l->file, l->chars[from].offset, i - from);
	if (l->chars[from + 1].c == '_')
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos,
		    "names of variables that begin with '_' are reserved");
	else if (p->n_vars >= CONF_VARIABLES_MAX)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "more than %d variables",
		    CONF_VARIABLES_MAX);
	else if (i - from > NAME_SIZE)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos,
		    "the name of a variable has at most %d characters", NAME_SIZE);
	else
		store(p, l, from + 1, i + 1);
	return true;
}

/* ---- ${NAME} ---- */

struct expansion {
	struct parser *p;
	struct line *out;
	size_t file;
	uint32_t offset; /* of the reference in the file; for what comes out of a value */
	bool quoted, plain;
	bool ok;
};

static void
complain(struct expansion *x, enum conf_severity severity, size_t size, const char *message,
    const char *name)
{
	/* in a password the name is part of a secret */
	conf_say(x->p->src, severity, CONF_GLOBAL, source_pos(x->p->src, x->file, x->offset, size),
	    "%s %s%s%s", message, x->plain ? "" : "'", x->plain ? "(in a password)" : name,
	    x->plain ? "" : "'");
	if (severity == CONF_ERROR)
		x->ok = false;
}

static void
put(struct expansion *x, char c)
{
	struct parser *p = x->p;

	if (p->full || !x->ok)
		return;
	if (x->out->n >= CONF_LINE_MAX || ++p->expanded_bytes > CONF_TOTAL_MAX) {
		p->full = p->expanded_bytes > CONF_TOTAL_MAX;
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, source_pos(p->src, x->file, x->offset, 1),
		    p->full ? "variables expand to more than %u bytes"
			    : "line longer than %u bytes",
		    p->full ? CONF_TOTAL_MAX : CONF_LINE_MAX);
		x->ok = false;
		return;
	}
	line_add(x->out, c, x->offset);
}

static void expand_text(struct expansion *x, const char *text, unsigned depth);

static void
put_string(struct expansion *x, const char *s)
{
	for (; *s != '\0'; s++)
		put(x, *s);
}

/* The ones that are always there.  False: no such name. */
static bool
expand_predefined(struct expansion *x, const char *name, const char *arg, size_t size)
{
	const struct conf_host *host = x->p->src->host;
	const char *value;
	char *dir;

	if (strcmp(name, "_HASH") == 0) {
		put(x, '#');
	} else if (strcmp(name, "_BANG") == 0) {
		put(x, '!');
	} else if (strcmp(name, "_DOLLAR") == 0) {
		put(x, '$');
	} else if (strcmp(name, "_INSTANCE") == 0) {
		put_string(x, host != NULL && host->node_id != NULL ? host->node_id : "");
	} else if (strcmp(name, "_PWD") == 0) {
		dir = source_directory(x->p->src, x->file);
		put_string(x, dir);
		free(dir);
	} else if (strcmp(name, "_ENV") == 0) {
		value = host != NULL && host->env != NULL ? host->env(host->aux, arg) : NULL;
		if (value == NULL)
			complain(x, CONF_ERROR, size, "no environment variable", arg);
		else
			put_string(x, value);
	} else if (strcmp(name, "_RANDOM") == 0) {
		complain(x, CONF_ERROR, size, "two readings of one file must agree, so there is no",
		    "${_RANDOM}");
	} else {
		return false;
	}
	return true;
}

static void
mark_if_secret(struct expansion *x, const struct variable *v)
{
	if (x->plain) /* it is (part of) a password */
		source_mark_secret(x->p->src, v->pos);
}

/* "${NAME ARG}" without its ends. */
static void
expand_braced(struct expansion *x, const char *inside, size_t n, unsigned depth)
{
	char name[NAME_SIZE + 1], arg[NAME_SIZE + 1] = "";
	size_t size = 0, skip;
	struct variable *v;

	while (size < n && is_name_char(inside[size]))
		size++;
	skip = size;
	while (skip < n && is_space(inside[skip]))
		skip++;
	if (size == 0 || size > NAME_SIZE || n - skip > NAME_SIZE ||
	    (skip < n && skip == size)) { /* the shell's ${x:-y}, not ours */
		conf_say(x->p->src, CONF_ERROR, CONF_GLOBAL,
		    source_pos(x->p->src, x->file, x->offset, n + 3),
		    "'${' opens a variable, and this is not the name of one; "
		    "${_DOLLAR} is the character '$'");
		x->ok = false;
		return;
	}
	memcpy(name, inside, size);
	name[size] = '\0';
	memcpy(arg, inside + skip, n - skip);
	arg[n - skip] = '\0';
	if (expand_predefined(x, name, arg, n + 3))
		return;
	v = find(x->p, name, size);
	if (v == NULL) {
		complain(x, CONF_ERROR, n + 3, "undefined variable", name);
		return;
	}
	mark_if_secret(x, v);
	expand_text(x, v->value, depth + 1);
}

/*
 * "$NAME", which keepalived replaces before a blank only.  Returns what was
 * taken of 'text' (from behind the '$'); 0: the '$' is itself.
 */
static size_t
expand_bare(struct expansion *x, const char *text, size_t n, unsigned depth)
{
	char name[NAME_SIZE + 1];
	size_t size = 0;
	struct variable *v;

	while (size < n && is_name_char(text[size]))
		size++;
	if (size == 0 || size > NAME_SIZE || !is_name_start(text[0]))
		return 0;
	memcpy(name, text, size);
	name[size] = '\0';
	v = find(x->p, name, size);
	if (size < n && !is_space(text[size])) {
		if (v != NULL)
			complain(x, CONF_WARNING, size + 1,
			    "only replaced before a blank, so it stays as text (${NAME} is "
			    "replaced anywhere):",
			    name);
		return 0;
	}
	if (v == NULL) {
		if (!x->quoted && !x->plain) {
			complain(x, CONF_ERROR, size + 1, "undefined variable", name);
			return size;
		}
		complain(x, CONF_WARNING, size + 1, "left as text, there is no variable", name);
		return 0;
	}
	mark_if_secret(x, v);
	expand_text(x, v->value, depth + 1);
	return size;
}

static bool
at_auth_pass(const char *text, size_t n, size_t i)
{
	return n - i > 9 && memcmp(text + i, "auth_pass", 9) == 0 && is_space(text[i + 9]) &&
	       (i == 0 || is_space(text[i - 1]) || text[i - 1] == '{');
}

/* 'n' characters, of which 'lines' (or NULL) says where each stands. */
static void
expand(struct expansion *x, const char *text, size_t n, const struct lchar *from, unsigned depth)
{
	for (size_t i = 0; i < n && x->ok && !x->p->full; i++) {
		char c = text[i];

		if (from != NULL)
			x->offset = from[i].offset;
		if (!x->quoted && at_auth_pass(text, n, i))
			x->plain = true;
		if (c == '"')
			x->quoted = !x->quoted;
		if (c == '\\' && x->quoted && !x->plain && i + 1 < n) {
			put(x, c);
			put(x, text[++i]); /* "\$" is the character */
			continue;
		}
		if (c == '$' && i + 1 < n && text[i + 1] == '{') {
			const char *end = memchr(text + i, '}', n - i);

			if (end == NULL) {
				complain(x, CONF_ERROR, 2, "no '}' behind", "${");
				return;
			}
			expand_braced(x, text + i + 2, (size_t)(end - (text + i + 2)), depth);
			i = (size_t)(end - text);
			continue;
		}
		if (c == '$') {
			size_t taken = expand_bare(x, text + i + 1, n - i - 1, depth);

			if (taken > 0) {
				i += taken;
				continue;
			}
		}
		put(x, c == '\n' ? ' ' : c);
	}
}

static void
expand_text(struct expansion *x, const char *text, unsigned depth)
{
	if (depth > EXPAND_DEPTH) {
		if (x->ok)
			complain(x, CONF_ERROR, 1, "a variable that needs itself:", text);
		return;
	}
	expand(x, text, strlen(text), NULL, depth);
}

bool
vars_expand(struct parser *p, const struct line *l, size_t from, struct line *ret)
{
	struct expansion x = { .p = p, .out = ret, .file = l->file, .ok = true };
	char *text = xcalloc(l->n - from + 1, 1);

	*ret = (struct line){ .file = l->file, .end = l->end, .cut = l->cut };
	for (size_t i = from; i < l->n; i++)
		text[i - from] = l->chars[i].c;
	expand(&x, text, l->n - from, l->chars + from, 0);
	free(text);
	return x.ok && !p->full;
}

/* A line that is nothing but the name of a definition of whole lines, or NULL. */
const struct variable *
vars_whole_line(struct parser *p, const struct line *l, size_t from)
{
	char name[NAME_SIZE + 1];
	size_t i = from + 1, n = 0, end = l->n;
	bool braced;
	const struct variable *v;

	while (end > from && is_space(l->chars[end - 1].c))
		end--;
	if (from + 1 >= end || l->chars[from].c != '$')
		return NULL;
	braced = l->chars[i].c == '{';
	i += braced;
	for (; i < end && is_name_char(l->chars[i].c) && n < NAME_SIZE; i++)
		name[n++] = l->chars[i].c;
	if (braced ? i + 1 != end || l->chars[i].c != '}' : i != end)
		return NULL;
	v = find(p, name, n);
	return v != NULL && v->lines ? v : NULL;
}
