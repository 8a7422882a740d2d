/*
 * expect_fuzz.c - an answer that comes in pieces, and what is looked for in it:
 * the piece's size, what is wanted, NUL, the answer.  Text is found exactly when
 * it is there; an expression is only tried.
 */
#include "checkd/expect.h"

#include "tests/fuzz/fuzz.h"

#define WANT_MAX 64

static enum expect_state
feed(struct expect *e, const char *bytes, size_t size, size_t piece)
{
	enum expect_state state = EXPECT_MORE;

	while (size > 0 && state == EXPECT_MORE) {
		size_t give = piece < size ? piece : size;

		state = expect_feed(e, bytes, give);
		bytes += give;
		size -= give;
	}
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
	size_t want_size, rest;
	const char *want, *answer;
	struct expect *e;
	enum expect_state state;
	bool there;

	if (end == NULL || end == data + 1 || end - data - 1 > WANT_MAX)
		return 0;
	want = (const char *)data + 1;
	want_size = (size_t)(end - data - 1);
	answer = (const char *)end + 1;
	rest = size - (size_t)(end + 1 - data);
	if (rest > EXPECT_READ_MAX / 2)
		return 0;
	e = malloc(sizeof(*e));
	must(e != NULL);
	expect_init(e, want, want_size);
	state = feed(e, answer, rest, (size_t)data[0] + 1);
	there = memmem(answer, rest, want, want_size) != NULL;
	must(state == (there ? EXPECT_FOUND : EXPECT_MORE));
	must(strlen(e->shown) <= EXPECT_SHOWN_MAX);
	free(e);
	return 0;
}
