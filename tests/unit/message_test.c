#include "common/message.h"
#include "tests/unit/test.h"

#include <string.h>

static void
ids(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < message_n_kinds; i++) {
		const char *id = message_kinds[i].id;

		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(id, message_kinds[j].id);
	}
}

static void
by_fields(void **unused)
{
	const char *const master[] = { "from", "BACKUP", "to", "MASTER", NULL };
	const char *const check[] = { "check", "web", "state", "down", "before", "up", NULL };
	const char *const draining[] = { "server", "a:1", "state", "draining", NULL };
	const char *const resumed[] = { "resumed", "master", NULL };
	const char *const none[] = { NULL };

	(void)unused;
	assert_string_equal(message_id(master), message_kinds[0].id);
	assert_non_null(message_id(check));
	assert_string_not_equal(message_id(check), message_id(master));
	assert_non_null(message_id(resumed)); /* whatever its value */
	assert_null(message_id(draining));
	assert_null(message_id(none));
	assert_null(message_id(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids),
		cmocka_unit_test(by_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
