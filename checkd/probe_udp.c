/*
 * probe_udp.c - says something in one datagram and waits for an answer; with
 * 'expect' for one that holds it.
 */
#include "checkd/ask.h"
#include "checkd/expect.h"

#include <string.h>

#define SHOWN_MAX 64

static size_t
write_question(
    const struct probe *p, const struct ask_token *token, uint8_t buf[static ASK_SIZE_MAX])
{
	size_t size = MIN(p->conf->send_size, ASK_SIZE_MAX);

	(void)token;
	if (size > 0) /* a server's udp check without match has nothing to say */
		memcpy(buf, p->conf->send, size);
	return size;
}

static bool
holds(const struct check_conf *conf, const uint8_t *bytes, size_t size)
{
	struct expect e;

	if (!conf->expect_regex)
		return memmem(bytes, size, conf->expect, conf->expect_size) != NULL;
	expect_init_regex(&e, conf->expect, conf->expect_ignore_case);
	return expect_feed(&e, (const char *)bytes, size) == EXPECT_FOUND;
}

static enum ask_answer
judge(const struct probe *p, const struct ask_token *token, const uint8_t *bytes, size_t size,
    struct text *detail)
{
	const struct check_conf *conf = p->conf;

	(void)token;
	if (conf->expect == NULL || holds(conf, bytes, size))
		return ASK_GOOD;
	text_add(detail, "expect not found; got \"");
	for (size_t i = 0; i < MIN(size, SHOWN_MAX); i++) {
		char c = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : ' ';

		text_add_n(detail, &c, 1);
	}
	text_add(detail, "\"");
	return ASK_BAD;
}

static void
start(struct probe *p)
{
	static const struct ask_class class = {
		.type = SOCK_DGRAM, .write = write_question, .judge = judge
	};

	ask_start(p, &class);
}

const struct probe_class probe_udp = {
	.size = sizeof(struct attempt_probe),
	.start = start,
	.done = attempt_probe_done,
};
