/*
 * ask.h - a check that is one datagram there and one back: udp, ping, dns.
 */
#ifndef CHECKD_ASK_H
#define CHECKD_ASK_H

#include "checkd/attempt.h"

#define ASK_SIZE_MAX   4096  /* of a question */
#define ASK_ANSWER_MAX 65536 /* of an answer: as large as a datagram can be */

/* Random for each question: what an answer to another one does not hold. */
struct ask_token {
	uint16_t id;
	uint8_t nonce[8];
};

enum ask_answer { ASK_NOT_OURS, ASK_GOOD, ASK_BAD };

struct ask_class {
	int type, protocol4, protocol6; /* of the socket */
	/* The question in 'buf'; its size. */
	size_t (*write)(
	    const struct probe *, const struct ask_token *, uint8_t buf[static ASK_SIZE_MAX]);
	/* What the answer is worth; evidence, good or bad, is added to 'detail'. */
	enum ask_answer (*judge)(const struct probe *, const struct ask_token *,
	    const uint8_t *bytes, size_t size, struct text *detail);
	/* Why the question is not on its way ('what': the call that failed), in words better than
	 * the errno's; NULL or false: the errno's. */
	bool (*explain)(const char *what, int err, char *buf, size_t size);
};

/* The start of a run: the probe is an attempt_probe. */
void ask_start(struct probe *, const struct ask_class *);

#endif
