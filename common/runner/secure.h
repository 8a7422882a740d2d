/*
 * secure.h - may this path be executed as root?  keepalived's rules for
 * enable_script_security, held always: every component, symbolic links
 * followed, belongs to root and can be written by root only (sticky
 * directories apart, where nobody can replace what is root's).  Unlike there,
 * the refusal names the component.  What passes is also what nobody but root can
 * hold up (exec.h).
 *
 * Pure: the file system comes in through struct secure_host, so the rules are
 * tested against file systems that nobody has.
 */
#ifndef COMMON_RUNNER_SECURE_H
#define COMMON_RUNNER_SECURE_H

#include "common/text.h"

#include <stdbool.h>
#include <sys/types.h>

struct secure_stat {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct secure_host {
	void *aux;
	int (*lstat)(void *aux, const char *path, struct secure_stat *ret); /* 0 or -errno */
	/* NUL-terminated; 0 or -errno. */
	int (*readlink)(void *aux, const char *path, char *buf, size_t size);
	/* "users", or NULL when it has no name. */
	const char *(*group_name)(void *aux, gid_t);
	const char *(*user_name)(void *aux, uid_t);
};

/*
 * 0: 'path' may be executed (by root, when 'as_root').  Otherwise -ENOENT,
 * -EACCES, -EPERM (insecure), -ELOOP or another errno, and in 'why' one
 * sentence: "/opt/x is writable by group users".  That it exists and is an
 * executable file is checked for every user.
 */
int secure_check(const struct secure_host *, const char *path, bool as_root, struct text *why);

#endif
