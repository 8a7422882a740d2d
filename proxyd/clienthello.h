/*
 * clienthello.h - what the first message of TLS says in the clear: the name of
 * the server that is wanted, the protocols to be spoken in it, the newest
 * version that the client knows (RFC 8446 4.1.2, RFC 6066 3, RFC 7301).
 *
 * Pure, and without state: whoever has got more bytes asks again from the
 * first one.  It believes no length; what is no hello is told as soon as it can
 * be, so that a client of something else does not wait.
 */
#ifndef PROXYD_CLIENTHELLO_H
#define PROXYD_CLIENTHELLO_H

#include <stddef.h>
#include <stdint.h>

#define CLIENTHELLO_NAME 256 /* with its NUL: a name in the DNS has at most 253 characters */
#define CLIENTHELLO_ALPN 256 /* of all protocols together; those that do not fit are left out */

struct clienthello {
	char server_name[CLIENTHELLO_NAME]; /* "": none, or none that can be one */
	char alpn[CLIENTHELLO_ALPN];	    /* "h2,http/1.1" */
	const char *protocol;		    /* "TLSv1.3", ...; "": a version nobody has heard of */
};

enum clienthello_found {
	CLIENTHELLO_MORE, /* so far it may be one */
	CLIENTHELLO_YES,
	CLIENTHELLO_NO,
};

/* *ret is filled with YES, else untouched. */
enum clienthello_found clienthello_parse(
    const uint8_t *bytes, size_t size, struct clienthello *ret);

#endif
