/*
 * diagnose.h - what `trivet doctor` concludes from what it saw on a running node:
 * the network around the virtual addresses, not the daemons' own word (that is
 * `trivet status`).  Pure: facts in, findings out; what looks is doctor.c.
 *
 * Facts, each of which may be absent (it could not be looked at):
 *
 *   { "instances": [Instance], "daemons": as in node.h,
 *     "interfaces": { "eth0": { "up": true, "multicast": true, "rpFilter": 1 } },
 *     "addresses": [ { "device": "eth0", "address": "10.4.7.10", "network": "10.4.7.0/24",
 *                      "ours": true } ],
 *     "answers": [ { "device": "eth0", "address": "10.4.7.10", "mac": "02:..." } ],
 *     "speakers": [ { "device": "eth0", "family": "ipv4", "source": "10.4.7.12",
 *                     "virtualRouterId": 51, "version": 2, "priority": 90 } ],
 *     "ruleset": what `nft -j list ruleset` printed,
 *     "capabilities": { "vrrpd": 12288 },
 *     "clock": { "suspendedSec": 0, "stepSec": 0, "synchronised": true } }
 */
#ifndef CTL_DIAGNOSE_H
#define CTL_DIAGNOSE_H

#include <jansson.h>

/*
 * A new array of {severity, subject, message}, worst first; severity is
 * "critical", "warning" or "notice".
 */
json_t *diagnose(const json_t *facts);

#endif
