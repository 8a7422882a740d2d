/*
 * netlink_link.c - requests about links (netlink.h): macvlans, and the few
 * settings of a link that netlink takes.  Message layout: rtnetlink(7); the
 * IPv4 settings are net/ipv4/devinet.c's, numbered as in linux/ip.h.
 */
#include "common/netlink_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define LINK_ROOM 384

void
netlink_batch_add_macvlan(struct netlink_batch *b, const char *name, int parent,
    const uint8_t mac[static 6], int vrf, void *tag)
{
	struct nlmsghdr *nlh = netlink_request_begin(
	    b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, LINK_ROOM);
	struct nlattr *info, *data;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_LINK, (uint32_t)parent);
	mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	if (vrf != 0)
		mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)vrf);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_str(nlh, IFLA_INFO_KIND, "macvlan");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	netlink_request_end(b, nlh, tag);
}

/* A request about the link of that name. */
static struct nlmsghdr *
begin_set(struct netlink_batch *b, uint16_t type, const char *name, struct ifinfomsg **ret)
{
	struct nlmsghdr *nlh = netlink_request_begin(b, type, 0, LINK_ROOM);

	*ret = mnl_nlmsg_put_extra_header(nlh, sizeof(**ret));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return nlh;
}

void
netlink_batch_del_link(struct netlink_batch *b, const char *name, void *tag)
{
	struct ifinfomsg *ifi;

	netlink_request_end(b, begin_set(b, RTM_DELLINK, name, &ifi), tag);
}

void
netlink_batch_set_up(struct netlink_batch *b, const char *name, bool up, void *tag)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin_set(b, RTM_NEWLINK, name, &ifi);

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	netlink_request_end(b, nlh, tag);
}

void
netlink_batch_set_alias(struct netlink_batch *b, const char *name, const char *alias, void *tag)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin_set(b, RTM_NEWLINK, name, &ifi);

	mnl_attr_put_str(nlh, IFLA_IFALIAS, alias);
	netlink_request_end(b, nlh, tag);
}

void
netlink_batch_set_ip4(
    struct netlink_batch *b, const char *name, const struct netlink_setting *s, size_t n, void *tag)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin_set(b, RTM_NEWLINK, name, &ifi);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);

	for (size_t i = 0; i < n; i++)
		mnl_attr_put_u32(nlh, s[i].which, s[i].value);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
	netlink_request_end(b, nlh, tag);
}

void
netlink_batch_set_no_ip6_auto(struct netlink_batch *b, const char *name, void *tag)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = begin_set(b, RTM_NEWLINK, name, &ifi);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
	netlink_request_end(b, nlh, tag);
}
