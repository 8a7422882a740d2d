/*
 * module.h - where a part that is loaded when needed is: beside the program
 * that runs (a build directory), else where it is installed.
 */
#ifndef COMMON_MODULE_H
#define COMMON_MODULE_H

#include <stdbool.h>
#include <stddef.h>

#define MODULE_HTTP "probe_http.so" /* of checkd: http and https checks */

/* Its path in 'buf', the installed one's where there is none; true: there is such a file. */
bool module_find(const char *file, char *buf, size_t size);

#endif
