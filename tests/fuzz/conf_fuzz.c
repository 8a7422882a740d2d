/*
 * conf_fuzz.c - any bytes as a configuration: no crash, and what loads without
 * errors has a normal form that loads again, without errors, to itself.
 *
 * The input is several files, apart by 0xff bytes: the first is loaded, the
 * others are a, b, c ... for its includes, and match every pattern.
 */
#include "common/conf/conf.h"

#include "tests/fuzz/fuzz.h"

#include <errno.h>

struct files {
	const char *text[8];
	size_t size[8];
	size_t n;
};

static int
read_file(void *aux, const char *path, char **ret_text, size_t *ret_size)
{
	const struct files *f = aux;
	size_t i = (size_t)(unsigned char)path[0] - 'a' + 1;

	if (i >= f->n || path[1] != '\0')
		return -ENOENT;
	*ret_text = xcalloc(f->size[i] + 1, 1);
	memcpy(*ret_text, f->text[i], f->size[i]);
	*ret_size = f->size[i];
	return 0;
}

static int
match_all(void *aux, const char *pattern, char ***ret_paths, size_t *ret_n)
{
	const struct files *f = aux;

	(void)pattern;
	*ret_n = f->n - 1;
	*ret_paths = xcalloc(f->n, sizeof(**ret_paths));
	for (size_t i = 0; i + 1 < f->n; i++)
		(*ret_paths)[i] = xasprintf("%c", (char)('a' + i));
	return 0;
}

static void
split(const uint8_t *data, size_t size, struct files *f)
{
	const char *at = (const char *)data, *end = at + size;

	while (f->n < ARRAY_LEN(f->text)) {
		const char *next = size > 0 ? memchr(at, 0xff, (size_t)(end - at)) : NULL;

		f->text[f->n] = at;
		f->size[f->n++] = (size_t)((next != NULL ? next : end) - at);
		if (next == NULL)
			return;
		at = next + 1;
	}
}

static void
no_line(void *aux, const char *line)
{
	(void)aux, (void)line;
	abort(); /* nothing changes between a file and itself */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct files files = { .n = 0 };
	struct conf_host host = {
		.aux = &files, .node_id = "n1", .read_file = read_file, .glob = match_all
	};
	struct conf_diags diags = { 0 }, again_diags = { 0 };
	struct text said = { 0 };
	struct conf *conf, *again;

	split(data, size, &files);
	conf = conf_load_text(&host, "fuzz", files.text[0], files.size[0], &diags);
	for (size_t i = 0; i < diags.n; i++)
		conf_diag_print(&diags.items[i], &said);
	if (conf != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) == 0) {
		again = conf_load_text(
		    &host, "normal", conf->normal, strlen(conf->normal), &again_diags);
		if (again == NULL || conf_diags_count(&again_diags, CONF_ERROR, CONF_ALL) > 0 ||
		    strcmp(again->normal, conf->normal) != 0)
			abort();
		conf_diff(conf, again, CONF_ALL, no_line, NULL);
		free(conf_normal_redacted(conf));
		conf_free(again);
		conf_diags_done(&again_diags);
	}
	text_done(&said);
	conf_diags_done(&diags);
	conf_free(conf);
	return 0;
}
