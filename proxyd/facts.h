/*
 * facts.h - what is known of a session, for the variables of nginx stream: keys
 * of the hashes, lines of the access log, answers, the choice of an upstream.
 *
 * Pure: the clock's reading and the host's name are given.  Takes no memory.
 */
#ifndef PROXYD_FACTS_H
#define PROXYD_FACTS_H

#include "common/addr.h"
#include "common/conf/words.h"

#include <stdint.h>

#define FACTS_VALUE_MAX 2048 /* of one variable; what is longer is cut */

/* A server that was tried. */
struct facts_try {
	struct endpoint server; /* AF_UNSPEC: see 'name' */
	const char *name;   /* of the upstream, when it had none, or of a unix socket; or NULL */
	int64_t connect_us; /* -1: it was never connected */
	int64_t session_us; /* from the connect's beginning */
};

struct facts {
	struct endpoint client; /* the client: the peer, or whom a trusted PROXY header named */
	struct endpoint peer;	/* who connected; AF_UNSPEC: through a unix socket */
	struct endpoint proxied,
	    proxied_to;	     /* as the PROXY header said; AF_UNSPEC: there was none */
	const uint8_t *tlvs; /* of it */
	size_t tlvs_size;
	struct endpoint local;	/* the address it came to */
	const char *local_unix; /* or the path; NULL: it is an address */
	bool udp;
	uint64_t connection;
	const char *hostname, *version;
	long pid;
	int64_t wall_us;		  /* CLOCK_REALTIME */
	long utc_offset_s;		  /* of the local time */
	const struct server_words *words; /* NULL: no variables of the file's own */
	/* what ssl_preread found; NULL: it did not look, or no TLS */
	const char *server_name, *alpn, *tls_protocol;
	const char *limit_conn_status; /* NULL: no limit was asked */
	/* at its end */
	uint64_t received, sent;	       /* from the client, to the client */
	uint64_t server_received, server_sent; /* from the server, to the server */
	int64_t session_us;
	int64_t first_byte_us; /* of the last server, from the connect's beginning; -1: none came */
	const char *close_reason;
	unsigned status; /* nginx's: 200, 400, 403, 500, 502, 503 */
	const struct facts_try *tries;
	size_t n_tries;
};

/* The text, without a NUL, cut at 'size'; returns its length. */
size_t facts_render(
    const struct stream_template *, const struct facts *, char *buf, size_t size, enum log_escape);

/* Is it neither "" nor "0"?  What if= asks. */
bool facts_holds(const struct stream_template *, const struct facts *);

#endif
