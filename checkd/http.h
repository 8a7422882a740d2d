/*
 * http.h - what an answer over HTTP means to a check.  Pure: the exchange is
 * somebody else's, and so is the clock.
 */
#ifndef CHECKD_HTTP_H
#define CHECKD_HTTP_H

#include "checkd/verdict.h"
#include "common/conf/conf.h"
#include "common/text.h"

struct http_answer {
	unsigned status;
	const char *body; /* any bytes, and a NUL behind them */
	size_t body_size;
};

/*
 * REASON_OK, REASON_STATUS or REASON_PROTOCOL (the body is not the expected
 * one); evidence in words is added to 'detail', nothing when it is good.
 */
enum check_reason http_judge(
    const struct http_conf *, const struct http_answer *, struct text *detail);

/* What came, its beginning, printable: '; got "..."' is added. */
void http_quote(struct text *, const char *bytes, size_t size);

/* "Nov  1 23:20:12 2026 GMT", as OpenSSL prints it: seconds since 1970; or -EINVAL. */
int http_parse_expiry(const char *text, int64_t *ret_seconds);

/*
 * Does a certificate that ends then deserve a word today?  False for one that
 * has ended: that is a failure, told elsewhere.
 */
bool http_expires_soon(const struct http_conf *, int64_t expiry_seconds, int64_t now_seconds);

#endif
