/*
 * rules.h - what a listener wants of its sessions beyond forwarding: the key of
 * a hash, and what is to be known or checked of a client.  Immutable; shared by
 * the routes of all data threads.
 */
#ifndef PROXYD_RULES_H
#define PROXYD_RULES_H

#include "common/conf/conf.h"
#include "proxyd/limit.h"

struct rules {
	unsigned refs;				     /* atomic */
	struct stream_template key;		     /* of its upstream; n 0: none */
	struct client_conf *client;		     /* a reference */
	bool proxy_protocol;			     /* a header of it comes first */
	struct limit_zone *zones[CLIENT_LIMITS_MAX]; /* of client->limits, each a reference */
};

/* NULL when the listener wants nothing: its sessions then pay nothing. */
struct rules *rules_new(const struct listener_conf *);
void rules_ref(struct rules *); /* both accept NULL */
void rules_unref(struct rules *);

/* Is anything to be known of a client before it gets a server? */
bool rules_greet(const struct rules *);

#endif
