/*
 * filter.c - see filter.h.  socket(7), and the kernel's networking/filter.rst: a
 * load beyond the packet's end ends the program with "drop".
 */
#include "vrrpd/filter.h"

#include "common/util.h"
#include "common/wire.h"
#include "vrrpd/packet.h"

#include <assert.h>
#include <sys/socket.h>

#define PASS	      UINT32_MAX
#define DROP	      0u
#define IP4_TTL	      8
#define IP4_SOURCE    12
#define IP4_DEST      16
/* The header lies before the data. */
#define IP6_HOP_LIMIT ((uint32_t)SKF_NET_OFF + 7)
#define IP6_SOURCE    ((uint32_t)SKF_NET_OFF + 8)
#define IP6_DEST      ((uint32_t)SKF_NET_OFF + 24)

enum { VRID = 0, BIT = 1 }; /* words of scratch memory */

struct program {
	struct sock_filter *code;
	size_t n;
};

static void
put(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	assert(p->n < FILTER_MAX);
	p->code[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void
op(struct program *p, uint16_t code, uint32_t k)
{
	put(p, code, k, 0, 0);
}

/* Skips the next 'otherwise' instructions unless A is k. */
static void
unless(struct program *p, uint32_t k, uint8_t otherwise)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, otherwise);
}

/* Drops unless A is k. */
static void
require(struct program *p, uint32_t k)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
	op(p, BPF_RET | BPF_K, DROP);
}

/* X: where the message begins. */
static void
find_message(struct program *p, uint8_t family)
{
	if (family == AF_INET)
		op(p, BPF_LDX | BPF_B | BPF_MSH, 0);
	else
		op(p, BPF_LDX | BPF_W | BPF_IMM, 0);
}

/* One bit of one of eight words, whatever their number: cheaper than a comparison each. */
static void
check_vrid(struct program *p, const uint32_t vrids[static 8])
{
	uint8_t left = 0;

	op(p, BPF_LD | BPF_B | BPF_IND, 1);
	op(p, BPF_ST, VRID);
	op(p, BPF_ALU | BPF_AND | BPF_K, 31);
	op(p, BPF_MISC | BPF_TAX, 0);
	op(p, BPF_LD | BPF_W | BPF_IMM, 1);
	op(p, BPF_ALU | BPF_LSH | BPF_X, 0);
	op(p, BPF_ST, BIT);
	op(p, BPF_LD | BPF_W | BPF_MEM, VRID);
	op(p, BPF_ALU | BPF_RSH | BPF_K, 5);
	for (uint32_t i = 0; i < 8; i++)
		left = (uint8_t)(left + (vrids[i] != 0));
	for (uint32_t i = 0; i < 8; i++) {
		if (vrids[i] == 0)
			continue;
		left--;
		unless(p, i, 3);
		op(p, BPF_LD | BPF_W | BPF_MEM, BIT);
		put(p, BPF_JMP | BPF_JSET | BPF_K, vrids[i], (uint8_t)(1 + 4 * left + 1), 0);
		op(p, BPF_RET | BPF_K, DROP);
	}
	op(p, BPF_RET | BPF_K, DROP);
}

/* The first byte: version and type. */
static void
check_version(struct program *p, unsigned versions)
{
	op(p, BPF_LD | BPF_B | BPF_IND, 0);
	if ((versions & (1u << 2)) && (versions & (1u << 3))) {
		put(p, BPF_JMP | BPF_JEQ | BPF_K, 0x21, 2, 0);
		require(p, 0x31);
	} else
		require(p, versions & (1u << 2) ? 0x21 : 0x31);
}

/* To a group: with the TTL that no router lets through, and if anybody here hears groups. */
static void
check_multicast(struct program *p, const struct filter_spec *spec)
{
	bool is_ip4 = spec->family == AF_INET;

	op(p, BPF_LD | BPF_B | BPF_ABS, is_ip4 ? IP4_DEST : IP6_DEST);
	if (is_ip4)
		op(p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
	unless(p, is_ip4 ? 0xe0 : 0xff, spec->multicast ? 4 : 1);
	if (spec->multicast) {
		op(p, BPF_LD | BPF_B | BPF_ABS, is_ip4 ? IP4_TTL : IP6_HOP_LIMIT);
		require(p, VRRP_IP_TTL);
		op(p, BPF_RET | BPF_K, PASS);
	} else
		op(p, BPF_RET | BPF_K, DROP);
}

static void
pass_source(struct program *p, const struct addr *source)
{
	uint32_t words = source->family == AF_INET ? 1 : 4;
	uint32_t at = source->family == AF_INET ? IP4_SOURCE : IP6_SOURCE;

	for (uint32_t i = 0; i < words; i++) {
		op(p, BPF_LD | BPF_W | BPF_ABS, at + 4 * i);
		unless(p, wire_get32(source->bytes + 4 * i), (uint8_t)(2 * (words - 1 - i) + 1));
	}
	op(p, BPF_RET | BPF_K, PASS);
}

size_t
filter_make(const struct filter_spec *spec, struct sock_filter ret[static FILTER_MAX])
{
	struct program p = { .code = ret };

	find_message(&p, spec->family);
	check_vrid(&p, spec->vrids);
	if (spec->strict) {
		find_message(&p, spec->family);
		check_version(&p, spec->versions);
		check_multicast(&p, spec);
		for (size_t i = 0; i < spec->n_sources && !spec->any_source; i++)
			pass_source(&p, &spec->sources[i]);
	}
	op(&p, BPF_RET | BPF_K, !spec->strict || spec->any_source ? PASS : DROP);
	return p.n;
}

void
filter_add_vrid(struct filter_spec *spec, uint8_t vrid)
{
	spec->vrids[vrid / 32] |= UINT32_C(1) << vrid % 32;
}

void
filter_add_source(struct filter_spec *spec, const struct addr *source)
{
	for (size_t i = 0; i < spec->n_sources; i++)
		if (addr_equal(&spec->sources[i], source))
			return;
	if (spec->n_sources == FILTER_SOURCES_MAX)
		spec->any_source = true;
	else
		spec->sources[spec->n_sources++] = *source;
}
