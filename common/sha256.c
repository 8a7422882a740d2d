/*
 * sha256.c - see sha256.h.  Names as in FIPS 180-4, sections 4.1.2 and 6.2.
 */
#include "common/sha256.h"

#include "common/util.h"
#include "common/wire.h"

#include <string.h>

/* clang-format off */

/* 4.2.2: the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* clang-format on */

static uint32_t
rotr(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* 6.2.2, step 1: the message schedule. */
static void
schedule(uint32_t w[64], const uint8_t block[SHA256_BLOCK])
{
	for (unsigned t = 0; t < 16; t++)
		w[t] = wire_get32(block + 4 * t);
	for (unsigned t = 16; t < 64; t++) {
		uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
}

/* Steps 2 to 4.  v is a to h; they move along by one each round. */
static void
compress(uint32_t state[8], const uint8_t block[SHA256_BLOCK])
{
	uint32_t w[64], v[8];

	schedule(w, block);
	memcpy(v, state, sizeof(v));
	for (unsigned t = 0; t < 64; t++) {
		uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
		uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + ch + K[t] + w[t];
		uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
		uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + s0 + maj;
	}
	for (unsigned i = 0; i < 8; i++)
		state[i] += v[i];
}

void
sha256_begin(struct sha256 *h)
{
	/* 5.3.3: the square roots of the first eight primes. */
	static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(h->state, first, sizeof(first));
	h->size = 0;
}

void
sha256_add(struct sha256 *h, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;

	while (size > 0) {
		size_t used = h->size % SHA256_BLOCK, n = MIN(size, SHA256_BLOCK - used);

		memcpy(h->block + used, from, n);
		h->size += n;
		from += n;
		size -= n;
		if (used + n == SHA256_BLOCK)
			compress(h->state, h->block);
	}
}

/* 5.1.1: a one bit, zeros, and the size in bits as the last eight bytes of a block. */
void
sha256_end(struct sha256 *h, uint8_t ret[static SHA256_SIZE])
{
	static const uint8_t padding[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = h->size * 8;
	size_t used = h->size % SHA256_BLOCK;
	uint8_t tail[8];

	wire_put32(tail, (uint32_t)(bits >> 32));
	wire_put32(tail + 4, (uint32_t)bits);
	sha256_add(h, padding, (used < 56 ? 56 : 56 + SHA256_BLOCK) - used);
	sha256_add(h, tail, sizeof(tail));
	for (unsigned i = 0; i < 8; i++)
		wire_put32(ret + 4 * i, h->state[i]);
}

void
hmac_sha256_begin(struct hmac_sha256 *m, const void *key, size_t size)
{
	uint8_t inner[SHA256_BLOCK] = { 0 }, outer[SHA256_BLOCK];

	sha256_begin(&m->inner);
	if (size > sizeof(inner)) {
		sha256_add(&m->inner, key, size);
		sha256_end(&m->inner, inner);
		sha256_begin(&m->inner);
	} else if (size > 0) {
		memcpy(inner, key, size);
	}
	for (unsigned i = 0; i < SHA256_BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	sha256_begin(&m->outer);
	sha256_add(&m->inner, inner, sizeof(inner));
	sha256_add(&m->outer, outer, sizeof(outer));
}

void
hmac_sha256_add(struct hmac_sha256 *m, const void *bytes, size_t size)
{
	sha256_add(&m->inner, bytes, size);
}

void
hmac_sha256_end(struct hmac_sha256 *m, uint8_t ret[static SHA256_SIZE])
{
	uint8_t inner[SHA256_SIZE];

	sha256_end(&m->inner, inner);
	sha256_add(&m->outer, inner, sizeof(inner));
	sha256_end(&m->outer, ret);
}
