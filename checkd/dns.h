/*
 * dns.h - one question to a name server and what its answer says (RFC 1035,
 * section 4).  Pure.  A message is read once from front to back; names are
 * passed over, never followed, so a compression pointer can do nothing.
 */
#ifndef CHECKD_DNS_H
#define CHECKD_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_QUERY_MAX 272 /* header, a name of 255 bytes, type and class */

struct dns_answer {
	uint8_t rcode;
	bool truncated;	  /* there would be more over TCP */
	unsigned records; /* of the type asked for, in the answer section */
};

/* A recursive query for class IN; its size, or -EINVAL: 'name' is no domain name. */
int dns_query_encode(
    uint16_t id, const char *name, uint16_t type, uint8_t ret[static DNS_QUERY_MAX]);

/*
 * 0; -ENOENT: not an answer to that query (its id, its question); -EBADMSG: it
 * is, but cannot be read.
 */
int dns_answer_decode(const uint8_t *query, size_t query_size, const uint8_t *bytes, size_t size,
    struct dns_answer *ret);

const char *dns_rcode_str(uint8_t rcode); /* "NXDOMAIN"; "" for unusual ones */

#endif
