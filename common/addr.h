/*
 * addr.h - an IPv4 or IPv6 address as a value: parse, print, compare.
 * Bytes are in network order.  Pure: no resolver, no socket.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	uint8_t family; /* AF_INET, AF_INET6; AF_UNSPEC (zeroed) means none */
	uint8_t bytes[16];
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

#define ADDR_STRLEN	46			  /* longest IPv6 text and its NUL */
#define ENDPOINT_STRLEN (ADDR_STRLEN + 2 + 1 + 5) /* "[...]:65535" */

/* 0, or -EINVAL (neither family; names are not resolved).  *ret is untouched on failure. */
int addr_parse(const char *text, struct addr *ret);

/* The canonical text ("" for none), in buf; returns buf. */
const char *addr_format(const struct addr *, char buf[static ADDR_STRLEN]);

/* 4 or 16; 0 for none. */
size_t addr_size(const struct addr *);

/* Unsigned, in network order, IPv4 before IPv6: the order of RFC 9568's tie-break. */
int addr_cmp(const struct addr *, const struct addr *);
bool addr_equal(const struct addr *, const struct addr *);
bool addr_is_any(const struct addr *);
bool addr_is_multicast(const struct addr *);
bool addr_is_link_local(const struct addr *);
/* Of one family, and their first bits are the same. */
bool addr_in_prefix(const struct addr *, const struct addr *prefix, uint8_t prefix_length);

/* A network: the first 'bits' of its addresses are those of 'addr', the others there zero. */
struct addr_range {
	struct addr addr;
	uint8_t bits;
};

/* "10.0.0.0/8", "2001:db8::/32", or one address.  0, or -EINVAL; bits beyond the mask are dropped.
 */
int addr_range_parse(const char *text, struct addr_range *ret);
bool addr_range_has(const struct addr_range *, const struct addr *);

/* An IPv4 address in its IPv6 form (::ffff:10.0.0.1) as IPv4; any other as it is. */
struct addr addr_unmapped(const struct addr *);

/* "10.0.0.1:80", "[::1]:80".  0, or -EINVAL; the port may not be 0. */
int endpoint_parse(const char *text, struct endpoint *ret);
const char *endpoint_format(const struct endpoint *, char buf[static ENDPOINT_STRLEN]);
bool endpoint_equal(const struct endpoint *, const struct endpoint *);

/* "unix:/PATH" in the kernel's form; 0: it is not that, or too long. */
socklen_t unix_to_sockaddr(const char *text, struct sockaddr_storage *ret);
bool unix_equal(const char *text, const struct sockaddr_storage *);

/* To and from the kernel's form; the first returns the size to pass along. */
socklen_t endpoint_to_sockaddr(const struct endpoint *, struct sockaddr_storage *ret);
int endpoint_from_sockaddr(const struct sockaddr *, struct endpoint *ret);

#endif
