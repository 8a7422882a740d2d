/*
 * sock_priv.h - between sock.c (sockets: life, filter, receiving) and sock_send.c; nobody
 * else's.
 */
#ifndef VRRPD_SOCK_PRIV_H
#define VRRPD_SOCK_PRIV_H

#include "common/log.h"
#include "vrrpd/sock.h"

struct outbox;

/* When the last announcement went out on a link. */
struct pace {
	TAILQ_ENTRY(pace) entry;
	int index;
	uint8_t family;
	mono_t last;
};

struct sock_set {
	uv_loop_t *loop;
	struct sock_events events;
	int packet_fd; /* AF_PACKET, sends only; -1 until needed */
	uint16_t ip_id;
	uint64_t n_storms;
	bool hear_unknown;
	TAILQ_HEAD(, vrrp_sock) socks;
	TAILQ_HEAD(, pace) paces;
	struct outbox *outbox; /* NULL until something is posted */
};

struct vrrp_sock {
	TAILQ_ENTRY(vrrp_sock) entry;
	struct sock_set *set;
	uv_poll_t poll;
	unsigned uses;
	uint8_t family;
	int index;
	char name[IFNAMSIZ];
	int rx, tx; /* the same for IPv6 */
	TAILQ_HEAD(, vrrp_ear) ears;
	unsigned n_unwanted; /* since then */
	mono_t since;
	mono_t empty; /* found so last */
	mono_t lull;  /* end of a storm; MONO_NEVER: there is none */
	struct log_limit limit;
};

/* Looked at when there is something to do anyway: the adverts we send or hear. */
void sock_end_storm(struct vrrp_sock *);

#endif
