/*
 * fetch.h - one HTTP exchange at a time, as checkd asks for it of the module
 * probe_http.so, which alone knows libcurl (probe_http_curl.c).  checkd does
 * not link the module: fetch_module loads it when the first check that needs it
 * is configured.  Either side may be older than the other by an upgrade; the
 * version says so.
 *
 * Nothing here resolves a name: whoever asks says which address to connect to.
 */
#ifndef CHECKD_FETCH_H
#define CHECKD_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define FETCH_VERSION	 "2 " TRIVET_VERSION
#define FETCH_BODY_MAX	 65536 /* of an answer; what comes behind is not read */
#define FETCH_HEADER_MAX 65536 /* of all its header lines together */

struct fetch_request { /* read before start returns; nothing of it is kept */
	const char *url;
	const char *connect_to; /* address, brackets around IPv6; the port is the URL's */
	const char *method;
	char *const *headers; /* "Name: value" */
	size_t n_headers;
	const char *user_agent;
	const struct sockaddr *from; /* bound to; NULL: anywhere */
	socklen_t from_size;
	const char *from_if; /* NULL: any */
	bool keep_alive;
	unsigned redirects; /* followed, as long as they stay on the host of the URL; 0: none */
	int64_t timeout_us;
	/* https */
	bool verify;
	bool wants_expiry;
	const char *sni; /* name to ask for and to verify; NULL: the URL's */
	const char *ca;	 /* NULL: the system's */
};

enum fetch_end {
	FETCH_DONE, /* a whole answer, or its first FETCH_BODY_MAX bytes */
	FETCH_TIMEOUT,
	FETCH_REFUSED,
	FETCH_UNREACHABLE,
	FETCH_TLS,
	FETCH_PROTOCOL,
	FETCH_SYSTEM,
};

struct fetch_reply { /* valid inside on_end only */
	enum fetch_end end;
	const char *why;    /* in words; "" for FETCH_DONE */
	unsigned status;    /* 0: there was no answer */
	const char *body;   /* any bytes; NUL-terminated beyond its size */
	size_t body_size;   /* at most FETCH_BODY_MAX */
	const char *expiry; /* "Nov 21 23:20:12 2026 GMT": of the chain, what ends first; or NULL */
};

struct fetch_engine;
struct fetch;

struct fetch_api {
	const char *version; /* FETCH_VERSION; nothing else may be read when it differs */
	struct fetch_engine *(*engine_new)(uv_loop_t *); /* NULL: no memory */
	/* on_end comes once, never before start returns; the fetch is gone then. */
	struct fetch *(*start)(struct fetch_engine *, const struct fetch_request *,
	    void (*on_end)(void *aux, const struct fetch_reply *), void *aux);
	void (*cancel)(struct fetch *); /* on_end does not come */
};

#define FETCH_SYMBOL "trivet_fetch_api"
extern const struct fetch_api trivet_fetch_api;

/* ---- checkd's side: fetch_module.c ---- */

struct fetch_module;

/* Beside the program, or where it is installed; loaded when first asked for. */
struct fetch_module *fetch_module_new(uv_loop_t *);
void fetch_module_free(struct fetch_module *); /* accepts NULL; it stays loaded */

/*
 * The module's calls and its engine; NULL: it cannot be loaded, *ret_why says
 * why (valid until the next call).  Asked again later it may be there: the
 * package may be installed while we run.
 */
const struct fetch_api *fetch_module_api(
    struct fetch_module *, struct fetch_engine **ret_engine, const char **ret_why);

#endif
