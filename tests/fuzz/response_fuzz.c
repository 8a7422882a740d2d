/*
 * response_fuzz.c - whatever a web server says, in pieces whose size is its
 * first byte: the same is made of it as of the whole, within its bounds.  The
 * bit above says that HEAD was asked.
 */
#include "checkd/response.h"

#include "tests/fuzz/fuzz.h"

static enum response_state
run(struct response *r, const char *bytes, size_t size, size_t piece)
{
	enum response_state state = RESPONSE_MORE;

	for (size_t at = 0; at < size && state == RESPONSE_MORE; at += piece)
		state = response_feed(r, bytes + at, MIN(piece, size - at));
	if (state == RESPONSE_MORE)
		state = response_closed(r, false);
	must(state != RESPONSE_MORE);
	return state;
}

static void
check(const struct response *r, enum response_state state)
{
	struct text detail = { 0 };

	must(r->body_size <= RESPONSE_BODY_MAX);
	must(r->body.length == (r->wants_body ? r->body_size : 0));
	must(state != RESPONSE_WHOLE || (r->status >= 101 && r->status <= 999));
	if (state == RESPONSE_BROKEN) {
		response_explain(r, &detail);
		must(detail.length > 0 && detail.length < 160);
	}
	text_done(&detail);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct response whole, pieces;
	enum response_state state;
	const char *bytes = (const char *)data + 1;
	bool to_head;

	if (size == 0)
		return 0;
	to_head = data[0] >= 128;
	response_init(&whole, to_head, true);
	response_init(&pieces, to_head, false);
	state = run(&whole, bytes, size - 1, size);
	must(run(&pieces, bytes, size - 1, (size_t)(data[0] & 127) + 1) == state);
	check(&whole, state);
	check(&pieces, state);
	must(whole.status == pieces.status && whole.body_size == pieces.body_size);
	must(state != RESPONSE_BROKEN || strcmp(whole.why, pieces.why) == 0);
	response_done(&whole);
	response_done(&pieces);
	return 0;
}
