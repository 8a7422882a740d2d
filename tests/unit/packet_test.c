/*
 * packet_test.c - VRRP on the wire, byte for byte.  The vectors were captured
 * from, or checked against, keepalived and FRR; the rules are those of RFC 3768
 * section 7.1 and RFC 9568 section 7.1.
 */
#include "common/wire.h"
#include "tests/unit/test.h"
#include "vrrpd/packet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND INT64_C(1000000)

static struct addr
ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static size_t
unhex(const char *hex, uint8_t *buf, size_t size)
{
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		unsigned byte;

		if (*hex == ' ')
			continue;
		assert_true(n < size);
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		buf[n++] = (uint8_t)byte;
		hex++;
	}
	return n;
}

/* ---- vectors ---- */

static const struct vector {
	const char *what;
	uint8_t version, vrid, priority;
	const char *pass; /* NULL: none */
	enum vrrp_cksum cksum;
	const char *source, *destination;
	const char *addrs[3];
	const char *hex;
} vectors[] = {
	{ "v2, PASS", 2, 51, 150, "secret12", VRRP_CKSUM_MESSAGE, "10.9.0.1", "224.0.0.18",
	    { "10.9.0.100" }, "21339601 0101cfde 0a090064 73656372 65743132" },
	{ "v2, no authentication", 2, 51, 150, NULL, VRRP_CKSUM_MESSAGE, "10.9.0.1", "224.0.0.18",
	    { "10.9.0.100" }, "21339601 00013e5d 0a090064 00000000 00000000" },
	{ "v2, PASS, priority 0", 2, 51, 0, "secret12", VRRP_CKSUM_MESSAGE, "10.9.0.1",
	    "224.0.0.18", { "10.9.0.100" }, "21330001 010165df 0a090064 73656372 65743132" },
	{ "v2, owner of three", 2, 1, 255, NULL, VRRP_CKSUM_MESSAGE, "192.0.2.1", "224.0.0.18",
	    { "192.0.2.1", "192.0.2.2", "192.0.2.3" },
	    "2101ff03 000199f1 c0000201 c0000202 c0000203 00000000 00000000" },
	{ "v2, short PASS is zero padded", 2, 51, 150, "1111", VRRP_CKSUM_MESSAGE, "10.9.0.1",
	    "224.0.0.18", { "10.9.0.100" }, "21339601 0101dafa 0a090064 31313131 00000000" },
	{ "v3, multicast, pseudo-header", 3, 51, 150, NULL, VRRP_CKSUM_PSEUDO, "10.9.0.1",
	    "224.0.0.18", { "10.9.0.100" }, "31339601 00644361 0a090064" },
	{ "v3, unicast, pseudo-header", 3, 51, 150, NULL, VRRP_CKSUM_PSEUDO, "10.9.0.1", "10.9.0.2",
	    { "10.9.0.100" }, "31339601 00641969 0a090064" },
	{ "v3, another peer", 3, 51, 150, NULL, VRRP_CKSUM_PSEUDO, "10.9.0.1", "10.9.0.3",
	    { "10.9.0.100" }, "31339601 00641968 0a090064" },
	{ "v3, RFC 9568 message only", 3, 51, 150, NULL, VRRP_CKSUM_MESSAGE, "10.9.0.1",
	    "224.0.0.18", { "10.9.0.100" }, "31339601 00642dfa 0a090064" },
	{ "v3, message only, priority 200", 3, 51, 200, NULL, VRRP_CKSUM_MESSAGE, "198.51.100.10",
	    "224.0.0.18", { "192.0.2.100" }, "3133c801 00644402 c0000264" },
	{ "v3, IPv6", 3, 51, 150, NULL, VRRP_CKSUM_PSEUDO, "fe80::3c2c:8eff:fea9:3232", "ff02::12",
	    { "fe80::100", "fd00:9::100" },
	    "31339602 006440a5 fe800000 00000000 00000000 00000100"
	    " fd000009 00000000 00000000 00000100" },
};

static struct vrrp_wire
wire_of(const struct vector *v, struct addr *addrs)
{
	struct vrrp_wire w = { .version = v->version,
		.vrid = v->vrid,
		.interval_us = SECOND,
		.auth_pass = v->pass != NULL,
		.cksum = v->cksum,
		.primary = ip(v->source),
		.addrs = addrs };

	w.family = w.primary.family;
	while (w.n_addrs < ARRAY_LEN(v->addrs) && v->addrs[w.n_addrs] != NULL) {
		addrs[w.n_addrs] = ip(v->addrs[w.n_addrs]);
		w.n_addrs++;
	}
	if (v->pass != NULL)
		memcpy(w.pass, v->pass, strlen(v->pass));
	return w;
}

static void
encode_vectors(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct addr addrs[3], to = ip(v->destination);
		struct vrrp_wire w = wire_of(v, addrs);
		uint8_t want[256], buf[256];
		size_t size = unhex(v->hex, want, sizeof(want));
		ssize_t n = vrrp_pkt_encode(&w, v->priority, 0, &to, buf, sizeof(buf));

		if (n != (ssize_t)size || memcmp(buf, want, size) != 0)
			fail_msg("\"%s\": checksum %02x%02x", v->what, buf[6], buf[7]);
		assert_int_equal(vrrp_pkt_encode(&w, v->priority, 0, &to, buf, size - 1), -ENOBUFS);
	}
}

static void
decode_vectors(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct addr addrs[3];
		struct vrrp_wire w = wire_of(v, addrs);
		uint8_t buf[256];
		struct vrrp_rx rx = { ip(v->source), ip(v->destination), 255, buf, 0 };
		struct vrrp_pkt pkt;
		unsigned differs = 9;

		rx.size = unhex(v->hex, buf, sizeof(buf));
		if (vrrp_pkt_decode(&rx, &pkt) != VRRP_PKT_OK)
			fail_msg("\"%s\"", v->what);
		assert_int_equal(pkt.advert.version, v->version);
		assert_int_equal(pkt.advert.vrid, v->vrid);
		assert_int_equal(pkt.advert.priority, v->priority);
		assert_int_equal(pkt.advert.interval_us, SECOND);
		assert_int_equal(pkt.cksum, v->cksum);
		assert_true(addr_equal(&pkt.advert.source, &rx.source));
		assert_int_equal(pkt.n_addrs, w.n_addrs);
		for (size_t k = 0; k < w.n_addrs; k++)
			assert_true(addr_equal(&pkt.addrs[k], &addrs[k]));

		/* and a peer configured alike takes it */
		w.primary = w.family == AF_INET ? ip("10.9.0.77") : ip("fe80::77");
		w.unicast = !addr_is_multicast(&rx.destination);
		w.peers = &rx.source;
		w.n_peers = 1;
		assert_int_equal(vrrp_pkt_check(&w, &pkt, &differs), VRRP_PKT_OK);
		assert_int_equal(differs, 0);
	}
}

/* ---- what is not a message at all ---- */

/* Each row damages a good message: bytes to set, then the checksum made right or not. */
static const struct {
	const char *what;
	const char *good; /* of 'vectors' */
	int at;		  /* -1: none */
	uint8_t value;
	int grow; /* bytes added (zeros) or taken away */
	bool resum;
	enum vrrp_pkt_err want;
} damages[] = {
	{ "3768 7.1 version 4", "v2, PASS", 0, 0x41, 0, true, VRRP_PKT_ERR_VERSION },
	{ "3768 7.1 version 0", "v2, PASS", 0, 0x01, 0, true, VRRP_PKT_ERR_VERSION },
	{ "3768 5.3.2 type 2", "v2, PASS", 0, 0x22, 0, true, VRRP_PKT_ERR_TYPE },
	{ "9568 5.2.2 type 0", "v3, multicast, pseudo-header", 0, 0x30, 0, true,
	    VRRP_PKT_ERR_TYPE },
	{ "3768 7.1 checksum", "v2, PASS", 6, 0, 0, false, VRRP_PKT_ERR_CHECKSUM },
	{ "9568 7.1 checksum", "v3, multicast, pseudo-header", 2, 151, 0, false,
	    VRRP_PKT_ERR_CHECKSUM },
	{ "9568 7.1 checksum, IPv6", "v3, IPv6", 2, 151, 0, false, VRRP_PKT_ERR_CHECKSUM },
	{ "3768 7.1 shorter than its count", "v2, PASS", 3, 2, 0, true, VRRP_PKT_ERR_LENGTH },
	{ "3768 7.1 longer than its count", "v2, PASS", 3, 0, 0, true, VRRP_PKT_ERR_LENGTH },
	{ "3768 no authentication data", "v2, PASS", -1, 0, -8, true, VRRP_PKT_ERR_LENGTH },
	{ "a byte is missing", "v2, PASS", -1, 0, -1, true, VRRP_PKT_ERR_LENGTH },
	{ "a trailer is appended", "v3, multicast, pseudo-header", -1, 0, 28, true,
	    VRRP_PKT_ERR_LENGTH },
	{ "only half a header", "v3, multicast, pseudo-header", -1, 0, -8, false,
	    VRRP_PKT_ERR_LENGTH },
	{ "nothing", "v3, multicast, pseudo-header", -1, 0, -12, false, VRRP_PKT_ERR_LENGTH },
	{ "IPv6 shorter than its count", "v3, IPv6", 3, 3, 0, true, VRRP_PKT_ERR_LENGTH },
	{ "v2 over IPv6", "v3, IPv6", 0, 0x21, 0, true, VRRP_PKT_ERR_VERSION },
	{ "3768 interval 0", "v2, PASS", 5, 0, 0, true, VRRP_PKT_ERR_INTERVAL },
	{ "9568 erratum 8301 interval 0", "v3, RFC 9568 message only", 5, 0, 0, true,
	    VRRP_PKT_ERR_INTERVAL },
	{ "9568 5.2.6 the reserved bits are ignored", "v3, RFC 9568 message only", 4, 0xf0, 0, true,
	    VRRP_PKT_OK },
	{ "v2 without an address is the peer's affair", "v2, no authentication", 3, 0, -4, true,
	    VRRP_PKT_OK },
	{ "v3 without an address is for the router to judge", "v3, RFC 9568 message only", 3, 0, -4,
	    true, VRRP_PKT_OK },
};

static const struct vector *
vector_named(const char *what)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		if (strcmp(vectors[i].what, what) == 0)
			return &vectors[i];
	fail_msg("no vector \"%s\"", what);
	return NULL;
}

/* RFC 1071 once more, so that the code under test does not judge itself. */
static void
resum(uint8_t *b, size_t size, const struct vrrp_rx *rx, bool pseudo)
{
	uint32_t sum = 0;
	size_t each = addr_size(&rx->source);

	b[6] = b[7] = 0;
	for (size_t i = 0; i < size; i++)
		sum += i % 2 == 0 ? (uint32_t)b[i] << 8 : b[i];
	for (size_t i = 0; pseudo && i < each; i++)
		sum += (uint32_t)(rx->source.bytes[i] + rx->destination.bytes[i])
		       << (i % 2 == 0 ? 8 : 0);
	if (pseudo)
		sum += VRRP_IP_PROTOCOL + (uint32_t)size;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	wire_put16(b + 6, (uint16_t)~sum);
}

static void
decode_damaged(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		const struct vector *v = vector_named(damages[i].good);
		uint8_t buf[256] = { 0 };
		struct vrrp_rx rx = { ip(v->source), ip(v->destination), 255, buf, 0 };
		struct vrrp_pkt pkt;
		enum vrrp_pkt_err err;

		rx.size = unhex(v->hex, buf, sizeof(buf)) + (size_t)damages[i].grow;
		if (damages[i].at >= 0)
			buf[damages[i].at] = damages[i].value;
		if (damages[i].resum)
			resum(buf, rx.size, &rx, v->cksum == VRRP_CKSUM_PSEUDO);
		err = vrrp_pkt_decode(&rx, &pkt);
		if (err != damages[i].want)
			fail_msg("\"%s\": %s", damages[i].what, vrrp_pkt_err_str(err));
		assert_int_equal(pkt.advert.vrid, rx.size >= 8 ? 51 : 0);
	}
}

/* ---- what this router will hear ---- */

#define SOURCE	  "10.9.0.1"
#define MULTICAST "224.0.0.18"
#define US	  "10.9.0.2"

static const struct {
	const char *what;
	/* the packet */
	uint8_t version;
	const char *pass;
	int64_t interval_us;
	const char *source, *destination;
	int ttl;
	const char *addrs[2];
	uint8_t vrid;
	/* the listener, else of VRID 51, interval 1 s, address 10.9.0.100, peer 10.9.0.1 */
	uint8_t our_version;
	const char *our_pass;
	bool unicast;
	uint8_t min_ttl, max_ttl;
	enum vrrp_pkt_err want;
	unsigned differs;
} checks[] = {
	/* clang-format off */
{ "v2 as configured", 2, "1111", SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_OK, 0 },
{ "3768 7.1 TTL 254", 2, "1111", SECOND, SOURCE, MULTICAST, 254, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_ERR_TTL, 0 },
{ "unicast: any TTL unless configured", 2, "1111", SECOND, SOURCE, US, 3, { "10.9.0.100" }, 51,
	2, "1111", true, 0, 0, VRRP_PKT_OK, 0 },
{ "unicast: below min_ttl", 2, "1111", SECOND, SOURCE, US, 253, { "10.9.0.100" }, 51,
	2, "1111", true, 254, 255, VRRP_PKT_ERR_TTL, 0 },
{ "unicast: above max_ttl", 2, "1111", SECOND, SOURCE, US, 65, { "10.9.0.100" }, 51,
	2, "1111", true, 0, 64, VRRP_PKT_ERR_TTL, 0 },
{ "unicast: a stranger", 2, "1111", SECOND, "10.9.0.66", US, 255, { "10.9.0.100" }, 51,
	2, "1111", true, 0, 0, VRRP_PKT_ERR_SOURCE, 0 },
{ "multicast to a unicast router", 2, "1111", SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, "1111", true, 0, 0, VRRP_PKT_ERR_DEST, 0 },
{ "unicast to a multicast router", 2, "1111", SECOND, SOURCE, US, 255, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_ERR_DEST, 0 },
{ "our own, reflected", 2, "1111", SECOND, US, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_ERR_OWN, 0 },
{ "3768 7.1 version 3 to a router of 2", 3, NULL, SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, NULL, false, 0, 0, VRRP_PKT_ERR_VERSION, 0 },
{ "9568 7.1 version 2 to a router of 3", 2, NULL, SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	3, NULL, false, 0, 0, VRRP_PKT_ERR_VERSION, 0 },
{ "9568 7.1 another VRID", 3, NULL, SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 52,
	3, NULL, false, 0, 0, VRRP_PKT_ERR_VRID, 0 },
{ "3768 7.1 no authentication where we have some", 2, NULL, SECOND, SOURCE, MULTICAST, 255,
	{ "10.9.0.100" }, 51, 2, "1111", false, 0, 0, VRRP_PKT_ERR_AUTH_TYPE, 0 },
{ "3768 7.1 authentication where we have none", 2, "1111", SECOND, SOURCE, MULTICAST, 255,
	{ "10.9.0.100" }, 51, 2, NULL, false, 0, 0, VRRP_PKT_ERR_AUTH_TYPE, 0 },
{ "2338 5.3.10 another password", 2, "1112", SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_ERR_AUTH_DATA, 0 },
{ "2338 a longer password", 2, "11111", SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_ERR_AUTH_DATA, 0 },
{ "3768 7.1 the interval differs: drop", 2, "1111", 2 * SECOND, SOURCE, MULTICAST, 255,
	{ "10.9.0.100" }, 51, 2, "1111", false, 0, 0, VRRP_PKT_ERR_INTERVAL, 0 },
{ "9568 the interval differs: adopt", 3, NULL, 2 * SECOND, SOURCE, MULTICAST, 255,
	{ "10.9.0.100" }, 51, 3, NULL, false, 0, 0, VRRP_PKT_OK, VRRP_DIFFERS_INTERVAL },
{ "another address: used and told", 2, "1111", SECOND, SOURCE, MULTICAST, 255, { "10.9.0.101" }, 51,
	2, "1111", false, 0, 0, VRRP_PKT_OK, VRRP_DIFFERS_ADDRESSES },
{ "one more address: used and told", 3, NULL, SECOND, SOURCE, MULTICAST, 255,
	{ "10.9.0.100", "10.9.0.101" }, 51, 3, NULL, false, 0, 0, VRRP_PKT_OK,
	VRRP_DIFFERS_ADDRESSES },
{ "v3 has no authentication to check", 3, NULL, SECOND, SOURCE, MULTICAST, 255, { "10.9.0.100" }, 51,
	3, "1111", false, 0, 0, VRRP_PKT_OK, 0 },
{ "9568 erratum 8299 no address", 3, NULL, SECOND, SOURCE, MULTICAST, 255, { NULL }, 51,
	3, NULL, false, 0, 0, VRRP_PKT_ERR_COUNT, 0 },
	/* clang-format on */
};

static void
check_each(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const struct addr vip = ip("10.9.0.100"), peer = ip("10.9.0.1");
		const struct vrrp_ttls ttls = { checks[i].min_ttl, checks[i].max_ttl };
		struct vrrp_wire w = { .version = checks[i].our_version,
			.family = AF_INET,
			.vrid = 51,
			.interval_us = SECOND,
			.auth_pass = checks[i].our_pass != NULL,
			.primary = ip(US),
			.unicast = checks[i].unicast,
			.peers = &peer,
			.n_peers = 1,
			.ttls = checks[i].max_ttl > 0 ? &ttls : NULL,
			.addrs = &vip,
			.n_addrs = 1 };
		struct vrrp_pkt pkt = { .advert = { .source = ip(checks[i].source),
					    .version = checks[i].version,
					    .vrid = checks[i].vrid,
					    .priority = 100,
					    .interval_us = checks[i].interval_us },
			.destination = ip(checks[i].destination),
			.ttl = checks[i].ttl,
			.auth_type = checks[i].pass != NULL };
		unsigned differs = 99;
		enum vrrp_pkt_err err;

		if (checks[i].our_pass != NULL)
			memcpy(w.pass, checks[i].our_pass, strlen(checks[i].our_pass));
		if (checks[i].pass != NULL)
			memcpy(pkt.auth_data, checks[i].pass, strlen(checks[i].pass));
		while (pkt.n_addrs < 2 && checks[i].addrs[pkt.n_addrs] != NULL) {
			pkt.addrs[pkt.n_addrs] = ip(checks[i].addrs[pkt.n_addrs]);
			pkt.n_addrs++;
		}
		err = vrrp_pkt_check(&w, &pkt, &differs);
		if (err != checks[i].want)
			fail_msg("\"%s\": %s", checks[i].what, vrrp_pkt_err_str(err));
		if (differs != (err == VRRP_PKT_OK ? checks[i].differs : 99))
			fail_msg("\"%s\": differs %#x", checks[i].what, differs);
	}
}

/* no_virtual_ipaddress: such routers hear each other. */
static void
no_address_at_all(void **unused)
{
	struct vrrp_wire w = {
		.version = 3, .vrid = 1, .interval_us = SECOND, .primary = ip("10.9.0.50")
	};
	struct vrrp_pkt pkt = { .advert = { .source = ip("10.9.0.51"),
				    .version = 3,
				    .vrid = 1,
				    .interval_us = SECOND },
		.destination = ip("224.0.0.18"),
		.ttl = 255 };
	unsigned differs;

	(void)unused;
	assert_int_equal(vrrp_pkt_check(&w, &pkt, &differs), VRRP_PKT_OK);
	assert_int_equal(differs, 0);
	pkt.addrs[pkt.n_addrs++] = ip("10.9.0.100");
	assert_int_equal(vrrp_pkt_check(&w, &pkt, &differs), VRRP_PKT_OK);
	assert_int_equal(differs, VRRP_DIFFERS_ADDRESSES);
}

/* Order says nothing, and the same address twice is not two addresses. */
static void
address_lists(void **unused)
{
	const struct addr ours[] = { ip("10.9.0.1"), ip("10.9.0.2"), ip("10.9.0.3") };
	struct vrrp_wire w = { .version = 3,
		.vrid = 1,
		.interval_us = SECOND,
		.addrs = ours,
		.n_addrs = 3,
		.primary = ip("10.9.0.50") };
	struct vrrp_pkt pkt = { .advert = { .source = ip("10.9.0.51"),
				    .version = 3,
				    .vrid = 1,
				    .interval_us = SECOND },
		.destination = ip("224.0.0.18"),
		.ttl = 255,
		.n_addrs = 3 };
	unsigned differs;

	(void)unused;
	pkt.addrs[0] = ours[2];
	pkt.addrs[1] = ours[0];
	pkt.addrs[2] = ours[1];
	assert_int_equal(vrrp_pkt_check(&w, &pkt, &differs), VRRP_PKT_OK);
	assert_int_equal(differs, 0);
	pkt.addrs[2] = ours[0];
	assert_int_equal(vrrp_pkt_check(&w, &pkt, &differs), VRRP_PKT_OK);
	assert_int_equal(differs, VRRP_DIFFERS_ADDRESSES);
}

/* ---- the IPv4 header ---- */

static void
ip4_header(void **unused)
{
	struct addr from = ip("10.9.0.1"), to = ip("224.0.0.18");
	uint8_t packet[VRRP_IP4_HEADER + 26] = { 0 }, optioned[24 + 8] = { 0x46 };
	struct vrrp_rx rx;

	(void)unused;
	vrrp_pkt_ip4_header(packet, &from, &to, 255, 0x1234, 20);
	/* version and length, TOS, total; ID, no DF; TTL, 112, checksum; addresses */
	const uint8_t want[] = { 0x45, 0xc0, 0, 40, 0x12, 0x34, 0, 0, 255, 112, 0xbe, 0x55, 10, 9,
		0, 1, 224, 0, 0, 18 };
	assert_memory_equal(packet, want, sizeof(want));

	/* The six bytes more than the total are padding of a short frame. */
	assert_int_equal(vrrp_pkt_ip4(packet, sizeof(packet), &rx), VRRP_PKT_OK);
	assert_ptr_equal(rx.bytes, packet + 20);
	assert_int_equal(rx.size, 20);
	assert_int_equal(rx.ttl, 255);
	assert_true(addr_equal(&rx.source, &from) && addr_equal(&rx.destination, &to));

	wire_put16(optioned + 2, 32);
	assert_int_equal(vrrp_pkt_ip4(optioned, sizeof(optioned), &rx), VRRP_PKT_OK);
	assert_ptr_equal(rx.bytes, optioned + 24);
}

static void
ip4_damaged(void **unused)
{
	static const struct {
		const char *what;
		int at;
		uint8_t value;
		size_t size;
		enum vrrp_pkt_err want;
	} rows[] = {
		{ "no whole header", 0, 0x45, 19, VRRP_PKT_ERR_LENGTH },
		{ "nothing", 0, 0x45, 0, VRRP_PKT_ERR_LENGTH },
		{ "version 6", 0, 0x65, 40, VRRP_PKT_ERR_VERSION },
		{ "header length 16", 0, 0x44, 40, VRRP_PKT_ERR_LENGTH },
		{ "header longer than the datagram", 0, 0x4f, 40, VRRP_PKT_ERR_LENGTH },
		{ "total longer than what came", 3, 41, 40, VRRP_PKT_ERR_LENGTH },
		{ "total shorter than the header", 3, 19, 40, VRRP_PKT_ERR_LENGTH },
		{ "more fragments", 6, 0x20, 40, VRRP_PKT_ERR_LENGTH },
		{ "a later fragment", 7, 1, 40, VRRP_PKT_ERR_LENGTH },
		{ "DF is harmless", 6, 0x40, 40, VRRP_PKT_OK },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr from = ip("10.9.0.1"), to = ip("224.0.0.18");
		uint8_t packet[40] = { 0 };
		struct vrrp_rx rx;
		enum vrrp_pkt_err err;

		vrrp_pkt_ip4_header(packet, &from, &to, 255, 1, 20);
		packet[rows[i].at] = rows[i].value;
		err = vrrp_pkt_ip4(packet, rows[i].size, &rx);
		if (err != rows[i].want)
			fail_msg("\"%s\": %s", rows[i].what, vrrp_pkt_err_str(err));
	}
}

/* ---- what cannot be sent ---- */

static void
encode_refuses(void **unused)
{
	static const struct {
		const char *what;
		uint8_t version, family;
		int64_t interval_us;
		ssize_t want;
	} rows[] = {
		{ "v2 in whole seconds", 2, AF_INET, SECOND / 2, -EINVAL },
		{ "v2 up to 255 s", 2, AF_INET, 256 * SECOND, -EINVAL },
		{ "v2 at 255 s", 2, AF_INET, 255 * SECOND, 20 },
		{ "v3 in centiseconds", 3, AF_INET, 5000, -EINVAL },
		{ "v3 at 10 ms", 3, AF_INET, 10000, 12 },
		{ "v3 at 40.95 s", 3, AF_INET, 40950000, 12 },
		{ "v3 up to 40.95 s", 3, AF_INET, 40960000, -EINVAL },
		{ "no negative interval", 3, AF_INET, -SECOND, -EINVAL },
		{ "v2 has no IPv6", 2, AF_INET6, SECOND, -EINVAL },
		{ "an IPv4 address in an IPv6 router", 3, AF_INET6, SECOND, -EINVAL },
		{ "no version 4", 4, AF_INET, SECOND, -EINVAL },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool six = rows[i].family == AF_INET6;
		struct addr vip = ip("10.9.0.100"), to = ip(six ? "ff02::12" : "224.0.0.18");
		struct vrrp_wire w = { .version = rows[i].version,
			.family = rows[i].family,
			.vrid = 1,
			.interval_us = rows[i].interval_us,
			.primary = ip(six ? "fe80::1" : "10.9.0.1"),
			.addrs = &vip,
			.n_addrs = 1 };
		uint8_t buf[64];
		ssize_t n = vrrp_pkt_encode(&w, 100, 0, &to, buf, sizeof(buf));

		if (n != rows[i].want)
			fail_msg("\"%s\": %zd", rows[i].what, n);
	}
}

/* The last advert before a restart says another interval than the configured one. */
static void
encode_other_interval(void **unused)
{
	struct addr vip = ip("10.9.0.100"), to = ip("224.0.0.18");
	struct vrrp_wire w = { .version = 3,
		.family = AF_INET,
		.vrid = 1,
		.interval_us = 10000,
		.primary = ip("10.9.0.1"),
		.addrs = &vip,
		.n_addrs = 1 };
	uint8_t buf[64];

	(void)unused;
	assert_int_equal(vrrp_pkt_encode(&w, 100, SECOND, &to, buf, sizeof(buf)), 12);
	assert_int_equal(wire_get16(buf + 4), 100);
}

static void
names(void **unused)
{
	(void)unused;
	for (int i = 0; i < VRRP_PKT_ERR_MAX; i++)
		assert_string_not_equal(vrrp_pkt_err_str((enum vrrp_pkt_err)i), "?");
	assert_string_equal(vrrp_pkt_err_str(VRRP_PKT_ERR_MAX), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encode_vectors),
		cmocka_unit_test(decode_vectors),
		cmocka_unit_test(decode_damaged),
		cmocka_unit_test(check_each),
		cmocka_unit_test(no_address_at_all),
		cmocka_unit_test(address_lists),
		cmocka_unit_test(ip4_header),
		cmocka_unit_test(ip4_damaged),
		cmocka_unit_test(encode_refuses),
		cmocka_unit_test(encode_other_interval),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
