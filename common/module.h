/*
 * module.h - where a part that is loaded when needed is: beside the program
 * that runs (a build directory), or in lib/trivet beside its directory.
 */
#ifndef COMMON_MODULE_H
#define COMMON_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#define MODULE_HTTP	"probe_http.so" /* of checkd: https checks */
#define MODULE_PATH_MAX 4096

/* Its path; true: there is such a file. */
bool module_find(const char *file, char ret_path[static MODULE_PATH_MAX]);

#endif
