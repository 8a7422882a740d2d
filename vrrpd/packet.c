/*
 * packet.c - VRRP on the wire; see packet.h.
 *
 * Both versions begin alike (RFC 3768 5.1, RFC 9568 5.1):
 *	version|type, VRID, priority, count
 *	v2: auth type, interval in seconds;	v3: 4 bits reserved, 12 bits centiseconds
 *	checksum, addresses
 *	v2: 8 bytes of authentication data, always there
 * With auth_hmac a trailer follows (hmac.h), which the checksum covers in IPv6
 * only: there the kernel sums the whole payload.
 */
#include "vrrpd/packet.h"

#include "common/cksum.h"
#include "common/util.h"
#include "common/wire.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE	   8
#define CHECKSUM_OFFSET	   6
#define TYPE_ADVERTISEMENT 1
#define AUTH_NONE	   0
#define AUTH_PASS	   1
#define V2_INTERVAL_MAX_S  255
#define V3_INTERVAL_MAX_CS 4095

const char *
vrrp_pkt_err_str(enum vrrp_pkt_err err)
{
	static const char *const names[VRRP_PKT_ERR_MAX] = {
		[VRRP_PKT_OK] = "ok",
		[VRRP_PKT_ERR_LENGTH] = "length",
		[VRRP_PKT_ERR_TTL] = "ttl",
		[VRRP_PKT_ERR_VERSION] = "version",
		[VRRP_PKT_ERR_TYPE] = "type",
		[VRRP_PKT_ERR_CHECKSUM] = "checksum",
		[VRRP_PKT_ERR_COUNT] = "count",
		[VRRP_PKT_ERR_AUTH_TYPE] = "auth-type",
		[VRRP_PKT_ERR_AUTH_DATA] = "auth-data",
		[VRRP_PKT_ERR_INTERVAL] = "interval",
		[VRRP_PKT_ERR_VRID] = "vrid",
		[VRRP_PKT_ERR_SOURCE] = "source",
		[VRRP_PKT_ERR_DEST] = "destination",
		[VRRP_PKT_ERR_OWN] = "own",
		[VRRP_PKT_ERR_HMAC] = "hmac",
		[VRRP_PKT_ERR_HMAC_MISSING] = "hmac-missing",
		[VRRP_PKT_ERR_HMAC_STALE] = "hmac-stale",
	};

	return (size_t)err < ARRAY_LEN(names) ? names[err] : "?";
}

/* ---- checksum ---- */

/* The pseudo-header: RFC 8200 8.1 for IPv6; for IPv4 the one of TCP (RFC 9293 3.1). */
static uint32_t
pseudo_header(const struct addr *source, const struct addr *destination, size_t size)
{
	uint8_t tail[4];
	uint32_t sum = 0;

	sum = cksum_add(sum, source->bytes, addr_size(source));
	sum = cksum_add(sum, destination->bytes, addr_size(destination));
	wire_put16(tail, VRRP_IP_PROTOCOL);
	wire_put16(tail + 2, (uint16_t)size);
	return cksum_add(sum, tail, sizeof(tail));
}

static uint16_t
checksum(enum vrrp_cksum form, const struct addr *source, const struct addr *destination,
    const uint8_t *bytes, size_t size)
{
	uint32_t sum = form == VRRP_CKSUM_PSEUDO ? pseudo_header(source, destination, size) : 0;

	return cksum_finish(cksum_add(sum, bytes, size));
}

/* What may be right for this version and family; v3 over IPv4 has two worlds. */
static bool
verify(const struct vrrp_rx *rx, uint8_t version, size_t message_size, enum vrrp_cksum *ret_form)
{
	bool pseudo = version == 3;
	bool message = rx->source.family == AF_INET;
	size_t size = message ? message_size : rx->size;

	if (pseudo &&
	    checksum(VRRP_CKSUM_PSEUDO, &rx->source, &rx->destination, rx->bytes, size) == 0)
		*ret_form = VRRP_CKSUM_PSEUDO;
	else if (message &&
		 checksum(VRRP_CKSUM_MESSAGE, &rx->source, &rx->destination, rx->bytes, size) == 0)
		*ret_form = VRRP_CKSUM_MESSAGE;
	else
		return false;
	return true;
}

/* ---- receiving ---- */

static struct addr
addr_from(uint8_t family, const uint8_t *bytes)
{
	struct addr a = { .family = family };

	memcpy(a.bytes, bytes, family == AF_INET ? 4 : 16);
	return a;
}

enum vrrp_pkt_err
vrrp_pkt_ip4(const uint8_t *packet, size_t size, struct vrrp_rx *ret)
{
	size_t header, total;

	if (size < VRRP_IP4_HEADER)
		return VRRP_PKT_ERR_LENGTH;
	if (packet[0] >> 4 != 4)
		return VRRP_PKT_ERR_VERSION;
	header = (size_t)(packet[0] & 0xf) * 4;
	total = wire_get16(packet + 2);
	/* What follows the datagram is padding of a short Ethernet frame. */
	if (header < VRRP_IP4_HEADER || total < header || total > size)
		return VRRP_PKT_ERR_LENGTH;
	if ((wire_get16(packet + 6) & 0x3fff) != 0) /* more fragments, or an offset */
		return VRRP_PKT_ERR_LENGTH;

	*ret = (struct vrrp_rx){ .source = addr_from(AF_INET, packet + 12),
		.destination = addr_from(AF_INET, packet + 16),
		.ttl = packet[8],
		.bytes = packet + header,
		.size = total - header };
	return VRRP_PKT_OK;
}

/*
 * Version and family go together, and the length follows from the count:
 * exactly, or with a trailer more.
 */
static enum vrrp_pkt_err
check_shape(const struct vrrp_rx *rx, uint8_t version, size_t *ret_message_size)
{
	size_t addrs = rx->bytes[3] * addr_size(&rx->source);
	size_t tail = version == 2 ? VRRP_PASS_SIZE : 0;
	size_t size = HEADER_SIZE + addrs + tail;

	if ((version != 2 && version != 3) || (version == 2 && rx->source.family != AF_INET))
		return VRRP_PKT_ERR_VERSION;
	if ((rx->bytes[0] & 0xf) != TYPE_ADVERTISEMENT)
		return VRRP_PKT_ERR_TYPE;
	if (rx->size != size &&
	    (rx->size != size + VRRP_HMAC_SIZE || !vrrp_hmac_is_trailer(rx->bytes + size)))
		return VRRP_PKT_ERR_LENGTH;
	*ret_message_size = size;
	return VRRP_PKT_OK;
}

static int64_t
interval_of(const uint8_t *bytes, uint8_t version)
{
	return version == 2 ? bytes[5] * USEC_PER_SEC
			    : (wire_get16(bytes + 4) & 0xfff) * USEC_PER_CSEC;
}

enum vrrp_pkt_err
vrrp_pkt_decode(const struct vrrp_rx *rx, struct vrrp_pkt *ret)
{
	const uint8_t *b = rx->bytes;
	const size_t each = addr_size(&rx->source);
	enum vrrp_pkt_err err;
	uint8_t version;
	size_t size;

	ret->advert = (struct vrrp_advert){ .source = rx->source };
	if (rx->size < HEADER_SIZE || each == 0 || rx->destination.family != rx->source.family)
		return VRRP_PKT_ERR_LENGTH;
	version = b[0] >> 4;
	ret->advert.version = version;
	ret->advert.vrid = b[1];
	ret->advert.priority = b[2];
	err = check_shape(rx, version, &size);
	if (err != VRRP_PKT_OK)
		return err;
	if (!verify(rx, version, size, &ret->cksum))
		return VRRP_PKT_ERR_CHECKSUM;
	ret->advert.interval_us = interval_of(b, version);
	if (ret->advert.interval_us == 0) /* erratum 8301: 1 to 4095 */
		return VRRP_PKT_ERR_INTERVAL;

	ret->destination = rx->destination;
	ret->ttl = rx->ttl;
	ret->n_addrs = b[3];
	for (size_t i = 0; i < ret->n_addrs; i++)
		ret->addrs[i] = addr_from(rx->source.family, b + HEADER_SIZE + i * each);
	ret->auth_type = version == 2 ? b[4] : AUTH_NONE;
	memset(ret->auth_data, 0, sizeof(ret->auth_data));
	if (version == 2)
		memcpy(ret->auth_data, b + size - VRRP_PASS_SIZE, VRRP_PASS_SIZE);
	ret->message = b;
	ret->message_size = size;
	ret->trailer = rx->size > size ? b + size : NULL;
	return VRRP_PKT_OK;
}

/* In a time that does not tell how much of the password was right. */
static bool
same_secret(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint8_t differs = 0;

	for (size_t i = 0; i < size; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

/* Who does not know the trailer sees a packet that is too long. */
static enum vrrp_pkt_err
check_hmac(const struct vrrp_wire *w, const struct vrrp_pkt *pkt)
{
	const struct vrrp_hmac_message m = { .version = pkt->advert.version,
		.vrid = pkt->advert.vrid,
		.source = pkt->advert.source,
		.bytes = pkt->message,
		.size = pkt->message_size };

	if (w->hmac == NULL)
		return pkt->trailer == NULL ? VRRP_PKT_OK : VRRP_PKT_ERR_LENGTH;
	if (pkt->trailer == NULL)
		return w->hmac->mode == VRRP_HMAC_ENFORCE ? VRRP_PKT_ERR_HMAC_MISSING : VRRP_PKT_OK;
	return vrrp_hmac_verify(w->hmac, &m, pkt->trailer) ? VRRP_PKT_OK : VRRP_PKT_ERR_HMAC;
}

static enum vrrp_pkt_err
check_auth(const struct vrrp_wire *w, const struct vrrp_pkt *pkt)
{
	if (w->version != 2)
		return VRRP_PKT_OK;
	if (pkt->auth_type != (w->auth_pass ? AUTH_PASS : AUTH_NONE))
		return VRRP_PKT_ERR_AUTH_TYPE;
	if (w->auth_pass && !same_secret(w->pass, pkt->auth_data, VRRP_PASS_SIZE))
		return VRRP_PKT_ERR_AUTH_DATA;
	return VRRP_PKT_OK;
}

/* TTL 255 proves that no router forwarded it, which only multicast insists on. */
static enum vrrp_pkt_err
check_path(const struct vrrp_wire *w, const struct vrrp_pkt *pkt)
{
	if (addr_equal(&pkt->advert.source, &w->primary))
		return VRRP_PKT_ERR_OWN;
	if (addr_is_multicast(&pkt->destination) == w->unicast)
		return VRRP_PKT_ERR_DEST;
	if (!w->unicast)
		return pkt->ttl == VRRP_IP_TTL ? VRRP_PKT_OK : VRRP_PKT_ERR_TTL;
	for (size_t i = 0; i < w->n_peers; i++)
		if (addr_equal(&w->peers[i], &pkt->advert.source))
			return w->ttls == NULL ||
				       (pkt->ttl >= w->ttls[i].min && pkt->ttl <= w->ttls[i].max)
				   ? VRRP_PKT_OK
				   : VRRP_PKT_ERR_TTL;
	return VRRP_PKT_ERR_SOURCE;
}

static bool
has_addr(const struct addr *list, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

/* As sets: the order says nothing (RFC 9568, 5.2.9). */
static bool
same_addrs(const struct vrrp_wire *w, const struct vrrp_pkt *pkt)
{
	if (w->n_addrs != pkt->n_addrs)
		return false;
	for (size_t i = 0; i < w->n_addrs; i++)
		if (!addr_equal(&w->addrs[i], &pkt->addrs[i]) &&
		    (!has_addr(pkt->addrs, pkt->n_addrs, &w->addrs[i]) ||
			!has_addr(w->addrs, w->n_addrs, &pkt->addrs[i])))
			return false;
	return true;
}

enum vrrp_pkt_err
vrrp_pkt_check(const struct vrrp_wire *w, const struct vrrp_pkt *pkt, unsigned *ret_differs)
{
	bool interval_differs = pkt->advert.interval_us != w->interval_us;
	enum vrrp_pkt_err err;

	if (pkt->advert.vrid != w->vrid)
		return VRRP_PKT_ERR_VRID;
	err = check_path(w, pkt);
	if (err != VRRP_PKT_OK)
		return err;
	if (pkt->advert.version != w->version)
		return VRRP_PKT_ERR_VERSION;
	if (w->version == 3 && pkt->n_addrs == 0 && w->n_addrs > 0)
		return VRRP_PKT_ERR_COUNT;
	err = check_hmac(w, pkt);
	if (err != VRRP_PKT_OK)
		return err;
	err = check_auth(w, pkt);
	if (err != VRRP_PKT_OK)
		return err;
	if (w->version == 2 && interval_differs) /* RFC 3768 7.1: MUST drop */
		return VRRP_PKT_ERR_INTERVAL;

	*ret_differs = (interval_differs ? VRRP_DIFFERS_INTERVAL : 0) |
		       (same_addrs(w, pkt) ? 0 : VRRP_DIFFERS_ADDRESSES);
	return VRRP_PKT_OK;
}

/* ---- sending ---- */

/* Bytes 4 and 5: authentication and interval in v2, the interval in v3. */
static int
put_interval(const struct vrrp_wire *w, int64_t interval_us, uint8_t *buf)
{
	const int64_t unit = w->version == 2 ? USEC_PER_SEC : USEC_PER_CSEC;
	const int64_t max = w->version == 2 ? V2_INTERVAL_MAX_S : V3_INTERVAL_MAX_CS;

	if (interval_us % unit != 0 || interval_us < unit || interval_us > max * unit)
		return -EINVAL;
	if (w->version == 2) {
		buf[0] = w->auth_pass ? AUTH_PASS : AUTH_NONE;
		buf[1] = (uint8_t)(interval_us / unit);
	} else {
		wire_put16(buf, (uint16_t)(interval_us / unit));
	}
	return 0;
}

static int
put_addrs(const struct vrrp_wire *w, uint8_t *buf)
{
	const size_t each = w->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < w->n_addrs; i++) {
		if (w->addrs[i].family != w->family)
			return -EINVAL;
		memcpy(buf + i * each, w->addrs[i].bytes, each);
	}
	return 0;
}

static bool
can_carry(const struct vrrp_wire *w, const struct addr *destination)
{
	return (w->version == 2 || w->version == 3) &&
	       (w->family == AF_INET || (w->family == AF_INET6 && w->version == 3)) &&
	       destination->family == w->family && w->primary.family == w->family &&
	       w->n_addrs <= VRRP_ADDRS_MAX;
}

ssize_t
vrrp_pkt_encode(const struct vrrp_wire *w, uint8_t priority, int64_t interval_us,
    const struct addr *destination, uint8_t *buf, size_t size)
{
	const size_t addrs = w->n_addrs * (w->family == AF_INET ? 4 : 16);
	const size_t need = HEADER_SIZE + addrs + (w->version == 2 ? VRRP_PASS_SIZE : 0);
	const bool signs = w->hmac != NULL && w->hmac->mode != VRRP_HMAC_RECEIVE_ONLY;
	const size_t whole = need + (signs ? VRRP_HMAC_SIZE : 0);
	enum vrrp_cksum form = VRRP_CKSUM_PSEUDO;

	if (!can_carry(w, destination))
		return -EINVAL;
	if (size < whole)
		return -ENOBUFS;
	memset(buf, 0, need);
	buf[0] = (uint8_t)(w->version << 4 | TYPE_ADVERTISEMENT);
	buf[1] = w->vrid;
	buf[2] = priority;
	buf[3] = (uint8_t)w->n_addrs;
	if (put_interval(w, interval_us != 0 ? interval_us : w->interval_us, buf + 4) < 0 ||
	    put_addrs(w, buf + HEADER_SIZE) < 0)
		return -EINVAL;
	if (w->version == 2 && w->auth_pass)
		memcpy(buf + HEADER_SIZE + addrs, w->pass, VRRP_PASS_SIZE);

	if (signs && vrrp_hmac_sign(w->hmac,
			 &(struct vrrp_hmac_message){ w->version, w->vrid, w->primary, buf, need },
			 buf + need) < 0)
		return -ENOKEY;
	if (w->version == 2 || (w->family == AF_INET && w->cksum == VRRP_CKSUM_MESSAGE))
		form = VRRP_CKSUM_MESSAGE;
	wire_put16(buf + CHECKSUM_OFFSET,
	    checksum(form, &w->primary, destination, buf, w->family == AF_INET ? need : whole));
	return (ssize_t)whole;
}

void
vrrp_pkt_ip4_header(uint8_t buf[static VRRP_IP4_HEADER], const struct addr *source,
    const struct addr *destination, uint8_t ttl, uint16_t id, size_t payload)
{
	memset(buf, 0, VRRP_IP4_HEADER);
	buf[0] = 0x45;
	buf[1] = VRRP_IP_TOS;
	wire_put16(buf + 2, (uint16_t)(VRRP_IP4_HEADER + payload));
	wire_put16(buf + 4, id);
	buf[8] = ttl;
	buf[9] = VRRP_IP_PROTOCOL;
	memcpy(buf + 12, source->bytes, 4);
	memcpy(buf + 16, destination->bytes, 4);
	wire_put16(buf + 10, cksum_finish(cksum_add(0, buf, VRRP_IP4_HEADER)));
}
