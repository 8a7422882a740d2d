/*
 * sha256.h - SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104).  Pure.
 *
 * Here because VRRP's auth_hmac needs it and none of the libraries that trivet
 * stands on has it; a crypto library would be a heavy guest on a router for 28
 * bytes a second.  For authentication of short messages only.
 */
#ifndef COMMON_SHA256_H
#define COMMON_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE  32
#define SHA256_BLOCK 64

struct sha256 {
	uint32_t state[8];
	uint64_t size; /* bytes so far */
	uint8_t block[SHA256_BLOCK];
};

void sha256_begin(struct sha256 *);
void sha256_add(struct sha256 *, const void *bytes, size_t size);
void sha256_end(struct sha256 *, uint8_t ret[static SHA256_SIZE]);

struct hmac_sha256 {
	struct sha256 inner, outer;
};

/* A key of any size; begin, add as often as needed, end. */
void hmac_sha256_begin(struct hmac_sha256 *, const void *key, size_t size);
void hmac_sha256_add(struct hmac_sha256 *, const void *bytes, size_t size);
void hmac_sha256_end(struct hmac_sha256 *, uint8_t ret[static SHA256_SIZE]);

#endif
