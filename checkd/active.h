/*
 * active.h - the checks that `health_check` asks for: one for each address,
 * port and question, however many upstreams share it.
 *
 * Servers given by address only: of a name, proxyd alone knows what it stands
 * for at the moment.
 */
#ifndef CHECKD_ACTIVE_H
#define CHECKD_ACTIVE_H

#include "common/conf/conf.h"

struct active {
	struct check_conf *checks; /* each its own name, all else borrowed from the conf */
	size_t n;
};

/* Of 'conf', which must outlive them.  A check of the file that has such a name stands for it. */
void active_init(struct active *, const struct conf *conf);
void active_done(struct active *);

/* Does the upstream use this check, one of those made here? */
bool active_uses(const struct upstream_conf *, const struct check_conf *);

#endif
