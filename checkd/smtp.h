/*
 * smtp.h - the beginning of a dialog with a mail server, as far as a check
 * goes (RFC 5321, 3.1): it greets, it answers EHLO, we leave.  Pure: bytes in,
 * what to say next out.
 */
#ifndef CHECKD_SMTP_H
#define CHECKD_SMTP_H

#include <stddef.h>

#define SMTP_LINE_MAX  1024  /* twice what 4.5.3.1.5 allows */
#define SMTP_TOTAL_MAX 65536 /* of everything it says */
#define SMTP_SHOWN_MAX 128

enum smtp_phase { SMTP_GREETING, SMTP_EHLO, SMTP_QUIT };

enum smtp_step {
	SMTP_MORE,     /* wait for more */
	SMTP_SAY_EHLO, /* it greeted us */
	SMTP_SAY_QUIT, /* it is up: nothing that comes now changes that */
	SMTP_UP,
	SMTP_DOWN, /* 'why' says it */
};

struct smtp { /* zeroed: nothing has come yet */
	enum smtp_phase phase;
	char line[SMTP_LINE_MAX];
	size_t size, total;
	char why[SMTP_SHOWN_MAX + 64];
};

/*
 * Takes bytes up to the end of a reply, *used of them, and says what is next.
 * After SMTP_UP or SMTP_DOWN it is over.
 */
enum smtp_step smtp_feed(struct smtp *, const char *bytes, size_t size, size_t *used);

/* It closed the connection: SMTP_UP or SMTP_DOWN. */
enum smtp_step smtp_closed(struct smtp *);

/* For what we wait: "no greeting". */
const char *smtp_waiting(const struct smtp *);

#endif
