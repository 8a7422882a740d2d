/*
 * hmac_test.c - auth_hmac: keepalived's own vectors byte for byte, everything
 * that must break it, and what counts as a replay.
 */
#include "tests/unit/test.h"
#include "vrrpd/packet.h"
#include "vrrpd/proof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND INT64_C(1000000)
#define T0     UINT64_C(0x6800000000000000)

static struct vrrp_hmac_key keys[] = { { .id = 1, .size = 32 }, { .id = 7, .size = 64 } };
static const struct vrrp_hmac enforce = { .mode = VRRP_HMAC_ENFORCE,
	.keys = keys,
	.n_keys = ARRAY_LEN(keys),
	.active = 1,
	.sequence = T0 | 0x80000000,
	.window_s = 5 };

static const struct vector {
	const char *source, *destination, *vip, *hex;
} vectors[] = {
	{ "198.51.100.10", "224.0.0.18", "192.0.2.100",
	    "3133c80100644402c0000264010100006800000080000000"
	    "1b84bc4e8e43892dc6d98448f8ee2265" },
	{ "fe80::10", "fe80::20", "fe80::100",
	    "3133c8010064a2e9fe80000000000000000000000000010001010000"
	    "6800000080000000c8c56146ebfd66ee10ec4d8186461b78" },
};

static struct addr
ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int
set_up(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < keys[0].size; i++)
		keys[0].bytes[i] = (uint8_t)i;
	memset(keys[1].bytes, 0x5a, keys[1].size);
	return 0;
}

struct sample {
	struct addr vip, destination;
	struct vrrp_wire wire;
	uint8_t bytes[256];
	size_t size;
};

static struct sample
sample(const struct vector *v, const struct vrrp_hmac *hmac)
{
	struct sample s = { .vip = ip(v->vip), .destination = ip(v->destination) };
	ssize_t n;

	s.wire = (struct vrrp_wire){ .version = 3,
		.family = s.vip.family,
		.vrid = 51,
		.interval_us = SECOND,
		.cksum = VRRP_CKSUM_MESSAGE,
		.primary = ip(v->source),
		.addrs = &s.vip,
		.n_addrs = 1,
		.hmac = hmac };
	n = vrrp_pkt_encode(&s.wire, 200, 0, &s.destination, s.bytes, sizeof(s.bytes));
	assert_true(n > 0);
	s.size = (size_t)n;
	return s;
}

/* Decoded and checked by a peer that has 'hmac'. */
static enum vrrp_pkt_err
heard(const struct sample *s, const char *source, const struct vrrp_hmac *hmac)
{
	static struct vrrp_pkt pkt;
	struct addr from = ip(source);
	struct vrrp_wire w = s->wire;
	struct vrrp_rx rx = { from, s->destination, 255, s->bytes, s->size };
	unsigned differs;
	enum vrrp_pkt_err err = vrrp_pkt_decode(&rx, &pkt);

	if (err != VRRP_PKT_OK)
		return err;
	w.addrs = &s->vip;
	w.primary = ip(s->vip.family == AF_INET ? "198.51.100.9" : "fe80::9");
	w.unicast = !addr_is_multicast(&s->destination);
	w.peers = &from;
	w.n_peers = 1;
	w.hmac = hmac;
	return vrrp_pkt_check(&w, &pkt, &differs);
}

static void
vectors_to_the_byte(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct sample s = sample(&vectors[i], &enforce);
		char text[2 * sizeof(s.bytes) + 1];

		for (size_t k = 0; k < s.size; k++)
			snprintf(text + 2 * k, 3, "%02x", s.bytes[k]);
		assert_string_equal(text, vectors[i].hex);
		assert_int_equal(heard(&s, vectors[i].source, &enforce), VRRP_PKT_OK);
	}
}

/* Each bit of the packet counts; most are found by a checksum first. */
static void
each_bit_counts(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct sample s = sample(&vectors[i], &enforce);

		for (size_t bit = 0; bit < 8 * s.size; bit++) {
			s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (heard(&s, vectors[i].source, &enforce) == VRRP_PKT_OK)
				fail_msg("bit %zu may be anything", bit);
			s.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* In IPv4 the checksum says nothing of the trailer: the MAC must. */
static void
trailer_alone(void **unused)
{
	struct sample s = sample(&vectors[0], &enforce);

	(void)unused;
	for (size_t k = 0; k < VRRP_HMAC_SIZE; k++) {
		uint8_t *byte = &s.bytes[s.size - VRRP_HMAC_SIZE + k];
		bool shape = k == 0 || k == 2 || k == 3;

		*byte ^= 1;
		assert_int_equal(heard(&s, vectors[0].source, &enforce),
		    shape ? VRRP_PKT_ERR_LENGTH : VRRP_PKT_ERR_HMAC);
		*byte ^= 1;
	}
	assert_int_equal(heard(&s, "198.51.100.11", &enforce), VRRP_PKT_ERR_HMAC);
}

static void
modes(void **unused)
{
	struct vrrp_hmac permissive = enforce, receive = enforce, other = enforce, lost = enforce;
	const struct vector *v = &vectors[0];
	struct sample with = sample(v, &enforce), without = sample(v, NULL), silent, open;
	uint8_t buf[256];

	(void)unused;
	permissive.mode = VRRP_HMAC_PERMISSIVE;
	receive.mode = VRRP_HMAC_RECEIVE_ONLY;
	other.keys = &keys[1];
	other.n_keys = 1;
	lost.active = 9;
	silent = sample(v, &receive);
	open = sample(v, &permissive);

	assert_int_equal(without.size, 12);
	assert_int_equal(silent.size, 12);
	assert_int_equal(heard(&with, v->source, NULL), VRRP_PKT_ERR_LENGTH);
	assert_int_equal(heard(&without, v->source, &enforce), VRRP_PKT_ERR_HMAC_MISSING);
	assert_int_equal(heard(&without, v->source, &permissive), VRRP_PKT_OK);
	assert_int_equal(heard(&without, v->source, &receive), VRRP_PKT_OK);
	assert_int_equal(heard(&with, v->source, &receive), VRRP_PKT_OK);
	assert_int_equal(heard(&with, v->source, &other), VRRP_PKT_ERR_HMAC);
	assert_int_equal(heard(&open, v->source, &enforce), VRRP_PKT_OK);

	with.wire.addrs = &with.vip;
	with.wire.hmac = &lost;
	assert_int_equal(
	    vrrp_pkt_encode(&with.wire, 200, 0, &with.destination, buf, sizeof(buf)), -ENOKEY);
	with.wire.hmac = &enforce;
	assert_int_equal(vrrp_pkt_encode(&with.wire, 200, 0, &with.destination, buf, 39), -ENOBUFS);
}

static void
sequences(void **unused)
{
	const int64_t t = 0x68000000;

	(void)unused;
	assert_int_equal(vrrp_hmac_next(0, t, 500000000, 5), T0 | 0x80000000);
	assert_int_equal(vrrp_hmac_next(T0, t + 1, 0, 5), T0 + (UINT64_C(1) << 32));
	/* Twice in the same instant, or the clock went back a little: one more. */
	assert_int_equal(vrrp_hmac_next(T0, t, 0, 5), T0 + 1);
	assert_int_equal(vrrp_hmac_next(T0, t - 5, 0, 5), T0 + 1);
	/* A lot: followed. */
	assert_int_equal(vrrp_hmac_next(T0, t - 6, 0, 5), T0 - (UINT64_C(6) << 32));
}

static void
replays(void **unused)
{
	const int64_t t = 0x68000000;
	const uint64_t second = UINT64_C(1) << 32;
	const struct {
		const char *what;
		bool monotonic;
		uint64_t last, sequence;
		int64_t wall_s;
		bool fresh;
	} rows[] = {
		{ "the first", false, 0, T0, t, true },
		{ "newer", false, T0, T0 + 1, t, true },
		{ "the same again", false, T0, T0, t, false },
		{ "older", false, T0, T0 - 1, t, false },
		{ "at the window's end", false, 0, T0, t + 5, true },
		{ "too old for our clock", false, 0, T0, t + 6, false },
		{ "too new for our clock", false, 0, T0, t - 6, false },
		{ "all clocks were set back", false, T0 + 3600 * second, T0, t, true },
		{ "only ours was", false, T0, T0 + second, t - 3600, false },
		{ "monotonic: newer, whatever the clock", true, T0, T0 + 1, t + 3600, true },
		{ "monotonic: older, whatever the clock", true, T0 + 3600 * second, T0, t, false },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vrrp_hmac h = enforce;
		uint64_t last = rows[i].last;

		h.monotonic = rows[i].monotonic;
		if (vrrp_hmac_fresh(&h, &last, rows[i].sequence, rows[i].wall_s) != rows[i].fresh)
			fail_msg("\"%s\"", rows[i].what);
		assert_int_equal(last, rows[i].fresh ? rows[i].sequence : rows[i].last);
	}
}

/* ---- one router's memory of all that ---- */

static struct hmac_key_conf key_conf = { .id = 1, .size = 32 };

static struct proof
proof_of(bool monotonic)
{
	struct hmac_conf conf = { .keys = &key_conf,
		.n_keys = 1,
		.active = 1,
		.monotonic = monotonic,
		.window_us = 5 * SECOND };
	struct proof p = { .sent = 0 };

	proof_configure(&p, &conf);
	assert_non_null(proof_hmac(&p));
	return p;
}

static void
senders_apart(void **unused)
{
	struct proof p = proof_of(false);
	struct addr a = ip("10.0.0.1"), b = ip("10.0.0.2");
	struct proof_time now = { 0x68000000, 0 };

	(void)unused;
	assert_true(proof_accept(&p, &a, T0 + 5, &now));
	assert_true(proof_accept(&p, &b, T0 + 1, &now));
	assert_false(proof_accept(&p, &a, T0 + 5, &now));
	assert_false(proof_accept(&p, &b, T0 + 1, &now));
	assert_true(proof_accept(&p, &b, T0 + 2, &now));
	proof_done(&p);
	assert_null(proof_hmac(&p));
}

/* A reload does not make an old advert news again. */
static void
memory_outlives_a_reload(void **unused)
{
	struct proof p = proof_of(false);
	struct hmac_conf other = {
		.keys = &key_conf, .n_keys = 1, .active = 1, .window_us = SECOND
	};
	struct addr a = ip("10.0.0.1");
	struct proof_time now = { 0x68000000, 0 };
	uint64_t sent;

	(void)unused;
	proof_stamp(&p, &now);
	sent = p.hmac.sequence;
	assert_true(proof_accept(&p, &a, T0, &now));
	proof_configure(&p, &other);
	assert_false(proof_accept(&p, &a, T0, &now));
	proof_stamp(&p, &now);
	assert_true(p.hmac.sequence > sent);
	proof_done(&p);
}

/* More senders than there is room for: the one heard longest ago goes. */
static void
senders_are_bounded(void **unused)
{
	struct proof p = proof_of(true);
	struct proof_time now = { 0x68000000, 0 };
	struct addr a = ip("10.0.0.0");

	(void)unused;
	for (unsigned i = 0; i <= PROOF_SENDERS_MAX; i++) {
		a.bytes[3] = (uint8_t)i;
		assert_true(proof_accept(&p, &a, T0, &now));
	}
	a.bytes[3] = 1;
	assert_false(proof_accept(&p, &a, T0, &now));
	a.bytes[3] = 0;
	assert_true(proof_accept(&p, &a, T0, &now));
	proof_done(&p);
}

static void
clocks(void **unused)
{
	struct proof timed = proof_of(false), monotonic = proof_of(true);
	struct proof_time early = { 0x68000000 - 3, 0 }, far = { 0x68000000 - 3600, 0 };

	(void)unused;
	assert_true(proof_clock_is_off(&timed, T0, &early));
	assert_false(proof_clock_is_off(&timed, T0 - (UINT64_C(3) << 32), &early));
	assert_false(proof_clock_is_off(&monotonic, T0, &early));
	/* Set back by an hour: followed where clocks are compared, never where they are not. */
	timed.sent = monotonic.sent = T0;
	proof_stamp(&timed, &far);
	proof_stamp(&monotonic, &far);
	assert_true(timed.hmac.sequence < T0);
	assert_int_equal(monotonic.hmac.sequence, T0 + 1);
	proof_done(&timed);
	proof_done(&monotonic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_to_the_byte),
		cmocka_unit_test(each_bit_counts),
		cmocka_unit_test(trailer_alone),
		cmocka_unit_test(modes),
		cmocka_unit_test(sequences),
		cmocka_unit_test(replays),
		cmocka_unit_test(senders_apart),
		cmocka_unit_test(memory_outlives_a_reload),
		cmocka_unit_test(senders_are_bounded),
		cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
