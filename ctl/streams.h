/*
 * streams.h - the same streaming call to several daemons, and whichever speaks
 * next; one that is away is tried again for as long as somebody waits.
 */
#ifndef CTL_STREAMS_H
#define CTL_STREAMS_H

#include "ctl/ctl.h"
#include "ipc/call.h"

struct stream {
	const char *daemon;
	const char *method;
	struct ipc_link *link; /* NULL: away */
	/* The reader's own: the last sequence it saw, of that process of the daemon. */
	int64_t seen;
	char epoch[32];
};

/* Opens what can be opened; returns how many are there. */
size_t streams_open(const char *run_dir, struct stream *, size_t n);

/*
 * The next reply of any of them, or 0 after 'timeout_ms' (-1: for ever).  1 with
 * the parameters (to be released) and whose they are.
 */
int streams_next(const char *run_dir, struct stream *, size_t n, int timeout_ms, json_t **ret,
    struct stream **ret_from);
void streams_close(struct stream *, size_t n);

#endif
