/*
 * diagnose_nft.h - would this ruleset of nftables drop VRRP?  A reading of
 * `nft -j list ruleset` (libnftables-json(5)), careful to one side: it says so
 * only where no rule could let an advert through.  Pure.
 */
#ifndef CTL_DIAGNOSE_NFT_H
#define CTL_DIAGNOSE_NFT_H

#include <jansson.h>

/*
 * The chain of 'hook' ("input", "output") that drops IP protocol 112, and why:
 * "inet filter input: policy drop, and no rule accepts it"; to be freed.  NULL: none.
 */
char *diagnose_nft_drops(const json_t *ruleset, const char *hook);

#endif
