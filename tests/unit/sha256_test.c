/*
 * sha256_test.c - the vectors of FIPS 180-4 (NIST's examples) and RFC 4231.
 */
#include "common/sha256.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

static void
same(const uint8_t got[SHA256_SIZE], const char *hex)
{
	char text[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(text, hex);
}

static void
digests(void **unused)
{
	static const struct {
		const char *message, *digest;
	} want[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnop"
		  "qklmnopqrlmnopqrsmnopqrstnopqrstu",
		    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};
	uint8_t got[SHA256_SIZE];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		for (size_t piece = 1; piece < 120; piece += 7) {
			size_t size = strlen(want[i].message);
			struct sha256 h;

			sha256_begin(&h);
			for (size_t at = 0; at < size; at += piece)
				sha256_add(&h, want[i].message + at, MIN(piece, size - at));
			sha256_end(&h, got);
			same(got, want[i].digest);
		}
}

/* A million times "a": more than one length byte. */
static void
a_million(void **unused)
{
	static uint8_t a[1000];
	uint8_t got[SHA256_SIZE];
	struct sha256 h;

	(void)unused;
	memset(a, 'a', sizeof(a));
	sha256_begin(&h);
	for (int i = 0; i < 1000; i++)
		sha256_add(&h, a, sizeof(a));
	sha256_end(&h, got);
	same(got, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231, cases 1, 2, 3, 6 and 7. */
static void
hmacs(void **unused)
{
	static const struct {
		uint8_t fill;
		size_t key_size;
		const char *key, *message, *mac;
	} want[] = {
		{ 0x0b, 20, NULL, "Hi There",
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ 0, 4, "Jefe", "what do ya want for nothing?",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ 0xaa, 20, NULL,
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd",
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ 0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ 0xaa, 131, NULL,
		    "This is a test using a larger than block-size key and a larger than "
		    "block-size data. The key needs to be hashed before being used by the HMAC "
		    "algorithm.",
		    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
	};
	uint8_t key[131], got[SHA256_SIZE];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct hmac_sha256 m;

		memset(key, want[i].fill, sizeof(key));
		if (want[i].key != NULL)
			memcpy(key, want[i].key, want[i].key_size);
		hmac_sha256_begin(&m, key, want[i].key_size);
		hmac_sha256_add(&m, want[i].message, strlen(want[i].message));
		hmac_sha256_end(&m, got);
		same(got, want[i].mac);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),
		cmocka_unit_test(a_million),
		cmocka_unit_test(hmacs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
