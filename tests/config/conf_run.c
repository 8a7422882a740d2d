/*
 * conf_run.c - the configuration tests: for each NAME.conf of a directory,
 * either NAME.ok holds its normal form, which must parse back to itself, or
 * NAME.err holds what the language says about it, errors among that.  Beside
 * NAME.ok, NAME.diag holds the warnings and notices; without it there are none.
 *
 *	conf_run [--update] DIRECTORY
 *
 * The host is a made-up one, so that results are the same anywhere: node n1,
 * interfaces eth0, eth1 and lo, every program in /usr/bin but those that begin
 * with "no-", the environment SITE=lab.
 */
#include "common/conf/conf.h"

#include "common/text.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool update;
static unsigned n_passed, n_failed;

/* ---- the host ---- */

static int
slurp(const char *path, char **ret_text, size_t *ret_size)
{
	FILE *f = fopen(path, "r");
	struct text t = { 0 };
	char buf[4096];
	size_t n;

	if (f == NULL)
		return -errno;
	errno = 0;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add_n(&t, buf, n);
	n = (size_t)errno;
	fclose(f);
	if (n != 0) {
		text_done(&t);
		return -(int)n;
	}
	*ret_size = t.length;
	*ret_text = text_take(&t);
	return 0;
}

/* Only below the test directory, which is the current one. */
static int
host_read(void *aux, const char *path, char **ret_text, size_t *ret_size)
{
	(void)aux;
	if (path[0] == '/' || strstr(path, "..") != NULL)
		return -EACCES;
	return slurp(path, ret_text, ret_size);
}

static int
host_glob(void *aux, const char *pattern, char ***ret_paths, size_t *ret_n)
{
	glob_t g;
	int err = pattern[0] == '/' ? GLOB_NOMATCH : glob(pattern, 0, NULL, &g);

	(void)aux;
	*ret_paths = NULL;
	*ret_n = 0;
	if (err == GLOB_NOMATCH)
		return 0;
	if (err != 0)
		return -EIO;
	*ret_paths = xcalloc(g.gl_pathc, sizeof(**ret_paths));
	for (; *ret_n < g.gl_pathc; ++*ret_n)
		(*ret_paths)[*ret_n] = xstrdup(g.gl_pathv[*ret_n]);
	globfree(&g);
	return 0;
}

static const char *
host_env(void *aux, const char *name)
{
	(void)aux;
	return strcmp(name, "SITE") == 0 ? "lab" : NULL;
}

static bool
host_interface(void *aux, const char *name)
{
	(void)aux;
	return strcmp(name, "eth0") == 0 || strcmp(name, "eth1") == 0 || strcmp(name, "lo") == 0;
}

static char *
host_program(void *aux, const char *name)
{
	(void)aux;
	return strncmp(name, "no-", 3) == 0 ? NULL : xasprintf("/usr/bin/%s", name);
}

static const struct conf_host host = {
	.node_id = "n1",
	.read_file = host_read,
	.glob = host_glob,
	.env = host_env,
	.has_interface = host_interface,
	.find_program = host_program,
};

/* ---- one test ---- */

static char *
print_diags(const struct conf_diags *diags)
{
	struct text t = { 0 };

	for (size_t i = 0; i < diags->n; i++) {
		struct text one = { 0 };

		conf_diag_print(&diags->items[i], &one);
		text_add(&t, text_str(&one));
		text_done(&one);
	}
	if (diags->n_dropped > 0)
		text_addf(&t, "%zu more\n", diags->n_dropped);
	return text_take(&t);
}

/* Lines of the two that differ, from the first that does. */
static void
show_difference(const char *expected, const char *got)
{
	while (*expected != '\0' && *got != '\0') {
		size_t e = strcspn(expected, "\n"), g = strcspn(got, "\n");

		if (e != g || memcmp(expected, got, e) != 0)
			break;
		expected += e + (expected[e] != '\0');
		got += g + (got[g] != '\0');
	}
	for (int i = 0; i < 6 && *expected != '\0'; i++) {
		size_t e = strcspn(expected, "\n");

		printf("    - %.*s\n", (int)e, expected);
		expected += e + (expected[e] != '\0');
	}
	for (int i = 0; i < 6 && *got != '\0'; i++) {
		size_t g = strcspn(got, "\n");

		printf("    + %.*s\n", (int)g, got);
		got += g + (got[g] != '\0');
	}
}

static bool
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return false;
	fputs(text, f);
	return fclose(f) == 0;
}

/* What 'path' holds must be 'got'; an optional file that is not there holds nothing. */
static bool
matches(const char *path, const char *got, bool optional)
{
	char *expected = NULL;
	size_t size;
	bool same;

	if (update) {
		if (got[0] != '\0' || !optional)
			return write_file(path, got);
		remove(path);
		return true;
	}
	if (slurp(path, &expected, &size) < 0)
		expected = xstrdup("");
	same = strcmp(expected, got) == 0;
	if (!same) {
		printf("%s: differs (- expected, + got)\n", path);
		show_difference(expected, got);
	}
	free(expected);
	return same;
}

/* The normal form is a configuration again, without errors, and its own normal form. */
static bool
is_fixed_point(const char *path, const struct conf *conf)
{
	struct conf_diags diags = { 0 };
	struct conf *again = conf_load_text(
	    &host, "normal", conf->normal, strlen(conf->normal), &diags);
	bool ok = again != NULL && conf_diags_count(&diags, CONF_ERROR, CONF_ALL) == 0 &&
		  strcmp(again->normal, conf->normal) == 0 &&
		  strcmp(again->digest, conf->digest) == 0;

	if (!ok) {
		char *said = print_diags(&diags);

		printf("%s: the normal form does not parse back to itself\n%s", path, said);
		if (again != NULL)
			show_difference(conf->normal, again->normal);
		free(said);
	}
	conf_free(again);
	conf_diags_done(&diags);
	return ok;
}

static bool
exists(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f != NULL)
		fclose(f);
	return f != NULL;
}

static bool
check_ok(const char *path, const char *stem, const struct conf *conf, const char *said)
{
	char *ok = xasprintf("%s.ok", stem), *diag = xasprintf("%s.diag", stem);
	bool good = matches(ok, conf->normal, false);

	good = matches(diag, said, true) && good;
	good = is_fixed_point(path, conf) && good;
	free(ok);
	free(diag);
	return good;
}

static bool
run_one(const char *path)
{
	char *stem = xstrndup(path, strlen(path) - strlen(".conf"));
	char *err = xasprintf("%s.err", stem), *ok = xasprintf("%s.ok", stem), *said;
	struct conf_diags diags = { 0 };
	struct conf *conf = conf_load(&host, path, &diags);
	bool failed = conf == NULL || conf_diags_count(&diags, CONF_ERROR, CONF_ALL) > 0;
	bool good = true;

	said = print_diags(&diags);
	if (!update && exists(err) == exists(ok)) {
		printf("%s: needs either .ok or .err beside it\n", path);
		good = false;
	} else if (!update && failed != exists(err)) {
		printf("%s: expected %s\n%s", path, failed ? "no error" : "errors", said);
		good = false;
	} else if (failed) {
		good = matches(err, said, false);
	} else {
		good = check_ok(path, stem, conf, said);
	}
	conf_free(conf);
	conf_diags_done(&diags);
	free(said);
	free(stem);
	free(err);
	free(ok);
	return good;
}

/* ---- all of them ---- */

static int
is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

int
main(int argc, char **argv)
{
	struct dirent **names;
	int n;

	update = argc == 3 && strcmp(argv[1], "--update") == 0;
	if (argc != (update ? 3 : 2)) {
		fprintf(stderr, "usage: conf_run [--update] DIRECTORY\n");
		return 2;
	}
	if (chdir(argv[argc - 1]) < 0) {
		fprintf(stderr, "conf_run: %s: %s\n", argv[argc - 1], strerror(errno));
		return 1;
	}
	n = scandir(".", &names, is_conf, alphasort);
	for (int i = 0; i < n; i++) {
		if (run_one(names[i]->d_name))
			n_passed++;
		else
			n_failed++;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	printf("%u passed, %u failed\n", n_passed, n_failed);
	return n_failed > 0 || n_passed == 0;
}
