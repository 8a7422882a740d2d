/*
 * advert.c - see advert.h.
 */
#include "vrrpd/advert.h"

#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
advert_init(struct advert *a)
{
	*a = (struct advert){ 0 };
}

void
advert_done(struct advert *a)
{
	vrrp_sock_put(a->sock);
	free(a->addrs);
	free(a->peers);
	*a = (struct advert){ 0 };
}

static struct addr *
advertised(const struct vrrp_conf *conf)
{
	struct addr *addrs = xcalloc(MAX(conf->n_advertised, 1), sizeof(*addrs));

	for (size_t i = 0; i < conf->n_advertised; i++)
		addrs[i] = conf->vips[i].addr;
	return addrs;
}

static struct addr *
copy_addrs(const struct addr *addrs, size_t n)
{
	struct addr *copy = xcalloc(MAX(n, 1), sizeof(*copy));

	if (n > 0)
		memcpy(copy, addrs, n * sizeof(*copy));
	return copy;
}

void
advert_configure(struct advert *a, const struct vrrp_conf *conf)
{
	struct addr primary = a->wire.primary;

	free(a->addrs);
	free(a->peers);
	a->addrs = advertised(conf);
	a->peers = copy_addrs(conf->peers, conf->n_peers);
	a->group = conf->mcast_group;
	a->wire = (struct vrrp_wire){
		.version = conf->version,
		.family = conf->family,
		.vrid = conf->vrid,
		.interval_us = conf->advert_us,
		.auth_pass = conf->auth == VRRP_AUTH_PASS,
		.cksum = conf->version == 2 || conf->v3_checksum_as_v2 ? VRRP_CKSUM_MESSAGE
								       : VRRP_CKSUM_PSEUDO,
		.primary = primary,
		.unicast = conf->unicast,
		.peers = a->peers,
		.n_peers = conf->n_peers,
		.addrs = a->addrs,
		.n_addrs = MIN(conf->n_advertised, (size_t)VRRP_ADDRS_MAX),
	};
	memcpy(a->wire.pass, conf->auth_pass, sizeof(a->wire.pass));
	a->differs = 0;
}

int
advert_open(struct advert *a, struct sock_set *set, const struct netlink_link *link)
{
	struct vrrp_sock *sock = NULL;
	int r = 0;

	if (link != NULL && (r = vrrp_sock_get(set, link, a->wire.family, &sock)) == 0 &&
	    !a->wire.unicast && (r = vrrp_sock_join(sock, &a->group)) != 0) {
		vrrp_sock_put(sock);
		sock = NULL;
	}
	vrrp_sock_put(a->sock);
	a->sock = sock;
	return r;
}

static int
send_to(struct advert *a, const struct addr *destination, uint8_t priority, int64_t interval_us)
{
	uint8_t buf[VRRP_PKT_MAX];
	ssize_t n = vrrp_pkt_encode(&a->wire, priority, interval_us, destination, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	return vrrp_sock_send(a->sock, &a->wire.primary, destination, buf, (size_t)n);
}

int
advert_send(struct advert *a, uint8_t priority, int64_t interval_us)
{
	int first = 0;

	if (a->sock == NULL || a->wire.primary.family == AF_UNSPEC)
		return -ENETDOWN;
	a->sent++;
	if (priority == VRRP_PRIORITY_LEAVE)
		a->zero_sent++;
	if (!a->wire.unicast)
		return send_to(a, &a->group, priority, interval_us);
	for (size_t i = 0; i < a->wire.n_peers; i++) {
		int r = send_to(a, &a->peers[i], priority, interval_us);

		first = first != 0 ? first : r;
	}
	return first;
}

enum vrrp_pkt_err
advert_hear(struct advert *a, const struct vrrp_pkt *pkt)
{
	unsigned differs = 0;
	enum vrrp_pkt_err err = vrrp_pkt_check(&a->wire, pkt, &differs);

	if (err != VRRP_PKT_OK) {
		a->dropped[err]++;
		return err;
	}
	a->received++;
	a->differs = differs;
	if (pkt->advert.priority == VRRP_PRIORITY_LEAVE)
		a->zero_received++;
	/* A lone peer is answered in the form of version 3's checksum that it uses itself. */
	if (a->wire.unicast && a->wire.n_peers == 1 && a->wire.family == AF_INET)
		a->wire.cksum = pkt->cksum;
	return VRRP_PKT_OK;
}
