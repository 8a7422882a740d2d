/*
 * cmdline_test.c - which command lines are those of the processes that count.
 */
#include "checkd/cmdline.h"
#include "tests/unit/test.h"

#include <string.h>

/* clang-format off */

static char *const serve[] = { "serve" }, *const serve_8[] = { "serve", "--port=8" };

#define LINE(text) text, sizeof(text) /* with the last word's NUL */

static const struct {
	const char *what;
	struct process_conf conf;
	const char *bytes;
	size_t size;
	bool match;
} rows[] = {
{ "the name, behind a path", { .name = "app" }, LINE("/usr/bin/app\0serve"), true },
{ "a path is compared whole", { .name = "/usr/bin/app" }, LINE("/usr/bin/app"), true },
{ "another path", { .name = "/opt/app" }, LINE("/usr/bin/app"), false },
{ "another name", { .name = "app" }, LINE("/usr/bin/apps"), false },
{ "exact: these", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_EXACT }, LINE("app\0serve"), true },
{ "exact: and no others", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_EXACT }, LINE("app\0serve\0-v"), false },
{ "exact: not begun only", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_EXACT }, LINE("app\0server"), false },
{ "exact: none is too few", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_EXACT }, LINE("app"), false },
{ "partial: these first", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_PARTIAL }, LINE("app\0serve\0-v"), true },
{ "partial: whole words", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_PARTIAL }, LINE("app\0server"), false },
{ "partial: in this place", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_PARTIAL }, LINE("app\0-v\0serve"), false },
{ "initial: the last may go on", { .name = "app", .params = (char **)serve_8, .n_params = 2,
	.param_match = PARAM_INITIAL }, LINE("app\0serve\0--port=80"), true },
{ "initial: not the others", { .name = "app", .params = (char **)serve_8, .n_params = 2,
	.param_match = PARAM_INITIAL }, LINE("app\0server\0--port=80"), false },
{ "no parameters, said so: none", { .name = "app", .param_match = PARAM_EXACT }, LINE("app"), true },
{ "no parameters, said so: one", { .name = "app", .param_match = PARAM_PARTIAL },
	LINE("app\0-v"), false },
{ "a kernel thread has no command line", { .name = "app" }, "", 0, false },
{ "no NUL at the end", { .name = "app" }, "app", 3, false },
{ "cut in a word: what is whole counts", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_PARTIAL }, "app\0ser", 7, false },
{ "empty words", { .name = "app", .params = (char **)serve, .n_params = 1,
	.param_match = PARAM_EXACT }, LINE("app\0\0serve"), false },
};

/* clang-format on */

static void
every_row(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (cmdline_matches(&rows[i].conf, rows[i].bytes, rows[i].size) != rows[i].match)
			fail_msg("row \"%s\"", rows[i].what);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
