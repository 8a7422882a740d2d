#include "tests/unit/test.h"

#include "common/runner/secure.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* ---- a file system that nobody has ---- */

#define DIR_OK	 S_IFDIR | 0755
#define FILE_OK	 S_IFREG | 0755
#define LINK(to) S_IFLNK | 0777, 0, 0, to
#define USERS	 100
#define BIND_UID 53

/* One component that leaves room for a slash behind it, and for nothing else. */
static char long_path[PATH_MAX];

static const struct {
	const char *path;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	const char *target;
} files[] = {
	{ "/", DIR_OK, 0, 0, NULL },
	{ "/etc", DIR_OK, 0, 0, NULL },
	{ "/etc/ok.sh", FILE_OK, 0, 0, NULL },
	{ "/etc/plain", S_IFREG | 0644, 0, 0, NULL },
	{ "/etc/fifo", S_IFIFO | 0755, 0, 0, NULL },
	{ "/etc/grp.sh", S_IFREG | 0775, 0, USERS, NULL },
	{ "/etc/rootgrp.sh", S_IFREG | 0775, 0, 0, NULL },
	{ "/etc/all.sh", S_IFREG | 0777, 0, 0, NULL },
	{ "/etc/bind.sh", FILE_OK, BIND_UID, 0, NULL },
	{ "/etc/nobody.sh", FILE_OK, 4711, 0, NULL },
	{ "/etc/link", LINK("ok.sh") },
	{ "/etc/abs", LINK("/opt/x/run.sh") },
	{ "/etc/up", LINK("../etc/./ok.sh") },
	{ "/etc/loop", LINK("loop") },
	{ "/etc/dangling", LINK("gone.sh") },
	{ "/etc/dirlink", LINK("/opt") },
	{ "/opt", DIR_OK, 0, 0, NULL },
	{ "/opt/x", S_IFDIR | 0775, 0, USERS, NULL },
	{ "/opt/x/run.sh", FILE_OK, 0, 0, NULL },
	{ "/opt/g", S_IFDIR | 0775, 0, 12345, NULL },
	{ "/opt/g/run.sh", FILE_OK, 0, 0, NULL },
	{ "/opt/all", S_IFDIR | 0777, 0, 0, NULL },
	{ "/opt/all/run.sh", FILE_OK, 0, 0, NULL },
	{ "/home", DIR_OK, 0, 0, NULL },
	{ "/home/bind", DIR_OK, BIND_UID, 0, NULL },
	{ "/home/bind/run.sh", FILE_OK, 0, 0, NULL },
	{ "/tmp", S_IFDIR | S_ISVTX | 0777, 0, 0, NULL },
	{ "/tmp/run.sh", FILE_OK, 0, 0, NULL },
	{ "/tmp/his", S_IFLNK | 0777, BIND_UID, 0, "/etc/ok.sh" },
	{ "/etc/torn", S_IFLNK | 0777, 0, 0, NULL },
	{ "/etc/far", LINK(long_path) },
	{ "/sealed", DIR_OK, 0, 0, NULL },
};

static int
fake_lstat(void *aux, const char *path, struct secure_stat *ret)
{
	(void)aux;
	if (strncmp(path, "/sealed/", 8) == 0)
		return -EACCES; /* as on a network file system that root has no say on */
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (strcmp(files[i].path, path) != 0)
			continue;
		*ret = (struct secure_stat){ files[i].mode, files[i].uid, files[i].gid };
		return 0;
	}
	return -ENOENT;
}

static int
fake_readlink(void *aux, const char *path, char *buf, size_t size)
{
	(void)aux;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(files[i].path, path) == 0 && files[i].target != NULL &&
		    strlen(files[i].target) < size) {
			strcpy(buf, files[i].target);
			return 0;
		}
	return -EIO;
}

static const char *
fake_group(void *aux, gid_t gid)
{
	(void)aux;
	return gid == USERS ? "users" : NULL;
}

static const char *
fake_user(void *aux, uid_t uid)
{
	(void)aux;
	return uid == BIND_UID ? "bind" : NULL;
}

static const struct secure_host host = { NULL, fake_lstat, fake_readlink, fake_group, fake_user };

/* ---- the rules ---- */

static const struct {
	const char *path;
	int err;	 /* as root */
	const char *why; /* as root */
	int err_user;	 /* as another user: only that it is there and a program */
} rows[] = {
	{ "/etc/ok.sh", 0, "", 0 },
	{ "/etc//ok.sh", 0, "", 0 },
	{ "/etc/../etc/./ok.sh", 0, "", 0 },
	{ "/../etc/ok.sh", 0, "", 0 },
	{ "/etc/rootgrp.sh", 0, "", 0 },
	{ "/tmp/run.sh", 0, "", 0 },
	{ "/etc/link", 0, "", 0 },
	{ "/etc/up", 0, "", 0 },
	{ "/etc/grp.sh", -EPERM, "/etc/grp.sh is writable by group users", 0 },
	{ "/etc/all.sh", -EPERM, "/etc/all.sh is writable by everybody", 0 },
	{ "/etc/bind.sh", -EPERM, "/etc/bind.sh is owned by user bind", 0 },
	{ "/etc/nobody.sh", -EPERM, "/etc/nobody.sh is owned by user 4711", 0 },
	{ "/opt/x/run.sh", -EPERM, "/opt/x is writable by group users", 0 },
	{ "/opt/g/run.sh", -EPERM, "/opt/g is writable by group 12345", 0 },
	{ "/opt/all/run.sh", -EPERM, "/opt/all is writable by everybody", 0 },
	{ "/home/bind/run.sh", -EPERM, "/home/bind is owned by user bind", 0 },
	{ "/etc/abs", -EPERM, "/opt/x is writable by group users", 0 },
	{ "/etc/dirlink/x/run.sh", -EPERM, "/opt/x is writable by group users", 0 },
	{ "/tmp/his", -EPERM, "/tmp/his is owned by user bind", 0 },
	{ "/etc/gone.sh", -ENOENT, "/etc/gone.sh does not exist", -ENOENT },
	{ "/srv/check/run.sh", -ENOENT, "/srv does not exist", -ENOENT },
	{ "/etc/dangling", -ENOENT, "/etc/gone.sh does not exist", -ENOENT },
	{ "/etc/loop", -ELOOP, "/etc/loop has too many symbolic links behind it", -ELOOP },
	{ "/etc/ok.sh/x", -ENOTDIR, "/etc/ok.sh is not a directory", -ENOTDIR },
	{ "/etc", -EACCES, "/etc is a directory", -EACCES },
	{ "/", -EACCES, "/ is a directory", -EACCES },
	{ "/etc/plain", -EACCES, "/etc/plain is not executable", -EACCES },
	{ "/etc/fifo", -EACCES, "/etc/fifo is not a regular file", -EACCES },
	{ "killall", -ENOENT, "killall is not in the search path for scripts", -ENOENT },
	{ "/sealed/run.sh", -EACCES, "/sealed/run.sh: Permission denied", -EACCES },
	{ "/etc/torn", -EIO, "/etc/torn Input/output error", -EIO },
	{ "/etc/far", -ENAMETOOLONG, "/etc begins a path that is too long", -ENAMETOOLONG },
	{ "/etc/far/run.sh", -ENAMETOOLONG, "/etc/far leads to a path that is too long",
	    -ENAMETOOLONG },
};

static void
every_path(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text why = { 0 };
		int err = secure_check(&host, rows[i].path, true, &why);

		if (err != rows[i].err || strcmp(text_str(&why), rows[i].why) != 0)
			fail_msg("%s: %d \"%s\"", rows[i].path, err, text_str(&why));
		text_done(&why);
		err = secure_check(&host, rows[i].path, false, &why);
		if (err != rows[i].err_user)
			fail_msg("%s for another user: %d", rows[i].path, err);
		text_done(&why);
	}
}

static void
a_path_without_end(void **unused)
{
	char path[PATH_MAX + 8];
	struct text why = { 0 };

	(void)unused;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	assert_int_equal(secure_check(&host, path, true, &why), -ENAMETOOLONG);
	assert_string_equal(text_str(&why), "the path is too long");
	text_done(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_path),
		cmocka_unit_test(a_path_without_end) };

	memset(long_path, 'x', sizeof(long_path) - 3);

	return cmocka_run_group_tests_name("runner secure", tests, NULL, NULL);
}
