/*
 * probe_http.h - the two ways of an http check: what needs no library is asked
 * over a socket of our own (probe_http_plain.c), the rest through libcurl
 * (probe_http.c).  What comes of it is the same.
 */
#ifndef CHECKD_PROBE_HTTP_H
#define CHECKD_PROBE_HTTP_H

#include "checkd/attempt.h"
#include "checkd/fetch.h"

struct http_plain {
	struct attempt_probe runs;
	char *request; /* made by the first run; NULL: none yet */
	size_t request_size;
	bool outdated; /* the request: it may have changed with the configuration */
	int kept;      /* a connection between two runs; -1: none */
	struct endpoint kept_to;
};

struct http_probe {
	struct http_plain plain;
	/* through libcurl */
	const struct fetch_api *api;
	struct fetch *fetch; /* NULL: no run is on */
	mono_t began;
	bool warned; /* of the certificate's end */
};

/* What it says it is. */
#define HTTP_AGENT_MAX 128
void http_agent(const struct check_conf *, char buf[static HTTP_AGENT_MAX]);

void http_plain_init(struct http_plain *);
void http_plain_start(struct http_plain *);
void http_plain_rebind(struct http_plain *);
void http_plain_done(struct http_plain *);

#endif
