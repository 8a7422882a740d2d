/*
 * filter.h - the socket filter of a VRRP socket, as a classic BPF program: what
 * is nobody's business here is dropped by the kernel, before it costs a wake-up
 * or room in the receive buffer.  Pure: makes the program, attaches nothing.
 *
 * The lax form knows virtual routers only: several hundred others on a segment
 * are ordinary, and none of ours.  The strict form is for a storm: it drops
 * what could not be acted upon either, which is then not counted by anybody (a
 * classic filter has no memory).
 */
#ifndef VRRPD_FILTER_H
#define VRRPD_FILTER_H

#include "common/addr.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_SOURCES_MAX 16  /* more peers than that on one socket: sources are not looked at */
#define FILTER_MAX	   256 /* instructions; jumps reach no farther */

struct filter_spec {
	uint8_t family;
	uint32_t vrids[8]; /* bit n % 32 of word n / 32: VRID n is ours */
	bool strict;
	/* What follows is for the strict form only. */
	unsigned versions; /* bit 2, bit 3 */
	bool multicast;	   /* somebody hears a group */
	bool any_source;   /* more peers than fit */
	struct addr sources[FILTER_SOURCES_MAX];
	size_t n_sources;
};

void filter_add_vrid(struct filter_spec *, uint8_t vrid);
/* Again is harmless. */
void filter_add_source(struct filter_spec *, const struct addr *);

/*
 * The program for a raw socket: IPv4 packets begin with their header there,
 * IPv6 ones with the message.  Returns its length.
 */
size_t filter_make(const struct filter_spec *, struct sock_filter ret[static FILTER_MAX]);

#endif
