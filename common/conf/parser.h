/*
 * parser.h - what the files that build a tree share: the place where the next
 * statement goes, the variables, the bounds.
 *
 *   lex.c      one line of keepalived text, one token of nginx text
 *   vars.c     $NAME=value, ${NAME}, @ID
 *   include.c  include, nginx_conf, keepalived_conf
 *   tree.c     statements and blocks out of all that
 *
 * Internal to common/conf.
 */
#ifndef COMMON_CONF_PARSER_H
#define COMMON_CONF_PARSER_H

#include "common/conf/tree.h"

struct variable {
	char *name;
	char *value; /* several lines: separated by newlines */
	bool lines;  /* a definition of whole lines */
	size_t file; /* where the value stands, so that a secret in it can be hidden */
	struct conf_pos pos;
};

/* One character of a line that was joined and expanded, and where it comes from. */
struct lchar {
	char c;
	uint32_t offset;
};

struct line {
	struct lchar *chars;
	size_t n, size;
	size_t file;
	uint32_t end;  /* offset in the file behind the line */
	uint32_t cut;  /* offset of the comment that ended it; UINT32_MAX: none */
	bool expanded; /* some of it comes from a variable */
};

struct parser {
	struct conf_source *src;
	struct stmt *at;      /* the block that is open */
	unsigned depth, base; /* blocks open; of these, open before this file */
	struct stmt *leaf;    /* the statement that a '{' on the next line would open */
	size_t n_statements;
	size_t expanded_bytes;
	bool full; /* a bound was passed, and said */
	struct variable *vars;
	size_t n_vars;
	size_t open_files[CONF_INCLUDE_DEPTH + 1]; /* being read now, outermost first */
	unsigned include_depth;
	char *nginx_dir; /* what nginx text includes relative to; NULL: no nginx text yet */
};

/* tree.c */
struct stmt *parser_statement(struct parser *, enum dialect);
void parser_word(struct parser *, struct stmt *, const struct word *); /* takes word->text */
bool parser_open(struct parser *, struct stmt *, struct conf_pos brace);
void parser_close(struct parser *, struct conf_pos brace);
void parser_drop(struct parser *, struct stmt *); /* the last statement of the open block */
void parser_file(struct parser *, size_t file, enum dialect);
/* One statement of nginx text with its block, from 'offset'; returns the offset behind it. */
size_t parser_nginx(struct parser *, size_t file, size_t offset, bool single);

/* lex.c */
bool lex_line(struct parser *, size_t file, size_t offset, struct line *ret_line);
void line_done(struct line *);
void line_add(struct line *, char c, uint32_t offset);

enum lex_kind { LEX_END, LEX_WORD, LEX_OPEN, LEX_CLOSE, LEX_SEMICOLON, LEX_BAD };
struct lex_token {
	enum lex_kind kind;
	struct word word;    /* LEX_WORD: text to be freed */
	struct conf_pos pos; /* of any token */
	uint32_t offset;
	bool semicolon; /* keepalived text: a ';' clung to the end of the word */
	struct conf_pos semicolon_pos;
};
/* The next token from *at, which moves on. */
struct lex_token lex_keepalived(struct parser *, const struct line *, size_t *at, bool plain);
struct lex_token lex_nginx(struct parser *, size_t file, size_t *offset);

/* vars.c: the line with its variables replaced, from 'from'; false: something was undefined. */
bool vars_define(struct parser *, const struct line *, size_t from);
bool vars_expand(struct parser *, const struct line *, size_t from, struct line *ret_line);
const struct variable *vars_whole_line(struct parser *, const struct line *, size_t from);
void vars_done(struct parser *);

/* include.c: acts on a finished statement; false: it is an ordinary one. */
bool include_statement(struct parser *, struct stmt *);

#endif
