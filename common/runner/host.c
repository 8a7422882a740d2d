/*
 * host.c - see host.h.
 */
#include "common/runner/host.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

static int
host_lstat(void *aux, const char *path, struct secure_stat *ret)
{
	struct stat st;

	(void)aux;
	if (lstat(path, &st) < 0)
		return -errno;
	*ret = (struct secure_stat){ .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid };
	return 0;
}

static int
host_readlink(void *aux, const char *path, char *buf, size_t size)
{
	ssize_t n = readlink(path, buf, size);

	(void)aux;
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

static const char *
host_group_name(void *aux, gid_t gid)
{
	const struct group *gr = getgrgid(gid);

	(void)aux;
	return gr != NULL ? gr->gr_name : NULL;
}

static const char *
host_user_name(void *aux, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	(void)aux;
	return pw != NULL ? pw->pw_name : NULL;
}

struct secure_host
secure_host_real(void)
{
	return (struct secure_host){
		.lstat = host_lstat,
		.readlink = host_readlink,
		.group_name = host_group_name,
		.user_name = host_user_name,
	};
}
