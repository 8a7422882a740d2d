/*
 * vmac.c - see vmac.h.  The settings: an ARP request for the address reaches
 * both the interface and the macvlan on it, and the macvlan alone may answer; the
 * interface's own requests must not name the address as sender, or neighbours
 * learn the wrong MAC for it; and what comes in by the macvlan would be answered
 * by the interface, which a strict reverse-path filter takes for forged.
 */
#include "vrrpd/vmac.h"

#include "common/loop.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RP_FILTER_LOOSE	  2 /* more than 'all' may say: the higher one holds */
#define ARP_IGNORE_OTHERS 1 /* answer for this link's own addresses only */
#define ARP_ANNOUNCE_BEST 2 /* ask by this link's own address */

static const struct netlink_setting own_settings[] = {
	{ IPV4_DEVCONF_ARP_IGNORE, ARP_IGNORE_OTHERS },
	{ IPV4_DEVCONF_RP_FILTER, RP_FILTER_LOOSE },
	{ IPV4_DEVCONF_ACCEPT_LOCAL, 1 },
	{ IPV4_DEVCONF_PROMOTE_SECONDARIES, 1 },
};

static const struct netlink_setting parent_settings[] = {
	{ IPV4_DEVCONF_ARP_IGNORE, ARP_IGNORE_OTHERS },
	{ IPV4_DEVCONF_ARPFILTER, 0 },
	{ IPV4_DEVCONF_ARP_ANNOUNCE, ARP_ANNOUNCE_BEST },
};

void
vmac_init(struct vmac *v, struct netlink *nl, const char *owner)
{
	*v = (struct vmac){ .nl = nl, .owner = owner };
}

static void
on_result(void *aux, void *tag, int error)
{
	struct vmac *v = aux;

	/* IPv6 may be off on the link or in the kernel: then there is nothing to keep quiet. */
	if (error == 0 || tag == NULL)
		return;
	log_limited(&v->limit, loop_now(), LOG_ERR, "(%s) cannot %s %s on %s: %s", v->owner,
	    (const char *)tag, v->conf.name, v->parent, strerror(-error));
}

/* Router advertisements are the interface's business; not everywhere may we say so. */
static void
refuse_routers(const char *name)
{
	char path[64 + IFNAMSIZ];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		return;
	if (write(fd, "0", 1) != 1)
		log_debug("%s: %s", path, strerror(errno));
	close(fd);
}

/* The alias is no part of it: the kernel tells of none as long as the link is down. */
static bool
is_as_wanted(const struct vmac *v, const struct netlink_link *link)
{
	const struct netlink_link *parent = netlink_link_by_name(v->nl, v->parent);

	return parent != NULL && link->parent == parent->index &&
	       strcmp(link->kind, "macvlan") == 0 &&
	       memcmp(link->mac, v->conf.mac, sizeof(link->mac)) == 0;
}

const struct netlink_link *
vmac_link(const struct vmac *v)
{
	const struct netlink_link *link = v->conf.on ? netlink_link_by_name(v->nl, v->conf.name)
						     : NULL;

	return link != NULL && is_as_wanted(v, link) ? link : NULL;
}

static void
settle_parent(struct vmac *v)
{
	struct netlink_batch b;

	if (v->settled)
		return;
	v->settled = true;
	netlink_batch_begin(&b, v->nl, on_result, v);
	netlink_batch_set_ip4(&b, v->parent, parent_settings, ARRAY_LEN(parent_settings),
	    (void *)"make the ARP settings for");
	netlink_batch_send(&b);
}

void
vmac_make(struct vmac *v)
{
	const struct netlink_link *parent = netlink_link_by_name(v->nl, v->parent), *there;
	struct netlink_batch b;
	char *alias;

	if (!v->conf.on)
		return;
	if (parent == NULL) {
		v->state = VMAC_UNKNOWN; /* it went with it */
		v->settled = v->asked = false;
		return;
	}
	settle_parent(v);
	there = netlink_link_by_name(v->nl, v->conf.name);
	if (there != NULL && is_as_wanted(v, there)) {
		v->asked = false;
		return;
	}
	if (v->asked)
		return;
	if (there != NULL && !vmac_is_ours(there)) {
		log_limited(&v->limit, loop_now(), LOG_ERR,
		    "(%s) there is another interface %s already: use_vmac with another name",
		    v->owner, v->conf.name);
		return;
	}
	alias = xasprintf(VMAC_ALIAS " %s", v->owner);
	netlink_batch_begin(&b, v->nl, on_result, v);
	if (there != NULL)
		netlink_batch_del_link(&b, v->conf.name, (void *)"replace");
	netlink_batch_add_macvlan(&b, v->conf.name, parent->index, v->conf.mac,
	    netlink_vrf_of(v->nl, parent), (void *)"make");
	netlink_batch_set_alias(&b, v->conf.name, alias, (void *)"mark");
	netlink_batch_set_ip4(
	    &b, v->conf.name, own_settings, ARRAY_LEN(own_settings), (void *)"set up");
	netlink_batch_set_no_ip6_auto(&b, v->conf.name, NULL);
	netlink_batch_send(&b);
	refuse_routers(v->conf.name);
	v->asked = true;
	v->state = VMAC_DOWN;
	free(alias);
}

void
vmac_set_up(struct vmac *v, bool up)
{
	struct netlink_batch b;

	if (vmac_link(v) == NULL || v->state == (up ? VMAC_UP : VMAC_DOWN))
		return;
	v->state = up ? VMAC_UP : VMAC_DOWN;
	netlink_batch_begin(&b, v->nl, on_result, v);
	netlink_batch_set_up(&b, v->conf.name, up, (void *)(up ? "set up" : "set down"));
	netlink_batch_send(&b);
}

static void
ignore(void *aux, void *tag, int error)
{
	(void)aux, (void)tag, (void)error;
}

void
vmac_delete(struct netlink *nl, const char *name)
{
	struct netlink_batch b;

	netlink_batch_begin(&b, nl, ignore, NULL);
	netlink_batch_del_link(&b, name, NULL);
	netlink_batch_send(&b);
}

void
vmac_remove(struct vmac *v)
{
	if (vmac_link(v) != NULL)
		vmac_delete(v->nl, v->conf.name);
	v->state = VMAC_UNKNOWN;
}

void
vmac_configure(struct vmac *v, const struct vrrp_conf *conf)
{
	if (memcmp(&v->conf, &conf->vmac, sizeof(v->conf)) == 0)
		return;
	vmac_remove(v);
	memcpy(&v->conf, &conf->vmac, sizeof(v->conf));
	memset(v->parent, 0, sizeof(v->parent));
	strncpy(v->parent, conf->interface != NULL ? conf->interface : "", sizeof(v->parent) - 1);
	v->settled = v->asked = false;
}

bool
vmac_is_ours(const struct netlink_link *link)
{
	return strcmp(link->kind, "macvlan") == 0 &&
	       strncmp(link->alias, VMAC_ALIAS, strlen(VMAC_ALIAS)) == 0;
}
