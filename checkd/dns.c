/*
 * dns.c - see dns.h.
 */
#include "checkd/dns.h"

#include "common/util.h"
#include "common/wire.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE	  12 /* 4.1.1 */
#define NAME_SIZE_MAX	  255
#define LABEL_MAX	  63
#define FLAG_RESPONSE	  0x8000
#define FLAG_TRUNCATED	  0x0200
#define FLAG_RECURSION	  0x0100
#define CLASS_IN	  1
#define RECORD_FIXED_SIZE 10 /* type, class, TTL, length: behind the name, 4.1.3 */

/* ---- the query ---- */

/* The name as labels; its size, or -EINVAL. */
static int
encode_name(const char *name, uint8_t ret[static NAME_SIZE_MAX])
{
	size_t at = 0;

	if (strcmp(name, ".") == 0)
		name++;
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > LABEL_MAX || at + 1 + n + 1 > NAME_SIZE_MAX)
			return -EINVAL;
		ret[at++] = (uint8_t)n;
		memcpy(ret + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	ret[at++] = 0;
	return (int)at;
}

int
dns_query_encode(uint16_t id, const char *name, uint16_t type, uint8_t ret[static DNS_QUERY_MAX])
{
	uint8_t labels[NAME_SIZE_MAX];
	int size = encode_name(name, labels);

	if (size < 0)
		return size;
	memset(ret, 0, HEADER_SIZE);
	wire_put16(ret, id);
	wire_put16(ret + 2, FLAG_RECURSION);
	wire_put16(ret + 4, 1); /* questions */
	memcpy(ret + HEADER_SIZE, labels, (size_t)size);
	wire_put16(ret + HEADER_SIZE + size, type);
	wire_put16(ret + HEADER_SIZE + size + 2, CLASS_IN);
	return HEADER_SIZE + size + 4;
}

/* ---- the answer ---- */

struct reader {
	const uint8_t *at, *end;
};

static bool
skip(struct reader *r, size_t n)
{
	if ((size_t)(r->end - r->at) < n)
		return false;
	r->at += n;
	return true;
}

/* A name ends with an empty label or a pointer (4.1.4). */
static bool
skip_name(struct reader *r)
{
	while (r->at < r->end) {
		uint8_t n = *r->at;

		if ((n & 0xc0) == 0xc0)
			return skip(r, 2);
		if ((n & 0xc0) != 0 || !skip(r, (size_t)n + 1))
			return false;
		if (n == 0)
			return true;
	}
	return false;
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/* The question comes back as it went, but for the case of letters. */
static bool
same_question(const uint8_t *query, size_t query_size, const uint8_t *bytes, size_t size)
{
	if (size < query_size || wire_get16(bytes + 4) != 1)
		return false;
	for (size_t i = HEADER_SIZE; i < query_size; i++)
		if (lower(query[i]) != lower(bytes[i]))
			return false;
	return true;
}

/* Passes over one record; false: it does not end. */
static bool
count_record(struct reader *r, uint16_t type, unsigned *records)
{
	const uint8_t *fixed;

	if (!skip_name(r))
		return false;
	fixed = r->at;
	if (!skip(r, RECORD_FIXED_SIZE) || !skip(r, wire_get16(fixed + 8)))
		return false;
	if (wire_get16(fixed) == type && wire_get16(fixed + 2) == CLASS_IN)
		(*records)++;
	return true;
}

int
dns_answer_decode(const uint8_t *query, size_t query_size, const uint8_t *bytes, size_t size,
    struct dns_answer *ret)
{
	uint16_t type = wire_get16(query + query_size - 4);
	struct dns_answer a = { 0 };
	struct reader r;
	uint16_t flags;

	if (size < HEADER_SIZE || memcmp(query, bytes, 2) != 0 ||
	    (wire_get16(bytes + 2) & FLAG_RESPONSE) == 0)
		return -ENOENT;
	flags = wire_get16(bytes + 2);
	a.rcode = flags & 0xf;
	a.truncated = (flags & FLAG_TRUNCATED) != 0;
	if (a.rcode != 0 && wire_get16(bytes + 4) == 0) { /* some refuse without a question */
		*ret = a;
		return 0;
	}
	if (!same_question(query, query_size, bytes, size))
		return -ENOENT;
	r = (struct reader){ bytes + query_size, bytes + size };
	for (unsigned i = wire_get16(bytes + 6); i > 0; i--)
		if (!count_record(&r, type, &a.records) && !a.truncated)
			return -EBADMSG;
	*ret = a;
	return 0;
}

const char *
dns_rcode_str(uint8_t rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED" };

	return rcode < ARRAY_LEN(names) ? names[rcode] : "";
}
