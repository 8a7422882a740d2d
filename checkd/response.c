/*
 * response.c - see response.h.
 */
#include "checkd/response.h"

#include "checkd/http.h"
#include "common/util.h"

#include <string.h>
#include <strings.h>

#define LENGTH_DIGITS_MAX 18 /* fits 64 bits, and nobody sends as much */
#define CHUNK_DIGITS_MAX  15

static enum response_state
broken(struct response *r, const char *why)
{
	r->why = why;
	return RESPONSE_BROKEN;
}

static enum response_state
broken_line(struct response *r, const char *why)
{
	r->why_line = true;
	return broken(r, why);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- lines ---- */

/* Bytes up to the end of a line, or all there are; true: the line is whole, r->line without it. */
static bool
take_line(struct response *r, const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	size_t size = (size_t)((newline != NULL ? newline : end) - *at);
	size_t keep = MIN(size, sizeof(r->line) - r->line_size);

	memcpy(r->line + r->line_size, *at, keep);
	r->line_size += keep;
	r->line_cut = r->line_cut || keep < size;
	if (r->phase != RESPONSE_CHUNK_SIZE && r->phase != RESPONSE_CHUNK_END)
		r->header_size += size + (newline != NULL);
	*at = newline != NULL ? newline + 1 : end;
	if (newline == NULL)
		return false;
	if (r->line_size > 0 && r->line[r->line_size - 1] == '\r')
		r->line_size--;
	return true;
}

static void
next_line(struct response *r)
{
	r->line_size = 0;
	r->line_cut = false;
}

/* ---- the status line (RFC 9112, 4) ---- */

static bool
begins_well(const struct response *r)
{
	static const char version[] = "HTTP/1.";

	return memcmp(r->line, version, MIN(r->line_size, sizeof(version) - 1)) == 0;
}

static enum response_state
read_status_line(struct response *r)
{
	const char *l = r->line;

	if (r->line_size < 7)
		return broken_line(r, "that is not HTTP");
	if (r->line_size < 12 || !is_digit(l[7]) || l[8] != ' ' || !is_digit(l[9]) ||
	    !is_digit(l[10]) || !is_digit(l[11]) || (r->line_size > 12 && l[12] != ' ') ||
	    l[9] == '0')
		return broken_line(r, "its status line is broken");
	r->http_1_0 = l[7] == '0';
	r->status = (unsigned)((l[9] - '0') * 100 + (l[10] - '0') * 10 + (l[11] - '0'));
	r->chunked = r->has_length = r->says_close = r->says_keep = false;
	r->phase = RESPONSE_HEADER;
	return RESPONSE_MORE;
}

/* ---- headers ---- */

struct span {
	const char *at;
	size_t size;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trimmed(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	return (struct span){ at, (size_t)(end - at) };
}

static bool
is_word(struct span s, const char *word)
{
	return s.size == strlen(word) && strncasecmp(s.at, word, s.size) == 0;
}

/* The next of a list, empty ones too; false: there is none. */
static bool
take_item(struct span *list, struct span *ret)
{
	const char *end, *comma;

	if (list->at == NULL)
		return false;
	end = list->at + list->size;
	comma = memchr(list->at, ',', list->size);
	*ret = trimmed(list->at, comma != NULL ? comma : end);
	*list = comma != NULL ? (struct span){ comma + 1, (size_t)(end - comma - 1) }
			      : (struct span){ NULL, 0 };
	return true;
}

static bool
parse_length(struct span s, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.size == 0 || s.size > LENGTH_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.size; i++) {
		if (!is_digit(s.at[i]))
			return false;
		n = n * 10 + (uint64_t)(s.at[i] - '0');
	}
	*ret = n;
	return true;
}

/* Several are one if they say the same (RFC 9112, 6.3). */
static enum response_state
read_length(struct response *r, struct span value)
{
	struct span one;
	uint64_t n;

	while (take_item(&value, &one)) {
		if (r->line_cut || !parse_length(one, &n))
			return broken_line(r, "its length is no number");
		if (r->has_length && n != r->left)
			return broken_line(r, "it has two lengths");
		r->has_length = true;
		r->left = n;
	}
	return RESPONSE_MORE;
}

/* No other coding was asked for (no TE in the request). */
static enum response_state
read_coding(struct response *r, struct span value)
{
	if (r->chunked || r->line_cut || !is_word(value, "chunked"))
		return broken_line(r, "a transfer coding that was not asked for");
	r->chunked = true;
	return RESPONSE_MORE;
}

static void
read_connection(struct response *r, struct span value)
{
	struct span one;

	r->says_close = r->says_close || r->line_cut;
	while (take_item(&value, &one)) {
		r->says_close = r->says_close || is_word(one, "close");
		r->says_keep = r->says_keep || is_word(one, "keep-alive");
	}
}

static enum response_state
read_header(struct response *r)
{
	const char *end = r->line + r->line_size, *colon;
	struct span name, value;

	if (memchr(r->line, '\0', r->line_size) != NULL)
		return broken_line(r, "a NUL in its headers");
	if (is_blank(r->line[0])) /* 5.2: the line before goes on; none that matters does */
		return RESPONSE_MORE;
	colon = memchr(r->line, ':', r->line_size);
	if (colon == NULL)
		return broken_line(r, "a header without a colon");
	name = (struct span){ r->line, (size_t)(colon - r->line) };
	value = trimmed(colon + 1, end);
	if (is_word(name, "Content-Length"))
		return read_length(r, value);
	if (is_word(name, "Transfer-Encoding"))
		return read_coding(r, value);
	if (is_word(name, "Connection"))
		read_connection(r, value);
	return RESPONSE_MORE;
}

/* RFC 9112, 6.3.  After 101 the connection is another protocol's, which nobody asked for. */
static enum response_state
begin_body(struct response *r)
{
	if (r->status < 200 && r->status != 101) {
		r->phase = RESPONSE_STATUS_LINE;
		return RESPONSE_MORE;
	}
	if (r->to_head || r->status < 200 || r->status == 204 || r->status == 304)
		return RESPONSE_WHOLE;
	if (r->chunked) {
		r->phase = RESPONSE_CHUNK_SIZE;
		return RESPONSE_MORE;
	}
	r->phase = RESPONSE_BODY;
	return r->has_length && r->left == 0 ? RESPONSE_WHOLE : RESPONSE_MORE;
}

/* ---- the body ---- */

static void
keep(struct response *r, const char *bytes, size_t size)
{
	r->body_size += size;
	if (r->wants_body)
		text_add_n(&r->body, bytes, size);
}

/* Of the length or the chunk, or whatever there is. */
static enum response_state
take_body(struct response *r, const char **at, const char *end)
{
	bool bounded = r->chunked || r->has_length;
	size_t size = (size_t)(end - *at);

	if (bounded && size > r->left)
		size = (size_t)r->left;
	if (size > RESPONSE_BODY_MAX - r->body_size) {
		keep(r, *at, RESPONSE_BODY_MAX - r->body_size);
		r->has_rest = true;
		return RESPONSE_WHOLE;
	}
	keep(r, *at, size);
	*at += size;
	if (!bounded)
		return RESPONSE_MORE;
	r->left -= size;
	return r->left == 0 ? RESPONSE_WHOLE : RESPONSE_MORE;
}

static int
hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 7.1: behind the size may be blanks and extensions, which nobody uses. */
static enum response_state
read_chunk_size(struct response *r)
{
	size_t digits = 0;

	r->left = 0;
	for (; digits < r->line_size && hex(r->line[digits]) >= 0; digits++)
		if (digits < CHUNK_DIGITS_MAX)
			r->left = r->left * 16 + (uint64_t)hex(r->line[digits]);
	if (digits == 0 || digits > CHUNK_DIGITS_MAX ||
	    (digits < r->line_size && r->line[digits] != ';' && !is_blank(r->line[digits])))
		return broken_line(r, "a chunk without its size");
	r->phase = r->left > 0 ? RESPONSE_CHUNK : RESPONSE_TRAILER;
	return RESPONSE_MORE;
}

/* ---- one step ---- */

static enum response_state
read_line(struct response *r)
{
	switch (r->phase) {
	case RESPONSE_STATUS_LINE:
		return read_status_line(r);
	case RESPONSE_HEADER:
		return r->line_size > 0 ? read_header(r) : begin_body(r);
	case RESPONSE_CHUNK_SIZE:
		return read_chunk_size(r);
	case RESPONSE_CHUNK_END:
		if (r->line_size > 0)
			return broken_line(r, "a chunk longer than its size");
		r->phase = RESPONSE_CHUNK_SIZE;
		return RESPONSE_MORE;
	case RESPONSE_TRAILER:
		return r->line_size > 0 ? RESPONSE_MORE : RESPONSE_WHOLE;
	case RESPONSE_BODY:
	case RESPONSE_CHUNK:
		break;
	}
	return RESPONSE_MORE;
}

/*
 * A line that cannot become a good one, told before its end: whoever speaks
 * something else may never end it.  What is between chunks is not counted as
 * the headers are: there are no more of them than bytes of the body.
 */
static enum response_state
look_at_line(struct response *r)
{
	switch (r->phase) {
	case RESPONSE_STATUS_LINE:
		if (!begins_well(r))
			return broken_line(r, "that is not HTTP");
		break;
	case RESPONSE_CHUNK_SIZE:
		if (r->line_cut || (r->line_size > 0 && hex(r->line[0]) < 0))
			return broken_line(r, "a chunk without its size");
		break;
	case RESPONSE_CHUNK_END:
		if (r->line_size > 0 && (r->line_size > 1 || r->line[0] != '\r'))
			return broken_line(r, "a chunk longer than its size");
		break;
	default:
		break;
	}
	return r->header_size > RESPONSE_HEADER_MAX ? broken(r, "its headers do not end")
						    : RESPONSE_MORE;
}

static enum response_state
take_head(struct response *r, const char **at, const char *end)
{
	bool whole = take_line(r, at, end);
	enum response_state state = look_at_line(r);

	if (state == RESPONSE_MORE && whole)
		state = read_line(r);
	if (state != RESPONSE_BROKEN && whole)
		next_line(r);
	return state;
}

static enum response_state
step(struct response *r, const char **at, const char *end)
{
	if (r->phase == RESPONSE_BODY)
		return take_body(r, at, end);
	if (r->phase != RESPONSE_CHUNK)
		return take_head(r, at, end);
	if (take_body(r, at, end) == RESPONSE_MORE)
		return RESPONSE_MORE;
	r->phase = RESPONSE_CHUNK_END;
	return r->has_rest ? RESPONSE_WHOLE : RESPONSE_MORE;
}

/* ---- from outside ---- */

void
response_init(struct response *r, bool to_head, bool wants_body)
{
	*r = (struct response){ .to_head = to_head, .wants_body = wants_body };
}

void
response_done(struct response *r)
{
	text_done(&r->body);
}

enum response_state
response_feed(struct response *r, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	enum response_state state = RESPONSE_MORE;

	while (state == RESPONSE_MORE && bytes < end)
		state = step(r, &bytes, end);
	r->has_rest = r->has_rest || bytes < end;
	return state;
}

enum response_state
response_closed(struct response *r, bool reset)
{
	if (!response_began(r))
		return broken(r, reset ? "connection reset before the answer"
				       : "connection closed before the answer");
	if (reset || r->phase != RESPONSE_BODY || r->has_length)
		return broken(r, reset ? "connection reset before the answer ended"
				       : "connection closed before the answer ended");
	r->says_close = true;
	return RESPONSE_WHOLE;
}

bool
response_began(const struct response *r)
{
	return r->header_size > 0;
}

bool
response_keeps(const struct response *r)
{
	return !r->says_close && !r->has_rest && r->status >= 200 && (r->says_keep || !r->http_1_0);
}

void
response_explain(const struct response *r, struct text *detail)
{
	text_add(detail, r->why);
	if (r->why_line && r->line_size > 0)
		http_quote(detail, r->line, r->line_size);
}
