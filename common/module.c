/*
 * module.c - see module.h.
 */
#include "common/module.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
module_find(const char *file, char ret_path[static MODULE_PATH_MAX])
{
	char program[MODULE_PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash;

	program[n > 0 ? n : 0] = '\0';
	slash = strrchr(program, '/');
	if (slash != NULL)
		*slash = '\0';
	snprintf(ret_path, MODULE_PATH_MAX, "%s/%s", program, file);
	if (access(ret_path, F_OK) == 0)
		return true;
	snprintf(ret_path, MODULE_PATH_MAX, "%s/../lib/trivet/%s", program, file);
	return access(ret_path, F_OK) == 0;
}
