/*
 * advert.h - one instance's side of the wire: what it sends, where to, and what
 * of the received it will hear; packet.h with a socket.
 */
#ifndef VRRPD_ADVERT_H
#define VRRPD_ADVERT_H

#include "common/conf/conf.h"
#include "vrrpd/packet.h"
#include "vrrpd/proof.h"
#include "vrrpd/sock.h"

struct advert {
	struct vrrp_wire wire;
	struct addr *addrs; /* wire.addrs, and wire.peers below, are ours */
	struct addr *peers;
	struct vrrp_ttls *ttls;	 /* ... as are wire.ttls */
	uint8_t ttl;		 /* of what is sent to a peer */
	bool skip_addrs;	 /* a sender that was the last one, too, is not compared again */
	struct addr last;	 /* the last sender; AF_UNSPEC: none */
	struct addr group;	 /* multicast */
	struct vrrp_sock *sock;	 /* NULL: the interface is not there */
	struct vrrp_ear ear;	 /* in it */
	struct vrrp_sock *voice; /* of the virtual MAC, to send by; NULL: 'sock' */
	enum vrrp_cksum *forms;	 /* of version 3's checksum over IPv4, to each peer */
	struct proof proof;	 /* auth_hmac */
	uint64_t received, sent, zero_received, zero_sent;
	uint64_t dropped[VRRP_PKT_ERR_MAX];
	unsigned differs; /* of the last advert taken; bits of enum vrrp_pkt_differs */
};

void advert_init(struct advert *); /* embedded by its owner */
void advert_done(struct advert *);

/* wire.primary stays as it was set before. */
void advert_configure(struct advert *, const struct vrrp_conf *);

/*
 * Open on the link (and join the group), or NULL: close.  The link that it is
 * open on already is kept.  0 or -errno.
 */
int advert_open(struct advert *, struct sock_set *, const struct netlink_link *);

/* Send by that link instead (use_vmac), or again by the one it is open on: NULL.  0 or -errno. */
int advert_speak(struct advert *, struct sock_set *, const struct netlink_link *);

/* To the group or to every peer.  'interval_us' 0: ours.  0, or the first -errno. */
int advert_send(struct advert *, uint8_t priority, int64_t interval_us);

/*
 * An ordinary one, which leaves with the next vrrp_sock_flush; that tells 'tag' of each
 * message.  0, or the first -errno.
 */
int advert_post(struct advert *, uint8_t priority, void *tag);

/* Counts it; OK: it may be acted upon. */
enum vrrp_pkt_err advert_hear(struct advert *, const struct vrrp_pkt *);

#endif
