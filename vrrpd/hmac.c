/*
 * hmac.c - see hmac.h.
 */
#include "vrrpd/hmac.h"

#include "common/sha256.h"
#include "common/util.h"
#include "common/wire.h"

#include <errno.h>
#include <string.h>

#define TYPE_HMAC_SHA256 1
#define HEAD_SIZE	 12 /* of the trailer, before the MAC */
#define MAC_SIZE	 16
#define CHECKSUM_OFFSET	 6 /* in the message */

static const struct vrrp_hmac_key *
find_key(const struct vrrp_hmac *h, uint8_t id)
{
	for (size_t i = 0; i < h->n_keys; i++)
		if (h->keys[i].id == id)
			return &h->keys[i];
	return NULL;
}

/* Sender, message without its checksum, trailer without its MAC. */
static void
mac_of(const struct vrrp_hmac_key *key, const struct vrrp_hmac_message *m, const uint8_t *head,
    uint8_t ret[static SHA256_SIZE])
{
	static const uint8_t zeros[MAC_SIZE];
	uint8_t sender[20] = { m->source.family == AF_INET ? 4 : 6, m->version, m->vrid };
	struct hmac_sha256 mac;

	memcpy(sender + 4, m->source.bytes, addr_size(&m->source));
	hmac_sha256_begin(&mac, key->bytes, key->size);
	hmac_sha256_add(&mac, sender, sizeof(sender));
	hmac_sha256_add(&mac, m->bytes, CHECKSUM_OFFSET);
	hmac_sha256_add(&mac, zeros, 2);
	hmac_sha256_add(&mac, m->bytes + CHECKSUM_OFFSET + 2, m->size - CHECKSUM_OFFSET - 2);
	hmac_sha256_add(&mac, head, HEAD_SIZE);
	hmac_sha256_add(&mac, zeros, MAC_SIZE);
	hmac_sha256_end(&mac, ret);
}

int
vrrp_hmac_sign(const struct vrrp_hmac *h, const struct vrrp_hmac_message *m,
    uint8_t ret[static VRRP_HMAC_SIZE])
{
	const struct vrrp_hmac_key *key = find_key(h, h->active);
	uint8_t mac[SHA256_SIZE];

	if (key == NULL)
		return -ENOKEY;
	memset(ret, 0, HEAD_SIZE);
	ret[0] = TYPE_HMAC_SHA256;
	ret[1] = key->id;
	wire_put32(ret + 4, (uint32_t)(h->sequence >> 32));
	wire_put32(ret + 8, (uint32_t)h->sequence);
	mac_of(key, m, ret, mac);
	memcpy(ret + HEAD_SIZE, mac, MAC_SIZE);
	return 0;
}

bool
vrrp_hmac_is_trailer(const uint8_t bytes[static VRRP_HMAC_SIZE])
{
	return bytes[0] == TYPE_HMAC_SHA256 && wire_get16(bytes + 2) == 0;
}

bool
vrrp_hmac_verify(const struct vrrp_hmac *h, const struct vrrp_hmac_message *m,
    const uint8_t trailer[static VRRP_HMAC_SIZE])
{
	const struct vrrp_hmac_key *key = find_key(h, trailer[1]);
	uint8_t mac[SHA256_SIZE], differs = 0;

	if (key == NULL || !vrrp_hmac_is_trailer(trailer))
		return false;
	mac_of(key, m, trailer, mac);
	for (size_t i = 0; i < MAC_SIZE; i++) /* in a time that does not tell where */
		differs |= mac[i] ^ trailer[HEAD_SIZE + i];
	return differs == 0;
}

uint64_t
vrrp_hmac_sequence(const uint8_t trailer[static VRRP_HMAC_SIZE])
{
	return (uint64_t)wire_get32(trailer + 4) << 32 | wire_get32(trailer + 8);
}

/* The wire counts seconds in 32 bits. */
static bool
in_window(uint64_t sequence, int64_t wall_s, int64_t window_s)
{
	int64_t off = (int64_t)(sequence >> 32) - (int64_t)(uint32_t)wall_s;

	return off <= window_s && off >= -window_s;
}

uint64_t
vrrp_hmac_next(uint64_t last, int64_t wall_s, int32_t wall_ns, int64_t window_s)
{
	uint64_t fraction = (uint64_t)wall_ns * 65536 / 1000000000;
	uint64_t time = (uint64_t)(uint32_t)wall_s << 32 | fraction << 16;

	if (time > last || !in_window(last, wall_s, window_s))
		return time;
	return last + 1;
}

bool
vrrp_hmac_fresh(const struct vrrp_hmac *h, uint64_t *last, uint64_t sequence, int64_t wall_s)
{
	bool newer = sequence > *last;

	if (!h->monotonic) {
		if (!in_window(sequence, wall_s, h->window_s))
			return false;
		newer |= !in_window(*last, wall_s, h->window_s);
	}
	if (newer)
		*last = sequence;
	return newer;
}
