/*
 * parcel.h - what one proxyd writes down for the next, as bytes: sockets,
 * sessions, health and counters, each a record with the descriptors that belong
 * to it.  A parcel here is one message; post.h carries them.
 *
 * Pure.  The reader believes nothing: a message whose head, length, number of
 * descriptors or checksum is wrong is refused whole; a record that says what
 * cannot be, or what this version must not overlook, alone.
 *
 * Versions.  A message is a head and records; a record is its kind, its number
 * of descriptors, its size and fields; a field is a tag, a length and a value.
 * Integers are big-endian without leading zeros, a field whose value is zero or
 * empty is left out, enumerations that may grow in the middle go by name.  So
 * either side may know more fields than the other: an unknown tag from
 * PARCEL_MAY_IGNORE on is passed over, one below it refuses the record, an
 * unknown kind of record is passed over with its descriptors closed and counted.
 * PARCEL_VERSION changes only when the head or this framing does; such a
 * message is refused whole.  Tags are never used again for something else.
 */
#ifndef PROXYD_PARCEL_H
#define PROXYD_PARCEL_H

#include "common/addr.h"
#include "common/text.h"
#include "proxyd/flow.h"
#include "proxyd/tally.h"

#include <stdbool.h>
#include <stdint.h>

#define PARCEL_VERSION	   1
#define PARCEL_FDS_MAX	   253	       /* SCM_MAX_FD: of one message */
#define PARCEL_SIZE_MAX	   (48 * 1024) /* of one message: far below the smallest socket buffer */
#define PARCEL_MAY_IGNORE  64
#define PARCEL_NAME_SIZE   320		 /* of a text, with its NUL */
#define PARCEL_PENDING_MAX (1024 * 1024) /* bytes that wait in one direction */
#define PARCEL_TRIED_MAX   16
#define PARCEL_FAILS_MAX   64 /* the last ones */
#define PARCEL_HELD_MAX	   8
#define PARCEL_TLVS_MAX	   4096 /* of a PROXY header: proxyproto.h */
#define PARCEL_STAGES	   6	/* of a greeting: enum guest_stage, whose values stay */

enum parcel_kind {
	PARCEL_LISTENER = 1, /* its sockets */
	PARCEL_SESSION,	 /* client, server, then a file of bytes for each direction they wait in */
	PARCEL_SERVER,	 /* health and counters */
	PARCEL_UPSTREAM, /* counters of servers that left */
	PARCEL_COUNTERS, /* of a listener */
	PARCEL_UDP,	 /* a UDP session: its socket towards the server */
	PARCEL_GREETING, /* client: a session that has no server yet */
};

struct parcel_head {
	uint64_t stamp_us;	/* CLOCK_BOOTTIME: when data threads stopped; 0: they run */
	uint32_t number, total; /* this message is number 'number' (from 1) of 'total' */
};

/* Which listener: what makes a socket the same (listener.h). */
struct parcel_address {
	char name[PARCEL_NAME_SIZE];
	struct endpoint endpoint;
	bool ipv6_only;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
};

/* Bits of parcel_session.half[]. */
enum { PARCEL_EOF = 1, PARCEL_FIN_SENT = 2, PARCEL_HUP = 4, PARCEL_ERR = 8, PARCEL_URGENT = 16 };

/* What a session holds of a limit_conn_zone: the zone's name, a NUL, the key. */
struct parcel_held {
	uint16_t size;
	uint8_t bytes[PARCEL_NAME_SIZE];
};

/* Bytes of somebody else: of the message they were read from, or of whom they are written for. */
struct parcel_bytes {
	const uint8_t *at;
	uint32_t size; /* 0: none */
};

/* PARCEL_GREETING: of its listener and of its client only. */
struct parcel_session {
	struct parcel_address listener;
	char upstream[PARCEL_NAME_SIZE], server_name[PARCEL_NAME_SIZE];
	struct endpoint server;
	/* the terms it began with (struct route) */
	int64_t connect_timeout_us, timeout_us, next_timeout_us;
	int64_t half_timeout_us, age_us, age_jitter_us;
	uint32_t tries, read_size;
	bool half_close, tcp_nodelay;
	/* where it stands (struct flow, struct session) */
	bool is_open; /* else it is being connected */
	uint8_t failure;
	bool server_spoke, client_passed;
	uint8_t half[2];     /* by enum flow_side */
	uint32_t pending[2]; /* bytes that came from that side and wait */
	uint8_t server_writes;
	uint16_t attempt;
	uint64_t bytes[2];
	int64_t began_us, active_us, connect_deadline_us;
	struct endpoint tried[PARCEL_TRIED_MAX];
	uint32_t n_tried;
	/* who the client is (struct guest); AF_UNSPEC: nobody asked */
	uint8_t announce; /* version of the header that servers get */
	struct endpoint client, peer, local, proxied, proxied_to;
	int64_t greeted_us;
	uint64_t rates[2];
	struct parcel_held held[PARCEL_HELD_MAX];
	uint32_t n_held;
	bool has_guest, transparent;
	uint8_t stage;		  /* PARCEL_GREETING: what it waits for (guest.h) */
	uint32_t answered;	  /* bytes of our text that it has got */
	bool has_hello;		  /* ssl_preread looked */
	struct parcel_bytes tlvs; /* of the client's PROXY header */
	char tls_name[PARCEL_NAME_SIZE], tls_alpn[PARCEL_NAME_SIZE], tls_protocol[PARCEL_NAME_SIZE];
	/* story.h; connection 0: nobody tells of it.  Times 0: it did not happen. */
	uint64_t story_connection;
	int64_t story_tried_us, story_connect_us, story_first_byte_us;
};

struct parcel_server {
	char upstream[PARCEL_NAME_SIZE], name[PARCEL_NAME_SIZE];
	struct endpoint endpoint;
	bool is_down;
	char source[PARCEL_NAME_SIZE], reason[PARCEL_NAME_SIZE];
	char admin[PARCEL_NAME_SIZE]; /* the operator's word: "", "draining", "maintenance" */
	char comment[PARCEL_NAME_SIZE];
	int64_t admin_until_us; /* 0: until it is taken back */
	uint32_t weight_set;
	int64_t since_us, probe_at_us;
	int64_t current; /* round robin */
	int64_t fails_us[PARCEL_FAILS_MAX];
	uint32_t n_fails;
	uint64_t transitions;
	int64_t downtime_us;
	char changed_at[PARCEL_NAME_SIZE];
	struct tally tally;
};

struct parcel_upstream {
	char name[PARCEL_NAME_SIZE];
	struct tally tally;
};

struct parcel_counters {
	struct parcel_address listener;
	struct tally tally;
};

struct parcel_udp {
	struct parcel_address listener;
	uint32_t socket; /* which of the listener's, in their order */
	char upstream[PARCEL_NAME_SIZE], server_name[PARCEL_NAME_SIZE];
	struct endpoint server, client;
	struct endpoint local; /* where the client sent to; none: it was not told */
	uint32_t client_scope, local_interface;
	int64_t timeout_us, began_us, active_us;
	uint64_t connection, bytes[2];	      /* for its line in the log */
	uint32_t max_requests, max_responses; /* the terms it began with */
	uint32_t requests, responses;	      /* so far */
	bool is_current;
};

/* ---- writing ---- */

struct parcel {
	struct text bytes;
	int fds[PARCEL_FDS_MAX];
	size_t n_fds, n_records;
};

void parcel_init(struct parcel *);
void parcel_done(struct parcel *);

/*
 * One more record, 'record' of the struct that belongs to 'kind' (LISTENER:
 * parcel_address).  0, or -ENOSPC: it is full and unchanged, begin the next.
 */
int parcel_put(
    struct parcel *, enum parcel_kind kind, const void *record, const int *fds, size_t n_fds);

/* The head, last. */
void parcel_seal(struct parcel *, const struct parcel_head *);

/* ---- reading ---- */

struct parcel_record {
	uint16_t kind;
	const uint8_t *fields;
	size_t size;
	size_t first_fd, n_fds; /* of the message's */
};

struct parcel_reader {
	const uint8_t *at, *end;
	size_t fd;
};

/*
 * Check a message that came with n_fds descriptors.  0, -EBADMSG (not one of
 * ours, cut or changed on the way), -EPROTONOSUPPORT (another version).
 */
int parcel_open(const uint8_t *bytes, size_t size, size_t n_fds, struct parcel_reader *ret,
    struct parcel_head *ret_head);

/* The records in turn; false: no more. */
bool parcel_next(struct parcel_reader *, struct parcel_record *ret);

/*
 * Into the struct of the record's kind.  0, -EBADMSG (it contradicts itself),
 * -EPROTONOSUPPORT (an unknown kind, or a field we must not overlook).  *ret is
 * untouched on failure.
 */
int parcel_get(const struct parcel_record *, void *ret);

#endif
