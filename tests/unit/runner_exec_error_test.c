#include "tests/unit/test.h"

#include "common/runner/exec_error.h"

#include <errno.h>
#include <string.h>

static const struct {
	struct exec_error error;
	const char *says;
} rows[] = {
	{ { EXEC_GROUP, EPERM }, "cannot make a process group: Operation not permitted" },
	{ { EXEC_FILES, EMFILE }, "cannot arrange its files: Too many open files" },
	{ { EXEC_GROUPS, EPERM }, "cannot become user web: Operation not permitted" },
	{ { EXEC_GID, EINVAL }, "cannot become user web: Invalid argument" },
	{ { EXEC_UID, EAGAIN }, "cannot become user web: Resource temporarily unavailable" },
	{ { EXEC_CAPS, EPERM }, "cannot drop capabilities: Operation not permitted" },
	{ { EXEC_EXECVE, ENOEXEC }, "cannot execute /x.sh: no program, and no #! line" },
	{ { EXEC_EXECVE, ENOENT },
	    "cannot execute /x.sh: the interpreter of its #! line does not exist" },
	{ { EXEC_EXECVE, EACCES }, "cannot execute /x.sh as user web: Permission denied" },
	{ { EXEC_EXECVE, ETXTBSY }, "cannot execute /x.sh as user web: Text file busy" },
	{ { EXEC_EXECVE, E2BIG }, "cannot execute /x.sh as user web: Argument list too long" },
	{ { EXEC_EXECVE, ENOMEM }, "cannot execute /x.sh as user web: Cannot allocate memory" },
};

static void
every_stage(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text said = { 0 };

		exec_error_str(&rows[i].error, "/x.sh", "web", &said);
		assert_string_equal(text_str(&said), rows[i].says);
		text_done(&said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_stage) };

	return cmocka_run_group_tests_name("runner exec error", tests, NULL, NULL);
}
