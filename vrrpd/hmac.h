/*
 * hmac.h - auth_hmac, the trailer by which keepalived (2.4.2 and later) proves
 * who sent an advert: a key's number, a sequence made of the time, and the first
 * half of an HMAC-SHA256 over the sender's address, the message and both.
 * Pure: packet.c appends and checks it, the shell has keys and the wall clock.
 *
 *	1, key id, 0, 0 | seconds, 4 | 1/65536 s, 2 | counter, 2 | MAC, 16
 */
#ifndef VRRPD_HMAC_H
#define VRRPD_HMAC_H

#include "common/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VRRP_HMAC_SIZE	  28
#define VRRP_HMAC_KEY_MIN 32
#define VRRP_HMAC_KEY_MAX 64

struct vrrp_hmac_key {
	uint8_t id; /* 1..255 */
	uint8_t size;
	uint8_t bytes[VRRP_HMAC_KEY_MAX];
};

/* keepalived's modes.  A trailer that is there must be right in each. */
enum vrrp_hmac_mode {
	VRRP_HMAC_RECEIVE_ONLY, /* send without; hear with and without */
	VRRP_HMAC_PERMISSIVE,	/* send with; hear with and without */
	VRRP_HMAC_ENFORCE,	/* send with; hear with */
};

struct vrrp_hmac {
	enum vrrp_hmac_mode mode;
	const struct vrrp_hmac_key *keys; /* borrowed */
	size_t n_keys;
	uint8_t active;	   /* the id of the one to send with */
	uint64_t sequence; /* of the next advert: set it with vrrp_hmac_next before each */
	bool monotonic;	   /* anti_replay: only ever higher, no clock asked; else also ... */
	int64_t window_s;  /* ... no further than this from our own time */
};

/* What is signed besides the trailer itself. */
struct vrrp_hmac_message {
	uint8_t version, vrid;
	struct addr source;
	const uint8_t *bytes; /* the message; its checksum counts as zero */
	size_t size;
};

/* Fills the trailer with the active key.  0, or -ENOKEY. */
int vrrp_hmac_sign(
    const struct vrrp_hmac *, const struct vrrp_hmac_message *, uint8_t ret[static VRRP_HMAC_SIZE]);

/* Do so many bytes after a message look like a trailer at all? */
bool vrrp_hmac_is_trailer(const uint8_t bytes[static VRRP_HMAC_SIZE]);

/* Is the trailer right, by the key that it names? */
bool vrrp_hmac_verify(const struct vrrp_hmac *, const struct vrrp_hmac_message *,
    const uint8_t trailer[static VRRP_HMAC_SIZE]);

uint64_t vrrp_hmac_sequence(const uint8_t trailer[static VRRP_HMAC_SIZE]);

/*
 * The sequence after 'last' at that wall clock: the time, or one more than the
 * last if the time is not.  A clock that was set back further than 'window_s' is
 * followed all the same, or nobody would hear us until it has caught up.
 */
uint64_t vrrp_hmac_next(uint64_t last, int64_t wall_s, int32_t wall_ns, int64_t window_s);

/*
 * Is a verified advert of this sequence newer than the last one of its source
 * (*last, 0: none)?  Then *last is set.  A last one that now lies outside the
 * window was from a clock that is no longer believed, and bars nothing.
 */
bool vrrp_hmac_fresh(const struct vrrp_hmac *, uint64_t *last, uint64_t sequence, int64_t wall_s);

#endif
