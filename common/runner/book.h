/*
 * book.h - the configurations the runner knows, by digest: what a number in a
 * request means.  Read by the runner itself, never taken from a peer.
 *
 * Daemons change over one after another, so the last few generations are kept;
 * an unknown digest makes the runner read the file again, and its own last-good
 * copy covers a file that broke meanwhile.
 */
#ifndef COMMON_RUNNER_BOOK_H
#define COMMON_RUNNER_BOOK_H

#include "common/conf/conf.h"
#include "common/mono.h"

#define BOOK_GENERATIONS 4 /* three daemons, each at most one reload behind, and the newest */

struct book {
	const char *conf_path, *state_dir, *node_id; /* kept, not copied */
	struct conf *generations[BOOK_GENERATIONS];  /* newest first */
	mono_t read_at;				     /* when the file was last read for a peer */
};

/* Read the file, and last-good.  0, or -EINVAL when there is neither (logged). */
int book_open(struct book *);
void book_close(struct book *);

/* Read the file again (SIGHUP). */
void book_refresh(struct book *);

/*
 * The configuration with this digest, or NULL.  May read the file, but at most
 * once a second: a peer must not keep root busy parsing.
 */
const struct conf *book_find(struct book *, const char *digest, mono_t now);

#endif
