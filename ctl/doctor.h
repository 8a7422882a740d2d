/*
 * doctor.h - between the files of `trivet doctor`: what is seen on the network,
 * as facts for diagnose.h.  Blocking; root.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

/* "interfaces" of diagnose.h. */
json_t *doctor_interfaces(int (*rp_filter)(const char *device));

/* "addresses"; NULL: the kernel does not say. */
json_t *doctor_addresses(void);

/*
 * "answers" and "speakers": for so many milliseconds listen on the interfaces of
 * the instances for adverts, and ask once by ARP who has each IPv4 address, as
 * a host asks before it takes one (RFC 5227): nobody's cache changes.
 */
void doctor_listen(json_t *facts, const json_t *instances, int ms);

#endif
