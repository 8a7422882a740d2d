/*
 * conf_host.c - see conf_host.h.
 */
#include "common/conf_host.h"

#include "common/module.h"
#include "common/text.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 * 1024 * 1024) /* a configuration, not a log given by mistake */

/* Where a script named without a path is looked for, whoever starts the daemon. */
static const char *const program_dirs[] = {
	"/usr/local/sbin",
	"/usr/local/bin",
	"/usr/sbin",
	"/usr/bin",
	"/sbin",
	"/bin",
};

static int
read_all(int fd, char **ret_text, size_t *ret_size)
{
	struct text t = { 0 };
	char buf[16384];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || t.length + (size_t)n > FILE_MAX_BYTES) {
			int err = n < 0 ? -errno : -EFBIG;

			text_done(&t);
			return err;
		}
		text_add_n(&t, buf, (size_t)n);
	}
	*ret_size = t.length;
	*ret_text = text_take(&t);
	return 0;
}

static int
read_file(void *aux, const char *path, char **ret_text, size_t *ret_size)
{
	struct stat st;
	int fd, err;

	(void)aux;
	/* O_NONBLOCK: a FIFO named by mistake must not hang the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else
		err = read_all(fd, ret_text, ret_size);
	close(fd);
	return err;
}

static int
glob_paths(void *aux, const char *pattern, char ***ret_paths, size_t *ret_n)
{
	glob_t g;
	int rc = glob(pattern, 0, NULL, &g);

	(void)aux;
	if (rc == GLOB_NOMATCH) {
		*ret_paths = NULL;
		*ret_n = 0;
		return 0;
	}
	if (rc != 0)
		return rc == GLOB_NOSPACE ? -ENOMEM : -EIO;
	*ret_paths = xcalloc(g.gl_pathc, sizeof(**ret_paths));
	for (size_t i = 0; i < g.gl_pathc; i++)
		(*ret_paths)[i] = xstrdup(g.gl_pathv[i]);
	*ret_n = g.gl_pathc;
	globfree(&g);
	return 0;
}

static const char *
env(void *aux, const char *name)
{
	(void)aux;
	return getenv(name);
}

static bool
has_interface(void *aux, const char *name)
{
	(void)aux;
	return if_nametoindex(name) != 0;
}

static char *
find_program(void *aux, const char *name)
{
	(void)aux;
	for (size_t i = 0; i < ARRAY_LEN(program_dirs); i++) {
		char *path = xasprintf("%s/%s", program_dirs[i], name);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool
has_http(void *aux)
{
	char path[MODULE_PATH_MAX];

	(void)aux;
	return module_find(MODULE_HTTP, path);
}

struct conf_host
conf_host_real(const char *node_id)
{
	static char host_name[256];

	if (node_id == NULL) {
		if (gethostname(host_name, sizeof(host_name) - 1) < 0)
			host_name[0] = '\0';
		host_name[strcspn(host_name, ".")] = '\0';
		node_id = host_name;
	}
	return (struct conf_host){
		.node_id = node_id,
		.read_file = read_file,
		.glob = glob_paths,
		.env = env,
		.has_interface = has_interface,
		.find_program = find_program,
		.has_http = has_http,
	};
}
