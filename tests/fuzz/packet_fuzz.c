/*
 * packet_fuzz.c - whatever arrives as a VRRP packet.  The first byte says how:
 * bit 0, a message over IPv6, else an IPv4 packet as a raw socket gives it; bit
 * 1, with the checksum made right (message only), which chance does not find.
 * Beyond not crashing: what is accepted can be said again and means the same,
 * and no router is told to act on what it is not configured to hear.
 */
#include "common/cksum.h"
#include "common/util.h"
#include "common/wire.h"
#include "vrrpd/packet.h"

#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>

/* A router configured exactly as the packet says. */
static struct vrrp_wire
wire_like(const struct vrrp_pkt *pkt)
{
	struct vrrp_wire w = { .version = pkt->advert.version,
		.family = pkt->advert.source.family,
		.vrid = pkt->advert.vrid,
		.interval_us = pkt->advert.interval_us,
		.auth_pass = pkt->auth_type == 1,
		.cksum = pkt->cksum,
		.primary = pkt->advert.source,
		.addrs = pkt->addrs,
		.n_addrs = pkt->n_addrs };

	memcpy(w.pass, pkt->auth_data, sizeof(w.pass));
	return w;
}

static void
say_again(const struct vrrp_rx *rx, const struct vrrp_pkt *pkt)
{
	static struct vrrp_pkt again;
	uint8_t buf[VRRP_PKT_MAX];
	struct vrrp_wire w = wire_like(pkt);
	struct vrrp_rx echo = *rx;
	ssize_t n = vrrp_pkt_encode(
	    &w, pkt->advert.priority, 0, &pkt->destination, buf, sizeof(buf));

	must(n == (ssize_t)pkt->message_size);
	must(rx->size == pkt->message_size + (pkt->trailer != NULL ? VRRP_HMAC_SIZE : 0));
	echo.bytes = buf;
	echo.size = (size_t)n;
	must(vrrp_pkt_decode(&echo, &again) == VRRP_PKT_OK);
	must(again.advert.priority == pkt->advert.priority);
	must(again.advert.interval_us == pkt->advert.interval_us);
	must(again.n_addrs == pkt->n_addrs);
	for (size_t i = 0; i < pkt->n_addrs; i++)
		must(addr_equal(&again.addrs[i], &pkt->addrs[i]));
}

/* A stranger to this router, whatever it says. */
static void
hear(const struct vrrp_pkt *pkt)
{
	static const struct addr us = { .family = AF_INET, .bytes = { 10, 9, 0, 2 } };
	const struct vrrp_wire w = { .version = 2,
		.family = AF_INET,
		.vrid = 51,
		.interval_us = USEC_PER_SEC,
		.auth_pass = true,
		.pass = "secret12",
		.primary = us };
	unsigned differs;

	if (vrrp_pkt_check(&w, pkt, &differs) != VRRP_PKT_OK)
		return;
	must(pkt->advert.version == 2 && pkt->advert.vrid == 51 && pkt->ttl == VRRP_IP_TTL);
	must(memcmp(pkt->auth_data, "secret12", VRRP_PASS_SIZE) == 0);
	must(pkt->advert.interval_us == USEC_PER_SEC && !addr_equal(&pkt->advert.source, &us));
	must(pkt->trailer == NULL);
}

/* Nobody signs by chance. */
static void
hear_signed(const struct vrrp_pkt *pkt)
{
	static const struct vrrp_hmac_key key = { .id = 1, .size = 32, .bytes = "unknown" };
	static const struct vrrp_hmac hmac = {
		.mode = VRRP_HMAC_ENFORCE, .keys = &key, .n_keys = 1, .active = 1
	};
	struct vrrp_wire w = wire_like(pkt);
	unsigned differs;

	w.primary.bytes[0] ^= 1;
	w.hmac = &hmac;
	must(vrrp_pkt_check(&w, pkt, &differs) != VRRP_PKT_OK);
}

static void
make_right(uint8_t *message, size_t size)
{
	if (size < 8)
		return;
	wire_put16(message + 6, 0);
	wire_put16(message + 6, cksum_finish(cksum_add(0, message, size)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[VRRP_PKT_MAX + 64];
	static const struct addr six = { .family = AF_INET6, .bytes = { 0xfe, 0x80, [15] = 1 } };
	static const struct addr group6 = { .family = AF_INET6, .bytes = { 0xff, 2, [15] = 18 } };
	static struct vrrp_pkt pkt;
	struct vrrp_rx rx = { six, group6, VRRP_IP_TTL, copy, size - 1 };

	if (size < 1 || size - 1 > sizeof(copy))
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] % 2 == 0 && vrrp_pkt_ip4(copy, size - 1, &rx) != VRRP_PKT_OK)
		return 0;
	must(rx.bytes >= copy && rx.bytes + rx.size <= copy + size - 1);
	if ((data[0] & 2) != 0)
		make_right(copy + (rx.bytes - copy), rx.size);
	if (vrrp_pkt_decode(&rx, &pkt) != VRRP_PKT_OK)
		return 0;
	must(pkt.advert.interval_us > 0);
	say_again(&rx, &pkt);
	hear(&pkt);
	hear_signed(&pkt);
	return 0;
}
