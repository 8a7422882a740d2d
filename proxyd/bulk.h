/*
 * bulk.h - when a direction is worth splice(2), and when no longer: pure.
 *
 * Copying costs three to four times as much for each byte as moving pages
 * through a pipe, which in turn costs more calls for each transfer.  So a
 * direction copies until two reads in a row were large, and copies again once a
 * few transfers in a row were small.
 */
#ifndef PROXYD_BULK_H
#define PROXYD_BULK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Large is half of what a read may bring, of at most 64 KiB: over loopback a
 * packet has 65,483 bytes, so that a buffer of 64 KiB is never filled.
 */
#define BULK_READ_MAX	(64U * 1024)
#define BULK_LARGE_ROW	2U
#define BULK_SMALL	(16U * 1024) /* a transfer below it is one that copying does as well */
#define BULK_SMALL_ROW	4U
#define BULK_SPLICE_MAX (1024U * 1024) /* of one transfer, and a pipe's size */

/*
 * Moderation, as network cards do it: after a pass that moved little, bulk sockets
 * are left alone for a moment, so that the next pass finds more in each.  One that
 * looks at once whenever a packet has come makes three times as many transfers.
 * After a pass that moved much there is no need, and more would no longer be in
 * the cache.  Only where a long stream flows: peers that send each other blocks in
 * turn would wait for each pause.
 */
#define BULK_PAUSE_US	200
#define BULK_MUCH	(512U * 1024)	   /* of all sessions of a thread together */
#define BULK_STREAM	(4U * 1024 * 1024) /* through pipes, while nothing came from the other side */

struct bulk { /* of one direction; zeroed: it copies */
	bool on;
	uint8_t row;	 /* large reads in a row while off, small transfers while on */
	uint32_t streak; /* bytes through pipes since the other side's last; at most STREAM */
};

/* A read of up to 'size' bytes brought n. */
void bulk_copied(struct bulk *, uint32_t n, uint32_t size);

struct bulk_pass {	/* of all sessions of a thread; zeroed before each pass */
	uint64_t moved; /* bytes through pipes */
	bool is_urgent; /* some of them not of a long stream */
};

/* A transfer through a pipe brought n. */
void bulk_spliced(struct bulk *, struct bulk_pass *, uint32_t n);

/* How long not to look after a pass that moved something; 0: look at once. */
int64_t bulk_pause_us(const struct bulk_pass *);

/* The other side said something. */
void bulk_answered(struct bulk *);

/* splice(2) is of no use here now (the end, urgent data, not this kind of socket). */
void bulk_off(struct bulk *);

#endif
