/*
 * netlink_request.c - requests to the kernel in acknowledged batches
 * (netlink.h).  Message layout: rtnetlink(7), netlink(7).
 */
#include "common/netlink_priv.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define REQUEST_MAX 192 /* of one request, and of netlink_batch.bytes per request */

void
netlink_batch_begin(
    struct netlink_batch *b, struct netlink *nl, void (*on_result)(void *, void *, int), void *aux)
{
	b->nl = nl;
	b->via = nl->asker;
	b->n = 0;
	b->size = 0;
	b->on_result = on_result;
	b->aux = aux;
}

void
netlink_batch_unheard(struct netlink_batch *b)
{
	b->via = b->nl->unheard;
}

struct nlmsghdr *
netlink_request_begin(struct netlink_batch *b, uint16_t type, uint16_t flags, size_t room)
{
	struct nlmsghdr *nlh;

	assert(room <= sizeof(b->bytes));
	if (b->n == NETLINK_BATCH_MAX || b->size + room > sizeof(b->bytes))
		netlink_batch_send(b);
	nlh = mnl_nlmsg_put_header(b->bytes + b->size);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++b->nl->sequence;
	if (b->n == 0)
		b->first = nlh->nlmsg_seq;
	return nlh;
}

void
netlink_request_end(struct netlink_batch *b, const struct nlmsghdr *nlh, void *tag)
{
	b->tags[b->n++] = tag;
	b->last = b->size;
	b->size += MNL_ALIGN(nlh->nlmsg_len);
}

static void
put_addr(struct nlmsghdr *nlh, uint16_t type, const struct addr *addr)
{
	mnl_attr_put(nlh, type, addr_size(addr), addr->bytes);
}

/* What names an address to the kernel: for adding and for deleting. */
static void
put_identity(struct nlmsghdr *nlh, const struct netlink_addr *a)
{
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = a->local.family;
	ifa->ifa_prefixlen = a->prefix_length;
	ifa->ifa_scope = a->scope;
	ifa->ifa_index = (uint32_t)a->index;
	put_addr(nlh, IFA_LOCAL, &a->local);
	put_addr(nlh, IFA_ADDRESS, a->peer.family != AF_UNSPEC ? &a->peer : &a->local);
}

static_assert(sizeof(((struct netlink_batch *)0)->bytes) >= NETLINK_BATCH_MAX * REQUEST_MAX,
    "a batch holds that many requests");

void
netlink_batch_add_addr(
    struct netlink_batch *b, enum netlink_add how, const struct netlink_addr *a, void *tag)
{
	struct nlmsghdr *nlh = netlink_request_begin(b, RTM_NEWADDR,
	    NLM_F_CREATE | (how == NETLINK_RENEW ? NLM_F_REPLACE : NLM_F_EXCL), REQUEST_MAX);
	struct ifa_cacheinfo ci = { .ifa_valid = a->valid_s, .ifa_prefered = a->preferred_s };

	put_identity(nlh, a);
	if (a->broadcast.family != AF_UNSPEC)
		put_addr(nlh, IFA_BROADCAST, &a->broadcast);
	if (a->label[0] != '\0')
		mnl_attr_put_strz(nlh, IFA_LABEL, a->label);
	if (a->flags != 0)
		mnl_attr_put_u32(nlh, IFA_FLAGS, a->flags);
	mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(ci), &ci);
	if (a->proto != 0)
		mnl_attr_put_u8(nlh, IFA_PROTO, a->proto);
	netlink_request_end(b, nlh, tag);
}

void
netlink_batch_del_addr(struct netlink_batch *b, const struct netlink_addr *a, void *tag)
{
	struct nlmsghdr *nlh = netlink_request_begin(b, RTM_DELADDR, 0, REQUEST_MAX);

	put_identity(nlh, a);
	netlink_request_end(b, nlh, tag);
}

struct answers {
	uint32_t first;
	unsigned n;
	bool last; /* that to the last request is there, and so are all */
	int errors[NETLINK_BATCH_MAX];
};

/* netlink(7): NLMSG_ERROR with error 0 is an acknowledgement. */
static void
take_answers(struct answers *answers, const uint8_t *buf, size_t size)
{
	const struct nlmsghdr *nlh = (const void *)buf;
	int left = (int)size;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
		uint32_t i = nlh->nlmsg_seq - answers->first;

		if (nlh->nlmsg_type != NLMSG_ERROR ||
		    mnl_nlmsg_get_payload_len(nlh) < sizeof(*err) || i >= answers->n)
			continue; /* a straggler of an earlier batch */
		answers->errors[i] = err->error;
		answers->last |= i == answers->n - 1;
	}
}

static int
exchange(struct netlink_batch *b, struct answers *answers)
{
	uint8_t buf[16 * 1024] NLMSG_ALIGNED;
	ssize_t n;

	/* Failures are told in any case, and in order: what is not told before the last succeeded.
	 */
	((struct nlmsghdr *)(b->bytes + b->last))->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(b->via, b->bytes, b->size) < 0)
		return -errno;
	while (!answers->last) {
		if ((n = mnl_socket_recvfrom(b->via, buf, sizeof(buf))) < 0)
			return -errno;
		take_answers(answers, buf, (size_t)n);
	}
	return 0;
}

int
netlink_batch_send(struct netlink_batch *b)
{
	struct answers answers = { .first = b->first, .n = b->n };
	void *tags[NETLINK_BATCH_MAX];
	int r;

	if (b->n == 0)
		return 0;
	memset(answers.errors, 0, b->n * sizeof(answers.errors[0]));
	memcpy(tags, b->tags, b->n * sizeof(tags[0]));
	r = exchange(b, &answers);
	b->n = 0;
	b->size = 0;
	for (unsigned i = 0; i < answers.n; i++)
		b->on_result(b->aux, tags[i], answers.errors[i] == 0 ? r : answers.errors[i]);
	return r;
}
