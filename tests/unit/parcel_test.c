/*
 * parcel_test.c - what is written is what is read; what was cut, changed or comes
 * from elsewhere is refused, whole or by record.
 */
#include "tests/unit/test.h"

#include "proxyd/parcel.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define EP4(a, b, c, d, p)                                                                         \
	{                                                                                          \
		.addr = { AF_INET, { a, b, c, d } }, .port = (p)                                   \
	}

static const struct parcel_address listener = {
	.name = "10.4.7.10:7443", .endpoint = EP4(10, 4, 7, 10, 7443), .protocol = IPPROTO_TCP
};

static const struct parcel_session session = {
	.listener = { .name = "10.4.7.10:7443",
	    .endpoint = EP4(10, 4, 7, 10, 7443),
	    .protocol = IPPROTO_TCP },
	.upstream = "kube-apiserver",
	.server_name = "api:6443@10.4.7.21",
	.server = EP4(10, 4, 7, 21, 6443),
	.connect_timeout_us = 2000000,
	.timeout_us = INT64_C(900000000),
	.next_timeout_us = 77,
	.tries = 3,
	.read_size = 65536,
	.half_close = true,
	.tcp_nodelay = true,
	.is_open = true,
	.failure = FLOW_SERVER_FIN,
	.server_spoke = true,
	.client_passed = true,
	.half = { PARCEL_EOF | PARCEL_FIN_SENT, PARCEL_URGENT },
	.pending = { 0, 40000 },
	.server_writes = 2,
	.attempt = 513,
	.bytes = { UINT64_MAX, 1 },
	.began_us = INT64_C(123456789012),
	.active_us = INT64_C(123456789999),
	.connect_deadline_us = INT64_MAX,
	.tried = { EP4(10, 4, 7, 21, 6443), EP4(10, 4, 7, 22, 6443) },
	.n_tried = 2,
};

/* One record in a sealed message. */
static void
write_one(struct parcel *p, enum parcel_kind kind, const void *record, size_t n_fds)
{
	static const int fds[8] = { 3, 4, 5, 6, 7, 8, 9, 10 };

	parcel_init(p);
	assert_int_equal(parcel_put(p, kind, record, fds, n_fds), 0);
	parcel_seal(p, &(struct parcel_head){ .stamp_us = 42, .number = 2, .total = 7 });
}

static const uint8_t *
bytes_of(const struct parcel *p)
{
	return (const uint8_t *)p->bytes.chars;
}

/* Its first record, read into 'ret'. */
static int
read_one(const struct parcel *p, void *ret)
{
	struct parcel_reader reader;
	struct parcel_record record;
	struct parcel_head head;
	int rc = parcel_open(bytes_of(p), p->bytes.length, p->n_fds, &reader, &head);

	if (rc < 0)
		return rc;
	assert_int_equal(head.stamp_us, 42);
	assert_int_equal(head.number, 2);
	assert_int_equal(head.total, 7);
	assert_true(parcel_next(&reader, &record));
	rc = parcel_get(&record, ret);
	assert_false(parcel_next(&reader, &record));
	return rc;
}

/* Not by their memory: that has holes. */
static void
assert_same(enum parcel_kind kind, const void *a, const void *b, size_t n_fds)
{
	struct parcel p, q;

	write_one(&p, kind, a, n_fds);
	write_one(&q, kind, b, n_fds);
	assert_int_equal(p.bytes.length, q.bytes.length);
	assert_memory_equal(p.bytes.chars, q.bytes.chars, p.bytes.length);
	parcel_done(&p);
	parcel_done(&q);
}

static void
a_session_comes_back(void **unused)
{
	struct parcel_session back;
	struct parcel p;

	(void)unused;
	write_one(&p, PARCEL_SESSION, &session, 3);
	assert_int_equal(read_one(&p, &back), 0);
	assert_same(PARCEL_SESSION, &back, &session, 3);
	assert_string_equal(back.server_name, session.server_name);
	assert_true(endpoint_equal(&back.tried[1], &session.tried[1]));
	assert_true(back.bytes[FLOW_CLIENT] == UINT64_MAX);
	assert_true(back.connect_deadline_us == INT64_MAX);
	assert_int_equal(back.failure, FLOW_SERVER_FIN);
	assert_int_equal(back.attempt, 513);
	assert_int_equal(back.half[FLOW_SERVER], PARCEL_URGENT);
	assert_null(back.tlvs.at);
	parcel_done(&p);
}

/* Bytes, zeros among them; more than a header may have are left out. */
static void
tlvs_come_back(void **unused)
{
	static const uint8_t tlvs[PARCEL_TLVS_MAX + 1] = { 0x02, 0, 3, 'a', '.', 'b', 0xee, 0, 0 };
	static const size_t sizes[] = { 0, 1, 9, PARCEL_TLVS_MAX, PARCEL_TLVS_MAX + 1 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct parcel_session given = session, back;
		size_t kept = sizes[i] <= PARCEL_TLVS_MAX ? sizes[i] : 0;
		struct parcel p;

		given.tlvs = (struct parcel_bytes){ tlvs, (uint32_t)sizes[i] };
		write_one(&p, PARCEL_SESSION, &given, 3);
		assert_int_equal(read_one(&p, &back), 0);
		assert_int_equal(back.tlvs.size, kept);
		if (kept > 0)
			assert_memory_equal(back.tlvs.at, tlvs, kept);
		parcel_done(&p);
	}
}

static void
a_server_comes_back(void **unused)
{
	static struct parcel_server s = { .upstream = "web",
		.name = "10.4.7.21:80",
		.endpoint = EP4(10, 4, 7, 21, 80),
		.is_down = true,
		.source = "passive",
		.reason = "connect: Connection refused, 1 of 1 within 10s",
		.since_us = 5,
		.probe_at_us = INT64_MAX,
		.current = -3,
		.fails_us = { 7, 8, 9 },
		.n_fails = 3,
		.transitions = 4,
		.changed_at = "2026-11-21T20:00:00.000Z" };
	static struct parcel_server back;
	struct parcel p;

	(void)unused;
	s.tally.sessions = 300;
	s.tally.reasons[FLOW_CLIENT_FIN] = UINT64_C(1) << 40;
	s.tally.reasons[FLOW_SHUTDOWN] = 1;
	write_one(&p, PARCEL_SERVER, &s, 0);
	assert_int_equal(read_one(&p, &back), 0);
	assert_same(PARCEL_SERVER, &back, &s, 0);
	assert_true(back.current == -3);
	assert_int_equal(back.fails_us[2], 9);
	assert_true(back.tally.reasons[FLOW_CLIENT_FIN] == UINT64_C(1) << 40);
	assert_string_equal(back.reason, s.reason);
	parcel_done(&p);
}

/* Whatever a session says that cannot be. */
static void
contradictions(void **unused)
{
	static const struct {
		const char *what;
		size_t offset, size;
		uint64_t value;
		size_t n_fds;
	} rows[] = {
#define ROW(what, member, value, n_fds)                                                            \
	{ what, offsetof(struct parcel_session, member), sizeof(session.member), value, n_fds }
		ROW("as it is", attempt, 1, 3),
		ROW("too few descriptors", attempt, 1, 2),
		ROW("too many descriptors", attempt, 1, 4),
		ROW("none tried", attempt, 0, 3),
		ROW("never began", began_us, 0, 3),
		ROW("no patience", connect_timeout_us, 0, 3),
		ROW("negative time", timeout_us, UINT64_MAX, 3),
		ROW("reads nothing", read_size, 0, 3),
		ROW("reads too much", read_size, PARCEL_PENDING_MAX + 1, 3),
		ROW("holds too much", pending[1], PARCEL_PENDING_MAX + 1, 3),
		ROW("bytes before a server answered", is_open, 0, 3),
		ROW("writes", server_writes, 3, 3),
		ROW("no upstream", upstream[0], 0, 3),
		ROW("no server", server.addr.family, 0, 3),
		ROW("no listener", listener.endpoint.addr.family, 0, 3),
		ROW("no protocol", listener.protocol, 0, 3),
#undef ROW
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct parcel_session s = session, back = { .attempt = 99 };
		struct parcel p;
		int rc;

		memcpy((char *)&s + rows[i].offset, &rows[i].value, rows[i].size);
		write_one(&p, PARCEL_SESSION, &s, rows[i].n_fds);
		rc = read_one(&p, &back);
		if (rc != (i == 0 ? 0 : -EBADMSG) || (rc < 0 && back.attempt != 99))
			fail_msg("row \"%s\": %d", rows[i].what, rc);
		parcel_done(&p);
	}
}

static void
damage_is_refused_whole(void **unused)
{
	struct parcel_reader reader;
	struct parcel_head head;
	struct parcel p;
	uint8_t *copy;

	(void)unused;
	write_one(&p, PARCEL_SESSION, &session, 3);
	copy = malloc(p.bytes.length);
	for (size_t i = 0; i < p.bytes.length; i++) {
		int rc;

		if (i == 10 || i == 11)
			continue; /* reserved */
		memcpy(copy, p.bytes.chars, p.bytes.length);
		copy[i] ^= 0x10;
		rc = parcel_open(copy, p.bytes.length, 3, &reader, &head);
		if (rc != (i == 4 || i == 5 ? -EPROTONOSUPPORT : -EBADMSG))
			fail_msg("byte %zu changed: %d", i, rc);
		rc = parcel_open(bytes_of(&p), i, 3, &reader, &head);
		if (rc != -EBADMSG)
			fail_msg("cut to %zu bytes: %d", i, rc);
	}
	assert_int_equal(parcel_open(bytes_of(&p), p.bytes.length, 2, &reader, &head), -EBADMSG);
	free(copy);
	parcel_done(&p);
}

/* Fields of another version, appended to a record. */
static int
with_field(uint8_t tag)
{
	uint8_t fields[64] = { 1, 0, 1, 'x', 2, 0, 6, 0, 80, 10, 0, 0, 1, 4, 0, 1, IPPROTO_TCP, tag,
		0, 2, 'h', 'i' };
	struct parcel_record r = {
		.kind = PARCEL_LISTENER, .fields = fields, .size = 22, .n_fds = 1
	};
	struct parcel_address a;

	return parcel_get(&r, &a);
}

static void
other_versions(void **unused)
{
	struct parcel_record r = { .kind = 999 };
	struct parcel_address a;

	(void)unused;
	assert_int_equal(with_field(PARCEL_MAY_IGNORE), 0);
	assert_int_equal(with_field(255), 0);
	assert_int_equal(with_field(PARCEL_MAY_IGNORE - 1), -EPROTONOSUPPORT);
	assert_int_equal(parcel_get(&r, &a), -EPROTONOSUPPORT);
	r.kind = 0;
	assert_int_equal(parcel_get(&r, &a), -EPROTONOSUPPORT);
}

/* Full means full: the record that did not fit is not half there. */
static void
bounds(void **unused)
{
	static const int fds[PARCEL_FDS_MAX + 1];
	struct parcel_reader reader;
	struct parcel_record record;
	struct parcel_head head;
	struct parcel p;
	size_t n = 0, seen = 0;

	(void)unused;
	parcel_init(&p);
	assert_int_equal(
	    parcel_put(&p, PARCEL_LISTENER, &listener, fds, PARCEL_FDS_MAX + 1), -ENOSPC);
	while (parcel_put(&p, PARCEL_SESSION, &session, fds, 3) == 0)
		n++;
	assert_int_equal(n, PARCEL_FDS_MAX / 3);
	while (parcel_put(&p, PARCEL_LISTENER, &listener, fds, 0) == 0)
		n++;
	assert_in_range(p.bytes.length, PARCEL_SIZE_MAX - 200, PARCEL_SIZE_MAX);
	parcel_seal(&p, &(struct parcel_head){ 0 });
	assert_int_equal(parcel_open(bytes_of(&p), p.bytes.length, p.n_fds, &reader, &head), 0);
	while (parcel_next(&reader, &record))
		seen++;
	assert_int_equal(seen, n);
	parcel_done(&p);
}

/* A session of datagrams comes back as it went, and only if it makes sense. */
static void
datagrams(void **unused)
{
	static const struct parcel_udp good = {
		.listener = { .name = "*:53/udp",
		    .endpoint = { { AF_INET, { 0 } }, 53 },
		    .protocol = 17 },
		.socket = 3,
		.upstream = "dns",
		.server_name = "10.0.0.1:53",
		.server = { { AF_INET, { 10, 0, 0, 1 } }, 53 },
		.client = { { AF_INET, { 10, 0, 0, 9 } }, 4711 },
		.local = { { AF_INET, { 10, 0, 0, 2 } }, 0 },
		.timeout_us = 600000000,
		.began_us = 1,
		.active_us = 1,
		.connection = 4096,
		.bytes = { 1, UINT64_MAX },
		.max_responses = UINT32_MAX,
		.requests = 7,
		.responses = 6,
		.is_current = true,
	};
	static const int fd = 9;
	struct parcel_udp bad[5], back;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].client.addr.family = AF_INET6;
	bad[1].server.addr.family = AF_UNSPEC;
	bad[2].upstream[0] = '\0';
	bad[3].local.addr.family = AF_INET6;
	bad[4].active_us = 0;
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		const struct parcel_udp *given = i == 0 ? &good : &bad[i - 1];
		struct parcel_reader reader;
		struct parcel_record record;
		struct parcel_head head;
		struct parcel p;

		parcel_init(&p);
		assert_int_equal(parcel_put(&p, PARCEL_UDP, given, &fd, 1), 0);
		parcel_seal(&p, &(struct parcel_head){ .number = 1, .total = 1 });
		assert_int_equal(
		    parcel_open((const uint8_t *)p.bytes.chars, p.bytes.length, 1, &reader, &head),
		    0);
		assert_true(parcel_next(&reader, &record));
		if (i == 0) {
			assert_int_equal(parcel_get(&record, &back), 0);
			assert_memory_equal(&back, &good, sizeof(good));
		} else if (parcel_get(&record, &back) != -EBADMSG) {
			fail_msg("bad record %zu was believed", i - 1);
		}
		parcel_done(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams),
		cmocka_unit_test(a_session_comes_back),
		cmocka_unit_test(tlvs_come_back),
		cmocka_unit_test(a_server_comes_back),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(damage_is_refused_whole),
		cmocka_unit_test(other_versions),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
