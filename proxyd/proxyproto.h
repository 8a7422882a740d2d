/*
 * proxyproto.h - the header of the PROXY protocol, versions 1 and 2: who the
 * client is, said by a proxy before the client's first byte.
 *
 * Pure.  The reader believes nothing: what is not exactly a header is refused,
 * for good and with its reason; what may still become one asks for more bytes,
 * never for more than PROXYPROTO_MAX of them.
 */
#ifndef PROXYD_PROXYPROTO_H
#define PROXYD_PROXYPROTO_H

#include "common/addr.h"

#define PROXYPROTO_V1_MAX	107  /* with CR and LF: the protocol's own bound */
#define PROXYPROTO_MAX		4096 /* of version 2, with its TLVs; what nginx takes */
/* What proxyproto_compose may write: version 1 with two IPv6 addresses is the longest. */
#define PROXYPROTO_COMPOSED_MAX PROXYPROTO_V1_MAX

/* Why it is none; words for logs beside it. */
enum proxyproto_error {
	PROXYPROTO_OK,
	PROXYPROTO_NONE,     /* begins like no header */
	PROXYPROTO_TOO_LONG, /* longer than a header may be */
	PROXYPROTO_LINE,     /* version 1: a line that says something else */
	PROXYPROTO_ADDRESS,  /* version 1: an address or port that is none, or of another family */
	PROXYPROTO_VERSION,  /* neither 1 nor 2 */
	PROXYPROTO_COMMAND,  /* neither LOCAL nor PROXY */
	PROXYPROTO_FAMILY,   /* an address family or transport that the protocol does not know */
	PROXYPROTO_SHORT,    /* its addresses are longer than itself */
	PROXYPROTO_TLV,	     /* a TLV that is longer than the rest */
	PROXYPROTO_CHECKSUM, /* the CRC32c in it is another's */
	PROXYPROTO_ERRORS,
};
const char *proxyproto_error_str(enum proxyproto_error);

/* Types of TLVs (version 2). */
enum {
	PROXYPROTO_TLV_ALPN = 0x01,
	PROXYPROTO_TLV_AUTHORITY = 0x02,
	PROXYPROTO_TLV_CRC32C = 0x03,
	PROXYPROTO_TLV_NOOP = 0x04,
	PROXYPROTO_TLV_UNIQUE_ID = 0x05,
	PROXYPROTO_TLV_SSL = 0x20,
	PROXYPROTO_TLV_NETNS = 0x30,
};

struct proxyproto {
	uint8_t version; /* 1, 2 */
	/*
	 * AF_UNSPEC both: the header names nobody (LOCAL, UNKNOWN, unix sockets), the
	 * connection's own addresses hold.
	 */
	struct endpoint source, destination;
	bool dgram;
	/* TLVs, as they lie in the header; version 2 only. */
	uint16_t tlvs_at, tlvs_size;
};

/*
 * A header at the start of 'bytes'?  Its size (*ret is filled); 0: so far it may
 * be one, more is needed; -EBADMSG: it is none, *ret_error says why.  Otherwise
 * *ret and *ret_error are untouched.
 */
int proxyproto_parse(
    const uint8_t *bytes, size_t size, struct proxyproto *ret, enum proxyproto_error *ret_error);

/* The value of the first TLV of a type, as it lies in 'bytes', or NULL. */
const uint8_t *proxyproto_tlv(
    const uint8_t *bytes, const struct proxyproto *, uint8_t type, uint16_t *ret_size);

/*
 * Write a header of version 1 or 2; returns its size.  Addresses of two families
 * are written as IPv6 both (RFC 4291, 2.5.5.2); if one is missing (a unix socket)
 * it says that nothing is known.  dgram: version 2 only.
 */
size_t proxyproto_compose(unsigned version, const struct endpoint *source,
    const struct endpoint *destination, bool dgram, uint8_t buf[static PROXYPROTO_COMPOSED_MAX]);

#endif
