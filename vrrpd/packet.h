/*
 * packet.h - VRRP on the wire: version 2 (RFC 3768, with the authentication
 * types of RFC 2338 that the field still uses) and version 3 (RFC 9568) over
 * IPv4 and IPv6, to and from structs.  Pure: no socket.
 *
 * Receiving has three steps, each with its reasons to drop:
 *   vrrp_pkt_ip4    the IPv4 header of a raw socket (IPv6: fill struct vrrp_rx
 *                   from the ancillary data)
 *   vrrp_pkt_decode the message itself, which says which router it is for
 *   vrrp_pkt_check  against what that router is configured to hear
 */
#ifndef VRRPD_PACKET_H
#define VRRPD_PACKET_H

#include "common/addr.h"
#include "vrrpd/event.h"
#include "vrrpd/hmac.h"

#include <sys/types.h>

#define VRRP_IP_PROTOCOL 112
#define VRRP_IP_TTL	 255
#define VRRP_IP_TOS	 0xc0 /* internetwork control */
#define VRRP_IP4_HEADER	 20
#define VRRP_ADDRS_MAX	 255 /* the count is one byte */
#define VRRP_PKT_MAX                                                                               \
	(VRRP_IP4_HEADER + 8 + 16 * VRRP_ADDRS_MAX + VRRP_HMAC_SIZE) /* with an IPv4 header */
#define VRRP_PASS_SIZE 8

/* Why a packet was dropped; each has its counter.  Only add at the end. */
enum vrrp_pkt_err {
	VRRP_PKT_OK,
	VRRP_PKT_ERR_LENGTH,  /* shorter or longer than its own fields say */
	VRRP_PKT_ERR_TTL,     /* not 255 (multicast), out of range (unicast) */
	VRRP_PKT_ERR_VERSION, /* neither 2 nor 3, 2 over IPv6, or not the configured one */
	VRRP_PKT_ERR_TYPE,    /* not ADVERTISEMENT */
	VRRP_PKT_ERR_CHECKSUM,
	VRRP_PKT_ERR_COUNT, /* no address (RFC 9568, erratum 8299), and we have some */
	VRRP_PKT_ERR_AUTH_TYPE,
	VRRP_PKT_ERR_AUTH_DATA,	   /* the password differs */
	VRRP_PKT_ERR_INTERVAL,	   /* v2: differs from ours; v3: 0 */
	VRRP_PKT_ERR_VRID,	   /* no such router here */
	VRRP_PKT_ERR_SOURCE,	   /* unicast: not a listed peer */
	VRRP_PKT_ERR_DEST,	   /* multicast for a unicast router or the reverse */
	VRRP_PKT_ERR_OWN,	   /* our own packet, reflected */
	VRRP_PKT_ERR_HMAC,	   /* auth_hmac: of an unknown key, or not right */
	VRRP_PKT_ERR_HMAC_MISSING, /* ... enforced, and there is none */
	VRRP_PKT_ERR_HMAC_STALE, /* ... right, but a replay, or by a clock too far off (proof.h) */
	VRRP_PKT_ERR_MAX,
};

/* "checksum", "auth-type" ...: the counter's name on the bus. */
const char *vrrp_pkt_err_str(enum vrrp_pkt_err);

/* How the peer's configuration differs although we take its adverts; bits. */
enum vrrp_pkt_differs {
	VRRP_DIFFERS_INTERVAL = 1 << 0,	 /* v3: a backup adopts the master's */
	VRRP_DIFFERS_ADDRESSES = 1 << 1, /* another list of virtual addresses */
	VRRP_DIFFERS_CLOCK = 1 << 2,	 /* auth_hmac: half the window off (advert.c) */
};

enum vrrp_cksum {
	VRRP_CKSUM_PSEUDO,  /* over the pseudo-header too: IPv6, and v3 IPv4 of RFC 5798 */
	VRRP_CKSUM_MESSAGE, /* over the message only: v2, and v3 IPv4 of RFC 9568 */
};

/* As it arrived: the message without the IP header, and what IP said of it. */
struct vrrp_rx {
	struct addr source, destination;
	int ttl;
	const uint8_t *bytes; /* into the caller's buffer */
	size_t size;
};

struct vrrp_pkt {
	struct vrrp_advert advert;
	struct addr destination;
	int ttl;
	uint8_t auth_type; /* v2: as on the wire, 0 none, 1 simple text */
	uint8_t auth_data[VRRP_PASS_SIZE];
	enum vrrp_cksum cksum; /* the form that was right */
	uint8_t n_addrs;
	struct addr addrs[VRRP_ADDRS_MAX];
	/* For auth_hmac; in the bytes it was decoded from, as long as they are there. */
	const uint8_t *message;
	size_t message_size;
	const uint8_t *trailer; /* VRRP_HMAC_SIZE bytes after it; NULL: none */
};

/* One router's side of the wire; what it sends and what it will hear. */
struct vrrp_wire {
	uint8_t version; /* 2, 3 */
	uint8_t family;	 /* AF_INET, AF_INET6 */
	uint8_t vrid;
	int64_t interval_us; /* v2: whole seconds; v3: whole centiseconds, up to 40.95 s */
	bool auth_pass;	     /* v2 only */
	uint8_t pass[VRRP_PASS_SIZE];
	enum vrrp_cksum cksum; /* to send; v3 IPv4 only */
	struct addr primary;   /* our address: source of what we send */
	bool unicast;
	const struct addr *peers; /* unicast: the only sources heard */
	size_t n_peers;
	const struct vrrp_ttls {
		uint8_t min, max;
	} * ttls;		      /* of what each peer sends; NULL: any */
	const struct addr *addrs;     /* advertised, in order; IPv6: the first is link-local */
	size_t n_addrs;		      /* at most VRRP_ADDRS_MAX, all of the family */
	const struct vrrp_hmac *hmac; /* auth_hmac; NULL: none, and a trailer is a wrong length */
};

/*
 * Takes the IPv4 header off.  rx->bytes points into 'packet'.  OK, or LENGTH
 * (also for a fragment), or VERSION (not IPv4).  *ret is untouched on failure.
 */
enum vrrp_pkt_err vrrp_pkt_ip4(const uint8_t *packet, size_t size, struct vrrp_rx *ret);

/*
 * Decodes a message and verifies its checksum (IPv6 too; v3 IPv4 in either
 * form).  On failure *ret is unspecified except ret->advert.vrid, which is the
 * claimed VRID where there was one, else 0: for counting, not for acting.
 */
enum vrrp_pkt_err vrrp_pkt_decode(const struct vrrp_rx *, struct vrrp_pkt *ret);

/*
 * May this router act on it?  The VRID has been matched by the caller, and what
 * it was decoded from is still there.  Replays are for vrrp_hmac_fresh to tell.
 * *ret_differs (bits) is set on OK only.
 */
enum vrrp_pkt_err vrrp_pkt_check(
    const struct vrrp_wire *, const struct vrrp_pkt *, unsigned *ret_differs);

/*
 * The message to 'destination' with this priority and interval (0: the
 * wire's).  Its size, or -EINVAL (an interval or address that the version
 * cannot carry), -ENOBUFS, -ENOKEY.
 */
ssize_t vrrp_pkt_encode(const struct vrrp_wire *, uint8_t priority, int64_t interval_us,
    const struct addr *destination, uint8_t *buf, size_t size);

/*
 * An IPv4 header before 'payload' bytes, for IP_HDRINCL: TOS 0xc0, no DF, the
 * checksum filled in.  'id' should change from packet to packet and not be 0.
 */
void vrrp_pkt_ip4_header(uint8_t buf[static VRRP_IP4_HEADER], const struct addr *source,
    const struct addr *destination, uint8_t ttl, uint16_t id, size_t payload);

#endif
