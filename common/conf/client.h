/*
 * client.h - what the file wants of those who connect to a listener: whose word
 * about the client counts, who may come, how many, how fast.
 *
 * Immutable once the file is read, and counted: a session that outlives the
 * configuration keeps what it began with.
 */
#ifndef COMMON_CONF_CLIENT_H
#define COMMON_CONF_CLIENT_H

#include "common/addr.h"
#include "common/conf/diag.h"
#include "common/conf/template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_RULES_MAX                                                                           \
	4096		    /* lines of allow and deny of one block: they are looked at in turn    \
			     */
#define CLIENT_LIMITS_MAX 8 /* limit_conn lines of one block */

/* limit_conn_zone: counts of sessions by a key. */
struct limit_zone_conf {
	char *name;
	struct stream_template key;
	size_t size; /* bytes */
	struct conf_pos pos;
};

struct conf;

const struct limit_zone_conf *limit_zone_conf_find(
    const struct conf *, const char *name); /* or NULL */

/* Some clients: all, those of unix sockets, those of a network. */
struct client_range {
	enum { CLIENT_ALL, CLIENT_UNIX, CLIENT_NETWORK } kind;
	struct addr_range network;
};

struct access_rule {
	bool allow;
	struct client_range who;
};

struct limit_conf {
	char *zone;		    /* its name */
	struct stream_template key; /* of the zone; a copy */
	size_t size;
	unsigned max;
	struct conf_pos pos;
};

struct client_conf {
	unsigned refs; /* atomic */
	/* set_real_ip_from */
	struct client_range *trusted;
	size_t n_trusted;
	/* allow and deny: the first that fits holds; none: it may come */
	struct access_rule *rules;
	size_t n_rules;
	struct limit_conf limits[CLIENT_LIMITS_MAX];
	size_t n_limits;
	bool limit_dry_run;
	int limit_log_level; /* as syslog(3) has them */
	/* bytes in a second from the client and from the server; 0: as they come */
	uint64_t rates[2];
	int64_t header_timeout_us; /* proxy_protocol_timeout */
	unsigned announce;	   /* proxy_protocol: the version servers get; 0: none */
	bool transparent;	   /* proxy_bind $remote_addr transparent */
	bool transparent_port;	   /* $remote_addr:$remote_port */
	/* which of the lists stand in this block itself, not in stream {} */
	bool own_trusted, own_rules, own_limits;
};

struct client_conf *client_conf_new(const struct client_conf *inherited); /* NULL: from nobody */
struct client_conf *client_conf_ref(struct client_conf *);
void client_conf_unref(struct client_conf *); /* accepts NULL */

/* Is a client with this address (AF_UNSPEC: of a unix socket) among them? */
bool client_range_has(const struct client_range *, const struct addr *);
bool client_is_trusted(const struct client_conf *, const struct addr *);
bool client_is_allowed(const struct client_conf *, const struct addr *);

#endif
