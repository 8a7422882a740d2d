/*
 * request.h - what an http check says, in the bytes that libcurl would send for
 * it (RFC 9112, 3): whichever way a check is made, a server sees the same.  Pure.
 */
#ifndef CHECKD_REQUEST_H
#define CHECKD_REQUEST_H

#include "common/conf/conf.h"
#include "common/text.h"

/* Of a plain http check: added to 'out'. */
void request_compose(const struct check_conf *, const char *user_agent, struct text *out);

#endif
