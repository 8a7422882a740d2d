/*
 * post.h - carrying parcels (parcel.h): boxes in the service manager's store.
 *
 * A box is an AF_UNIX SOCK_SEQPACKET socketpair full of messages, of which only
 * the receiving end is kept.  One store entry for each descriptor would block
 * systemd for seconds and overflow LISTEN_FDNAMES; a box holds some hundred
 * sessions, as many as the socket buffer takes.  Descriptors in flight count
 * against the user's RLIMIT_NOFILE (unix(7), ETOOMANYREFS).
 */
#ifndef PROXYD_POST_H
#define PROXYD_POST_H

#include "proxyd/parcel.h"

struct outbox {
	const char *name;     /* FDNAME of its boxes */
	size_t max, n_stored; /* boxes the store takes; that it has got */
	int fds[2];	      /* the box being filled: to send, to receive; -1: none */
};

void outbox_init(struct outbox *, const char *name, size_t max);
void outbox_done(struct outbox *); /* what is not stored is thrown away */

/* Sealed before.  A full box is stored and the next begun.  0, -ENOSPC (no more boxes) or -errno.
 */
int outbox_send(struct outbox *, const struct parcel *);

/* Store what is begun.  0, -ENOSPC or -errno. */
int outbox_store(struct outbox *);

struct post_message {
	uint8_t *bytes;
	size_t size;
	int fds[PARCEL_FDS_MAX]; /* -1: taken by somebody */
	size_t n_fds;
};

/*
 * The next message of a box; with 'peek' it stays there, its descriptors are
 * copies all the same.  0; -EAGAIN: no more; thrown away: -EBADMSG (larger than
 * any of ours), -EMFILE (no room for its descriptors).
 */
int post_read(int box, bool peek, struct post_message *ret);
void post_message_done(struct post_message *); /* closes what nobody took */

#endif
