/*
 * proof.h - auth_hmac for one virtual router: its keys, the sequence of its own
 * adverts and the last one of each sender, by which a replay is known (hmac.h
 * does the arithmetic).  Pure: the wall clock is an argument.
 *
 * Senders are remembered only by adverts that were verified, so a stranger
 * without a key makes nothing grow.
 */
#ifndef VRRPD_PROOF_H
#define VRRPD_PROOF_H

#include "common/conf/conf.h"
#include "vrrpd/hmac.h"

/* More routers than one VRID ever has; the one heard longest ago goes. */
#define PROOF_SENDERS_MAX 32

struct proof {
	struct vrrp_hmac hmac; /* keys NULL: no auth_hmac */
	struct vrrp_hmac_key *keys;
	uint64_t sent; /* the last sequence of ours */
	struct proof_sender {
		struct addr source; /* AF_UNSPEC: free */
		uint64_t last;
		uint64_t age; /* of 'heard' */
	} senders[PROOF_SENDERS_MAX];
	uint64_t heard;
};

struct proof_time { /* of the wall */
	int64_t s;
	int32_t ns;
};

/* By the configuration (NULL: none); sequences go on where they were. */
void proof_configure(struct proof *, const struct hmac_conf *);
void proof_done(struct proof *);

/* For struct vrrp_wire; NULL: no auth_hmac. */
const struct vrrp_hmac *proof_hmac(const struct proof *);

/* Before each advert: it carries the next sequence. */
void proof_stamp(struct proof *, const struct proof_time *);

/* A verified advert: is it newer than the sender's last one, and (anti_replay time) not old? */
bool proof_accept(
    struct proof *, const struct addr *source, uint64_t sequence, const struct proof_time *);

/* The sender's clock is so far from ours that adverts will soon count as old. */
bool proof_clock_is_off(const struct proof *, uint64_t sequence, const struct proof_time *);

#endif
