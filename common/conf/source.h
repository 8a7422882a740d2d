/*
 * source.h - the files of one configuration while it is being read: their
 * text, where a byte of it stands, and saying something about it.
 *
 * Internal to common/conf.  Owned by conf_load for the length of one call.
 */
#ifndef COMMON_CONF_SOURCE_H
#define COMMON_CONF_SOURCE_H

#include "common/conf/conf.h"

#include <stddef.h>

/*
 * What a file may cost.  A configuration is written by hand or by a template;
 * past these it is something else, or a loop.
 */
#define CONF_FILE_MAX	    (4u << 20)	/* bytes of one file */
#define CONF_TOTAL_MAX	    (16u << 20) /* bytes of all files, and of all expansions */
#define CONF_FILES_MAX	    512		/* files read */
#define CONF_INCLUDE_DEPTH  16
#define CONF_NESTING_MAX    32	   /* blocks in blocks */
#define CONF_STATEMENTS_MAX 100000 /* in all files */
#define CONF_WORDS_MAX	    4096   /* in one statement */
#define CONF_VARIABLES_MAX  4096
#define CONF_OBJECTS_MAX    4096  /* instances, listeners; each is compared with each */
#define CONF_NAMES_MAX	    24576 /* checks, upstreams */
#define CONF_LINE_MAX	    65536 /* bytes of one line after expansion */

struct source_file {
	char *path;
	char *text;
	size_t size;
	uint32_t *lines; /* offset of the beginning of each line */
	size_t n_lines;
};

/*
 * Room for one more behind the 'n' items of an array that began as NULL and
 * grows one by one: its room doubles at each power of two.
 */
static inline void *
conf_grow(void *array, size_t n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return array;
	return xreallocarray(array, n > 0 ? 2 * n : 1, size);
}

/* What must not be shown when its line is. */
struct source_secret {
	struct conf_pos pos;
};

struct conf_source {
	const struct conf_host *host; /* its functions may be NULL: nothing can be read then */
	struct conf_diags *diags;
	struct source_file *files;
	size_t n_files, total_bytes;
	struct source_secret *secrets;
	size_t n_secrets;
};

/*
 * Add a file: read it, or take a copy of 'text'.  0, or -errno (-EFBIG, -EMFILE
 * for the bounds); nothing is said.
 */
int source_open(struct conf_source *, const char *path, size_t *ret_file);
int source_add(
    struct conf_source *, const char *path, const char *text, size_t size, size_t *ret_file);
void source_done(struct conf_source *);

/* Where 'size' bytes from 'offset' stand; cut at the end of the line. */
struct conf_pos source_pos(const struct conf_source *, size_t file, size_t offset, size_t size);

/* The directory of a file, to be freed; "." for none. */
char *source_directory(const struct conf_source *, size_t file);

/* Never show what stands at 'pos' (a password). */
void source_mark_secret(struct conf_source *, struct conf_pos pos);

/* Say something about 'pos'; line 0 is about the whole file (pos.file). */
void conf_say(struct conf_source *, enum conf_severity, enum conf_part, struct conf_pos pos,
    const char *fmt, ...) PRINTF_LIKE(5, 6);

/* All has been said: order it, and blank the secrets that became known late. */
void source_finish(struct conf_source *);

/* diag.c: the list takes what *d points to. */
void conf_diags_take(struct conf_diags *, struct conf_diag *d);
void conf_diags_sort(struct conf_diags *);

/*
 * Which of 'n' names, spaced 'stride' bytes apart with a char pointer first,
 * was probably meant; NULL: none is near.
 */
const char *conf_nearest(const char *word, const void *names, size_t n, size_t stride);

#endif
