/*
 * response.h - an answer over HTTP/1.x as it comes, in pieces (RFC 9112), as far
 * as a check goes: its status, the beginning of its body, and where it ends.
 * Pure: bytes in, what they make of it out.  Whoever sent them may be anybody.
 */
#ifndef CHECKD_RESPONSE_H
#define CHECKD_RESPONSE_H

#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESPONSE_LINE_MAX   1024  /* kept of a line: no header that matters is longer */
#define RESPONSE_HEADER_MAX 65536 /* all its lines together, of 1xx and trailers too */
#define RESPONSE_BODY_MAX   65536 /* what comes behind is not read */

enum response_state {
	RESPONSE_MORE,	 /* wait for more */
	RESPONSE_WHOLE,	 /* it is there, or RESPONSE_BODY_MAX bytes of its body */
	RESPONSE_BROKEN, /* response_explain says why */
};

enum response_phase { /* what comes next */
	RESPONSE_STATUS_LINE,
	RESPONSE_HEADER,
	RESPONSE_BODY, /* of a length that was told, or until the connection ends */
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
};

struct response {
	unsigned status;  /* 0: not known yet */
	struct text body; /* when it is wanted */
	size_t body_size; /* also when it is not */

	enum response_phase phase;
	bool to_head, wants_body;
	bool chunked, has_length;
	uint64_t left; /* of the length, of the chunk */
	bool http_1_0, says_close, says_keep, has_rest;
	size_t header_size;
	char line[RESPONSE_LINE_MAX];
	size_t line_size;
	bool line_cut; /* there was more of it */
	const char *why;
	bool why_line; /* and the line shows it */
};

/* An answer to HEAD has no body; one that is not wanted is measured, not kept. */
void response_init(struct response *, bool to_head, bool wants_body);
void response_done(struct response *);

/* After WHOLE or BROKEN it is over. */
enum response_state response_feed(struct response *, const char *bytes, size_t size);

/* The connection ended, by a reset or not. */
enum response_state response_closed(struct response *, bool reset);

/* Has any byte come? */
bool response_began(const struct response *);

/* Of a whole one: its connection may be asked again (RFC 9112, 9.3). */
bool response_keeps(const struct response *);

/* Of a broken one: in words, printable. */
void response_explain(const struct response *, struct text *detail);

#endif
