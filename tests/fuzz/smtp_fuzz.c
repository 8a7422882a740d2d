/*
 * smtp_fuzz.c - whatever a mail server says, in pieces whose sizes are its first
 * bytes: the same is made of it as of the whole, and it comes to an end.
 */
#include "checkd/smtp.h"

#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 4 /* EHLO, QUIT, and the end */

static size_t
run(const char *bytes, size_t size, size_t piece, enum smtp_step steps[static STEPS_MAX])
{
	struct smtp s = { 0 };
	size_t n = 0;

	while (size > 0) {
		size_t used = 0, give = piece < size ? piece : size;
		enum smtp_step next = smtp_feed(&s, bytes, give, &used);

		must(used > 0 && used <= give);
		bytes += used;
		size -= used;
		if (next == SMTP_MORE)
			continue;
		must(n < STEPS_MAX);
		steps[n++] = next;
		if (next == SMTP_UP || next == SMTP_DOWN) {
			must((next == SMTP_DOWN) == (s.why[0] != '\0'));
			return n;
		}
	}
	must(n < STEPS_MAX);
	steps[n++] = smtp_closed(&s);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum smtp_step whole[STEPS_MAX], pieces[STEPS_MAX];
	size_t n;

	if (size == 0)
		return 0;
	n = run((const char *)data + 1, size - 1, SIZE_MAX, whole);
	must(n == run((const char *)data + 1, size - 1, (size_t)data[0] + 1, pieces));
	must(memcmp(whole, pieces, n * sizeof(whole[0])) == 0);
	return 0;
}
