/*
 * forward.h - what the file said about forwarding: upstreams with their servers,
 * listeners, and how servers are to be checked.  Part of conf.h, which says what
 * holds for all of it.
 */
#ifndef COMMON_CONF_FORWARD_H
#define COMMON_CONF_FORWARD_H

#include "common/addr.h"
#include "common/conf/client.h"
#include "common/conf/diag.h"
#include "common/conf/template.h"
#include "common/conf/words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct check_conf;

struct server_conf {
	char *text;		  /* as written, "10.4.7.21:6443": its name on the bus */
	struct endpoint endpoint; /* AF_UNSPEC: it is a host name, or a unix socket (no host) */
	char *host;		  /* the name to resolve, or NULL */
	bool is_service;	  /* it has SRV records, which say addresses and ports */
	unsigned weight, max_fails, max_conns;
	int64_t fail_timeout_us;
	int64_t slow_start_us; /* 0: none */
	bool backup, down;
	bool resolve; /* ask for 'host' again and again, not once */
	struct conf_pos pos;
};

/* match NAME { send; expect; }: what a checked server is told and has to answer. */
struct match_conf {
	char *name;
	char *send; /* NULL: nothing is sent; \xHH is decoded, so not a string */
	size_t send_size;
	char *expect; /* NULL: any answer, also none */
	size_t expect_size;
	bool is_regex; /* a regular expression (common/regex.h), else bytes that must occur */
	bool ignore_case;
	struct conf_pos pos;
};

/* health_check: servers of an upstream are asked by checkd, each by its address. */
struct health_conf {
	int64_t interval_us; /* 5 s */
	int64_t jitter_us;   /* up to so much is added to each interval: 0 */
	int64_t timeout_us;  /* health_check_timeout: 5 s */
	unsigned fails, passes;
	uint16_t port;	/* 0: the server's own */
	bool mandatory; /* a server is down until its first good answer */
	bool udp;
	const struct match_conf *match; /* NULL: a connect is enough */
	const struct check_conf
	    *check; /* ask as this check does, at the server's address; or NULL */
	struct conf_pos pos;
};

#define RESOLVER_SERVERS_MAX 3	 /* MAXNS of resolver(3) */
#define NAME_SERVER_MAX	     253 /* bytes of a name (RFC 1035, 2.3.4) */

struct name_server {
	struct endpoint at;
	char host[NAME_SERVER_MAX + 1]; /* asked of the system first; "": 'at' has the address */
};

/* resolver, resolver_timeout: who is asked for names that are asked for again and again. */
struct resolver_conf {
	struct name_server servers[RESOLVER_SERVERS_MAX];
	size_t n;	    /* 0: the system's resolver, and the rest means nothing */
	int64_t valid_us;   /* an answer is good for so long; 0: as long as it says */
	int64_t timeout_us; /* 30 s */
	bool no_ipv4, no_ipv6;
};

enum balance_kind {
	BALANCE_ROUND_ROBIN,
	BALANCE_LEAST_CONN,
	BALANCE_HASH,
	BALANCE_KETAMA, /* hash KEY consistent */
	BALANCE_RANDOM,
	BALANCE_RANDOM_TWO,
};
const char *balance_kind_str(enum balance_kind); /* in the words of the file */

/* What becomes of the sessions of a server that is down or in maintenance. */
enum down_policy { DOWN_KEEP, DOWN_DRAIN, DOWN_CLOSE };

struct upstream_conf {
	char *name; /* of an implicit one (proxy_pass to an address): that address */
	bool implicit;
	struct server_conf *servers;
	size_t n_servers;
	enum balance_kind balance;
	struct stream_template key;    /* of the hashes */
	struct resolver_conf resolver; /* of its servers with 'resolve' */
	enum down_policy on_down;
	int64_t drain_us;	       /* DOWN_DRAIN: so long they may go on */
	struct health_conf *health;    /* NULL: not checked actively */
	int64_t age_us, age_jitter_us; /* max_session_age, where its listener says nothing */
	struct conf_pos pos;
};

#define SOURCES_MAX 16 /* each is good for some 28,000 connections to one server */

struct keepalive_conf {
	bool is_on;
	unsigned idle_s, interval_s, count; /* 0: the system's */
};

/* What a listening socket is made with. */
struct listen_conf {
	unsigned backlog;      /* 511 */
	unsigned fastopen;     /* queue of; 0: none */
	size_t rcvbuf, sndbuf; /* 0: the system's */
	bool deferred;	       /* a client is let in with its first byte */
	struct keepalive_conf keepalive;
};

struct listener_conf {
	char *name;		  /* "10.4.7.10:7443", "*:7443", "[::]:7443", "unix:/run/x" */
	struct endpoint endpoint; /* wildcard: the any-address of its family; none: a unix socket */
	bool udp;
	bool ipv6_only;
	struct listen_conf listen;
	const struct upstream_conf *upstream; /* NULL: it answers by itself, or words->pass says */
	int64_t connect_timeout_us, timeout_us; /* timeout 0: never */
	int64_t half_timeout_us;		/* of half-closed sessions; 0: as timeout_us */
	int64_t user_timeout_us;       /* TCP_USER_TIMEOUT of both sides; 0: the system's */
	int64_t age_us, age_jitter_us; /* of a session at most, up to so much less; 0: any */
	bool next_upstream;
	unsigned next_upstream_tries;	  /* 0: all */
	int64_t next_upstream_timeout_us; /* 0: no limit */
	bool half_close, tcp_nodelay;
	unsigned requests, responses; /* UDP: of a session; 0, UINT32_MAX: no limit */
	size_t buffer_size;
	/* towards servers */
	bool keepalive;
	size_t rcvbuf, sndbuf;		  /* 0: the system's */
	struct addr sources[SOURCES_MAX]; /* proxy_bind: local addresses, used in turn */
	size_t n_sources;
	bool ssl_preread; /* look at the ClientHello before a server is chosen */
	int64_t preread_timeout_us;
	size_t preread_size;
	struct server_words *words; /* a reference, of all listeners of the server */
	bool proxy_protocol;	    /* a header of it comes before the client's first byte */
	struct client_conf *client; /* the configuration's */
	struct conf_pos pos;
};

#endif
