/*
 * parcel_fields.c - the fields of a record as bytes, and back (parcel_priv.h).
 */
#include "proxyd/parcel_priv.h"

#include "common/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { FIELD_HEAD = 3 }; /* tag 1, length 2 */

/* ---- writing ---- */

static void
put_field(struct text *out, uint8_t tag, const void *value, size_t size)
{
	uint8_t head[FIELD_HEAD] = { tag };

	wire_put16(head + 1, (uint16_t)size);
	text_add_n(out, (const char *)head, sizeof(head));
	text_add_n(out, value, size);
}

static size_t
squeeze(uint64_t n, uint8_t bytes[static 8])
{
	size_t size = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
		if (size > 0 || n >> shift != 0)
			bytes[size++] = (uint8_t)(n >> shift);
	return size;
}

static void
put_number(struct text *out, uint8_t tag, uint64_t n)
{
	uint8_t bytes[8];
	size_t size = squeeze(n, bytes);

	if (size > 0)
		put_field(out, tag, bytes, size);
}

static void
put_endpoint(struct text *out, uint8_t tag, const struct endpoint *ep)
{
	size_t size = addr_size(&ep->addr);
	uint8_t bytes[2 + 16];

	if (size == 0)
		return;
	wire_put16(bytes, ep->port);
	memcpy(bytes + 2, ep->addr.bytes, size);
	put_field(out, tag, bytes, 2 + size);
}

static void
put_bytes(struct text *out, uint8_t tag, const struct parcel_bytes *bytes)
{
	if (bytes->size > 0 && bytes->size <= PARCEL_TLVS_MAX)
		put_field(out, tag, bytes->at, bytes->size);
}

/* Count, NUL-less name. */
static void
put_reasons(struct text *out, uint8_t tag, const uint64_t *counts)
{
	for (int r = 0; r < FLOW_REASON_MAX; r++) {
		const char *name = flow_reason_str((enum flow_reason)r);
		size_t length = strlen(name);
		uint8_t bytes[8 + 64];

		if (counts[r] == 0 || length > 64)
			continue;
		wire_put32(bytes, (uint32_t)(counts[r] >> 32));
		wire_put32(bytes + 4, (uint32_t)counts[r]);
		memcpy(bytes + 8, name, length);
		put_field(out, tag, bytes, 8 + length);
	}
}

static uint32_t
list_length(const uint8_t *record, const struct parcel_field *f)
{
	uint32_t n;

	memcpy(&n, record + f->count_offset, sizeof(n));
	return n;
}

static void
put_one(struct text *out, const struct parcel_field *f, const uint8_t *record)
{
	const void *at = record + f->offset;
	uint32_t n;

	switch ((enum parcel_type)f->type) {
	case T_BOOL:
		put_number(out, f->tag, *(const bool *)at);
		return;
	case T_U8:
		put_number(out, f->tag, *(const uint8_t *)at);
		return;
	case T_U16:
		put_number(out, f->tag, *(const uint16_t *)at);
		return;
	case T_U32:
		put_number(out, f->tag, *(const uint32_t *)at);
		return;
	case T_U64:
		put_number(out, f->tag, *(const uint64_t *)at);
		return;
	case T_TEXT:
		if (*(const char *)at != '\0')
			put_field(out, f->tag, at, strnlen(at, PARCEL_NAME_SIZE - 1));
		return;
	case T_BYTES:
		put_bytes(out, f->tag, at);
		return;
	case T_ENDPOINT:
		put_endpoint(out, f->tag, at);
		return;
	case T_ENDPOINTS:
		n = list_length(record, f);
		for (uint32_t i = 0; i < n && i < PARCEL_TRIED_MAX; i++)
			put_endpoint(out, f->tag, (const struct endpoint *)at + i);
		return;
	case T_TIMES:
		n = list_length(record, f);
		for (uint32_t i = 0; i < n && i < PARCEL_FAILS_MAX; i++)
			put_number(out, f->tag, ((const uint64_t *)at)[i]);
		return;
	case T_HELD:
		n = list_length(record, f);
		for (uint32_t i = 0; i < n && i < PARCEL_HELD_MAX; i++) {
			const struct parcel_held *held = (const struct parcel_held *)at + i;

			put_field(out, f->tag, held->bytes, held->size);
		}
		return;
	case T_REASON:
		if (*(const uint8_t *)at != FLOW_REASON_NONE) {
			const char *name = flow_reason_str(*(const uint8_t *)at);

			put_field(out, f->tag, name, strlen(name));
		}
		return;
	case T_REASONS:
		put_reasons(out, f->tag, at);
		return;
	}
}

void
parcel_fields_put(struct text *out, const struct parcel_kind_info *k, const void *record)
{
	for (size_t i = 0; i < k->n_fields; i++)
		put_one(out, &k->fields[i], record);
}

/* ---- reading ---- */

struct value {
	const uint8_t *bytes;
	size_t size;
};

static int
get_number(const struct value *v, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (v->size == 0 || v->size > 8)
		return -EBADMSG;
	for (size_t i = 0; i < v->size; i++)
		n = n << 8 | v->bytes[i];
	if (n > max)
		return -EBADMSG;
	*ret = n;
	return 0;
}

static int
get_text(const struct value *v, char *ret)
{
	if (v->size >= PARCEL_NAME_SIZE || memchr(v->bytes, '\0', v->size) != NULL)
		return -EBADMSG;
	memcpy(ret, v->bytes, v->size);
	ret[v->size] = '\0';
	return 0;
}

static int
get_endpoint(const struct value *v, struct endpoint *ret)
{
	if (v->size != 2 + 4 && v->size != 2 + 16)
		return -EBADMSG;
	*ret = (struct endpoint){ .port = wire_get16(v->bytes) };
	ret->addr.family = v->size == 2 + 4 ? AF_INET : AF_INET6;
	memcpy(ret->addr.bytes, v->bytes + 2, v->size - 2);
	return 0;
}

static int
get_bytes(const struct value *v, struct parcel_bytes *ret)
{
	if (v->size == 0 || v->size > PARCEL_TLVS_MAX)
		return -EBADMSG;
	*ret = (struct parcel_bytes){ v->bytes, (uint32_t)v->size };
	return 0;
}

/* A name, a NUL, a key of at least a byte. */
static int
get_held(const struct value *v, struct parcel_held *ret)
{
	const uint8_t *nul = memchr(v->bytes, '\0', v->size);

	if (v->size > sizeof(ret->bytes) || nul == NULL || nul == v->bytes ||
	    nul + 1 == v->bytes + v->size)
		return -EBADMSG;
	memcpy(ret->bytes, v->bytes, v->size);
	ret->size = (uint16_t)v->size;
	return 0;
}

/* A reason of another version that we do not have: none. */
static enum flow_reason
find_reason(const uint8_t *name, size_t size)
{
	for (int r = 1; r < FLOW_REASON_MAX; r++) {
		const char *known = flow_reason_str((enum flow_reason)r);

		if (strlen(known) == size && memcmp(known, name, size) == 0)
			return (enum flow_reason)r;
	}
	return FLOW_REASON_NONE;
}

static int
get_reason_count(const struct value *v, uint64_t *counts)
{
	if (v->size < 8)
		return -EBADMSG;
	counts[find_reason(v->bytes + 8, v->size - 8)] = (uint64_t)wire_get32(v->bytes) << 32 |
							 wire_get32(v->bytes + 4);
	return 0;
}

/* The next place of a list, or NULL when it is full: what is too much is passed over. */
static void *
list_next(uint8_t *record, const struct parcel_field *f, uint32_t max, size_t item)
{
	uint32_t n = list_length(record, f);
	void *at = record + f->offset + n * item;

	if (n >= max)
		return NULL;
	n++;
	memcpy(record + f->count_offset, &n, sizeof(n));
	return at;
}

static int
get_one(const struct parcel_field *f, const struct value *v, uint8_t *record)
{
	void *at = record + f->offset;
	uint64_t n = 0;
	int rc;

	switch ((enum parcel_type)f->type) {
	case T_BOOL:
		rc = get_number(v, 1, &n);
		*(bool *)at = n != 0;
		return rc;
	case T_U8:
		rc = get_number(v, UINT8_MAX, &n);
		*(uint8_t *)at = (uint8_t)n;
		return rc;
	case T_U16:
		rc = get_number(v, UINT16_MAX, &n);
		*(uint16_t *)at = (uint16_t)n;
		return rc;
	case T_U32:
		rc = get_number(v, UINT32_MAX, &n);
		*(uint32_t *)at = (uint32_t)n;
		return rc;
	case T_U64:
		return get_number(v, UINT64_MAX, at);
	case T_TEXT:
		return get_text(v, at);
	case T_BYTES:
		return get_bytes(v, at);
	case T_ENDPOINT:
		return get_endpoint(v, at);
	case T_ENDPOINTS:
		at = list_next(record, f, PARCEL_TRIED_MAX, sizeof(struct endpoint));
		return at != NULL ? get_endpoint(v, at) : 0;
	case T_TIMES:
		at = list_next(record, f, PARCEL_FAILS_MAX, sizeof(uint64_t));
		return at != NULL ? get_number(v, INT64_MAX, at) : 0;
	case T_HELD:
		at = list_next(record, f, PARCEL_HELD_MAX, sizeof(struct parcel_held));
		return at != NULL ? get_held(v, at) : 0;
	case T_REASON:
		*(uint8_t *)at = (uint8_t)find_reason(v->bytes, v->size);
		return 0;
	case T_REASONS:
		return get_reason_count(v, at);
	}
	return -EBADMSG;
}

static const struct parcel_field *
find_field(const struct parcel_kind_info *k, uint8_t tag)
{
	for (size_t i = 0; i < k->n_fields; i++)
		if (k->fields[i].tag == tag)
			return &k->fields[i];
	return NULL;
}

int
parcel_fields_get(const uint8_t *bytes, size_t size, const struct parcel_kind_info *k, void *record)
{
	const uint8_t *at = bytes, *end = bytes + size;
	int rc = 0;

	while (rc == 0 && at < end) {
		const struct parcel_field *f;
		struct value v;

		if (end - at < FIELD_HEAD)
			return -EBADMSG;
		v = (struct value){ at + FIELD_HEAD, wire_get16(at + 1) };
		if (v.size > (size_t)(end - v.bytes))
			return -EBADMSG;
		f = find_field(k, at[0]);
		if (f != NULL)
			rc = get_one(f, &v, record);
		else if (at[0] < PARCEL_MAY_IGNORE)
			rc = -EPROTONOSUPPORT;
		at = v.bytes + v.size;
	}
	return rc;
}
