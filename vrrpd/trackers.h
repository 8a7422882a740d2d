/*
 * trackers.h - what one instance's priority depends on: its checks (by way of
 * verdicts.h), interfaces, proxyd and its upstreams (proxyview.h) and the
 * operator's word, as the terms of priority.h, kept up to date and summed.
 * Between the world and the sum stands nothing else.
 */
#ifndef VRRPD_TRACKERS_H
#define VRRPD_TRACKERS_H

#include "common/conf/conf.h"
#include "common/netlink.h"
#include "vrrpd/priority.h"
#include "vrrpd/proxyview.h"
#include "vrrpd/record.h"
#include "vrrpd/verdicts.h"

/* A link that went down or came up, which counts a while later (interface_up_down_delays). */
struct link_delay {
	bool counted;  /* up, as it counts */
	mono_t turned; /* since when the link says otherwise; MONO_NEVER: it does not */
};

struct trackers {
	uint8_t base;
	struct prio_term *terms;   /* texts are ours */
	struct prio_line *lines;   /* of the last sum */
	struct link_delay *delays; /* of the interfaces, the first terms */
	size_t n;
	struct prio_sum sum;
	mono_t again_at; /* look again: the sum may change by time alone; MONO_NEVER */
	const struct conf *all;
	const struct vrrp_conf *conf; /* of it */
	mono_t proxy_since;	      /* since when proxyd does not serve; MONO_NEVER: it does */
	bool needs_address;	      /* the interface must have one of this family to send from */
	uint8_t family;
	bool touched;	    /* by the last update: something that people are shown changed */
	bool track_primary; /* the instance's own interface being up */
};

/* Where verdicts come from; either may be NULL: nothing of the kind is tracked. */
struct trackers_world {
	const struct verdicts *verdicts;
	const struct proxyview *proxy;
	const struct netlink *nl;
};

void trackers_init(struct trackers *); /* no terms; embedded by its owner */
void trackers_done(struct trackers *);

/*
 * What is tracked from now on.  A term that was there before keeps its verdict;
 * a new check is waited for from 'now' on.  The first term is the instance's own
 * interface.  'conf' and 'all' are kept.
 */
void trackers_configure(
    struct trackers *, const struct conf *all, const struct vrrp_conf *, mono_t now);

/* Verdicts that the last process knew until 'proof', for the first moments of this one. */
void trackers_restore(struct trackers *, const struct record_instance *, mono_t proof);
/* ... and for the next one; texts are copied. */
void trackers_record(const struct trackers *, struct record_instance *ret);

/*
 * Look at the world and sum up.  True when a line of the arithmetic changed;
 * the first such term's cause is then in 'cause'.
 */
bool trackers_update(struct trackers *, const struct trackers_world *, mono_t now,
    char cause[static PRIO_CAUSE_STRLEN]);

/* The operator's term: so much more or less, until 'until'; 0 takes it away.  'evidence'
 * says who and for how long; update next. */
void trackers_adjust(struct trackers *, int delta, mono_t until, const char *evidence, mono_t now);

/* In words, why the sum says FAULT. */
const char *trackers_fault(const struct trackers *, char cause[static PRIO_CAUSE_STRLEN]);

bool trackers_any_weighted_check(const struct trackers *);

/* Have checkd run them now. */
void trackers_ask(const struct trackers *, struct verdicts *);

/*
 * Every weighted check's verdict is from a run begun after 'since', or an
 * operator's word; and none is up while its last run failed (`fall` above 1).
 */
bool trackers_fresh_since(const struct trackers *, const struct verdicts *, mono_t since);

/* The address an instance sends from, unless one is configured: the first of its family on the
 * link that is no VIP (IPv6: link-local). */
bool trackers_primary(const struct netlink_link *, uint8_t family, struct addr *ret);

#endif
