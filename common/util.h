/*
 * util.h - the handful of macros that every file would otherwise define.
 */
#ifndef COMMON_UTIL_H
#define COMMON_UTIL_H

#include <stddef.h>
#include <sys/param.h> /* MIN, MAX */

#define ARRAY_LEN(a)			(sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define PRINTF_LIKE(fmt, first)		__attribute__((format(printf, fmt, first)))

#endif
