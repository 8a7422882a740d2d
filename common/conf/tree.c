/*
 * tree.c - statements and blocks out of the lines and tokens of both dialects
 * (tree.h, parser.h).
 */
#include "common/conf/tree.h"

#include "common/conf/parser.h"

#include <stdlib.h>
#include <string.h>

const char *
stmt_name(const struct stmt *s)
{
	return s->n_words > 0 ? s->words[0].text : "";
}

const char *
stmt_arg(const struct stmt *s, size_t i)
{
	return i < s->n_words ? s->words[i].text : NULL;
}

struct conf_pos
stmt_pos(const struct stmt *s)
{
	return s->n_words > 0 ? s->words[0].pos : (struct conf_pos){ 0 };
}

/* ---- building ---- */

static void
stop(struct parser *p, struct conf_pos pos, const char *what, unsigned bound)
{
	if (!p->full)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos,
		    "more than %u %s; the rest is not read", bound, what);
	p->full = true;
}

/* A new, empty statement at the end of the open block; NULL past the bounds. */
struct stmt *
parser_statement(struct parser *p, enum dialect dialect)
{
	struct stmt *s;

	if (p->full)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	p->n_statements++;
	s->dialect = dialect;
	s->parent = p->at;
	s->prev = p->at->last;
	if (p->at->last != NULL)
		p->at->last->next = s;
	else
		p->at->first = s;
	p->at->last = s;
	p->leaf = NULL;
	return s;
}

void
parser_word(struct parser *p, struct stmt *s, const struct word *w)
{
	if (s->n_words == 0 && p->n_statements > CONF_STATEMENTS_MAX)
		stop(p, w->pos, "statements", CONF_STATEMENTS_MAX);
	if (s->n_words >= CONF_WORDS_MAX) {
		stop(p, w->pos, "words in one statement", CONF_WORDS_MAX);
		free(w->text);
		return;
	}
	s->words = conf_grow(s->words, s->n_words, sizeof(*s->words));
	s->words[s->n_words++] = *w;
}

static void
stmt_free(struct stmt *s)
{
	while (s->first != NULL) {
		struct stmt *child = s->first;

		s->first = child->next;
		stmt_free(child); /* no deeper than CONF_NESTING_MAX */
	}
	for (size_t i = 0; i < s->n_words; i++)
		free(s->words[i].text);
	free(s->words);
	free(s);
}

void
parser_drop(struct parser *p, struct stmt *s)
{
	p->at->last = s->prev;
	if (s->prev != NULL)
		s->prev->next = NULL;
	else
		p->at->first = NULL;
	p->leaf = NULL;
	stmt_free(s);
}

bool
parser_open(struct parser *p, struct stmt *s, struct conf_pos brace)
{
	if (p->depth >= CONF_NESTING_MAX) {
		stop(p, brace, "blocks in each other", CONF_NESTING_MAX);
		return false;
	}
	s->has_block = true;
	p->at = s;
	p->depth++;
	p->leaf = NULL;
	return true;
}

void
parser_close(struct parser *p, struct conf_pos brace)
{
	struct stmt *s = p->at;

	if (p->depth <= p->base) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, brace, "'}' closes nothing");
		return;
	}
	s->one_line = stmt_pos(s).line == brace.line;
	p->at = s->parent;
	p->depth--;
	p->leaf = NULL;
}

/* A statement has all its words and no block. */
static void
finish(struct parser *p, struct stmt *s)
{
	if (s->n_words == 0)
		parser_drop(p, s);
	else if (!include_statement(p, s))
		p->leaf = s;
}

/* The end of a file: its blocks end there too. */
static void
close_rest(struct parser *p)
{
	while (p->depth > p->base) {
		struct stmt *s = p->at;

		if (!p->full)
			conf_say(p->src, CONF_ERROR, CONF_GLOBAL, stmt_pos(s),
			    "'%s%s%s' is not closed: '}' is missing", stmt_name(s),
			    s->n_words > 1 ? " " : "", s->n_words > 1 ? s->words[1].text : "");
		p->at = s->parent;
		p->depth--;
	}
	p->leaf = NULL;
}

/* ---- keepalived text ---- */

/* Blocks whose text is nginx's wherever they stand (config.md 1). */
static bool
is_nginx_block(const char *name)
{
	static const char *const names[] = { "stream", "http", "events", "mail", "types", "nginx" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A command line unquoted: a ';' in the middle of it is the shell's, not the end. */
static bool
is_command(const struct stmt *s)
{
	return strcmp(stmt_name(s), "script") == 0 || strncmp(stmt_name(s), "notify", 6) == 0;
}

static bool
more_on_line(const struct line *l, size_t at)
{
	while (at < l->n && (l->chars[at].c == ' ' || l->chars[at].c == '\t'))
		at++;
	return at < l->n && l->chars[at].c != '}';
}

static void
put_back_semicolon(struct word *w)
{
	char *with = xasprintf("%s;", w->text);

	free(w->text);
	w->text = with;
}

static struct stmt *
on_word(struct parser *p, struct stmt *s, struct lex_token *t, bool more)
{
	bool inside;

	if (s == NULL)
		s = parser_statement(p, DIALECT_KEEPALIVED);
	if (s == NULL) {
		free(t->word.text);
		return NULL;
	}
	inside = t->semicolon && more && is_command(s);
	if (inside)
		put_back_semicolon(&t->word);
	parser_word(p, s, &t->word);
	if (t->word.plain)
		source_mark_secret(p->src, t->word.pos);
	if (t->semicolon && !inside) {
		s->semicolon = t->semicolon_pos;
		finish(p, s);
		return NULL;
	}
	return s;
}

static void
on_open(struct parser *p, struct stmt *s, struct conf_pos brace)
{
	if (s == NULL)
		s = p->leaf;
	if (s == NULL || s->semicolon.line > 0) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, brace, "'{' opens nothing");
		s = parser_statement(p, DIALECT_KEEPALIVED); /* so that its '}' finds it */
		if (s == NULL)
			return;
		s->left_out = true;
	}
	parser_open(p, s, brace);
}

static void
on_lone_semicolon(struct parser *p, struct stmt *s, struct conf_pos pos)
{
	if (s != NULL) {
		s->semicolon = pos;
		finish(p, s);
	} else {
		conf_say(p->src, CONF_WARNING, CONF_GLOBAL, pos,
		    "';' is not part of keepalived's language; ignored");
	}
}

/*
 * The statements of one line.  Where nginx text begins, the line ends: its
 * offset is left in *ret_nginx.
 */
static void
take_words(struct parser *p, const struct line *l, size_t at, uint32_t *ret_nginx)
{
	struct stmt *s = NULL;
	struct lex_token t;
	bool plain = false;

	while (!p->full) {
		t = lex_keepalived(p, l, &at, plain);
		switch (t.kind) {
		case LEX_WORD:
			if (s == NULL && p->depth == 0 && !t.word.quoted && ret_nginx != NULL &&
			    is_nginx_block(t.word.text)) {
				free(t.word.text);
				*ret_nginx = t.offset;
				return;
			}
			s = on_word(p, s, &t, more_on_line(l, at));
			plain = s != NULL && strcmp(stmt_name(s), "auth_pass") == 0;
			break;
		case LEX_SEMICOLON:
			on_lone_semicolon(p, s, t.pos);
			s = NULL;
			break;
		case LEX_OPEN:
			on_open(p, s, t.pos);
			s = NULL;
			break;
		case LEX_CLOSE:
			if (s != NULL)
				finish(p, s);
			s = NULL;
			parser_close(p, t.pos);
			break;
		case LEX_BAD:
			if (s != NULL)
				parser_drop(p, s);
			return;
		case LEX_END:
			if (s != NULL)
				finish(p, s);
			return;
		}
		if (s == NULL)
			plain = false;
	}
}

static size_t
skip_blanks(const struct line *l, size_t at)
{
	while (at < l->n && strchr(" \t\r\n\v\f", l->chars[at].c) != NULL)
		at++;
	return at;
}

/*
 * "@ID" or "@^ID" at *at: is the rest of the line for this node?  *at moves
 * behind it.
 */
static bool
condition(struct parser *p, const struct line *l, size_t *at)
{
	const struct conf_host *host = p->src->host;
	const char *node = host != NULL && host->node_id != NULL ? host->node_id : "";
	size_t from = *at, i = from + 1, size;
	bool negated = i < l->n && l->chars[i].c == '^', same;

	i += negated;
	size = i;
	while (i < l->n && strchr(" \t\r\n", l->chars[i].c) == NULL)
		i++;
	if (i == size)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL,
		    source_pos(p->src, l->file, l->chars[from].offset, 1),
		    "'@' without the name of a node");
	same = strlen(node) == i - size;
	for (size_t k = size; same && k < i; k++)
		same = l->chars[k].c == node[k - size];
	*at = skip_blanks(l, i);
	return same != negated;
}

static void take_line(struct parser *p, struct line *l, uint32_t *ret_nginx, unsigned depth);

/* A variable that holds whole lines: each as if it stood where the name does. */
static void
take_lines_of(struct parser *p, const struct variable *v, const struct line *at, uint32_t offset,
    unsigned depth)
{
	char *value = xstrdup(v->value), *rest = value, *one;

	if (depth >= CONF_INCLUDE_DEPTH) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, source_pos(p->src, at->file, offset, 1),
		    "a variable that needs itself: '%s'", v->name);
		free(value);
		return;
	}
	while (!p->full && (one = strsep(&rest, "\n")) != NULL) {
		struct line l = { .file = at->file, .end = at->end, .cut = UINT32_MAX };

		for (; *one != '\0'; one++)
			line_add(&l, *one, offset);
		p->expanded_bytes += l.n;
		if (p->expanded_bytes > CONF_TOTAL_MAX)
			stop(p, source_pos(p->src, at->file, offset, 1),
			    "bytes of expanded variables", CONF_TOTAL_MAX);
		take_line(p, &l, NULL, depth + 1);
		line_done(&l);
	}
	free(value);
}

/* Does the line's first word open a block of nginx's text, whose '$' are nginx's? */
static bool
begins_nginx(const struct line *l, size_t at)
{
	char word[16];
	size_t n = 0;

	for (; at < l->n && strchr(" \t\r\n{", l->chars[at].c) == NULL; at++) {
		if (n == sizeof(word) - 1)
			return false;
		word[n++] = l->chars[at].c;
	}
	word[n] = '\0';
	return is_nginx_block(word);
}

static void
take_line(struct parser *p, struct line *l, uint32_t *ret_nginx, unsigned depth)
{
	struct line expanded;
	const struct variable *v;
	size_t at = skip_blanks(l, 0);

	while (at < l->n && l->chars[at].c == '@')
		if (!condition(p, l, &at))
			return;
	if (at >= l->n || vars_define(p, l, at))
		return;
	if (p->depth == 0 && ret_nginx != NULL && begins_nginx(l, at)) {
		*ret_nginx = l->chars[at].offset;
		return;
	}
	v = vars_whole_line(p, l, at);
	if (v != NULL) {
		take_lines_of(p, v, l, l->chars[at].offset, depth);
		return;
	}
	if (l->chars[at].c == '~') {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL,
		    source_pos(p->src, l->file, l->chars[at].offset, 4),
		    "sequences and lists (~SEQ, ~LST) are not supported: write the lines");
		return;
	}
	if (vars_expand(p, l, at, &expanded)) {
		at = skip_blanks(&expanded, 0);
		if (at >= expanded.n || expanded.chars[at].c != '@' || condition(p, &expanded, &at))
			take_words(p, &expanded, at, ret_nginx);
	}
	line_done(&expanded);
}

static void
read_keepalived(struct parser *p, size_t file)
{
	size_t offset = 0;
	struct line l;

	if (strncmp(p->src->files[file].text, "\xef\xbb\xbf", 3) == 0)
		offset = 3; /* some editors put a byte order mark there */
	while (!p->full && lex_line(p, file, offset, &l)) {
		uint32_t nginx = UINT32_MAX;

		offset = l.end;
		if (l.n > CONF_LINE_MAX)
			stop(p, source_pos(p->src, file, l.chars[0].offset, 1), "bytes in a line",
			    CONF_LINE_MAX);
		else
			take_line(p, &l, &nginx, 0);
		line_done(&l);
		if (nginx != UINT32_MAX)
			offset = parser_nginx(p, file, nginx, true);
	}
}

/* ---- nginx text ---- */

/* Blocks of nginx's main level whose insides are none of our business. */
static bool
is_skipped(const struct stmt *s)
{
	const char *name = stmt_name(s);
	const struct stmt *up = s->parent;

	if (up->parent != NULL &&
	    (up->parent->parent != NULL || strcmp(stmt_name(up), "nginx") != 0))
		return false;
	return strcmp(name, "http") == 0 || strcmp(name, "mail") == 0 || strcmp(name, "types") == 0;
}

/* From behind the '{' to behind its '}', by nginx's lexer, keeping nothing. */
static void
skip_block(struct parser *p, const struct stmt *s, size_t file, size_t *offset)
{
	for (unsigned depth = 1; depth > 0;) {
		struct lex_token t = lex_nginx(p, file, offset);

		free(t.word.text);
		if (t.kind == LEX_OPEN)
			depth++;
		else if (t.kind == LEX_CLOSE)
			depth--;
		else if (t.kind == LEX_END) {
			conf_say(p->src, CONF_ERROR, CONF_GLOBAL, stmt_pos(s),
			    "'%s' is not closed: '}' is missing", stmt_name(s));
			return;
		}
	}
}

/* '{' behind 's'.  True: its block is open, and to be read. */
static bool
nginx_open(struct parser *p, struct stmt *s, size_t file, size_t *offset, struct conf_pos brace)
{
	if (s == NULL) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, brace, "'{' opens nothing");
		s = parser_statement(p, DIALECT_NGINX);
		if (s == NULL)
			return false;
		s->left_out = true;
	}
	if (s->n_words > 0 && is_skipped(s)) {
		s->has_block = true;
		skip_block(p, s, file, offset);
		return false;
	}
	return parser_open(p, s, brace);
}

static void
say_unended(struct parser *p, const struct stmt *s)
{
	conf_say(p->src, CONF_ERROR, CONF_GLOBAL, s->words[s->n_words - 1].pos,
	    "'%s' does not end with ';'", stmt_name(s));
}

size_t
parser_nginx(struct parser *p, size_t file, size_t offset, bool single)
{
	struct stmt *s = NULL;
	unsigned outer = p->base;
	char *own_dir = NULL;

	if (p->nginx_dir == NULL)
		p->nginx_dir = own_dir = source_directory(p->src, file);
	p->base = p->depth;
	for (bool done = false; !done && !p->full;) {
		struct lex_token t = lex_nginx(p, file, &offset);

		switch (t.kind) {
		case LEX_WORD:
			if (s == NULL)
				s = parser_statement(p, DIALECT_NGINX);
			if (s != NULL)
				parser_word(p, s, &t.word);
			else
				free(t.word.text);
			continue;
		case LEX_SEMICOLON:
			if (s != NULL)
				finish(p, s);
			else
				conf_say(
				    p->src, CONF_ERROR, CONF_GLOBAL, t.pos, "';' ends nothing");
			break;
		case LEX_OPEN:
			nginx_open(p, s, file, &offset, t.pos);
			break;
		case LEX_CLOSE:
			if (s != NULL)
				say_unended(p, s);
			parser_close(p, t.pos);
			break;
		case LEX_BAD:
		case LEX_END:
			if (s != NULL && t.kind == LEX_END)
				say_unended(p, s);
			done = t.kind == LEX_END;
			break;
		}
		s = NULL;
		done = done || (single && p->depth <= p->base);
	}
	close_rest(p);
	p->base = outer;
	if (own_dir != NULL) {
		free(own_dir);
		p->nginx_dir = NULL;
	}
	return offset;
}

/* ---- files ---- */

static bool
has_nul(struct parser *p, size_t file)
{
	const struct source_file *f = &p->src->files[file];
	const char *nul = memchr(f->text, '\0', f->size);

	if (nul == NULL)
		return false;
	conf_say(p->src, CONF_ERROR, CONF_GLOBAL,
	    source_pos(p->src, file, (size_t)(nul - f->text), 1),
	    "a NUL byte: this is not a text file");
	return true;
}

void
parser_file(struct parser *p, size_t file, enum dialect dialect)
{
	unsigned outer = p->base;

	if (has_nul(p, file))
		return;
	p->open_files[p->include_depth++] = file;
	p->base = p->depth;
	p->leaf = NULL;
	if (dialect == DIALECT_NGINX)
		parser_nginx(p, file, 0, false);
	else
		read_keepalived(p, file);
	close_rest(p);
	p->base = outer;
	p->include_depth--;
}

/*
 * Is this a whole nginx.conf?  By the first word outside all blocks that only
 * one of the two languages has.
 */
static bool
looks_like_nginx(const struct source_file *f)
{
	static const char *const nginx[] = { "user", "worker_processes", "events", "http", "mail",
		"load_module", "pid", "daemon", "worker_rlimit_nofile", "worker_cpu_affinity",
		"worker_priority", "master_process", "pcre_jit", "thread_pool", "env",
		"worker_shutdown_timeout", "timer_resolution", "error_log" };
	static const char *const ours[] = { "global_defs", "vrrp_", "check", "static_",
		"garp_group", "track_", "virtual_server", "nginx", "keepalived_conf", "linkbeat_",
		"interface_up", "@", "$", "!", "~" };
	size_t i = 0;
	int depth = 0;

	while (i < f->size) {
		const char *word = f->text + (i += strspn(f->text + i, " \t\r"));
		size_t n = strcspn(word, " \t\r\n;{}#");

		for (size_t k = 0; depth == 0 && k < ARRAY_LEN(nginx); k++)
			if (n == strlen(nginx[k]) && memcmp(word, nginx[k], n) == 0)
				return true;
		for (size_t k = 0; depth == 0 && k < ARRAY_LEN(ours); k++)
			if (strncmp(word, ours[k], strlen(ours[k])) == 0)
				return false;
		for (bool comment = false; i < f->size && f->text[i] != '\n'; i++) {
			comment = comment || f->text[i] == '#';
			depth += comment ? 0 : (f->text[i] == '{') - (f->text[i] == '}');
		}
		i++;
	}
	return false;
}

static void
read_whole_nginx(struct parser *p, size_t file)
{
	struct stmt *s = parser_statement(p, DIALECT_NGINX);
	struct word w = { .text = xstrdup("nginx") };

	p->nginx_dir = source_directory(p->src, file);
	parser_word(p, s, &w);
	parser_open(p, s, w.pos);
	parser_file(p, file, DIALECT_NGINX);
	parser_close(p, w.pos);
	free(p->nginx_dir);
}

void
tree_read(struct conf_source *src, size_t file, struct tree *ret)
{
	struct parser p = { .src = src };

	ret->root = xcalloc(1, sizeof(*ret->root));
	ret->root->has_block = true;
	p.at = ret->root;
	if (looks_like_nginx(&src->files[file]))
		read_whole_nginx(&p, file);
	else
		parser_file(&p, file, DIALECT_KEEPALIVED);
	vars_done(&p);
}

void
tree_done(struct tree *t)
{
	if (t->root != NULL)
		stmt_free(t->root);
	t->root = NULL;
}
