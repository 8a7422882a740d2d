/*
 * active.h - the checks that `health_check` asks for: one for each address,
 * port and question, however many upstreams share it.
 *
 * The addresses are those in the file, and those that proxyd has found for the
 * servers' names and wishes to be asked (watch.h): of a name, proxyd alone
 * knows what it stands for at the moment.
 */
#ifndef CHECKD_ACTIVE_H
#define CHECKD_ACTIVE_H

#include "common/conf/conf.h"

#include <sys/queue.h>

/* More addresses of one upstream, by whoever embeds it; all is his. */
struct wish {
	TAILQ_ENTRY(wish) entry;
	const char *upstream;
	const struct endpoint *servers;
	size_t n_servers;
};
TAILQ_HEAD(wishes, wish);

struct active_check {
	struct check_conf conf; /* its own name, all else borrowed from the file */
	const char **users;	/* names of upstreams, in the order of the file; theirs */
	size_t n_users;
	size_t order;
};

struct active {
	struct active_check *checks;
	size_t n;
};

/* Of 'conf' and the wishes, which must outlive them.  A check of the file that has such a name
 * stands for it. */
void active_init(struct active *, const struct conf *conf, const struct wishes *);
void active_done(struct active *);

/* The upstreams that use a check made here. */
const char *const *active_users(const struct check_conf *, size_t *ret_n);

/* The check that asks that server of the upstream, to be freed; NULL: none does. */
char *active_name(const struct upstream_conf *, const struct endpoint *server);

#endif
