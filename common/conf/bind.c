/*
 * bind.c - see bind.h.
 */
#include "common/conf/bind.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
bind_say(struct binder *b, enum conf_severity severity, struct conf_pos pos, const char *fmt, ...)
{
	va_list ap;
	char *message;

	va_start(ap, fmt);
	message = xvasprintf(fmt, ap);
	va_end(ap);
	conf_say(b->src, severity, b->in->part, pos, "%s", message);
	free(message);
}

/* ---- the table ---- */

static const struct directive *
find_row(const struct context *c, const char *name)
{
	for (size_t i = 0; i < c->n_rows; i++)
		if (strcmp(c->rows[i].name, name) == 0)
			return &c->rows[i];
	return NULL;
}

/* "; did you mean 'x'?" or "", to be freed. */
char *
bind_did_you_mean(struct binder *b, const char *word, const void *names, size_t n, size_t stride)
{
	const char *near = NULL;

	if (b->src->diags->n < CONF_DIAGS_MAX) /* past that nobody reads it */
		near = conf_nearest(word, names, n, stride);
	return near != NULL ? xasprintf("; did you mean '%s'?", near) : xstrdup("");
}

/* A file that is meant to be included into stream {} is not one by itself. */
static bool
belongs_into_stream(const char *name)
{
	return strcmp(name, "server") == 0 || strcmp(name, "upstream") == 0 ||
	       strcmp(name, "proxy_pass") == 0 || strcmp(name, "listen") == 0;
}

static void
say_unknown(struct binder *b, const struct stmt *s)
{
	const struct context *c = b->in;
	char *hint;

	if (c->kind[0] == '\0' && belongs_into_stream(stmt_name(s))) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' belongs into stream { }", stmt_name(s));
		return;
	}
	hint = bind_did_you_mean(b, stmt_name(s), c->rows, c->n_rows, sizeof(*c->rows));

	if (c->is_secret) {
		for (size_t i = 0; i < s->n_words; i++)
			source_mark_secret(b->src, s->words[i].pos);
		bind_say(b, CONF_ERROR, stmt_pos(s), "unknown directive in %s%s", c->kind, hint);
	} else {
		bind_say(b, CONF_ERROR, stmt_pos(s), "unknown directive '%.64s' %s%s%s%s%s",
		    stmt_name(s), c->kind[0] == '\0' ? "outside all blocks" : "in ", c->kind,
		    c->name != NULL ? " " : "", c->name != NULL ? c->name : "", hint);
	}
	free(hint);
}

/* Right number of words, a block where one belongs: said if not. */
static bool
has_shape(struct binder *b, const struct stmt *s, const struct directive *d)
{
	size_t n = s->n_words - 1;

	if (s->has_block && (d->flags & (D_BLOCK | D_MAYBE_BLOCK)) == 0) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' takes no block%s", d->name,
		    s->dialect == DIALECT_NGINX ? ": is a ';' missing?" : "");
		return false;
	}
	if (!s->has_block && (d->flags & D_BLOCK) != 0) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' needs a block: '{' is missing", d->name);
		return false;
	}
	if (n < d->min_args) {
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' needs %s", d->name,
		    d->min_args > 1		? "more values"
		    : (d->flags & D_BLOCK) != 0 ? "a name"
						: "a value");
		return false;
	}
	if (d->max_args != MANY && n > d->max_args) {
		const struct word *w = &s->words[d->max_args + 1u];

		if (d->max_args == 0)
			bind_say(b, CONF_ERROR, w->pos, "'%s' takes no value", d->name);
		else
			bind_say(b, CONF_ERROR, w->pos, "one value too many: '%s' takes %d",
			    d->name, d->max_args);
		return false;
	}
	return true;
}

static void
say_semicolon(struct binder *b, const struct stmt *s)
{
	bind_say(b, CONF_WARNING, s->semicolon,
	    "';' is not part of keepalived's language; read as '%s%s%s%s'", stmt_name(s),
	    s->n_words > 1 ? " " : "", s->n_words > 1 ? s->words[1].text : "",
	    s->n_words > 2 ? " ..." : "");
}

static void
say_known(struct binder *b, const struct stmt *s, const struct directive *d)
{
	bind_say(b, d->flags & D_GUARD ? CONF_WARNING : CONF_NOTICE, stmt_pos(s),
	    "'%s' is accepted, not in effect yet%s%s", d->name, d->note != NULL ? ": " : "",
	    d->note != NULL ? d->note : "");
}

/* Written before in this block?  keepalived takes the last one; nginx refuses. */
static void
say_repeated(struct binder *b, const struct stmt *s)
{
	if (s->dialect == DIALECT_NGINX)
		bind_say(b, CONF_ERROR, stmt_pos(s), "'%s' is written twice here", stmt_name(s));
	else
		bind_say(b, CONF_WARNING, stmt_pos(s),
		    "'%s' is written twice here; the last one holds", stmt_name(s));
}

/* 'seen': a flag for each row of the table. */
static void
bind_statement(struct binder *b, struct stmt *s, void *object, bool *seen)
{
	const struct directive *d = find_row(b->in, stmt_name(s));

	if (s->n_words == 0 || s->left_out)
		return; /* a block without a name: said */
	if (d == NULL) {
		say_unknown(b, s);
		return;
	}
	if (s->semicolon.line > 0 && !b->in->is_ours && (d->flags & D_SEMICOLON) == 0)
		say_semicolon(b, s);
	if (!has_shape(b, s, d))
		return;
	if (d->bind == NULL) {
		say_known(b, s, d);
		return;
	}
	if ((d->flags & D_REPEAT) == 0 && seen[d - b->in->rows])
		say_repeated(b, s);
	d->bind(b, s, d, object);
	seen[d - b->in->rows] = !s->left_out;
}

void
bind_block(struct binder *b, const struct stmt *block, const struct context *context, void *object)
{
	bind_block_order(b, block, context, object, "");
}

void
bind_block_order(struct binder *b, const struct stmt *block, const struct context *context,
    void *object, const char *last)
{
	const struct context *outer = b->in;
	bool *seen = xcalloc(context->n_rows, sizeof(*seen));

	b->in = context;
	for (struct stmt *s = block->first; s != NULL; s = s->next)
		if (strcmp(stmt_name(s), last) != 0)
			bind_statement(b, s, object, seen);
	for (struct stmt *s = block->first; s != NULL && last[0] != '\0'; s = s->next)
		if (strcmp(stmt_name(s), last) == 0)
			bind_statement(b, s, object, seen);
	b->in = outer;
	free(seen);
}

bool
bind_room(struct binder *b, struct conf_pos pos, size_t n, size_t max, const char *what)
{
	if (n < max)
		return true;
	bind_say(b, CONF_ERROR, pos, "more than %zu %s", max, what);
	return false;
}

bool
bind_mentions(const struct stmt *block, const char *name)
{
	for (const struct stmt *s = block->first; s != NULL; s = s->next)
		if (strcmp(stmt_name(s), name) == 0)
			return true;
	return false;
}

/* ---- binders of one field ---- */

static void *
field(void *object, const struct directive *d)
{
	return (char *)object + d->offset;
}

void
bind_flag(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	bool *to = field(object, d), v = true;

	if (s->n_words == 1 || value_on_off(b, &s->words[1], &v))
		*to = v;
}

void
bind_unsigned(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	unsigned *to = field(object, d);
	int64_t v;

	if (value_integer(b, &s->words[1], d->low, d->high, &v))
		*to = (unsigned)v;
}

void
bind_u8(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	uint8_t *to = field(object, d);
	int64_t v;

	if (value_integer(b, &s->words[1], d->low, d->high, &v))
		*to = (uint8_t)v;
}

void
bind_string(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	char **to = field(object, d);

	if (s->words[1].text[0] == '\0') {
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%s' is empty", d->name);
		return;
	}
	free(*to);
	*to = xstrdup(s->words[1].text);
}

void
bind_seconds(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t *to = field(object, d), v;

	if (value_seconds(b, &s->words[1], d->low, d->high, &v))
		*to = v;
}

void
bind_duration(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t *to = field(object, d), v;

	if (value_duration(b, &s->words[1], d->low, d->high, &v))
		*to = v;
}

void
bind_nginx_time(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	int64_t *to = field(object, d), v;

	if (value_nginx_time(b, &s->words[1], &v))
		*to = v;
}

void
bind_nginx_flag(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	bool *to = field(object, d);
	const char *word = s->words[1].text;

	if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
		*to = strcmp(word, "on") == 0;
	else
		bind_say(b, CONF_ERROR, s->words[1].pos, "'%.64s' is neither on nor off", word);
}

void
bind_accepted(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)b, (void)s, (void)d, (void)object;
}

void
bind_nothing(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	bind_say(b, CONF_NOTICE, stmt_pos(s), "'%s' has no effect here: %s", d->name, d->note);
}

void
bind_refused(struct binder *b, struct stmt *s, const struct directive *d, void *object)
{
	(void)object;
	bind_say(b, CONF_ERROR, stmt_pos(s), "%s: %s", d->name, d->note);
}
