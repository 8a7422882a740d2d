/*
 * include.c - files named in files (parser.h).
 *
 * In keepalived text relative to the including file, in nginx text relative to
 * the directory of the first nginx file, as nginx does.
 */
#include "common/conf/parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
is_pattern(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}

static char *
join(const char *dir, const char *path)
{
	if (path[0] == '/' || strcmp(dir, ".") == 0)
		return xstrdup(path);
	return xasprintf("%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/", path);
}

static bool
is_open(const struct parser *p, const char *path)
{
	for (unsigned i = 0; i < p->include_depth; i++)
		if (strcmp(p->src->files[p->open_files[i]].path, path) == 0)
			return true;
	return false;
}

static void
say_unreadable(struct parser *p, struct conf_pos pos, const char *path, int err)
{
	if (err == -EFBIG)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos,
		    "%s: too large: a file may have %u MiB, all together %u MiB", path,
		    CONF_FILE_MAX >> 20, CONF_TOTAL_MAX >> 20);
	else if (err == -EMFILE)
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "%s: more than %d files", path,
		    CONF_FILES_MAX);
	else
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "%s: %s", path, strerror(-err));
}

static void
include_file(struct parser *p, struct conf_pos pos, const char *path, enum dialect dialect)
{
	size_t file;
	int err;

	if (is_open(p, path)) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "%s includes itself", path);
		return;
	}
	if (p->include_depth >= CONF_INCLUDE_DEPTH) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos,
		    "%s: files include files more than %d deep", path, CONF_INCLUDE_DEPTH);
		return;
	}
	err = source_open(p->src, path, &file);
	if (err < 0)
		say_unreadable(p, pos, path, err);
	else
		parser_file(p, file, dialect);
}

static void
include_glob(struct parser *p, struct conf_pos pos, const char *pattern, enum dialect dialect)
{
	const struct conf_host *host = p->src->host;
	char **paths = NULL;
	size_t n = 0;
	int err = -EACCES;

	if (host != NULL && host->glob != NULL)
		err = host->glob(host->aux, pattern, &paths, &n);
	if (err < 0) {
		say_unreadable(p, pos, pattern, err);
		return;
	}
	if (n == 0)
		conf_say(p->src, CONF_WARNING, CONF_GLOBAL, pos, "no file matches %s", pattern);
	for (size_t i = 0; i < n; i++) {
		if (p->src->n_files < CONF_FILES_MAX || i == 0)
			include_file(p, pos, paths[i], dialect);
		free(paths[i]);
	}
	free(paths);
}

static void
include(struct parser *p, const struct stmt *s, const char *dir, enum dialect dialect)
{
	for (size_t i = 1; i < s->n_words; i++) {
		char *path = join(dir, s->words[i].text);

		if (is_pattern(path))
			include_glob(p, s->words[i].pos, path, dialect);
		else
			include_file(p, s->words[i].pos, path, dialect);
		free(path);
	}
}

/* nginx_conf PATH: the file as it is, under a block "nginx". */
static void
include_nginx(struct parser *p, const struct stmt *s, const char *dir)
{
	char *outer = p->nginx_dir, *path = join(dir, s->words[1].text);
	struct stmt *block = parser_statement(p, DIALECT_KEEPALIVED);

	if (block != NULL) {
		struct word w = { .text = xstrdup("nginx"), .pos = s->words[0].pos };
		char *slash = strrchr(path, '/');

		parser_word(p, block, &w);
		p->nginx_dir = slash == NULL ? xstrdup(".")
					     : xstrndup(path, MAX((size_t)(slash - path), 1u));
		if (parser_open(p, block, s->words[0].pos)) {
			include_file(p, s->words[1].pos, path, DIALECT_NGINX);
			parser_close(p, s->words[0].pos);
		}
		free(p->nginx_dir);
	}
	p->nginx_dir = outer;
	free(path);
}

/* include, and keepalived's variants of it that differ in what may be missing. */
static bool
is_include(const char *name, enum dialect dialect)
{
	if (dialect == DIALECT_NGINX)
		return strcmp(name, "include") == 0;
	return strcmp(name, "keepalived_conf") == 0 || strcmp(name, "nginx_conf") == 0 ||
	       (strncmp(name, "include", 7) == 0 &&
		   (name[7] == '\0' || (name[8] == '\0' && strchr("rmwba", name[7]) != NULL)));
}

bool
include_statement(struct parser *p, struct stmt *s)
{
	const char *name = stmt_name(s);
	struct conf_pos pos = stmt_pos(s);
	enum dialect dialect = s->dialect;
	struct stmt copy;
	char *dir;

	if (s->has_block || !is_include(name, dialect))
		return false;
	if (s->n_words != 2) {
		conf_say(p->src, CONF_ERROR, CONF_GLOBAL, pos, "%s takes one path", name);
		parser_drop(p, s);
		return true;
	}
	if (strcmp(name, "include") != 0 && p->depth > 0 && strchr(name, '_') != NULL) {
		conf_say(
		    p->src, CONF_ERROR, CONF_GLOBAL, pos, "%s stands outside all blocks", name);
		parser_drop(p, s);
		return true;
	}
	copy = *s; /* the files' statements take its place in the tree */
	s->words = NULL;
	s->n_words = 0;
	parser_drop(p, s);
	if (dialect == DIALECT_NGINX && p->nginx_dir != NULL)
		dir = xstrdup(p->nginx_dir);
	else
		dir = source_directory(p->src, pos.file);
	if (strcmp(copy.words[0].text, "nginx_conf") == 0)
		include_nginx(p, &copy, dir);
	else
		include(p, &copy, dir, dialect);
	free(dir);
	for (size_t i = 0; i < copy.n_words; i++)
		free(copy.words[i].text);
	free(copy.words);
	return true;
}
