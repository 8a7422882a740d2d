/*
 * refusal.c - see refusal.h.  Messages: linux/netfilter/nf_tables.h; a batch is
 * taken whole or not at all.
 */
#include "vrrpd/refusal.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHAIN	    "input"
#define IP4_DST	    16 /* of the destination in the header (RFC 791, 3.1) */
#define RULE_SIZE   512
#define BATCH_SIZE  4096 /* with everything but the addresses' rules */
#define ANSWER_WAIT 5	 /* seconds; it is there already, or will never be */

struct refusal {
	struct mnl_socket *sock; /* the table is its */
	uint32_t sequence;
	bool has_table;
};

struct batch {
	char *bytes;
	size_t size;
	uint32_t sequence;
	struct nlmsghdr *last;
};

/* ---- messages ---- */

static struct nlmsghdr *
begin(struct batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t resource)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(b->bytes + b->size);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++b->sequence;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(resource);
	return nlh;
}

static void
end(struct batch *b, struct nlmsghdr *nlh)
{
	b->size += MNL_ALIGN(nlh->nlmsg_len);
	b->last = nlh;
}

static struct nlmsghdr *
begin_nft(struct batch *b, int type, uint16_t flags)
{
	return begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

static void
put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

static void
put_table(struct batch *b, bool make)
{
	struct nlmsghdr *nlh = begin_nft(
	    b, make ? NFT_MSG_NEWTABLE : NFT_MSG_DELTABLE, make ? NLM_F_CREATE | NLM_F_EXCL : 0);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, REFUSAL_TABLE);
	if (make)
		put_be32(nlh, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	end(b, nlh);
}

static void
put_chain(struct batch *b)
{
	struct nlmsghdr *nlh = begin_nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, REFUSAL_TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, CHAIN);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	put_be32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
	hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	put_be32(nlh, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_IN);
	put_be32(nlh, NFTA_HOOK_PRIORITY, 0);
	mnl_attr_nest_end(nlh, hook);
	end(b, nlh);
}

/* ---- a rule: loads and comparisons, then a verdict ---- */

struct expression {
	struct nlattr *element, *data;
};

static struct expression
open_expression(struct nlmsghdr *nlh, const char *name)
{
	struct expression e = { .element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return e;
}

static void
close_expression(struct nlmsghdr *nlh, struct expression e)
{
	mnl_attr_nest_end(nlh, e.data);
	mnl_attr_nest_end(nlh, e.element);
}

static void
load_meta(struct nlmsghdr *nlh, uint32_t key)
{
	struct expression e = open_expression(nlh, "meta");

	put_be32(nlh, NFTA_META_DREG, NFT_REG_1);
	put_be32(nlh, NFTA_META_KEY, key);
	close_expression(nlh, e);
}

static void
load_payload(struct nlmsghdr *nlh, uint32_t base, uint32_t offset, uint32_t size)
{
	struct expression e = open_expression(nlh, "payload");

	put_be32(nlh, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(nlh, NFTA_PAYLOAD_BASE, base);
	put_be32(nlh, NFTA_PAYLOAD_OFFSET, offset);
	put_be32(nlh, NFTA_PAYLOAD_LEN, size);
	close_expression(nlh, e);
}

static void
compare(struct nlmsghdr *nlh, uint32_t how, const void *with, size_t size)
{
	struct expression e = open_expression(nlh, "cmp");
	struct nlattr *data;

	put_be32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(nlh, NFTA_CMP_OP, how);
	data = mnl_attr_nest_start(nlh, NFTA_CMP_DATA);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, size, with);
	mnl_attr_nest_end(nlh, data);
	close_expression(nlh, e);
}

static void
decide(struct nlmsghdr *nlh, uint32_t verdict)
{
	struct expression e = open_expression(nlh, "immediate");
	struct nlattr *data, *nest;

	put_be32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	nest = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	put_be32(nlh, NFTA_VERDICT_CODE, verdict);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, data);
	close_expression(nlh, e);
}

static struct nlmsghdr *
begin_rule(struct batch *b, uint8_t protocol, struct nlattr **ret_list)
{
	struct nlmsghdr *nlh = begin_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, REFUSAL_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, CHAIN);
	*ret_list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	load_meta(nlh, NFT_META_NFPROTO);
	compare(nlh, NFT_CMP_EQ, &protocol, sizeof(protocol));
	return nlh;
}

static void
end_rule(struct batch *b, struct nlmsghdr *nlh, struct nlattr *list, uint32_t verdict)
{
	decide(nlh, verdict);
	mnl_attr_nest_end(nlh, list);
	end(b, nlh);
}

/* RFC 4861: the neighbours have to find the router. */
static void
put_neighbours(struct batch *b)
{
	static const uint8_t icmp = IPPROTO_ICMPV6, low = ND_ROUTER_SOLICIT, high = ND_REDIRECT;
	struct nlattr *list;
	struct nlmsghdr *nlh = begin_rule(b, NFPROTO_IPV6, &list);

	load_meta(nlh, NFT_META_L4PROTO);
	compare(nlh, NFT_CMP_EQ, &icmp, sizeof(icmp));
	load_payload(nlh, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
	compare(nlh, NFT_CMP_GTE, &low, sizeof(low));
	compare(nlh, NFT_CMP_LTE, &high, sizeof(high));
	end_rule(b, nlh, list, NF_ACCEPT);
}

static void
put_address(struct batch *b, const struct addr *a)
{
	bool six = a->family == AF_INET6;
	struct nlattr *list;
	struct nlmsghdr *nlh = begin_rule(b, six ? NFPROTO_IPV6 : NFPROTO_IPV4, &list);

	load_payload(nlh, NFT_PAYLOAD_NETWORK_HEADER,
	    six ? offsetof(struct ip6_hdr, ip6_dst) : IP4_DST, (uint32_t)addr_size(a));
	compare(nlh, NFT_CMP_EQ, a->bytes, addr_size(a));
	end_rule(b, nlh, list, NF_DROP);
}

/* ---- the whole ---- */

/* An owner's own address is the node's: it accepts whatever is written (RFC 9568, 6.1). */
static bool
refuses(const struct vrrp_conf *v)
{
	return v->no_accept && v->priority != 255;
}

static size_t
n_refused(const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < conf->n_instances; i++)
		n += refuses(&conf->instances[i]) ? conf->instances[i].n_vips : 0;
	return n;
}

static int
open_refusal(struct refusal **ret)
{
	struct timeval wait = { .tv_sec = ANSWER_WAIT };
	struct refusal *r = xcalloc(1, sizeof(*r));

	r->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (r->sock == NULL || mnl_socket_bind(r->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = -errno;

		refusal_free(r);
		return error;
	}
	setsockopt(mnl_socket_get_fd(r->sock), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	*ret = r;
	return 0;
}

static int
send_batch(struct refusal *r, struct batch *b)
{
	char answer[8192];
	int size = (int)b->size * 2, fd = mnl_socket_get_fd(r->sock);
	ssize_t n;

	b->last->nlmsg_flags |= NLM_F_ACK;
	end(b, begin(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (mnl_socket_sendto(r->sock, b->bytes, b->size) < 0 ||
	    (n = mnl_socket_recvfrom(r->sock, answer, sizeof(answer))) < 0)
		return -errno;
	/* The first word about it: an error of some message, or that the last one is done. */
	if (mnl_cb_run(answer, (size_t)n, 0, mnl_socket_get_portid(r->sock), NULL, NULL) < 0) {
		int error = -errno;

		/* One error for each message that had one: none is taken for the next batch's. */
		while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
			;
		return error;
	}
	return 0;
}

static void
fill(struct batch *b, const struct conf *conf, bool replace)
{
	end(b, begin(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	if (replace)
		put_table(b, false);
	put_table(b, true);
	put_chain(b);
	put_neighbours(b);
	for (size_t i = 0; i < conf->n_instances; i++)
		for (size_t k = 0; refuses(&conf->instances[i]) && k < conf->instances[i].n_vips;
		     k++)
			put_address(b, &conf->instances[i].vips[k].addr);
}

int
refusal_apply(struct refusal **where, const struct conf *conf)
{
	size_t n = n_refused(conf);
	struct batch b = { .bytes = NULL };
	int r;

	if (n == 0) {
		refusal_free(*where); /* and the kernel its table */
		*where = NULL;
		return 0;
	}
	if (*where == NULL && (r = open_refusal(where)) != 0)
		return r;
	b.bytes = xcalloc(1, BATCH_SIZE + n * RULE_SIZE);
	b.sequence = (*where)->sequence;
	fill(&b, conf, (*where)->has_table);
	r = send_batch(*where, &b);
	(*where)->sequence = b.sequence;
	(*where)->has_table |= r == 0;
	free(b.bytes);
	return r;
}

void
refusal_free(struct refusal *r)
{
	if (r == NULL)
		return;
	if (r->sock != NULL)
		mnl_socket_close(r->sock);
	free(r);
}
