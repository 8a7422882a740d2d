/*
 * runner_fuzz.c - what a daemon may send to the runner, where an unprivileged
 * process speaks to root; and what comes back, and what scripts print.  The
 * first byte says which.  Beyond not crashing: what is accepted keeps every
 * rule of protocol.h, and can be said again and means the same.
 */
#include "common/runner/output.h"
#include "common/runner/protocol.h"

#include "tests/fuzz/fuzz.h"

static void
fuzz_ask(const char *bytes, size_t size)
{
	static char again[RUNNER_MESSAGE_MAX];
	struct runner_ask ask;
	size_t said;

	if (runner_ask_decode(bytes, size, &ask) != 0)
		return;
	must(ask.n_args <= RUNNER_ARGS_MAX && ask.n_env <= RUNNER_ENV_MAX);
	must(ask.args[ask.n_args] == NULL && ask.env[ask.n_env] == NULL);
	must(ask.timeout_us > 0 && ask.timeout_us <= RUNNER_TIMEOUT_MAX_US);
	must(memchr(ask.digest, '\0', sizeof(ask.digest)) != NULL);
	for (size_t i = 0; i < ask.n_args; i++)
		must(runner_arg_allowed(ask.args[i]));
	for (size_t i = 0; i < ask.n_env; i++)
		must(runner_env_allowed(ask.env[i]) && strncmp(ask.env[i], "TRIVET_", 7) == 0);
	must(runner_ask_encode(&ask, again, &said) == 0 && said == size);
	must(runner_ask_decode(again, said, &ask) == 0);
}

static void
fuzz_answer(const char *bytes, size_t size)
{
	static char again[RUNNER_MESSAGE_MAX];
	struct runner_answer a;
	size_t said;

	if (runner_answer_decode(bytes, size, &a) != 0)
		return;
	must(a.reason != NULL && a.output != NULL && a.last_line != NULL);
	must(runner_answer_encode(&a, again, &said) == 0 && said == size);
}

/* Any bytes: bounded, printable, and cleaning it twice changes nothing more. */
static void
fuzz_output(const char *bytes, size_t size)
{
	char head[OUTPUT_STR_MAX], last[OUTPUT_STR_MAX], again[OUTPUT_STR_MAX];
	struct output o = { 0 }, second = { 0 };

	output_add(&o, bytes, size / 2);
	output_add(&o, bytes + size / 2, size - size / 2);
	output_head(&o, head);
	output_last_line(&o, last);
	must(strlen(head) <= RUNNER_OUTPUT_MAX && strlen(last) <= RUNNER_OUTPUT_MAX);
	must(strchr(last, '\n') == NULL);
	output_add(&second, last, strlen(last));
	must(strcmp(output_last_line(&second, again), last) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size == 0)
		return 0;
	copy = malloc(size - 1); /* exactly as large: reading past its end is seen */
	if (copy == NULL && size > 1)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 'a')
		fuzz_ask(copy, size - 1);
	else if (data[0] == 'r')
		fuzz_answer(copy, size - 1);
	else
		fuzz_output(copy, size - 1);
	free(copy);
	return 0;
}
