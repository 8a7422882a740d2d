#include "tests/unit/test.h"

#include "common/cksum.h"
#include "common/text.h"

#include <stdlib.h>
#include <string.h>

static void
text_grows(void **unused)
{
	struct text t = { 0 };
	char *taken;

	(void)unused;
	assert_string_equal(text_str(&t), "");
	for (int i = 0; i < 1000; i++)
		text_addf(&t, "%d,", i % 10);
	text_add_n(&t, "endless", 3);
	assert_int_equal(t.length, 2003);
	assert_string_equal(text_str(&t) + 1998, "9,end");
	taken = text_take(&t);
	assert_int_equal(strlen(taken), 2003);
	assert_string_equal(text_str(&t), "");
	free(taken);
	taken = text_take(&t);
	assert_string_equal(taken, "");
	free(taken);
	text_done(&t);
}

/* RFC 1071, section 3: the example, whole and in pieces, and an odd tail. */
static void
checksum(void **unused)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	static const uint8_t odd[] = { 0x01, 0x02, 0x03 };

	(void)unused;
	assert_int_equal(cksum_finish(cksum_add(0, bytes, sizeof(bytes))), (uint16_t)~0xddf2);
	assert_int_equal(
	    cksum_finish(cksum_add(cksum_add(0, bytes, 4), bytes + 4, 4)), (uint16_t)~0xddf2);
	assert_int_equal(cksum_finish(cksum_add(0, odd, sizeof(odd))), (uint16_t)~0x0402);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows),
		cmocka_unit_test(checksum),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
