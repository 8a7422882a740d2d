/*
 * parcel.c - see parcel.h: messages and their records.
 */
#include "proxyd/parcel_priv.h"

#include "common/wire.h"

#include <errno.h>
#include <string.h>

/*
 * Head: magic 4, version 2, records 2, descriptors 2, reserved 2, checksum 4,
 * stamp 8, number 4, total 4.  The checksum is over everything behind itself.
 */
enum { HEAD_SIZE = 32, CHECKED_FROM = 16 };
enum { RECORD_HEAD = 8 }; /* kind 2, descriptors 2, size 4 */

static const uint8_t MAGIC[4] = { 'T', 'R', 'V', 'P' };

/* FNV-1a: for accidents; who can write into our socket needs no forgery. */
static uint32_t
checksum(const uint8_t *bytes, size_t size)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	return hash;
}

void
parcel_init(struct parcel *p)
{
	static const char head[HEAD_SIZE];

	*p = (struct parcel){ 0 };
	text_add_n(&p->bytes, head, sizeof(head));
}

void
parcel_done(struct parcel *p)
{
	text_done(&p->bytes);
}

static void
cut(struct text *t, size_t length)
{
	t->length = length;
	t->chars[length] = '\0';
}

int
parcel_put(
    struct parcel *p, enum parcel_kind kind, const void *record, const int *fds, size_t n_fds)
{
	const struct parcel_kind_info *k = parcel_kind_find(kind);
	size_t start = p->bytes.length;
	uint8_t head[RECORD_HEAD] = { 0 };

	if (p->n_fds + n_fds > PARCEL_FDS_MAX || p->n_records == UINT16_MAX)
		return -ENOSPC;
	text_add_n(&p->bytes, (const char *)head, sizeof(head));
	parcel_fields_put(&p->bytes, k, record);
	if (p->bytes.length > PARCEL_SIZE_MAX) {
		cut(&p->bytes, start);
		return -ENOSPC;
	}
	wire_put16(head, (uint16_t)kind);
	wire_put16(head + 2, (uint16_t)n_fds);
	wire_put32(head + 4, (uint32_t)(p->bytes.length - start - RECORD_HEAD));
	memcpy(p->bytes.chars + start, head, sizeof(head));
	if (n_fds > 0)
		memcpy(p->fds + p->n_fds, fds, n_fds * sizeof(*fds));
	p->n_fds += n_fds;
	p->n_records++;
	return 0;
}

void
parcel_seal(struct parcel *p, const struct parcel_head *head)
{
	uint8_t *at = (uint8_t *)p->bytes.chars;

	memcpy(at, MAGIC, sizeof(MAGIC));
	wire_put16(at + 4, PARCEL_VERSION);
	wire_put16(at + 6, (uint16_t)p->n_records);
	wire_put16(at + 8, (uint16_t)p->n_fds);
	wire_put32(at + 16, (uint32_t)(head->stamp_us >> 32));
	wire_put32(at + 20, (uint32_t)head->stamp_us);
	wire_put32(at + 24, head->number);
	wire_put32(at + 28, head->total);
	wire_put32(at + 12, checksum(at + CHECKED_FROM, p->bytes.length - CHECKED_FROM));
}

bool
parcel_next(struct parcel_reader *r, struct parcel_record *ret)
{
	if (r->at >= r->end)
		return false;
	*ret = (struct parcel_record){ .kind = wire_get16(r->at),
		.n_fds = wire_get16(r->at + 2),
		.size = wire_get32(r->at + 4),
		.fields = r->at + RECORD_HEAD,
		.first_fd = r->fd };
	r->at += RECORD_HEAD + ret->size;
	r->fd += ret->n_fds;
	return true;
}

/* Do the records fill the message, and their descriptors what came with it? */
static bool
adds_up(const uint8_t *at, const uint8_t *end, size_t n_records, size_t n_fds)
{
	size_t fds = 0;

	for (; n_records > 0; n_records--) {
		if (end - at < RECORD_HEAD || wire_get32(at + 4) > (size_t)(end - at) - RECORD_HEAD)
			return false;
		fds += wire_get16(at + 2);
		at += RECORD_HEAD + wire_get32(at + 4);
	}
	return at == end && fds == n_fds;
}

int
parcel_open(const uint8_t *bytes, size_t size, size_t n_fds, struct parcel_reader *ret,
    struct parcel_head *ret_head)
{
	if (size < HEAD_SIZE || memcmp(bytes, MAGIC, sizeof(MAGIC)) != 0)
		return -EBADMSG;
	if (wire_get16(bytes + 4) != PARCEL_VERSION)
		return -EPROTONOSUPPORT;
	if (wire_get16(bytes + 8) != n_fds ||
	    wire_get32(bytes + 12) != checksum(bytes + CHECKED_FROM, size - CHECKED_FROM) ||
	    !adds_up(bytes + HEAD_SIZE, bytes + size, wire_get16(bytes + 6), n_fds))
		return -EBADMSG;
	*ret = (struct parcel_reader){ .at = bytes + HEAD_SIZE, .end = bytes + size };
	*ret_head = (struct parcel_head){
		.stamp_us = (uint64_t)wire_get32(bytes + 16) << 32 | wire_get32(bytes + 20),
		.number = wire_get32(bytes + 24),
		.total = wire_get32(bytes + 28),
	};
	return 0;
}

union any {
	struct parcel_address address;
	struct parcel_session session;
	struct parcel_server server;
	struct parcel_upstream upstream;
	struct parcel_counters counters;
	struct parcel_udp udp;
};

int
parcel_get(const struct parcel_record *r, void *ret)
{
	const struct parcel_kind_info *k = parcel_kind_find(r->kind);
	union any record;
	int rc;

	if (k == NULL)
		return -EPROTONOSUPPORT;
	memset(&record, 0, sizeof(record));
	rc = parcel_fields_get(r->fields, r->size, k, &record);
	if (rc == 0 && !k->holds(&record, r->n_fds))
		rc = -EBADMSG;
	if (rc == 0)
		memcpy(ret, &record, k->size);
	return rc;
}
