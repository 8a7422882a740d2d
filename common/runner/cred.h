/*
 * cred.h - who a script runs as, looked up before the fork: the child must not
 * ask the name service (it may hang), and a wrong name is known at once.
 */
#ifndef COMMON_RUNNER_CRED_H
#define COMMON_RUNNER_CRED_H

#include "common/conf/conf.h"
#include "common/text.h"

#include <sys/types.h>

#define CRED_GROUPS_MAX 64 /* supplementary groups kept; the kernel's own limit is far above */

struct cred {
	uid_t uid;
	gid_t gid;
	gid_t groups[CRED_GROUPS_MAX];
	int n_groups;
	char name[33], home[256]; /* as the environment tells it */
};

/*
 * keepalived's rules: as written (user, else script_user), else the account
 * keepalived_script if there is one, else root.  0, or -ENOENT with the reason.
 * What was found lately is not looked up again.
 */
int cred_lookup(const struct conf_script *, struct cred *ret, struct text *why);

#endif
