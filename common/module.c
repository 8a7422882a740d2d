/*
 * module.c - see module.h.
 */
#include "common/module.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The directory of this program with the file's name; false: unknown. */
static bool
beside(const char *file, char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	if (n < 0)
		return false;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (slash == NULL || (size_t)(slash + 1 - buf) + strlen(file) + 1 > size)
		return false;
	strcpy(slash + 1, file);
	return true;
}

bool
module_find(const char *file, char *buf, size_t size)
{
	if (beside(file, buf, size) && access(buf, F_OK) == 0)
		return true;
	snprintf(buf, size, TRIVET_LIBDIR "/%s", file);
	return access(buf, F_OK) == 0;
}
