/*
 * caps.h - giving privileges away for good (capabilities(7), libcap).
 */
#ifndef COMMON_CAPS_H
#define COMMON_CAPS_H

#include "common/text.h"

#include <stdint.h>
#include <sys/types.h>

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/*
 * Become 'user' (and the group _trivet), keep only the capabilities in 'keep'
 * (permitted and effective; nothing inheritable or ambient), empty the bounding
 * set, set no_new_privs.  Started unprivileged (by systemd): verify that nothing
 * beyond 'keep' is held and that all of it is there.  0, or -errno with the
 * reason in 'why'.
 */
int caps_drop(const char *user, uint64_t keep, struct text *why);

/* uid and gid of a system user; -ENOENT. */
int caps_user(const char *user, uid_t *ret_uid, gid_t *ret_gid);

#endif
