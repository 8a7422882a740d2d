/*
 * sock.h - the raw sockets of vrrpd: VRRP in and out, announcements out.  One
 * struct vrrp_sock per interface and family, shared by the instances on it.
 *
 * Bytes only: what a packet says and whether it counts is packet.h's business.
 * But what no instance on the socket listens for is not let through by the
 * kernel (filter.h): always packets of other virtual routers, and in a storm of
 * others that cannot be acted upon these too, for some seconds.
 * CAP_NET_RAW is all it needs.
 */
#ifndef VRRPD_SOCK_H
#define VRRPD_SOCK_H

#include "common/netlink.h"
#include "vrrpd/packet.h"

#include <sys/queue.h>

struct vrrp_sock;
struct sock_set;

/*
 * 'on_rx' gets each message that arrived on one of the sockets, without its IP
 * header, valid inside only; 'on_bad' what is no IP packet of a sane shape;
 * 'on_sent' the outcome of each one posted, 0 or -errno.
 */
struct sock_events {
	void (*on_rx)(void *aux, struct vrrp_sock *, const struct vrrp_rx *);
	void (*on_bad)(void *aux, struct vrrp_sock *, enum vrrp_pkt_err);
	void (*on_sent)(void *aux, void *tag, int error);
	void *aux;
};

struct sock_set *sock_set_new(uv_loop_t *, const struct sock_events *);
void sock_set_free(struct sock_set *); /* accepts NULL; every socket was given back before */

/* The socket of that link, made when it is the first use.  0 or -errno.  Give it back by put. */
int vrrp_sock_get(
    struct sock_set *, const struct netlink_link *, uint8_t family, struct vrrp_sock **ret);
void vrrp_sock_put(struct vrrp_sock *); /* accepts NULL */

/* Of the link it was made for; a link that came back under its name has another. */
int vrrp_sock_index(const struct vrrp_sock *);
const char *vrrp_sock_name(const struct vrrp_sock *);
uint8_t vrrp_sock_family(const struct vrrp_sock *);

/*
 * Let through what 'wire' may act upon, until unlisten; borrowed meanwhile.  When
 * its peers change: vrrp_sock_refilter.  NULL of a socket is harmless.
 */
struct vrrp_ear {
	TAILQ_ENTRY(vrrp_ear) entry;
	const struct vrrp_wire *wire;
};
void vrrp_sock_listen(struct vrrp_sock *, struct vrrp_ear *);
void vrrp_sock_unlisten(struct vrrp_sock *, struct vrrp_ear *);
void vrrp_sock_refilter(struct vrrp_sock *);

/* A packet from it was for nobody, or could not be acted upon: many are a storm. */
void vrrp_sock_unwanted(struct vrrp_sock *);

/* Storms so far: times that the kernel was told to drop, uncounted, what could not be acted upon.
 */
uint64_t vrrp_sock_n_storms(const struct sock_set *);

/* Hear that multicast group for as long as the socket lives; again is harmless.  0 or -errno. */
int vrrp_sock_join(struct vrrp_sock *, const struct addr *group);

/* Its messages come from an address of another link: that of the interface below (use_vmac). */
void vrrp_sock_borrow_source(struct vrrp_sock *);

/* One message, TOS 0xc0.  0 or -errno. */
int vrrp_sock_send(struct vrrp_sock *, const struct addr *source, const struct addr *destination,
    uint8_t ttl, const void *message, size_t size);

/*
 * The same for one that can wait until vrrp_sock_flush, or until the box is full: what
 * goes out by one socket then does so in one system call.  'tag' is for on_sent.
 */
void vrrp_sock_post(struct vrrp_sock *, const struct addr *source, const struct addr *destination,
    uint8_t ttl, const void *message, size_t size, void *tag);
void vrrp_sock_flush(struct sock_set *);

/* A whole Ethernet frame (announce.h).  0 or -errno. */
int vrrp_sock_send_frame(
    struct sock_set *, const struct netlink_link *, const void *frame, size_t size);

/*
 * Announcements on a link are so far apart (garp_interval, gna_interval): may
 * another one of that family go now?  Then *ret_at is untouched and the next has
 * to wait; else it says when to ask again.
 */
bool vrrp_sock_pace(struct sock_set *, const struct netlink_link *, uint8_t family,
    int64_t interval_us, mono_t now, mono_t *ret_at);

/* Hear routers that nobody here listens for as well, unless in a storm (log_unknown_vrids). */
void sock_set_hear_unknown(struct sock_set *, bool);

/*
 * Handles what is waiting to be read, before a decision by the clock; not again
 * where there was nothing a moment ago, since many routers share a socket.
 */
void vrrp_sock_drain(struct vrrp_sock *);

#endif
