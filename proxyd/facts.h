/*
 * facts.h - what is known of a session, for the variables of nginx stream: keys
 * of the hashes, lines of the access log.
 *
 * Pure: the clock's reading and the host's name are given.
 */
#ifndef PROXYD_FACTS_H
#define PROXYD_FACTS_H

#include "common/addr.h"
#include "common/conf/template.h"

#include <stdint.h>

struct facts {
	struct endpoint client;	 /* the client: the peer, or whom a trusted PROXY header named */
	struct endpoint peer;	 /* who connected */
	struct endpoint proxied; /* as the PROXY header said; AF_UNSPEC: there was none */
	struct endpoint local;	 /* the address it came to */
	bool udp;
	uint64_t connection;
	const char *hostname;
	long pid;
	int64_t wall_us;   /* CLOCK_REALTIME */
	long utc_offset_s; /* of the local time */
	/* at its end */
	uint64_t bytes[2]; /* from the client, from the server */
	int64_t session_us;
	int64_t connect_us; /* -1: no server was connected */
	const char *close_reason;
	unsigned status;	    /* nginx's: 200, 400, 403, 500, 502, 503 */
	const char *upstream_addrs; /* the servers tried: "10.0.0.1:80, 10.0.0.2:80"; "" */
};

/*
 * The text, without a NUL, cut at 'size'; returns its length.  escape: bytes
 * that would break a line are written \xHH, as nginx does.
 */
size_t facts_render(
    const struct stream_template *, const struct facts *, char *buf, size_t size, bool escape);

#endif
