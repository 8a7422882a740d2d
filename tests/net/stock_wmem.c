/*
 * stock_wmem.c - preloaded into a daemon under test: send buffers as on a kernel that nobody
 * has tuned.  net.core.wmem_max is the whole machine's, so a test must not set it.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include <dlfcn.h>
#include <stddef.h>

#define STOCK_WMEM_MAX 212992

int
setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	static int (*next)(int, int, int, const void *, socklen_t);
	const int most = STOCK_WMEM_MAX;

	if (next == NULL)
		next = (int (*)(int, int, int, const void *, socklen_t))dlsym(
		    RTLD_NEXT, "setsockopt");
	if (level == SOL_SOCKET && name == SO_SNDBUF && *(const int *)value > most)
		return next(fd, level, name, &most, sizeof(most));
	return next(fd, level, name, value, size);
}
