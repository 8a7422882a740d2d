/* proc_test.c - what /proc says of a process: its names, and whether it lives. */
#include "checkd/proc.h"
#include "tests/unit/test.h"

#include <string.h>

#define ARGS(text) text, sizeof(text) - 1

static const struct {
	const char *comm, *cmdline;
	size_t cmdline_size;
	const char *name;
	bool is;
} names[] = {
	{ "nginx\n", ARGS("nginx: master process /usr/sbin/nginx\0"), "nginx", true },
	{ "nginx", NULL, 0, "nginx", true },
	{ "nginx\n", NULL, 0, "nginx\n", false },
	{ "nginx2\n", NULL, 0, "nginx", false },
	{ "ngin\n", ARGS("ngin\0"), "nginx", false },
	/* cut by the kernel: by argv[0] only */
	{ "a-rather-long-n\n", ARGS("/opt/a-rather-long-name\0-x\0"), "a-rather-long-name", true },
	{ "a-rather-long-n\n", ARGS("/opt/a-rather-long-name\0-x\0"), "a-rather-long-n", true },
	{ "a-rather-long-n\n", ARGS("/opt/a-rather-long-nose\0"), "a-rather-long-name", false },
	{ "python3\n", ARGS("/usr/bin/python3\0/srv/web\0"), "web", false },
	{ "python3\n", ARGS("web\0"), "web", true },
	{ "x\n", ARGS("/bin/web/\0"), "web", false },
	{ "x\n", ARGS("/bin/web/\0"), "", true },
	{ "x\n", ARGS("no end"), "no end", true }, /* as a process may write over it */
	{ "x\n", ARGS("\0web\0"), "web", false },
};

static void
every_name(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct proc p = { .cmdline = (char *)names[i].cmdline,
			.cmdline_size = names[i].cmdline_size };

		proc_set_comm(&p, names[i].comm, strlen(names[i].comm));
		if (proc_is_named(&p, names[i].name) != names[i].is)
			fail_msg("row %zu: %s", i, names[i].name);
	}
}

static const struct {
	const char *stat;
	bool alive;
} stats[] = {
	{ "12 (nginx) S 1 12 12 0", true },
	{ "12 (nginx) R", true },
	{ "12 (nginx) Z 1", false },
	{ "12 (nginx) X 1", false },
	{ "12 (a) Z (b) S 1", true },
	{ "12 (a) S (b) Z 1", false },
	{ "12 (nginx) ", false },
	{ "12 (nginx)", false },
	{ "12 nginx S", false },
	{ "", false },
};

static void
every_stat(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(stats); i++)
		if (proc_is_alive(stats[i].stat, strlen(stats[i].stat)) != stats[i].alive)
			fail_msg("\"%s\"", stats[i].stat);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name),
		cmocka_unit_test(every_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
