/*
 * announce_test.c - the frames of RFC 9568 6.4.2 (gratuitous ARP: RFC 5227,
 * neighbour advertisement: RFC 4861 4.4), byte for byte.
 */
#include "tests/unit/test.h"
#include "vrrpd/announce.h"

#include <string.h>

static const uint8_t mac[ANNOUNCE_MAC_SIZE] = { 0x02, 0x42, 0x0a, 0x09, 0x00, 0x01 };

static void
gratuitous_arp(void **unused)
{
	static const uint8_t want[ANNOUNCE_ARP_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
		0x42, 0x0a, 0x09, 0x00, 0x01, 0x08, 0x06,	     /* Ethernet */
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,	     /* a request */
		0x02, 0x42, 0x0a, 0x09, 0x00, 0x01, 10, 9, 0, 100,   /* from us, the VIP */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 9, 0, 100 }; /* about the VIP */
	uint8_t buf[ANNOUNCE_MAX];
	struct addr vip;

	(void)unused;
	assert_int_equal(addr_parse("10.9.0.100", &vip), 0);
	assert_int_equal(announce_frame(&vip, mac, true, buf), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

/* The sum over pseudo-header and message, checksum included, must be all ones. */
static uint16_t
sum_of(const uint8_t *frame)
{
	uint32_t sum = 58 + 32;

	for (size_t i = 14 + 8; i < ANNOUNCE_NA_SIZE; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
unsolicited_na(void **unused)
{
	static const uint8_t head[] = { 0x33, 0x33, 0, 0, 0, 1, 0x02, 0x42, 0x0a, 0x09, 0x00, 0x01,
		0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255 };
	static const uint8_t option[] = { 2, 1, 0x02, 0x42, 0x0a, 0x09, 0x00, 0x01 };
	uint8_t buf[ANNOUNCE_MAX];
	struct addr vip, all;

	(void)unused;
	assert_int_equal(addr_parse("fd00:9::100", &vip), 0);
	assert_int_equal(addr_parse("ff02::1", &all), 0);
	assert_int_equal(announce_frame(&vip, mac, true, buf), ANNOUNCE_NA_SIZE);
	assert_memory_equal(buf, head, sizeof(head));
	assert_memory_equal(buf + 22, vip.bytes, 16);
	assert_memory_equal(buf + 38, all.bytes, 16);
	assert_int_equal(buf[54], 136);
	assert_int_equal(buf[55], 0);
	assert_int_equal(buf[58], 0xa0); /* router, not solicited, override */
	assert_memory_equal(buf + 62, vip.bytes, 16);
	assert_memory_equal(buf + 78, option, sizeof(option));
	assert_int_equal(sum_of(buf), 0xffff);

	announce_frame(&vip, mac, false, buf);
	assert_int_equal(buf[58], 0x20);
	assert_int_equal(sum_of(buf), 0xffff);
}

static void
no_address(void **unused)
{
	struct addr none = { 0 };
	uint8_t buf[ANNOUNCE_MAX];

	(void)unused;
	assert_int_equal(announce_frame(&none, mac, false, buf), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gratuitous_arp),
		cmocka_unit_test(unsolicited_na),
		cmocka_unit_test(no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
