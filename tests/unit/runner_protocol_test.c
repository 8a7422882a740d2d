#include "tests/unit/test.h"

#include "common/runner/protocol.h"

#include <errno.h>
#include <string.h>

/* ---- words ---- */

static const struct {
	const char *word;
	bool allowed;
} envs[] = {
	{ "TRIVET_INSTANCE=VI_1", true },
	{ "TRIVET_OLD_STATE=", true },
	{ "TRIVET_VIPS=10.4.7.10/32 fd00::10/128", true },
	{ "TRIVET_REASON=Fehler: \xc3\xa4", true },
	{ "TRIVET_=x", false },
	{ "TRIVET_X", false },
	{ "TRIVET_x=1", false },
	{ "TRIVET_X1=1", false },
	{ "TRIVET_A B=1", false },
	{ "TRIVET_REASON=two\nlines", false },
	{ "TRIVET_REASON=\x1b[31m", false },
	{ "PATH=/tmp", false },
	{ "LD_PRELOAD=/tmp/x.so", false },
	{ "XTRIVET_A=1", false },
	{ "BASH_FUNC_x%%=() { :; }", false },
	{ "", false },
};

static void
every_env(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(envs); i++)
		if (runner_env_allowed(envs[i].word) != envs[i].allowed)
			fail_msg("'%s'", envs[i].word);
}

static void
long_words(void **unused)
{
	static char word[RUNNER_ENV_MAX_BYTES + 2];

	(void)unused;
	memset(word, 'a', RUNNER_ARG_MAX_BYTES);
	assert_true(runner_arg_allowed(word));
	word[RUNNER_ARG_MAX_BYTES] = 'a';
	assert_false(runner_arg_allowed(word));
	assert_false(runner_arg_allowed("MAS\tTER"));
	assert_true(runner_arg_allowed(""));

	memset(word, 'a', RUNNER_ENV_MAX_BYTES);
	memcpy(word, "TRIVET_X=", 9);
	assert_true(runner_env_allowed(word));
	word[RUNNER_ENV_MAX_BYTES] = 'a';
	assert_false(runner_env_allowed(word));
}

/* ---- requests ---- */

static struct runner_ask
sample(void)
{
	return (struct runner_ask){
		.id = UINT64_C(0x123456789abcdef0),
		.digest = "0123456789abcdef",
		.script = 7,
		.timeout_us = 2000000,
		.n_args = 4,
		.args = { "INSTANCE", "VI_1", "MASTER", "100" },
		.n_env = 1,
		.env = { "TRIVET_INSTANCE=VI_1" },
	};
}

static void
what_is_asked_arrives(void **unused)
{
	static char buf[RUNNER_MESSAGE_MAX];
	struct runner_ask ask = sample(), got;
	size_t size;

	(void)unused;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), 0);
	assert_int_equal(runner_ask_decode(buf, size, &got), 0);
	assert_true(got.id == ask.id);
	assert_string_equal(got.digest, ask.digest);
	assert_int_equal(got.script, 7);
	assert_int_equal(got.timeout_us, 2000000);
	assert_int_equal(got.n_args, 4);
	assert_string_equal(got.args[3], "100");
	assert_null(got.args[4]);
	assert_int_equal(got.n_env, 1);
	assert_string_equal(got.env[0], "TRIVET_INSTANCE=VI_1");
	assert_null(got.env[1]);
}

/* A message cut anywhere, or with more behind it, is not a message. */
static void
cut_messages(void **unused)
{
	static char buf[RUNNER_MESSAGE_MAX];
	struct runner_ask ask = sample(), got;
	size_t size;

	(void)unused;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), 0);
	for (size_t n = 0; n < size; n++)
		if (runner_ask_decode(buf, n, &got) != -EBADMSG)
			fail_msg("%zu of %zu bytes were taken", n, size);
	buf[size] = 'x';
	assert_int_equal(runner_ask_decode(buf, size + 1, &got), -EBADMSG);
	assert_int_equal(runner_ask_decode(buf, RUNNER_MESSAGE_MAX + 1, &got), -EBADMSG);
}

/* Whatever one byte becomes: refused, or within bounds. */
static void
damaged_messages(void **unused)
{
	static char buf[RUNNER_MESSAGE_MAX];
	struct runner_ask ask = sample(), got;
	size_t size;

	(void)unused;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), 0);
	for (size_t i = 0; i < size; i++) {
		char was = buf[i];

		for (int v = 0; v < 256; v++) {
			buf[i] = (char)v;
			if (runner_ask_decode(buf, size, &got) == 0) {
				assert_true(got.n_args <= RUNNER_ARGS_MAX);
				assert_true(got.n_env <= RUNNER_ENV_MAX);
				assert_true(got.timeout_us > 0);
				assert_true(strlen(got.digest) < RUNNER_DIGEST_SIZE);
			}
		}
		buf[i] = was;
	}
}

static const struct {
	const char *what, *find, *put; /* the same length: one word becomes another */
	int err;
} tampered[] = {
	{ "a path variable", "TRIVET_INSTANCE", "PATH=/tmp:AAAAA", -EINVAL },
	{ "a control character", "MASTER", "MAS\nER", -EINVAL },
	{ "a preload", "TRIVET_INSTANCE=VI_1", "LD_PRELOAD=/tmp/aaaa", -EINVAL },
};

static void
tampered_words(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(tampered); i++) {
		static char buf[RUNNER_MESSAGE_MAX];
		struct runner_ask ask = sample(), got;
		char *at;
		size_t size;

		assert_int_equal(runner_ask_encode(&ask, buf, &size), 0);
		at = memmem(buf, size, tampered[i].find, strlen(tampered[i].find));
		assert_non_null(at);
		memcpy(at, tampered[i].put, strlen(tampered[i].put));
		if (runner_ask_decode(buf, size, &got) != tampered[i].err)
			fail_msg("%s was taken", tampered[i].what);
		assert_true(got.id == ask.id);
	}
}

static void
refused_requests(void **unused)
{
	static char buf[RUNNER_MESSAGE_MAX], word[RUNNER_ENV_MAX_BYTES + 1];
	struct runner_ask ask;
	size_t size = 99;

	(void)unused;
	ask = sample();
	ask.timeout_us = 0;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), -EINVAL);
	ask = sample();
	ask.timeout_us = RUNNER_TIMEOUT_MAX_US + 1;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), -EINVAL);
	ask = sample();
	ask.n_args = RUNNER_ARGS_MAX + 1;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), -EINVAL);
	ask = sample();
	ask.env[0] = "HOME=/tmp";
	assert_int_equal(runner_ask_encode(&ask, buf, &size), -EINVAL);

	memset(word, 'a', RUNNER_ENV_MAX_BYTES);
	memcpy(word, "TRIVET_X=", 9);
	ask = sample();
	ask.n_env = 3;
	ask.env[0] = ask.env[1] = ask.env[2] = word;
	assert_int_equal(runner_ask_encode(&ask, buf, &size), -EMSGSIZE);
	assert_int_equal(size, 99); /* untouched on failure */
}

/* ---- answers ---- */

static void
answers_arrive(void **unused)
{
	static char buf[RUNNER_MESSAGE_MAX];
	const struct runner_answer a = { .id = 9,
		.outcome = RUNNER_EXITED,
		.code = 1,
		.duration_us = 1234,
		.reason = "",
		.output = "one\ntwo",
		.last_line = "two" };
	struct runner_answer got;
	size_t size;

	(void)unused;
	assert_int_equal(runner_answer_encode(&a, buf, &size), 0);
	assert_int_equal(runner_answer_decode(buf, size, &got), 0);
	assert_int_equal(got.id, 9);
	assert_int_equal(got.outcome, RUNNER_EXITED);
	assert_int_equal(got.code, 1);
	assert_int_equal(got.duration_us, 1234);
	assert_string_equal(got.output, "one\ntwo");
	assert_string_equal(got.last_line, "two");
	for (size_t n = 0; n < size; n++)
		assert_int_equal(runner_answer_decode(buf, n, &got), -EBADMSG);
	buf[4] = 77; /* an outcome nobody knows */
	assert_int_equal(runner_answer_decode(buf, size, &got), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_env),
		cmocka_unit_test(long_words),
		cmocka_unit_test(what_is_asked_arrives),
		cmocka_unit_test(cut_messages),
		cmocka_unit_test(damaged_messages),
		cmocka_unit_test(tampered_words),
		cmocka_unit_test(refused_requests),
		cmocka_unit_test(answers_arrive),
	};

	return cmocka_run_group_tests_name("runner protocol", tests, NULL, NULL);
}
