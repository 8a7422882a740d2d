/*
 * pair.h - the configurations of several nodes against each other: the mistakes
 * that only show in a failover (design.md section 8).  Pure.
 *
 * Instances of two nodes belong together when family and VRID are the same and
 * they could hear each other: both multicast, or one lists the other as a peer.
 */
#ifndef CTL_PAIR_H
#define CTL_PAIR_H

#include "common/conf/conf.h"

struct pair_node {
	const char *name; /* for people: the file, and the id when one was given */
	const struct conf *conf;
};

struct pair_finding {
	enum conf_severity severity;
	size_t node; /* whose file it points into */
	struct conf_pos pos;
	char *message;
};
struct pair_findings {
	struct pair_finding *items;
	size_t n;
};

void pair_check(const struct pair_node *, size_t n, struct pair_findings *ret);
/* The instance of the other node that is one router with this one, or NULL. */
const struct vrrp_conf *pair_partner(const struct vrrp_conf *, const struct conf *other);
void pair_findings_done(struct pair_findings *);

#endif
