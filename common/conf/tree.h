/*
 * tree.h - a configuration as statements: words, and blocks of statements.
 *
 * Two dialects of text make one kind of tree.  Includes are opened, variables
 * replaced, conditions decided: what is here is what counts, each word with
 * the place where it was written.
 *
 * Internal to common/conf.  The tree lives for one conf_load.
 */
#ifndef COMMON_CONF_TREE_H
#define COMMON_CONF_TREE_H

#include "common/conf/source.h"

enum dialect {
	DIALECT_KEEPALIVED, /* a statement ends with its line */
	DIALECT_NGINX,	    /* a statement ends with ';' or a block */
};

struct word {
	char *text;
	struct conf_pos pos;
	bool quoted;
	bool cut;   /* a comment began inside it: "a!b" is the word a */
	bool plain; /* read without escapes, as keepalived reads auth_pass */
};

struct stmt {
	struct word *words;
	size_t n_words;
	struct conf_pos semicolon; /* keepalived text: a ';' stood here; line 0: none */
	enum dialect dialect;
	bool has_block;
	bool one_line;	     /* the block opened and closed on one line */
	bool left_out;	     /* has no effect, as keepalived reads it: not in the normal form */
	struct stmt *parent; /* NULL: the root */
	struct stmt *first, *last, *next, *prev;
};

/* The name of a statement, its words after it, where it begins. */
const char *stmt_name(const struct stmt *);
const char *stmt_arg(const struct stmt *, size_t i); /* from 1; NULL: no such word */
struct conf_pos stmt_pos(const struct stmt *);

struct tree {
	struct stmt *root; /* no words; its block is the file */
};

/*
 * Read the tree of a file that is open (source_open).  What cannot be read is
 * said and left out.  A whole nginx.conf is recognised and hung under one
 * statement "nginx".
 */
void tree_read(struct conf_source *, size_t file, struct tree *ret_tree);
void tree_done(struct tree *);

/* print.c: the normal form; to be freed. */
char *tree_print(const struct tree *);

/* A normal form with its secrets replaced by "********"; to be freed. */
char *text_redact(const char *normal);

/* FNV-1a, 64 bits, as 16 hexadecimal digits. */
void text_digest(const char *text, char ret_digest[static 17]);

#endif
