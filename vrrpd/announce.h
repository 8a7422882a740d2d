/*
 * announce.h - the frames by which a new master tells the segment where an
 * address is now: gratuitous ARP for IPv4, unsolicited neighbour advertisement
 * for IPv6 (RFC 9568, 6.4.2).  Pure: bytes only.
 *
 * Send them after the address is configured, never before.
 */
#ifndef VRRPD_ANNOUNCE_H
#define VRRPD_ANNOUNCE_H

#include "common/addr.h"

#define ANNOUNCE_MAC_SIZE 6
#define ANNOUNCE_ARP_SIZE 42
#define ANNOUNCE_NA_SIZE  86
#define ANNOUNCE_MAX	  ANNOUNCE_NA_SIZE

/*
 * The whole Ethernet frame for 'vip' at 'mac'; its size, 0 when vip is no
 * address.  'router' (IPv6) says that this node forwards (the R flag).
 */
size_t announce_frame(const struct addr *vip, const uint8_t mac[static ANNOUNCE_MAC_SIZE],
    bool router, uint8_t buf[static ANNOUNCE_MAX]);

#endif
