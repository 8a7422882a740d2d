/*
 * announce.c - gratuitous ARP and unsolicited NA, byte by byte; see announce.h.
 */
#include "vrrpd/announce.h"

#include "common/cksum.h"
#include "common/wire.h"

#include <string.h>

#define TYPE_ARP	 0x0806
#define TYPE_IPV6	 0x86dd
#define ARP_REQUEST	 1
#define NEXT_ICMPV6	 58
#define ICMPV6_NA	 136
#define NA_SIZE		 32 /* header 4, flags 4, target 16, option 8 */
#define NA_FLAG_ROUTER	 0x80
#define NA_FLAG_OVERRIDE 0x20

static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static uint8_t *
put(uint8_t *at, const void *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

static uint8_t *
put_ethernet(uint8_t *at, const uint8_t *destination, const uint8_t *source, uint16_t type)
{
	at = put(at, destination, ANNOUNCE_MAC_SIZE);
	at = put(at, source, ANNOUNCE_MAC_SIZE);
	wire_put16(at, type);
	return at + 2;
}

/* A request for our own address, by which all who know it correct what they know. */
static size_t
arp_frame(const struct addr *vip, const uint8_t *mac, uint8_t *buf)
{
	static const uint8_t broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, ARP_REQUEST };
	uint8_t *at = put_ethernet(buf, broadcast, mac, TYPE_ARP);

	at = put(at, head, sizeof(head));
	at = put(at, mac, ANNOUNCE_MAC_SIZE);
	at = put(at, vip->bytes, 4);
	at = put(at, broadcast, sizeof(broadcast));
	put(at, vip->bytes, 4);
	return ANNOUNCE_ARP_SIZE;
}

/* RFC 4861 4.4, with the pseudo-header of RFC 8200 8.1 in the checksum. */
static uint16_t
icmpv6_checksum(const struct addr *vip, const uint8_t *na)
{
	static const uint8_t tail[] = { 0, 0, 0, NA_SIZE, 0, 0, 0, NEXT_ICMPV6 };
	uint32_t sum = cksum_add(0, vip->bytes, 16);

	sum = cksum_add(sum, all_nodes, sizeof(all_nodes));
	sum = cksum_add(sum, tail, sizeof(tail));
	return cksum_finish(cksum_add(sum, na, NA_SIZE));
}

static size_t
na_frame(const struct addr *vip, const uint8_t *mac, bool router, uint8_t *buf)
{
	static const uint8_t group[] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t ip[] = { 0x60, 0, 0, 0, 0, NA_SIZE, NEXT_ICMPV6, 255 };
	static const uint8_t option[] = { 2, 1 }; /* target link-layer address, 8 bytes */
	uint8_t *at = put_ethernet(buf, group, mac, TYPE_IPV6), *na;

	at = put(at, ip, sizeof(ip));
	at = put(at, vip->bytes, 16);
	at = put(at, all_nodes, sizeof(all_nodes));
	na = at;
	memset(na, 0, NA_SIZE);
	na[0] = ICMPV6_NA;
	na[4] = NA_FLAG_OVERRIDE | (router ? NA_FLAG_ROUTER : 0);
	at = put(na + 8, vip->bytes, 16);
	at = put(at, option, sizeof(option));
	put(at, mac, ANNOUNCE_MAC_SIZE);
	wire_put16(na + 2, icmpv6_checksum(vip, na));
	return ANNOUNCE_NA_SIZE;
}

size_t
announce_frame(const struct addr *vip, const uint8_t mac[static ANNOUNCE_MAC_SIZE], bool router,
    uint8_t buf[static ANNOUNCE_MAX])
{
	switch (vip->family) {
	case AF_INET:
		return arp_frame(vip, mac, buf);
	case AF_INET6:
		return na_frame(vip, mac, router, buf);
	default:
		return 0;
	}
}
