/*
 * udp_batch.h - several datagrams with one system call, in and out.
 *
 * In: recvmmsg(2), with the address that each was sent to.  Out: those for one
 * peer, in order; runs of one size leave as one send with UDP_SEGMENT (udp(7)),
 * which costs half of what they cost one by one.
 */
#ifndef PROXYD_UDP_BATCH_H
#define PROXYD_UDP_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define UDP_BATCH     32
#define UDP_SIZE_MAX  65535
#define UDP_NAME_SIZE sizeof(struct sockaddr_in6)

/* The local address a datagram came to, to answer from. */
struct udp_local {
	uint8_t family; /* AF_UNSPEC: not told */
	union {
		struct in_addr v4;
		struct in6_pktinfo v6; /* with the interface of a link-local address, else 0 */
	};
};

struct udp_datagram {
	struct iovec data;
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	struct udp_local local;
};

struct udp_batch; /* of one thread: room for UDP_BATCH datagrams */

struct udp_batch *udp_batch_new(void);
void udp_batch_free(struct udp_batch *); /* accepts NULL */

/* What there is now, at most 'max'; their number (datagrams: udp_batch_at) or -errno. */
int udp_batch_receive(struct udp_batch *, int fd, unsigned max);
const struct udp_datagram *udp_batch_at(const struct udp_batch *, unsigned i);

struct udp_peer {
	int fd;
	const struct sockaddr *to; /* NULL: fd is connected */
	socklen_t to_size;
	const struct udp_local *local; /* NULL: as the kernel likes */
	void *head;		       /* goes before each of them */
	size_t head_size;	       /* 0: nothing does */
};

/*
 * How many of n were sent or dropped (no room, too large), in order; fewer than
 * n: *ret_error says why the next was not (-errno).
 */
unsigned udp_send(const struct udp_peer *, struct iovec *, unsigned n, int *ret_error);

#endif
