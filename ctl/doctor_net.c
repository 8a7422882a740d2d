/*
 * doctor_net.c - see doctor.h: interfaces and addresses by netlink, adverts and
 * ARP by packet sockets.
 */
#include "common/addr.h"
#include "common/loop.h"
#include "common/text.h"
#include "common/wire.h"
#include "ctl/doctor.h"
#include "ctl/node.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VRRP	    112 /* its IP protocol; also IFA_PROTO of vrrpd's addresses (vrrpd/vip.h) */
#define DEVICES_MAX 64	/* listened on at once */
#define SEEN_MAX    256 /* different speakers, different answers */
#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

/* ---- interfaces ---- */

json_t *
doctor_interfaces(int (*rp_filter)(const char *device))
{
	json_t *ret = json_object();
	struct ifaddrs *list, *one;

	if (getifaddrs(&list) < 0)
		return ret;
	for (one = list; one != NULL; one = one->ifa_next)
		if (json_object_get(ret, one->ifa_name) == NULL)
			json_object_set_new(ret, one->ifa_name,
			    json_pack("{s:b, s:b, s:i}", "up", (one->ifa_flags & IFF_UP) != 0,
				"multicast", (one->ifa_flags & IFF_MULTICAST) != 0, "rpFilter",
				rp_filter(one->ifa_name)));
	freeifaddrs(list);
	return ret;
}

/* ---- addresses ---- */

static char *
network_of(int family, const uint8_t *bytes, unsigned prefix)
{
	uint8_t masked[16] = { 0 };
	char text[INET6_ADDRSTRLEN];
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < size; i++) {
		unsigned bits = prefix > 8 * i ? MIN(prefix - 8 * (unsigned)i, 8u) : 0;

		masked[i] = (uint8_t)(bytes[i] & (0xff00 >> bits));
	}
	inet_ntop(family, masked, text, sizeof(text));
	return xasprintf("%s/%u", text, prefix);
}

static int
on_address(const struct nlmsghdr *nlh, void *aux)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *local = NULL;
	uint8_t proto = 0;
	char text[INET6_ADDRSTRLEN], device[IF_NAMESIZE];
	char *network;

	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		unsigned type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && local == NULL))
			local = attr;
		else if (type == IFA_PROTO)
			proto = mnl_attr_get_u8(attr);
	}
	if (local == NULL ||
	    mnl_attr_get_payload_len(local) < (ifa->ifa_family == AF_INET ? 4 : 16) ||
	    if_indextoname(ifa->ifa_index, device) == NULL)
		return MNL_CB_OK;
	inet_ntop(ifa->ifa_family, mnl_attr_get_payload(local), text, sizeof(text));
	network = network_of(ifa->ifa_family, mnl_attr_get_payload(local), ifa->ifa_prefixlen);
	json_array_append_new(aux, json_pack("{s:s, s:s, s:s, s:b}", "device", device, "address",
				       text, "network", network, "ours", proto == VRRP));
	free(network);
	return MNL_CB_OK;
}

json_t *
doctor_addresses(void)
{
	char buf[16384];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	json_t *ret = json_array();
	ssize_t n = -1;

	nlh->nlmsg_type = RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_UNSPEC;
	if (nl != NULL && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0 &&
		       mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl), on_address, ret) >
			   MNL_CB_STOP)
			;
	if (nl != NULL)
		mnl_socket_close(nl);
	if (n < 0) {
		json_decref(ret);
		return NULL;
	}
	return ret;
}

/* ---- packets ---- */

struct ear {
	char device[IF_NAMESIZE];
	int fd;
	uint8_t mac[ETH_ALEN];
};

/* Everything of one interface: adverts over IPv4 and IPv6, ARP. */
static int
open_ear(struct ear *ear, const char *device)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(device) };
	socklen_t size = sizeof(sll);

	if (sll.sll_ifindex == 0 || strlen(device) >= sizeof(ear->device))
		return -1;
	ear->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (ear->fd < 0 || bind(ear->fd, (struct sockaddr *)&sll, sizeof(sll)) < 0 ||
	    getsockname(ear->fd, (struct sockaddr *)&sll, &size) < 0) {
		if (ear->fd >= 0)
			close(ear->fd);
		return -1;
	}
	memcpy(ear->mac, sll.sll_addr, ETH_ALEN);
	strcpy(ear->device, device);
	return 0;
}

static size_t
open_ears(struct ear ears[static DEVICES_MAX], const json_t *instances)
{
	const json_t *instance;
	size_t i, n = 0;

	json_array_foreach (instances, i, instance) {
		const char *device = node_str(instance, "device");
		bool known = false;

		for (size_t j = 0; j < n; j++)
			known |= strcmp(ears[j].device, device) == 0;
		if (!known && n < DEVICES_MAX && open_ear(&ears[n], device) == 0)
			n++;
	}
	return n;
}

/* An ARP probe: "who has it?", from nobody. */
static void
ask_for(const struct ear *ear, const char *address)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)if_nametoindex(ear->device),
		.sll_halen = ETH_ALEN,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	uint8_t arp[28] = { 0, ARPHRD_ETHER, ETH_P_IP >> 8, ETH_P_IP & 0xff, ETH_ALEN, 4, 0,
		ARPOP_REQUEST };

	memcpy(arp + 8, ear->mac, ETH_ALEN);
	if (inet_pton(AF_INET, address, arp + 24) == 1 &&
	    sendto(ear->fd, arp, sizeof(arp), 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		/* Then nobody answers, and that is what is said. */
	}
}

static void
ask_for_all(const struct ear *ears, size_t n, const json_t *instances)
{
	const json_t *instance, *vip;
	size_t i, j;

	json_array_foreach (instances, i, instance)
		for (size_t e = 0; e < n; e++)
			if (strcmp(ears[e].device, node_str(instance, "device")) == 0)
				json_array_foreach (
				    json_object_get(instance, "virtualAddresses"), j, vip)
					ask_for(&ears[e], node_str(vip, "address"));
}

/* Once each, however often it is seen. */
static void
note(json_t *list, json_t *seen)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_equal(one, seen)) {
			json_decref(seen);
			return;
		}
	if (json_array_size(list) < SEEN_MAX)
		json_array_append_new(list, seen);
	else
		json_decref(seen);
}

static void
hear_arp(const struct ear *ear, const uint8_t *p, size_t size, json_t *answers)
{
	char address[INET_ADDRSTRLEN], mac[18];

	if (size < 28 || wire_get16(p + 6) != ARPOP_REPLY || p[4] != ETH_ALEN || p[5] != 4 ||
	    memcmp(p + 8, ear->mac, ETH_ALEN) == 0)
		return;
	inet_ntop(AF_INET, p + 14, address, sizeof(address));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p[8], p[9], p[10], p[11], p[12],
	    p[13]);
	note(answers,
	    json_pack("{s:s, s:s, s:s}", "device", ear->device, "address", address, "mac", mac));
}

static void
hear_advert(const struct ear *ear, int family, const uint8_t *source, const uint8_t *p, size_t size,
    json_t *speakers)
{
	char address[INET6_ADDRSTRLEN];

	if (size < 8 || (p[0] & 0x0f) != 1)
		return;
	inet_ntop(family, source, address, sizeof(address));
	note(speakers, json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "device", ear->device, "family",
			   family == AF_INET ? "ipv4" : "ipv6", "source", address,
			   "virtualRouterId", p[1], "version", p[0] >> 4, "priority", p[2]));
}

static void
hear_ip(const struct ear *ear, const uint8_t *p, size_t size, json_t *speakers)
{
	size_t head = size > 0 ? (p[0] & 0x0fu) * 4 : 0;

	if (size >= sizeof(struct iphdr) && p[0] >> 4 == 4 && p[9] == VRRP && head <= size)
		hear_advert(ear, AF_INET, p + 12, p + head, size - head, speakers);
	else if (size >= sizeof(struct ip6_hdr) && p[0] >> 4 == 6 && p[6] == VRRP)
		hear_advert(ear, AF_INET6, p + 8, p + sizeof(struct ip6_hdr),
		    size - sizeof(struct ip6_hdr), speakers);
}

static void
hear(const struct ear *ear, json_t *answers, json_t *speakers)
{
	uint8_t buf[2048];
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t n;

	while (
	    (n = recvfrom(ear->fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &length)) > 0) {
		length = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (ntohs(from.sll_protocol) == ETH_P_ARP)
			hear_arp(ear, buf, (size_t)n, answers);
		else
			hear_ip(ear, buf, (size_t)n, speakers);
	}
}

void
doctor_listen(json_t *facts, const json_t *instances, int ms)
{
	mono_t end = mono_add(loop_now(), ms * USEC_PER_MSEC);
	struct ear ears[DEVICES_MAX];
	struct pollfd polls[DEVICES_MAX];
	size_t n = open_ears(ears, instances);
	json_t *answers = json_array(), *speakers = json_array();
	int64_t left;

	ask_for_all(ears, n, instances);
	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){ .fd = ears[i].fd, .events = POLLIN };
	while (n > 0 && (left = mono_until(loop_now(), end)) > 0) {
		if (poll(polls, n, (int)(left / USEC_PER_MSEC) + 1) <= 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (polls[i].revents != 0)
				hear(&ears[i], answers, speakers);
	}
	for (size_t i = 0; i < n; i++)
		close(ears[i].fd);
	json_object_set_new(facts, "answers", answers);
	json_object_set_new(facts, "speakers", speakers);
}
