#include "tests/unit/test.h"

#include "checkd/dns.h"

#include <errno.h>
#include <string.h>

/* example.org A, id 0x1234. */
#define ID "\x12\x34"
#define QUESTION                                                                                   \
	"\x07"                                                                                     \
	"example"                                                                                  \
	"\x03"                                                                                     \
	"org"                                                                                      \
	"\0"                                                                                       \
	"\0\x01"                                                                                   \
	"\0\x01"
#define POINTER "\xc0\x0c"
#define FIXED_A "\0\x01\0\x01\0\0\0\x3c\0\x04"

static size_t
query_of(const char *name, uint8_t query[static DNS_QUERY_MAX])
{
	int size = dns_query_encode(0x1234, name, 1, query);

	assert_true(size > 0);
	return (size_t)size;
}

static void
a_query(void **unused)
{
	static const char wire[] = ID "\x01\0\0\x01\0\0\0\0\0\0" QUESTION;
	uint8_t query[DNS_QUERY_MAX];

	(void)unused;
	assert_int_equal(query_of("example.org", query), sizeof(wire) - 1);
	assert_memory_equal(query, wire, sizeof(wire) - 1);
	assert_int_equal(query_of("example.org.", query), sizeof(wire) - 1);
	assert_int_equal(query_of(".", query), 12 + 1 + 4);
}

static void
names_that_are_none(void **unused)
{
	char label[80], name[300];
	uint8_t query[DNS_QUERY_MAX];

	(void)unused;
	memset(label, 'a', sizeof(label));
	label[64] = '\0';
	assert_int_equal(dns_query_encode(1, label, 1, query), -EINVAL);
	label[63] = '\0';
	assert_int_equal(dns_query_encode(1, label, 1, query), 12 + 65 + 4);
	assert_int_equal(dns_query_encode(1, "a..b", 1, query), -EINVAL);
	assert_int_equal(dns_query_encode(1, ".a", 1, query), -EINVAL);
	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "a.", 3);
	assert_int_equal(dns_query_encode(1, name, 1, query), -EINVAL);
	name[254] = '\0'; /* 127 labels: 255 bytes */
	assert_int_equal(dns_query_encode(1, name, 1, query), DNS_QUERY_MAX - 1);
}

#define MSG(text)	  (const uint8_t *)(text), sizeof(text) - 1
#define HEAD(flags, q, a) ID flags "\0" q "\0" a "\0\0\0\0"

static const struct {
	const char *what;
	const uint8_t *bytes;
	size_t size;
	int err;
	struct dns_answer answer;
} rows[] = {
	{ "one address", MSG(HEAD("\x81\x80", "\1", "\1") QUESTION POINTER FIXED_A "\x0a\0\0\1"), 0,
	    { 0, false, 1 } },
	{ "a name in full", MSG(HEAD("\x81\x80", "\1", "\1") QUESTION "\1x\0" FIXED_A "\x0a\0\0\1"),
	    0, { 0, false, 1 } },
	{ "a CNAME before it",
	    MSG(HEAD("\x81\x80", "\1", "\2") QUESTION POINTER
		"\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c" POINTER FIXED_A "\x0a\0\0\1"),
	    0, { 0, false, 1 } },
	{ "only a CNAME",
	    MSG(HEAD("\x81\x80", "\1", "\1") QUESTION POINTER
		"\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c"),
	    0, { 0, false, 0 } },
	{ "another class",
	    MSG(HEAD("\x81\x80", "\1", "\1") QUESTION POINTER "\0\x01\0\x03\0\0\0\x3c\0\x04"
							      "\x0a\0\0\1"),
	    0, { 0, false, 0 } },
	{ "nothing", MSG(HEAD("\x81\x80", "\1", "\0") QUESTION), 0, { 0, false, 0 } },
	{ "NXDOMAIN", MSG(HEAD("\x81\x83", "\1", "\0") QUESTION), 0, { 3, false, 0 } },
	{ "refused without a question", MSG(HEAD("\x81\x85", "\0", "\0")), 0, { 5, false, 0 } },
	{ "other case",
	    MSG(HEAD("\x81\x80", "\1", "\0") "\x07"
					     "EXAMPLE"
					     "\x03"
					     "oRg"
					     "\0"
					     "\0\x01"
					     "\0\x01"),
	    0, { 0, false, 0 } },
	{ "truncated", MSG(HEAD("\x83\x80", "\1", "\5") QUESTION POINTER), 0, { 0, true, 0 } },
	{ "another id", MSG("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" QUESTION), -ENOENT, { 0 } },
	{ "a query", MSG(HEAD("\x01\0", "\1", "\0") QUESTION), -ENOENT, { 0 } },
	{ "another question",
	    MSG(HEAD("\x81\x80", "\1", "\0") "\x07"
					     "exemple"
					     "\x03"
					     "org"
					     "\0"
					     "\0\x01"
					     "\0\x01"),
	    -ENOENT, { 0 } },
	{ "another type",
	    MSG(HEAD("\x81\x80", "\1", "\0") "\x07"
					     "example"
					     "\x03"
					     "org"
					     "\0"
					     "\0\x1c"
					     "\0\x01"),
	    -ENOENT, { 0 } },
	{ "two questions", MSG(HEAD("\x81\x80", "\2", "\0") QUESTION QUESTION), -ENOENT, { 0 } },
	{ "a header cut off", MSG(ID "\x81\x80\0\1\0"), -ENOENT, { 0 } },
	{ "empty", MSG(""), -ENOENT, { 0 } },
	{ "fewer records than it says",
	    MSG(HEAD("\x81\x80", "\1", "\2") QUESTION POINTER FIXED_A "\x0a\0\0\1"), -EBADMSG,
	    { 0 } },
	{ "data cut off", MSG(HEAD("\x81\x80", "\1", "\1") QUESTION POINTER FIXED_A "\x0a\0\0"),
	    -EBADMSG, { 0 } },
	{ "a pointer cut off", MSG(HEAD("\x81\x80", "\1", "\1") QUESTION "\xc0"), -EBADMSG, { 0 } },
	{ "a label beyond the end",
	    MSG(HEAD("\x81\x80", "\1", "\1") QUESTION "\x3f"
						      "abc"),
	    -EBADMSG, { 0 } },
	{ "a label of an unknown kind",
	    MSG(HEAD("\x81\x80", "\1", "\1") QUESTION "\x80"
						      "abc\0" FIXED_A "\x0a\0\0\1"),
	    -EBADMSG, { 0 } },
	/* Followed, it would go round for ever. */
	{ "a pointer to itself",
	    MSG(HEAD("\x81\x80", "\1", "\1") QUESTION "\xc0\x1d" FIXED_A "\x0a\0\0\1"), 0,
	    { 0, false, 1 } },
};

static void
answers(void **unused)
{
	uint8_t query[DNS_QUERY_MAX];
	size_t query_size = query_of("example.org", query);

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_answer a = { 0 };
		int err = dns_answer_decode(query, query_size, rows[i].bytes, rows[i].size, &a);

		if (err != rows[i].err || a.rcode != rows[i].answer.rcode ||
		    a.truncated != rows[i].answer.truncated || a.records != rows[i].answer.records)
			fail_msg(
			    "%s: %d, rcode %u, %u records", rows[i].what, err, a.rcode, a.records);
	}
}

static void
names_of_codes(void **unused)
{
	(void)unused;
	assert_string_equal(dns_rcode_str(3), "NXDOMAIN");
	assert_string_equal(dns_rcode_str(9), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(answers),
		cmocka_unit_test(names_of_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
