/*
 * parcel.c - see parcel.h.  A table of fields for each kind of record drives
 * both directions.
 */
#include "proxyd/parcel.h"

#include "common/wire.h"

#include <errno.h>
#include <string.h>

/*
 * Head: magic 4, version 2, records 2, descriptors 2, reserved 2, checksum 4,
 * stamp 8, number 4, total 4.  The checksum is over everything behind itself.
 */
enum { HEAD_SIZE = 32, CHECKED_FROM = 16 };
/* Record: kind 2, descriptors 2, size 4.  Field: tag 1, length 2. */
enum { RECORD_HEAD = 8, FIELD_HEAD = 3 };

static const uint8_t MAGIC[4] = { 'T', 'R', 'V', 'P' };

enum field_type {
	T_BOOL,
	T_U8,
	T_U16,
	T_U32,
	T_U64, /* int64_t too */
	T_TEXT,
	T_ENDPOINT,
	T_ENDPOINTS, /* one field each, behind a counter */
	T_TIMES,
	T_HELD,
	T_REASON,  /* enum flow_reason in a uint8_t, by its name */
	T_REASONS, /* a counter for each, by name */
};

struct field {
	uint8_t tag, type;
	size_t offset, count_offset; /* the second of lists */
};

#define ONE(tag, type, s, member)                                                                  \
	{                                                                                          \
		(tag), (type), offsetof(struct s, member), 0                                       \
	}
#define LIST(tag, type, s, member, count)                                                          \
	{                                                                                          \
		(tag), (type), offsetof(struct s, member), offsetof(struct s, count)               \
	}
#define ADDRESS(s, m)                                                                              \
	ONE(1, T_TEXT, s, m name), ONE(2, T_ENDPOINT, s, m endpoint),                              \
	    ONE(3, T_BOOL, s, m ipv6_only), ONE(4, T_U8, s, m protocol)
#define TALLY(s)                                                                                   \
	ONE(96, T_U64, s, tally.sessions), ONE(97, T_U64, s, tally.bytes_in),                      \
	    ONE(98, T_U64, s, tally.bytes_out), ONE(99, T_U64, s, tally.connection_errors),        \
	    ONE(100, T_U64, s, tally.retries), ONE(101, T_U64, s, tally.timeouts),                 \
	    ONE(102, T_U64, s, tally.connects), ONE(103, T_U64, s, tally.connect_us),              \
	    ONE(104, T_REASONS, s, tally.reasons), ONE(105, T_U64, s, tally.dropped)

/* clang-format off */
static const struct field listener_fields[] = {
	ADDRESS(parcel_address,),
};
static const struct field session_fields[] = {
	ADDRESS(parcel_session, listener.),
	ONE(5,  T_TEXT,     parcel_session, upstream),
	ONE(6,  T_TEXT,     parcel_session, server_name),
	ONE(7,  T_ENDPOINT, parcel_session, server),
	ONE(8,  T_U64,      parcel_session, connect_timeout_us),
	ONE(9,  T_U64,      parcel_session, timeout_us),
	ONE(10, T_U64,      parcel_session, next_timeout_us),
	ONE(11, T_U32,      parcel_session, tries),
	ONE(12, T_U32,      parcel_session, read_size),
	ONE(13, T_BOOL,     parcel_session, half_close),
	ONE(14, T_BOOL,     parcel_session, tcp_nodelay),
	ONE(15, T_BOOL,     parcel_session, is_open),
	ONE(16, T_REASON,   parcel_session, failure),
	ONE(17, T_BOOL,     parcel_session, server_spoke),
	ONE(18, T_BOOL,     parcel_session, client_passed),
	ONE(19, T_U8,       parcel_session, half[FLOW_CLIENT]),
	ONE(20, T_U8,       parcel_session, half[FLOW_SERVER]),
	ONE(21, T_U32,      parcel_session, pending[FLOW_CLIENT]),
	ONE(22, T_U32,      parcel_session, pending[FLOW_SERVER]),
	ONE(23, T_U8,       parcel_session, server_writes),
	ONE(24, T_U16,      parcel_session, attempt),
	ONE(25, T_U64,      parcel_session, bytes[FLOW_CLIENT]),
	ONE(26, T_U64,      parcel_session, bytes[FLOW_SERVER]),
	ONE(27, T_U64,      parcel_session, began_us),
	ONE(28, T_U64,      parcel_session, active_us),
	ONE(29, T_U64,      parcel_session, connect_deadline_us),
	ONE(30, T_U8,       parcel_session, announce),
	ONE(31, T_BOOL,     parcel_session, transparent),
	ONE(32, T_U8,       parcel_session, stage),
	ONE(33, T_U32,      parcel_session, answered),
	LIST(64, T_ENDPOINTS, parcel_session, tried, n_tried),
	ONE(65, T_U64,      parcel_session, half_timeout_us),
	ONE(66, T_U64,      parcel_session, age_us),
	ONE(67, T_U64,      parcel_session, age_jitter_us),
	ONE(70, T_BOOL,     parcel_session, has_guest),
	ONE(71, T_ENDPOINT, parcel_session, client),
	ONE(72, T_ENDPOINT, parcel_session, peer),
	ONE(73, T_ENDPOINT, parcel_session, local),
	ONE(74, T_ENDPOINT, parcel_session, proxied),
	ONE(75, T_ENDPOINT, parcel_session, proxied_to),
	ONE(76, T_U64,      parcel_session, greeted_us),
	ONE(77, T_U64,      parcel_session, rates[FLOW_CLIENT]),
	ONE(78, T_U64,      parcel_session, rates[FLOW_SERVER]),
	LIST(79, T_HELD,    parcel_session, held, n_held),
	ONE(80, T_BOOL,     parcel_session, has_hello),
	ONE(81, T_TEXT,     parcel_session, tls_name),
	ONE(82, T_TEXT,     parcel_session, tls_alpn),
	ONE(83, T_TEXT,     parcel_session, tls_protocol),
	ONE(84, T_U64,      parcel_session, story_connection),
	ONE(85, T_U64,      parcel_session, story_tried_us),
	ONE(86, T_U64,      parcel_session, story_connect_us),
	ONE(87, T_U64,      parcel_session, story_first_byte_us),
};
static const struct field server_fields[] = {
	ONE(1,  T_TEXT,     parcel_server, upstream),
	ONE(2,  T_TEXT,     parcel_server, name),
	ONE(3,  T_ENDPOINT, parcel_server, endpoint),
	ONE(4,  T_BOOL,     parcel_server, is_down),
	ONE(5,  T_TEXT,     parcel_server, source),
	ONE(6,  T_TEXT,     parcel_server, reason),
	ONE(64, T_U64,      parcel_server, since_us),
	ONE(65, T_U64,      parcel_server, probe_at_us),
	ONE(66, T_U64,      parcel_server, current),
	LIST(67, T_TIMES,   parcel_server, fails_us, n_fails),
	ONE(68, T_U64,      parcel_server, transitions),
	ONE(69, T_U64,      parcel_server, downtime_us),
	ONE(70, T_TEXT,     parcel_server, changed_at),
	ONE(71, T_TEXT,     parcel_server, admin),
	ONE(72, T_TEXT,     parcel_server, comment),
	ONE(73, T_U64,      parcel_server, admin_until_us),
	ONE(74, T_U32,      parcel_server, weight_set),
	TALLY(parcel_server),
};
static const struct field upstream_fields[] = {
	ONE(1, T_TEXT, parcel_upstream, name),
	TALLY(parcel_upstream),
};
static const struct field counters_fields[] = {
	ADDRESS(parcel_counters, listener.),
	TALLY(parcel_counters),
};
static const struct field udp_fields[] = {
	ADDRESS(parcel_udp, listener.),
	ONE(5,  T_TEXT,     parcel_udp, upstream),
	ONE(6,  T_TEXT,     parcel_udp, server_name),
	ONE(7,  T_ENDPOINT, parcel_udp, server),
	ONE(8,  T_ENDPOINT, parcel_udp, client),
	ONE(9,  T_ENDPOINT, parcel_udp, local),
	ONE(10, T_U32,      parcel_udp, client_scope),
	ONE(11, T_U32,      parcel_udp, local_interface),
	ONE(12, T_U64,      parcel_udp, timeout_us),
	ONE(13, T_U64,      parcel_udp, active_us),
	ONE(14, T_U32,      parcel_udp, max_requests),
	ONE(15, T_U32,      parcel_udp, max_responses),
	ONE(16, T_U32,      parcel_udp, requests),
	ONE(17, T_U32,      parcel_udp, responses),
	ONE(18, T_BOOL,     parcel_udp, is_current),
	ONE(19, T_U32,      parcel_udp, socket),
	ONE(64, T_U64,      parcel_udp, began_us),
	ONE(65, T_U64,      parcel_udp, connection),
	ONE(66, T_U64,      parcel_udp, bytes[FLOW_CLIENT]),
	ONE(67, T_U64,      parcel_udp, bytes[FLOW_SERVER]),
};
/* clang-format on */

static bool udp_holds(const void *, size_t n_fds);
static bool session_holds(const void *, size_t n_fds);
static bool address_holds(const void *, size_t n_fds);
static bool server_holds(const void *, size_t n_fds);
static bool counters_hold(const void *, size_t n_fds);
static bool greeting_holds(const void *, size_t n_fds);
static bool upstream_holds(const void *, size_t n_fds);

struct kind {
	const struct field *fields;
	size_t n_fields, size;
	bool (*holds)(const void *, size_t n_fds); /* does it make sense? */
};

static const struct kind kinds[] = {
	[PARCEL_LISTENER] = { listener_fields, ARRAY_LEN(listener_fields),
	    sizeof(struct parcel_address), address_holds },
	[PARCEL_SESSION] = { session_fields, ARRAY_LEN(session_fields),
	    sizeof(struct parcel_session), session_holds },
	[PARCEL_SERVER] = { server_fields, ARRAY_LEN(server_fields), sizeof(struct parcel_server),
	    server_holds },
	[PARCEL_UPSTREAM] = { upstream_fields, ARRAY_LEN(upstream_fields),
	    sizeof(struct parcel_upstream), upstream_holds },
	[PARCEL_COUNTERS] = { counters_fields, ARRAY_LEN(counters_fields),
	    sizeof(struct parcel_counters), counters_hold },
	[PARCEL_UDP] = { udp_fields, ARRAY_LEN(udp_fields), sizeof(struct parcel_udp), udp_holds },
	[PARCEL_GREETING] = { session_fields, ARRAY_LEN(session_fields),
	    sizeof(struct parcel_session), greeting_holds },
};

union any {
	struct parcel_address address;
	struct parcel_session session;
	struct parcel_server server;
	struct parcel_upstream upstream;
	struct parcel_counters counters;
	struct parcel_udp udp;
};

static const struct kind *
kind_of(unsigned kind)
{
	return kind > 0 && kind < ARRAY_LEN(kinds) ? &kinds[kind] : NULL;
}

/* ---- what makes sense ---- */

static bool
is_family(const struct endpoint *ep)
{
	return addr_size(&ep->addr) > 0;
}

static bool
is_unix(const char *name)
{
	return strncmp(name, "unix:/", 6) == 0;
}

static bool
is_address(const struct parcel_address *a)
{
	if (a->endpoint.addr.family == AF_UNSPEC)
		return is_unix(a->name) && a->endpoint.port == 0 && a->protocol != 0;
	return is_family(&a->endpoint) && a->endpoint.port != 0 && a->protocol != 0;
}

static bool
address_holds(const void *record, size_t n_fds)
{
	return is_address(record) && n_fds > 0;
}

static bool
counters_hold(const void *record, size_t n_fds)
{
	const struct parcel_counters *c = record;

	return is_address(&c->listener) && n_fds == 0;
}

static bool
server_holds(const void *record, size_t n_fds)
{
	const struct parcel_server *s = record;

	return s->upstream[0] != '\0' && s->name[0] != '\0' && n_fds == 0;
}

static bool
upstream_holds(const void *record, size_t n_fds)
{
	const struct parcel_upstream *u = record;

	return u->name[0] != '\0' && n_fds == 0;
}

static bool
terms_hold(const struct parcel_session *s)
{
	return s->connect_timeout_us > 0 && s->timeout_us >= 0 && s->next_timeout_us >= 0 &&
	       s->half_timeout_us >= 0 && s->age_us >= 0 && s->age_jitter_us >= 0 &&
	       s->age_jitter_us <= s->age_us && s->read_size > 0 &&
	       s->read_size <= PARCEL_PENDING_MAX;
}

static bool
greeting_holds(const void *record, size_t n_fds)
{
	const struct parcel_session *s = record;

	return is_address(&s->listener) && s->began_us > 0 && s->connect_deadline_us > 0 &&
	       s->stage < PARCEL_STAGES && n_fds == 1;
}

static bool
session_holds(const void *record, size_t n_fds)
{
	const struct parcel_session *s = record;
	size_t n_waiting = (s->pending[FLOW_CLIENT] > 0) + (size_t)(s->pending[FLOW_SERVER] > 0);

	if (!is_address(&s->listener) || (!is_family(&s->server) && !is_unix(s->server_name)) ||
	    s->upstream[0] == '\0' || !terms_hold(s) || s->attempt == 0 || s->began_us <= 0 ||
	    s->server_writes > 2)
		return false;
	if (s->pending[FLOW_CLIENT] > PARCEL_PENDING_MAX ||
	    s->pending[FLOW_SERVER] > PARCEL_PENDING_MAX)
		return false;
	/* flow.h: before a server answered nothing is taken from anybody */
	return n_fds == 2 + n_waiting && (s->is_open || n_waiting == 0);
}

static bool
udp_holds(const void *record, size_t n_fds)
{
	const struct parcel_udp *u = record;

	return n_fds == 1 && is_address(&u->listener) && is_family(&u->listener.endpoint) &&
	       is_family(&u->server) && is_family(&u->client) && u->upstream[0] != '\0' &&
	       u->client.addr.family == u->listener.endpoint.addr.family &&
	       (!is_family(&u->local) || u->local.addr.family == u->client.addr.family) &&
	       u->timeout_us >= 0 && u->active_us > 0 && u->began_us >= 0;
}

/* ---- fields: writing ---- */

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
list_length(const uint8_t *record, const struct field *f)
{
	uint32_t n;

	memcpy(&n, record + f->count_offset, sizeof(n));
	return n;
}

static void
put_one(struct text *out, const struct field *f, const uint8_t *record)
{
	const void *at = record + f->offset;
	uint32_t n;

	switch ((enum field_type)f->type) {
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

/* ---- fields: reading ---- */

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
list_next(uint8_t *record, const struct field *f, uint32_t max, size_t item)
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
get_one(const struct field *f, const struct value *v, uint8_t *record)
{
	void *at = record + f->offset;
	uint64_t n = 0;
	int rc;

	switch ((enum field_type)f->type) {
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

static const struct field *
find_field(const struct kind *k, uint8_t tag)
{
	for (size_t i = 0; i < k->n_fields; i++)
		if (k->fields[i].tag == tag)
			return &k->fields[i];
	return NULL;
}

static int
get_fields(const struct parcel_record *r, const struct kind *k, uint8_t *record)
{
	const uint8_t *at = r->fields, *end = r->fields + r->size;
	int rc = 0;

	while (rc == 0 && at < end) {
		const struct field *f;
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

int
parcel_get(const struct parcel_record *r, void *ret)
{
	const struct kind *k = kind_of(r->kind);
	union any record;
	int rc;

	if (k == NULL)
		return -EPROTONOSUPPORT;
	memset(&record, 0, sizeof(record));
	rc = get_fields(r, k, (uint8_t *)&record);
	if (rc == 0 && !k->holds(&record, r->n_fds))
		rc = -EBADMSG;
	if (rc == 0)
		memcpy(ret, &record, k->size);
	return rc;
}

/* ---- messages ---- */

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
	const struct kind *k = &kinds[kind];
	size_t start = p->bytes.length;
	uint8_t head[RECORD_HEAD] = { 0 };

	if (p->n_fds + n_fds > PARCEL_FDS_MAX || p->n_records == UINT16_MAX)
		return -ENOSPC;
	text_add_n(&p->bytes, (const char *)head, sizeof(head));
	for (size_t i = 0; i < k->n_fields; i++)
		put_one(&p->bytes, &k->fields[i], record);
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
