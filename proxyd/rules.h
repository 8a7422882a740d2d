/*
 * rules.h - what a listener wants of its sessions beyond forwarding: the key of
 * a hash, and what is to be known or checked of a client.  Immutable; shared by
 * the routes of all data threads.
 */
#ifndef PROXYD_RULES_H
#define PROXYD_RULES_H

#include "common/conf/conf.h"
#include "proxyd/limit.h"

struct logfile;	 /* logfile.h */
struct upstream; /* upstream.h */
struct upstreams;

struct rules {
	unsigned refs;				     /* atomic */
	struct stream_template key;		     /* of its upstream; n 0: none */
	struct client_conf *client;		     /* a reference */
	bool proxy_protocol;			     /* a header of it comes first */
	struct limit_zone *zones[CLIENT_LIMITS_MAX]; /* of client->limits, each a reference */
	struct server_words *words;		     /* a reference; NULL: there are none */
	struct logfile **access, **errors;	     /* of words->access and words->errors */
	bool preread;				     /* ssl_preread */
	int64_t preread_timeout_us;
	size_t preread_size;
	/* proxy_pass with variables: all that it may come to (rules_aim) */
	struct rules_target *targets; /* by name */
	size_t n_targets;
};

struct rules_target {
	char *name;
	struct upstream *up; /* a reference */
	struct stream_template key;
};

/* NULL when the listener wants nothing: its sessions then pay nothing. */
struct rules *rules_new(const struct listener_conf *);
void rules_ref(struct rules *); /* both accept NULL */
void rules_unref(struct rules *);

/* proxy_pass with variables goes to these; before any data thread has the rules. */
void rules_aim(struct rules *, const struct conf *, struct upstreams *); /* accepts NULL */
struct upstream *rules_target(const struct rules *, const char *name);	 /* or NULL */

/* What a hash of this upstream is taken of; NULL: there is none. */
const struct stream_template *rules_key(const struct rules *, const struct upstream *);

/* Is anything to be known of a client before it gets a server? */
bool rules_greet(const struct rules *);

#endif
