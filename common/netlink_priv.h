/*
 * netlink_priv.h - between the files that make up common/netlink.h; nobody else's.
 */
#ifndef COMMON_NETLINK_PRIV_H
#define COMMON_NETLINK_PRIV_H

#include "common/netlink.h"

#include <libmnl/libmnl.h>

#define NLMSG_ALIGNED __attribute__((aligned(8)))

struct netlink {
	struct netlink_events events;
	struct mnl_socket *listener, *asker, *unheard;
	uv_poll_t poll;
	uint32_t sequence;
	TAILQ_HEAD(, netlink_link) links;
	bool quiet;   /* the first table: nobody is told */
	bool changed; /* told, but not yet that it has settled */
};

/*
 * One request of at most 'room' bytes into the batch, which is sent before if it
 * would not fit; its attributes are put by the caller in between.
 */
struct nlmsghdr *netlink_request_begin(
    struct netlink_batch *, uint16_t type, uint16_t flags, size_t room);
void netlink_request_end(struct netlink_batch *, const struct nlmsghdr *, void *tag);

#endif
